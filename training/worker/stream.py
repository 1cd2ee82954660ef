"""Computes the report of a study's random stream: judges, forecasts, and stores the figures."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import transaction

from labeling.agreement.intervals import Estimate
from labeling.models import Study
from labeling.services.stream import State, stream_counts
from training.learning.metrics import wilson
from training.learning.stopping import Curve, forecast, learning_curve
from training.learning.stream import (
    accuracy,
    accuracy_by_experiment,
    balanced_accuracy,
    present_hits,
    training_order,
    units_of,
)
from training.learning.stream_judgement import FEWEST_TESTED, judge_queue, judge_soft_labels
from training.learning.unit_intervals import Scope, describe, unit_estimate
from training.models import Status, StreamReport
from training.services.labels import class_keys
from training.services.stream import newest_report, reading_pace
from training.services.work import Cancelled, Refused, beat, claim, failure_text, finish
from training.worker.stream_data import SETTLED, Gathered, gather

Tell = Callable[[float, str], None]


def make_report(report_pk: int) -> None:
    """Compute the report with this number, unless another worker has it; the same answers are not computed twice."""
    report = claim(StreamReport, report_pk)
    if report is None:
        return
    try:
        _carry_out(report)
    except Cancelled:
        finish(report, Status.CANCELLED)
    except (Refused, ValueError) as error:
        finish(report, Status.REFUSED, str(error))
    except Exception as error:
        finish(report, Status.FAILED, failure_text(error))
        raise


def _carry_out(report: StreamReport) -> None:
    started = time.monotonic()
    gathered = gather(report.study)
    before = newest_report(report.study)
    if before is not None and before.digest == gathered.digest:
        content = before.content
    else:
        content = content_of(report.study, gathered, lambda progress, stage: beat(report, progress, stage))
    with transaction.atomic():
        if finish(report, Status.DONE, detail={"digest": gathered.digest}):
            StreamReport.objects.filter(pk=report.pk).update(
                digest=gathered.digest,
                content=content,
                stream_crops=len(gathered.crops),
                last_annotation=gathered.newest,
                seconds=time.monotonic() - started,
            )


def content_of(study: Study, gathered: Gathered, tell: Tell) -> dict[str, Any]:
    """Every figure of the report as plain values; estimates as {value, low, high, n, reason}."""
    data, plan = gathered.data, gathered.plan
    tell(0.05, "the present head on the stream")
    pace = _pace(study, gathered)
    content = {"simulated": study.is_simulated, "stream": _stream(study, gathered), "pace": pace}
    if not data.tested.any() or data.judged_classes.sum() < 2:
        few = judge_queue(data, plan)
        return content | {"accuracy": None, "queue": asdict(few), "forecast": None, "soft_labels": None}
    present = _accuracy(gathered)
    tell(0.2, "the learning curve")
    curve = learning_curve(data, plan)
    said = forecast(curve, Estimate(**present["balanced"]), len(training_order(data)), seed=plan.seed)
    tell(0.4, "the queue against random answers")
    queue = judge_queue(data, plan)
    tell(0.9, "soft labels")
    soft = judge_soft_labels(data, gathered.doubt, plan)
    return content | {
        "accuracy": present,
        "queue": asdict(queue),
        "forecast": asdict(said) | {"curve": _points(curve)},
        "soft_labels": asdict(soft),
    }


def _stream(study: Study, gathered: Gathered) -> dict[str, Any]:
    """What the stream holds: counts, rates of "not sure" and bad crops, and which classes can be judged."""
    counts, data = stream_counts(gathered.crops), gathered.data
    keys = class_keys(study)
    held = data.truth[data.tested].sum(axis=0)
    return {
        "crops": counts.crops,
        "settled": counts.settled,
        "tested": int(data.tested.sum()),
        "fewest": FEWEST_TESTED,
        "states": [{"state": str(state), "n": counts.by_state[state]} for state in State],
        "not_sure": _rate(counts.first_not_sure, counts.crops),
        "bad": _rate(counts.first_bad, counts.crops),
        "queue_not_sure": _rate(gathered.queue_unsure, gathered.queue_asked),
        "too_rare": [
            {"class": key, "n": round(float(n), 1)} for key, n, ok in zip(keys, held, data.judged_classes) if not ok
        ],
    }


def _rate(count: int, n: int) -> dict[str, Any]:
    if not n:
        return asdict(Estimate(None, None, None, 0, "no crop was read"))
    return asdict(Estimate(count / n, *wilson(count / n, n), n))


def _pace(study: Study, gathered: Gathered) -> dict[str, Any]:
    """Seconds per answer, and how many reads a label of the queue and a usable random check take."""
    seconds, n = reading_pace(study)
    settled = [len(crop.reads) for crop in gathered.crops if crop.state in SETTLED]
    tested = int(gathered.data.tested.sum())
    reads = float(np.mean(settled)) if settled else 2.0
    return {
        "seconds": seconds,
        "n": n,
        "reads_per_label": gathered.queue_reads / gathered.queue_taught if gathered.queue_taught else 1.0,
        "reads_per_check": reads * (len(gathered.crops) / tested if tested else 1.0),
    }


def _accuracy(gathered: Gathered) -> dict[str, Any]:
    """The present head on the stream: weighted for the pool, plain, and by experiment."""
    data, seed = gathered.data, gathered.plan.seed
    found = present_hits(data, gathered.plan)
    unit, level = units_of(data)
    return {
        "balanced": asdict(balanced_accuracy(data, found, seed)),
        "balanced_unweighted": asdict(balanced_accuracy(data.unweighted(), found, seed)),
        "share": asdict(accuracy(data, found, seed)),
        "share_unweighted": asdict(accuracy(data.unweighted(), found, seed)),
        "interval": describe(len(np.unique(unit[data.tested])), level),
        "experiments": [
            {"name": gathered.experiments[number], **asdict(figure)}
            for number, figure in accuracy_by_experiment(data, found).items()
        ],
    }


def _points(curve: Curve) -> list[dict[str, Any]]:
    """The learning curve with an interval over stream crops at each size."""
    n, rows = len(curve.parts), []
    for place, size in enumerate(curve.sizes):
        at = Curve(curve.sizes[[place]], curve.parts[..., [place, -1]])
        figure = unit_estimate(at.parts, lambda sums, at=at: at.of_sums(sums)[..., 0], Scope(n, "crop"))
        rows.append({"answers": int(size), **asdict(figure)})
    return rows
