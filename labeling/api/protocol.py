"""The protocol of a study of readers over HTTP: its state, the lock, the end and the report."""

from dataclasses import asdict
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.conflicts import Conflict
from labeling.models import ReaderStudy, Study
from labeling.services import access
from labeling.services.reader_study.closing import close_protocol, deviations
from labeling.services.reader_study.drafting import protocol_of
from labeling.services.reader_study.locking import draft_digest, lock_protocol, problems_of
from labeling.services.reader_study.progress import is_met, progress_of
from labeling.services.reader_study.protocol import content_of
from labeling.services.reader_study.report import report_of
from labeling.services.refusals import StudyRefused


class LockIn(serializers.Serializer[Any]):
    """The digest of the draft that is to be locked, as GET told it: another draft is not."""

    digest = serializers.RegexField(r"^[0-9a-f]{64}$")


class CloseIn(serializers.Serializer[Any]):
    """Why reading ends before its rule is met; not needed once it is."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)


class ProtocolOut(serializers.Serializer[Any]):
    """A protocol. Readers get `state`, `question`, `digest`, `read` and `cases` alone.

    `state`: "draft", "locked" or "closed". `protocol`: the content, in a draft as it would be locked now. `report`:
    null until the protocol is closed; its tables hold raw values.
    """

    state = serializers.ChoiceField(choices=["draft", "locked", "closed"])
    question = serializers.CharField()
    digest = serializers.CharField()
    read = serializers.IntegerField(required=False)
    cases = serializers.IntegerField(required=False)
    locked_at = serializers.DateTimeField(required=False, allow_null=True)
    closed_at = serializers.DateTimeField(required=False, allow_null=True)
    protocol = serializers.DictField(required=False)
    problems = serializers.ListField(child=serializers.CharField(), required=False)
    progress = serializers.ListField(child=serializers.DictField(), required=False)
    stopping_rule_met = serializers.BooleanField(required=False)
    deviations = serializers.ListField(child=serializers.DictField(), required=False)
    report = serializers.DictField(required=False, allow_null=True)


class ProtocolView(APIView):
    """For those who take part in the study."""

    @extend_schema(responses=ProtocolOut, operation_id="studies_protocol")
    def get(self, request: Request, pk: int) -> Response:
        """The protocol, how far its readers are, and the report once it is closed."""
        study = access.study_for(request.user, pk)
        found = protocol_of(study)
        is_lead = access.is_lead(request.user, study)
        if found is None or (found.locked_at is None and not is_lead):
            raise Http404("This study has no protocol, or it is not locked yet.")
        return Response(_payload(found) if is_lead else _for_reader(found, request.user))


class ProtocolLockView(APIView):
    """For leads."""

    @extend_schema(request=LockIn, responses=ProtocolOut, operation_id="studies_protocol_lock")
    def post(self, request: Request, pk: int) -> Response:
        """Fix the protocol; locking twice is locking once. 409 says what stands in the way."""
        study = access.led_study_for(request.user, pk)
        given = LockIn(data=request.data)
        given.is_valid(raise_exception=True)
        return _done(study, lambda: lock_protocol(study, request.user, seen=given.validated_data["digest"]))


class ProtocolCloseView(APIView):
    """For leads."""

    @extend_schema(request=CloseIn, responses=ProtocolOut, operation_id="studies_protocol_close")
    def post(self, request: Request, pk: int) -> Response:
        """End the reading and open the results. 409 where the stopping rule is not met and no reason is given."""
        study = access.led_study_for(request.user, pk)
        given = CloseIn(data=request.data)
        given.is_valid(raise_exception=True)
        return _done(study, lambda: close_protocol(study, request.user, given.validated_data["reason"]))


def _done(study: Study, act: Any) -> Response:
    try:
        act()
    except StudyRefused as error:
        raise Conflict(str(error)) from error
    found = protocol_of(study)
    assert found is not None
    return Response(_payload(found), status=status.HTTP_200_OK)


def _state(found: ReaderStudy) -> str:
    if found.locked_at is None:
        return "draft"
    return "locked" if found.closed_at is None else "closed"


def _for_reader(found: ReaderStudy, user: Any) -> dict[str, Any]:
    own = next((row for row in progress_of(found) if row.user == user.pk), None)
    told = {"read": own.read, "cases": own.cases} if own else {}
    return {"state": _state(found), "question": found.study.question, "digest": found.digest} | told


def _payload(found: ReaderStudy) -> dict[str, Any]:
    state = _state(found)
    told = {"state": state, "question": found.question, "locked_at": found.locked_at, "closed_at": found.closed_at}
    if state == "draft":
        content = content_of(found)
        return told | {"digest": draft_digest(found), "protocol": content, "problems": problems_of(found)}
    return told | {
        "digest": found.digest,
        "protocol": found.fixed,
        "progress": [asdict(row) for row in progress_of(found)],
        "stopping_rule_met": is_met(found),
        "deviations": [asdict(row) for row in deviations(found)],
        "report": asdict(report_of(found)) if state == "closed" else None,
    }
