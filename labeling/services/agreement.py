"""The agreement report of a study: kept as one row, computed by `labeling.worker.agreement`, read by pages.

`report_of(study)` gives the newest report with its freshness and never computes. The shape of its `data` is
`labeling.agreement.shape.AgreementData`.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Count, Max, OuterRef, Q, Subquery
from django.utils import timezone

from labeling.agreement.shape import AgreementData
from labeling.models import AgreementReport, Annotation, LabelClass, ReaderExclusion, Study

# While answers come in, a report is computed at most so often, and no more than a twentieth of the time.
EVERY = timedelta(seconds=60)
REST = 20
# What failed may have failed for a reason that passes: a full disk, a locked database.
RETRY = timedelta(hours=1)
# A worker that has not finished by then is gone: its task was ended.
SILENT = timedelta(minutes=12)


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest report of a study and how fresh it is.

    `data` is None until the first report is there. `newer`: answers, withdrawals among them, that it does not know.
    `is_current`: nothing changed since, neither answers nor classes nor settings. `changed`: what did besides
    answers, in words, empty where nothing did. `is_empty`: nobody has answered, so that there is nothing to compute.
    `problem`: why the newest try failed.
    """

    data: AgreementData | None
    computed_at: datetime | None
    seconds: float | None
    newer: int
    is_current: bool
    is_empty: bool
    is_computing: bool
    problem: str
    changed: str = ""

    @property
    def is_wanted(self) -> bool:
        """Whether there is no report yet though there could be one, and nobody is making it: ring for it."""
        return self.data is None and not (self.is_empty or self.is_computing or self.problem)

    @property
    def state(self) -> str:
        """empty: nobody has answered; computing: the first report is on its way; stale or current."""
        if self.data is None:
            return "empty" if self.is_empty else "computing"
        return "current" if self.is_current else "stale"


def report_of(study: Study) -> Shown:
    """The newest report and its freshness; computes nothing."""
    report = AgreementReport.objects.filter(study=study).first() or AgreementReport(study=study)
    newest, newer = _extent(study, report.last_annotation)
    has_data = report.computed_at is not None
    data: Any = report.data if has_data else None
    is_same = has_data and setup_of(study) == report.setup
    return Shown(
        data=data,
        computed_at=report.computed_at,
        seconds=report.seconds,
        newer=newer if has_data else 0,
        is_current=is_same and newest == report.last_annotation,
        is_empty=not newest,
        is_computing=_is_claimed(report),
        problem=report.problem,
        changed=_changed(report) if has_data and not is_same else "",
    )


def _changed(report: AgreementReport) -> str:
    since = Q(at__gt=report.computed_at) | Q(lifted_at__gt=report.computed_at)
    moved = ReaderExclusion.objects.filter(since, study=report.study_id).exists()
    return "who counts has changed" if moved else "classes or settings have changed"


def newest_annotation(study: Study) -> int:
    """Number of the newest answer of the study, 0 without any."""
    return Annotation.objects.filter(study=study).aggregate(newest=Max("id"))["newest"] or 0


def _extent(study: Study, known: int) -> tuple[int, int]:
    """Number of the newest answer, and how many are newer than the one with the number `known`."""
    newer = Annotation.objects.filter(study=study, id__gt=known).aggregate(newest=Max("id"), n=Count("id"))
    return newer["newest"] or known, newer["n"]


def setup_of(study: Study) -> str:
    """Digest of what besides the answers decides on the report: classes, who is left out, and settings that ask for
    second reads."""
    return _setup(study, list(_classes().filter(study=study)), list(_left_out().filter(study=study)))


def _classes() -> Any:
    columns = ("study_id", "pk", "key", "name", "merged_into_id", "split_from_id")
    return LabelClass.objects.order_by("study_id", "pk").values_list(*columns)


def _left_out() -> Any:
    rows = ReaderExclusion.objects.filter(lifted_at__isnull=True).order_by("study_id", "user_id")
    return rows.values_list("study_id", "user_id")


def _setup(study: Study, classes: list[tuple[Any, ...]], left_out: list[tuple[Any, ...]]) -> str:
    settings = [study.reads_per_crop, study.overlap_share, study.seed, study.is_simulated]
    return hashlib.sha256(json.dumps([settings, classes, left_out]).encode()).hexdigest()


def claim(study_pk: int) -> AgreementReport | None:
    """The report of the study, now ours by its token; None where another worker has it or nothing has changed."""
    study = Study.objects.filter(pk=study_pk).first()
    if study is None:
        return None
    report, _ = AgreementReport.objects.get_or_create(study=study)
    now, token = timezone.now(), uuid4().hex
    newest, setup = newest_annotation(study), setup_of(study)
    known = Q(computed_at__isnull=False, last_annotation=newest, setup=setup)
    free = Q(claim_token="") | Q(claimed_at__lt=now - SILENT)
    rows = AgreementReport.objects.filter(free, pk=report.pk).exclude(known)
    rows.update(claim_token=token, claimed_at=now, tried_at=now, tried_annotation=newest, tried_setup=setup)
    return AgreementReport.objects.filter(claim_token=token).select_related("study").first()


def store(report: AgreementReport, data: AgreementData, counts: dict[str, Any], seconds: float) -> bool:
    """Keep the data as the study's report, and what its overview counts; False where the report is another worker's
    now, or gone."""
    state = data["state"]
    done = {"data": data, "counts": counts, "last_annotation": state["newest"], "setup": state["setup"]}
    done["seconds"] = seconds
    return _close(report, computed_at=timezone.now(), problem="", **done)


def fail(report: AgreementReport, problem: str) -> bool:
    """Keep why there is no new report; the old one stays. Tried again after an hour, or once something changes."""
    return _close(report, problem=problem)


def _close(report: AgreementReport, **fields: Any) -> bool:
    ours = AgreementReport.objects.filter(pk=report.pk, claim_token=report.claim_token)
    return bool(ours.update(claim_token="", claimed_at=None, **fields))


def reports_due() -> list[int]:
    """Numbers of the studies whose report lacks answers, classes or settings, and was not tried too lately."""
    newest = Annotation.objects.filter(study=OuterRef("pk")).order_by("-id").values("id")[:1]
    studies = Study.objects.annotate(newest=Subquery(newest)).filter(newest__isnull=False)
    reports = {row.study_id: row for row in AgreementReport.objects.defer("data", "counts")}
    classes, left_out = _by_study(_classes()), _by_study(_left_out())
    return [
        study.pk
        for study in studies
        if _is_due(study, reports.get(study.pk), _setup(study, classes[study.pk], left_out[study.pk]))
    ]


def _by_study(rows: Iterable[tuple[Any, ...]]) -> Mapping[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


def _is_due(study: Any, report: AgreementReport | None, setup: str) -> bool:
    if report is None or report.tried_at is None:
        return True
    if _is_claimed(report):
        return False
    # A try that was ended with its worker has a claim still, and knows nothing.
    ended = bool(report.claim_token)
    rest = max(EVERY, timedelta(seconds=REST * (report.seconds or 0.0)))
    changed = (study.newest, setup) != (report.tried_annotation, report.tried_setup)
    since = timezone.now() - report.tried_at
    return since >= rest if changed or ended else bool(report.problem) and since >= RETRY


def _is_claimed(report: AgreementReport) -> bool:
    at = report.claimed_at
    return bool(report.claim_token) and at is not None and timezone.now() - at < SILENT
