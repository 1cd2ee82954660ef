"""Runs the pipeline over an experiment: all results appear together, or none."""

import csv
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from django.conf import settings
from numpy.typing import NDArray

from imaging.models import Image, Sample
from imaging.pixels.digest import file_digest
from imaging.services.storage import fetch, keep_folder, local_folder
from inference.models import InferenceRun
from inference.pipeline import tables
from inference.pipeline.aggregate import FieldCounts, SampleSummary, aggregate
from inference.pipeline.provenance import RunRecord, compare, current_environment, record_from_json
from inference.pipeline.run import READING, FieldResult, PipelineParams, pipeline_params, run_field
from inference.pipeline.state import CropModel
from inference.services.runs import Results, SampleRow, StageRow, complete, request_run
from inference.worker.fields import Job, input_digests, jobs_of
from training.learning.checkpoints import CheckpointError, load_model
from training.learning.torch_setup import best_device
from training.models import ModelVersion, Status
from training.services.work import Cancelled, Refused, beat, claim, failure_text, finish

RUNS = "runs"
Outcome = tuple[Image, FieldResult]


def run_folder(run: InferenceRun) -> Path:
    """Where the files of a finished run lie."""
    return local_folder(RUNS) / str(run.pk)


def run_pipeline(run_pk: int) -> None:
    """Carry out a run; returns at once where another worker has it. May be called twice."""
    run = claim(InferenceRun, run_pk)
    if run is None:
        return
    try:
        _run(run)
    except (Refused, CheckpointError) as error:
        finish(run, Status.REFUSED, str(error))
    except Cancelled:
        finish(run, Status.CANCELLED)
    except Exception as error:
        finish(run, Status.FAILED, failure_text(error))
        raise


def replay(run: InferenceRun) -> tuple[InferenceRun, list[str]]:
    """Repeat a finished run with the same model and parameters; the new run and every difference found."""
    if run.status != Status.DONE:
        raise Refused(f"Run {run.pk} is {run.status}: only a finished run can be replayed.")
    again = request_run(run.experiment, run.model, run.pipeline.stages, run.pipeline.digest, replay_of=run)
    run_pipeline(again.pk)
    again.refresh_from_db()
    if again.status != Status.DONE:
        raise Refused(f"The replay was {again.status}: {again.problem}")
    first, second = (record_from_json(json.dumps(row.record)) for row in (run, again))
    return again, [str(difference) for difference in compare(first, second)]


def crop_model(model: ModelVersion, device: str) -> CropModel:
    """The model version, loaded from its file and checked against its digest."""
    path = fetch("models", f"{model.digest}.safetensors")
    if file_digest(path) != model.digest:
        raise Refused(f"The file of {model} is damaged: its digest is not that of the model. Restore it.")
    loaded = load_model(path, device)
    return CropModel.of(loaded.predictor, model.digest, loaded.meta["preprocessing"])


