"""One answer to many crops over HTTP."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.persons import of_this_person
from labeling.api.plain import plain_json
from labeling.api.serializers.answers import DigestField
from labeling.services import access
from labeling.services.answers import AnswerRefused
from labeling.services.bulk import MOST_AT_ONCE, BulkItem, BulkStep, Outcome, submit_bulk, undo_bulk

MOST_NUMBER = 2**63 - 1


class BulkItemIn(serializers.Serializer[Any]):
    """A crop; `standing` is the number of your bulk answer that may be replaced, `suggested_by` whose class it is."""

    client_id = serializers.UUIDField()
    crop = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER, source="crop_id")
    standing = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER, allow_null=True, default=None)
    suggested_by = DigestField()


class BulkIn(serializers.Serializer[Any]):
    """One answer to many crops: a class, or not_sure, bad_crop or wrong_object; `source` is room or api.

    `annotator` names who gave it, so that another log-in in the same browser cannot send it. `sent_at` is the
    sender's clock when it leaves, by which a wrong clock is corrected.
    """

    items = BulkItemIn(many=True, min_length=1, max_length=MOST_AT_ONCE)
    answer = serializers.CharField(max_length=20)
    classes = serializers.ListField(child=serializers.CharField(max_length=100), default=list, max_length=20)
    answered_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True, default=None)
    annotator = serializers.IntegerField(allow_null=True, default=None)
    window = serializers.ListField(
        child=serializers.DictField(), default=list, max_length=64, validators=[plain_json]
    )
    ranking = DigestField()
    source = serializers.RegexField("^(room|api)$", default="room")


class BulkUndoItemIn(serializers.Serializer[Any]):
    """A new id, and the client id of the answer that is taken back."""

    client_id = serializers.UUIDField()
    answer = serializers.UUIDField()


class BulkUndoIn(serializers.Serializer[Any]):
    """Bulk answers to take back; `annotator` names who takes them back, as in BulkIn."""

    items = BulkUndoItemIn(many=True, min_length=1, max_length=MOST_AT_ONCE)
    annotator = serializers.IntegerField(allow_null=True, default=None)


class BulkResultOut(serializers.Serializer[Any]):
    """What became of a crop; `annotation` is the answer that stands now."""

    client_id = serializers.UUIDField()
    crop = serializers.IntegerField(source="crop_id")
    outcome = serializers.ChoiceField(choices=[(row.value, row.value) for row in Outcome])
    annotation = serializers.IntegerField(allow_null=True)
    message = serializers.CharField(allow_blank=True)


class BulkOut(serializers.Serializer[Any]):
    """A result per item, in order, and how many answers stand."""

    saved = serializers.IntegerField()
    results = BulkResultOut(many=True)


class BulkView(APIView):
    """For those who take part in the study."""

    @extend_schema(request=BulkIn, responses=BulkOut, operation_id="studies_bulk")
    def post(self, request: Request, pk: int) -> Response:
        """Give one answer to up to 500 crops; sending it twice stores it once, conflicts are named crop by crop."""
        study = access.study_for(request.user, pk)
        given = BulkIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = of_this_person(request.user, given.validated_data)
        items = tuple(BulkItem(**item) for item in fields.pop("items"))
        step = BulkStep(items=items, classes=tuple(fields.pop("classes")), **fields)
        try:
            return _reply(submit_bulk(study, request.user, step))
        except AnswerRefused as error:
            raise ValidationError({"answer": str(error)}) from error


class BulkUndoView(APIView):
    """For those who take part in the study."""

    @extend_schema(request=BulkUndoIn, responses=BulkOut, operation_id="studies_bulk_undo")
    def post(self, request: Request, pk: int) -> Response:
        """Take back bulk answers of one's own, named by their client ids."""
        study = access.study_for(request.user, pk)
        given = BulkUndoIn(data=request.data)
        given.is_valid(raise_exception=True)
        items = of_this_person(request.user, given.validated_data)["items"]
        pairs = [(item["client_id"], item["answer"]) for item in items]
        return _reply(undo_bulk(study, request.user, pairs))


def _reply(results: list[Any]) -> Response:
    saved = sum(row.outcome == Outcome.SAVED for row in results)
    return Response(BulkOut({"saved": saved, "results": [asdict(row) for row in results]}).data)
