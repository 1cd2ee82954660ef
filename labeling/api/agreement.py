"""The agreement report over HTTP, for leads: what is kept, never computed while somebody waits."""

from typing import Any

from django.http import Http404, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.closed import led_results_for
from labeling.models import Study
from labeling.services.agreement import report_of
from labeling.services.export.agreement import table_csv, table_names
from labeling.tasks import ring_for_agreement


class AgreementOut(serializers.Serializer[Any]):
    """The newest report and how fresh it is; `report` is null until the first one is there."""

    state = serializers.ChoiceField(["empty", "computing", "stale", "current"])
    computed_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    newer_answers = serializers.IntegerField()
    problem = serializers.CharField()
    tables = serializers.ListField(child=serializers.CharField())
    report = serializers.JSONField(allow_null=True)


class AgreementView(APIView):
    """The agreement report of a study."""

    @extend_schema(responses=AgreementOut)
    def get(self, request: Request, pk: int) -> Response:
        """How far the readers agree, with intervals, as it was last computed; for leads."""
        return Response(agreement_payload(led_results_for(request.user, pk)))


class AgreementTableView(APIView):
    """One table of the report."""

    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.STR},
        parameters=[OpenApiParameter("table", str, OpenApiParameter.PATH, enum=table_names())],
    )
    def get(self, request: Request, pk: int, table: str) -> StreamingHttpResponse:
        """The table as CSV; for leads. 404 while there is no report."""
        study = led_results_for(request.user, pk)
        data = report_of(study).data
        if table not in table_names():
            raise Http404(f"No such table. There are: {', '.join(table_names())}.")
        if data is None:
            raise Http404("The agreement of this study is not computed yet: try again in a minute.")
        response = StreamingHttpResponse(table_csv(data, table), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="agreement-{study.pk}-{table}.csv"'
        return response


def agreement_payload(study: Study) -> dict[str, Any]:
    """The report with its freshness; rings for the first one."""
    shown = report_of(study)
    if shown.is_wanted:
        ring_for_agreement(study.pk)
    return {
        "state": shown.state,
        "computed_at": shown.computed_at and shown.computed_at.isoformat(),
        "seconds": shown.seconds,
        "newer_answers": shown.newer,
        "problem": shown.problem,
        "tables": table_names(),
        "report": shown.data,
    }
