"""Computes the report of a study's random stream: reads rows and embeddings, judges, stores the figures."""

import time
from typing import Any

from django.db import transaction

from imaging.pixels.digest import mapping_digest
from labeling.models import Study
from labeling.services.stream import StreamCrop, stream_counts, stream_crops
from training.models import Status, StreamReport
from training.services.labels import newest_annotation
from training.services.stream import newest_report
from training.services.work import claim, finish

# Raised whenever the same answers would give other figures.
VERSION = 1


def make_report(report_pk: int) -> None:
    """Compute the report with this number, unless another worker has it; the same answers are not computed twice."""
    report = claim(StreamReport, report_pk)
    if report is None:
        return
    started = time.monotonic()
    study = report.study
    newest = newest_annotation(study)
    crops = stream_crops(study)
    digest = mapping_digest({"version": VERSION, "reads": [_identity(crop) for crop in crops]})
    before = newest_report(study)
    content = before.content if before is not None and before.digest == digest else _content(study, crops)
    with transaction.atomic():
        if finish(report, Status.DONE, detail={"digest": digest}):
            StreamReport.objects.filter(pk=report.pk).update(
                digest=digest,
                content=content,
                stream_crops=len(crops),
                last_annotation=newest,
                seconds=time.monotonic() - started,
            )


def _identity(crop: StreamCrop) -> list[Any]:
    return [crop.crop_key, str(crop.state), crop.label, [list(read.said) for read in crop.reads]]


def _content(study: Study, crops: list[StreamCrop]) -> dict[str, Any]:
    counts = stream_counts(crops)
    return {"crops": counts.crops, "settled": counts.settled, "simulated": study.is_simulated}