def _run(run: InferenceRun) -> None:
    # One thread: the same bytes on every machine of a class, however many cores it has.
    torch.set_num_threads(1)
    device = best_device()
    params = pipeline_params({stage["name"]: stage["params"] for stage in run.pipeline.stages})
    model = crop_model(run.model, device) if run.model else None
    # A folder of this claim's own: a worker that was given up and wakes late never writes into its successor's.
    partial = run_folder(run).with_name(f"{run.pk}.{run.claim_token}.part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "labels").mkdir(parents=True)
    outcomes = [_outcome(run, job, params, partial / "labels") for job in jobs_of(run.experiment, model)]
    summary = aggregate(_counts_per_image(outcomes), model.classes if model else ())
    table = tables.combine([result.table for _, result in outcomes if result.table is not None])
    _write_files(partial, table, summary)
    record = _record(run, params, outcomes, partial, device)
    (partial / "record.json").write_text(record.to_json(), encoding="utf-8")
    shutil.rmtree(run_folder(run), ignore_errors=True)
    partial.replace(run_folder(run))
    keep_folder(RUNS, run_folder(run))
    complete(run, _results(run, record, outcomes, table, summary))


def _outcome(run: InferenceRun, job: Job, params: PipelineParams, folder: Path) -> Outcome:
    """The result of one field; its label image is written at once, so that memory does not grow with the plate."""
    number = job.context.identity.image_number
    total = max(1, Image.objects.filter(sample__experiment=run.experiment).count())
    beat(run, (number - 1) / total, f"image {number} of {total}")
    result = run_field(job.context, job.reader, params, time.perf_counter)
    if result.labels is not None:
        _write_labels(folder / _label_name(job, result, folder), result.labels)
    return job.image, replace(result, labels=None)


def _label_name(job: Job, result: FieldResult, folder: Path) -> str:
    """`<image stem>.tif`; a tile of a slide adds where it begins, an image of an equal stem its folders."""
    path = Path(job.image.name)
    stem = path.stem
    if job.context.region is not None:
        stem += f"_x{result.origin[0]}_y{result.origin[1]}"
    taken = (folder / f"{stem}.tif").exists()
    return f"{'_'.join((*path.parts[:-1], stem))}.tif" if taken else f"{stem}.tif"


def _write_labels(path: Path, labels: NDArray[Any]) -> None:
    kind = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    # Named after an OME-TIFF it would be written as one, with a random identifier inside: no two files alike.
    tifffile.imwrite(path, labels.astype(kind), compression="zlib", metadata=None, ome=False)


def _counts_per_image(outcomes: Sequence[Outcome]) -> list[FieldCounts]:
    """One entry per image: the tiles of a slide are one field, whose spread between tiles is no sampling error."""
    merged: dict[int, FieldCounts] = {}
    for image, result in outcomes:
        counts, before = result.field_counts, merged.get(image.pk)
        if before is not None:
            names = {**before.counts, **counts.counts}
            counts = replace(
                before,
                rejected=before.rejected and counts.rejected,
                counts={name: before.counts.get(name, 0) + counts.counts.get(name, 0) for name in names},
                uncertain=before.uncertain + counts.uncertain,
            )
        merged[image.pk] = counts
    return list(merged.values())


def _write_files(folder: Path, table: tables.Table, summary: Sequence[SampleSummary]) -> None:
    (folder / "objects.parquet").write_bytes(tables.parquet_bytes(table))
    (folder / "objects.csv").write_bytes(tables.csv_bytes(table))
    (folder / "samples.csv").write_text(_sample_lines(summary), encoding="utf-8")


def _sample_lines(summary: Sequence[SampleSummary]) -> str:
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["sample", "fields", "rejected_fields", "objects", "class", "count", "of", "share", "low", "high"]
    )
    for row in summary:
        for share in row.classes:
            figures = (share.share.value, share.share.low, share.share.high)
            writer.writerow([*_about(row), share.label, share.count, share.of, *figures])
        if not row.classes:
            writer.writerow([*_about(row), "", row.objects, row.objects, "", "", ""])
    return stream.getvalue()


def _about(row: SampleSummary) -> list[str | int]:
    return [row.sample, row.fields, row.rejected_fields, row.objects]


def _record(
    run: InferenceRun, params: PipelineParams, outcomes: Sequence[Outcome], folder: Path, device: str
) -> RunRecord:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return RunRecord(
        inputs=input_digests(run.experiment),
        pipeline=params.content,
        model=_model_content(run.model),
        environment=current_environment(settings.VERSION, device, threads=1),
        results={f"{index:05d} {image.name}": result.digest for index, (image, result) in enumerate(outcomes)},
        outputs={path.relative_to(folder).as_posix(): file_digest(path) for path in files},
    )


def _model_content(model: ModelVersion | None) -> dict[str, Any]:
    if model is None:
        return {"digest": ""}
    return {"digest": model.digest, "kind": model.kind, "classes": model.classes}


def _results(
    run: InferenceRun,
    record: RunRecord,
    outcomes: Sequence[Outcome],
    table: tables.Table,
    summary: Sequence[SampleSummary],
) -> Results:
    samples = {row.name: row for row in Sample.objects.filter(experiment=run.experiment)}
    return Results(
        record=json.loads(record.to_json()),
        record_digest=record.digest,
        table_digest=table.digest,
        columns=list(table.names),
        objects=len(table),
        stages=_stage_rows(outcomes),
        samples=[
            SampleRow(
                sample=samples[row.sample],
                fields=row.fields,
                rejected_fields=row.rejected_fields,
                objects=row.objects,
                counts=[asdict(share) for share in row.classes],
            )
            for row in summary
        ],
    )


def _unread(image: Image, result: FieldResult) -> StageRow:
    """The row of a field that was refused before the first stage: there is nothing to digest."""
    verdict = json.loads(json.dumps(asdict(result.verdict)))
    return StageRow(image, 0, READING, 0, "", "", "", 0.0, verdict)


def _stage_rows(outcomes: Sequence[Outcome]) -> list[StageRow]:
    rows: list[StageRow] = []
    positions: dict[int, int] = {}
    for image, result in outcomes:
        if result.stopped_at == READING:
            rows.append(_unread(image, result))
        for stage in result.records:
            position = positions[image.pk] = positions.get(image.pk, -1) + 1
            stopped = result.stopped_at == stage.name
            rows.append(
                StageRow(
                    image=image,
                    position=position,
                    name=stage.name,
                    version=stage.version,
                    parameters_digest=stage.params_digest,
                    input_digest=stage.input_digest,
                    output_digest=stage.output_digest,
                    seconds=stage.seconds,
                    verdict=json.loads(json.dumps(asdict(result.verdict))) if stopped else {},
                )
            )
    return rows
