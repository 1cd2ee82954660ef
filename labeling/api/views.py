"""Studies, the reading room and answers over HTTP."""

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from labeling.api.closed import refuse_results
from labeling.api.conflicts import Conflict, standing_payload
from labeling.api.payloads import PREFETCH, crop_payload, example_payloads, ranking_payload, room_state
from labeling.api.persons import of_this_person
from labeling.api.pictures import PictureActions, whole_number
from labeling.api.serializers.answers import (
    AnnotationSerializer,
    AnswerIn,
    BlindAnnotationSerializer,
    LeadAnnotationSerializer,
    UndoIn,
)
from labeling.api.serializers.crops import EXAMPLES_OUT
from labeling.api.serializers.room import AnswerOut, RoomOut, UndoOut
from labeling.api.serializers.studies import NewestRankingOut, StudySerializer
from labeling.api.sitting import SittingActions
from labeling.models import Annotation, Study
from labeling.models.annotation import is_excluded
from labeling.services import access, answers
from labeling.services.history import without_old
from labeling.services.progress import daily_goal, own_progress
from labeling.services.queue import in_turn, release

# It keeps nothing of what it has checked; making one for each answer takes longer than the check.
_ANSWER = AnswerIn()


class StudyViewSet(SittingActions, PictureActions, ReadOnlyModelViewSet[Study]):
    """Studies that the user takes part in, and their reading room."""

    serializer_class = StudySerializer
    lookup_value_converter = "int"
    queryset = Study.objects.none()

    def get_queryset(self) -> QuerySet[Study]:
        studies = access.studies_of(self.request.user)
        if self.action == "list" and self.request.query_params.get("archived", "") not in ("1", "true"):
            studies = access.current_studies(studies)
        return studies.prefetch_related("classes", "experiments").order_by("id")

    @extend_schema(parameters=[OpenApiParameter("archived", bool, description="list archived studies too")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Studies that the user takes part in; archived ones only when they are asked for."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        responses=RoomOut,
        parameters=[OpenApiParameter("count", int, description="1 to 60")],
        filters=False,
    )
    @action(detail=True, pagination_class=None)
    def next(self, request: Request, pk: int) -> Response:
        """The next crops for the user, best first; the first few are leased to them for five minutes."""
        study = access.study_for(request.user, pk)
        return Response(room_state(study, request.user, whole_number(request, "count", PREFETCH)))

    @extend_schema(methods=["GET"], responses=LeadAnnotationSerializer(many=True))
    @extend_schema(
        methods=["POST"],
        request=AnswerIn,
        responses={201: AnswerOut},
        parameters=[OpenApiParameter("count", int, description="crops to come: 1 to 60, 12 unless told")],
    )
    @action(detail=True, methods=["get", "post"])
    def answers(self, request: Request, pk: int) -> Response:
        """GET: every answer (leads: all annotators', else one's own). POST: store one and get the next crops."""
        if request.method == "GET":
            return self._list_answers(request, access.study_for(request.user, pk))
        given = _ANSWER.run_validation(request.data)
        with in_turn():
            return self._take_answer(request, access.study_for(request.user, pk), given)

    def _take_answer(self, request: Request, study: Study, given: dict[str, Any]) -> Response:
        try:
            annotation, is_new = _submit(study, request.user, given)
        except answers.AnswerConflict as error:
            if error.standing is None:
                raise Conflict(str(error)) from error
            return Response(standing_payload(str(error), error.standing), status=status.HTTP_409_CONFLICT)
        state = room_state(study, request.user, whole_number(request, "count", PREFETCH))
        body = {
            "annotation": annotation.pk,
            "saved_at": annotation.received_at.isoformat(),
            "next": state,
            "ranking": state["ranking"],
            "progress": state["progress"],
        }
        return Response(body, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    @extend_schema(request=UndoIn, responses=UndoOut)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: int) -> Response:
        """Take back the user's newest standing answer; may be repeated without end."""
        study = access.study_for(request.user, pk)
        given = UndoIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = of_this_person(request.user, given.validated_data)
        try:
            withdrawal = answers.undo(study, request.user, **fields)
        except answers.AnswerConflict as error:
            raise Conflict(str(error)) from error
        body = {"crop": crop_payload(study, withdrawal.crop), "withdrawn": withdrawal.supersedes_id}
        own = own_progress(study, request.user, goal=daily_goal(study, request.user))
        return Response(body | {"progress": asdict(own)})

    @extend_schema(responses=NewestRankingOut, filters=False)
    @action(detail=True, pagination_class=None)
    def ranking(self, request: Request, pk: int) -> Response:
        """Which state ranked, when, over how many crops, and how many answers are newer; null before the first."""
        return Response({"ranking": ranking_payload(access.study_for(request.user, pk), request.user)})

    @extend_schema(responses={200: EXAMPLES_OUT}, filters=False)
    @action(detail=True, pagination_class=None)
    def examples(self, request: Request, pk: int) -> Response:
        """The example crops of each open class, by its key, with a word on why."""
        return Response(example_payloads(access.study_for(request.user, pk)))

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def leave(self, request: Request, pk: int) -> Response:
        """Give back the crops that the user holds."""
        release(access.study_for(request.user, pk), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _list_answers(self, request: Request, study: Study) -> Response:
        rows = (
            Annotation.objects.filter(study=study)
            .select_related("crop", "guideline")
            .prefetch_related("labels__label_class")
        )
        kind: type[AnnotationSerializer] = LeadAnnotationSerializer
        if access.is_lead(request.user, study):
            refuse_results(study)
            rows = rows.annotate(is_left_out=is_excluded())
        else:
            rows = without_old(rows.filter(annotator=request.user), study, request.user)
            kind = BlindAnnotationSerializer if study.is_blind else AnnotationSerializer
        page = self.paginate_queryset(rows.order_by("id"))
        return self.get_paginated_response(kind(page, many=True).data)


def _submit(study: Study, user: Any, given: dict[str, Any]) -> tuple[Annotation, bool]:
    fields = of_this_person(user, given)
    submission = answers.Submission(crop_id=fields.pop("crop"), classes=tuple(fields.pop("classes")), **fields)
    try:
        return answers.submit(study, user, submission)
    except answers.AnswerRefused as error:
        raise ValidationError({"answer": str(error)}) from error
