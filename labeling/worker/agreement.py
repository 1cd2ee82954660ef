"""Computes the agreement report of a study and writes the consensus of its crops."""

import time
from collections.abc import Mapping
from typing import Any

from labeling.agreement.shape import AgreementData
from labeling.agreement.votes import Verdicts
from labeling.agreement.whole import whole
from labeling.models import Study
from labeling.services import agreement
from labeling.services.counts import count
from labeling.worker.agreement_rows import Gathered, gather
from labeling.worker.consensus import write_consensus


def make_report(study_pk: int) -> bool:
    """Compute the report of the study with this number; False where another worker does, or nothing has changed."""
    report = agreement.claim(study_pk)
    if report is None:
        return False
    started = time.monotonic()
    try:
        data, verdicts, gathered = compute(report.study)
        if before := rested_on(report.data, data):
            data["state"]["rested_on"] = before
        write_consensus(report.study, gathered, verdicts)
        counts = count(report.study).as_json()
    except Exception as error:
        agreement.fail(report, f"The agreement could not be computed ({type(error).__name__}). See the worker's log.")
        raise
    return agreement.store(report, data, counts, time.monotonic() - started)


def rested_on(before: Mapping[str, Any], data: AgreementData) -> str:
    """Name of the basis that led the reports before this one, up to the last change; "" where there was no other."""
    if not before:
        return ""
    head = before["headline"]
    if head["basis"] == data["headline"]["basis"]:
        return str(before["state"].get("rested_on", ""))
    return str(head["name"])


def compute(study: Study) -> tuple[AgreementData, Verdicts, Gathered]:
    """The report from the answers as they stand now, the verdict of each crop, and what both rest on."""
    # Before the answers are read: what comes meanwhile counts as newer, though the report may know it.
    newest, setup = agreement.newest_annotation(study), agreement.setup_of(study)
    gathered = gather(study)
    state = {"newest": newest, "setup": setup, "answers": gathered.answers}
    data, verdicts = whole(gathered.columns, gathered.design, gathered.known, state)
    return data, verdicts, gathered
