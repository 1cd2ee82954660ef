"""The first page, runs of the pipeline, and the files that they leave."""

from collections import defaultdict
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.services.access import experiments_of
from imaging.services.quality import reason_text
from imaging.services.storage import fetch
from inference.models import InferenceRun, StageRecord
from labeling.services import access, progress
from labeling.services.reader_study.guard import is_done
from training.services.crop_facts import sees_opinions

LATEST = 5
DOWNLOADS = {
    "objects.parquet": "Objects (Parquet)",
    "objects.csv": "Objects (CSV)",
    "samples.csv": "Samples (CSV)",
    "record.json": "Provenance (JSON)",
}


@login_not_required
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Whether the process answers; says nothing else."""
    return JsonResponse({"alive": True})


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What there is to do: studies, experiments, latest runs; `?archived=1` lists archived studies in their place."""
    studies = access.studies_of(request.user)
    archived = studies.filter(archived_at__isnull=False)
    shows_archived = "archived" in request.GET
    shown = archived if shows_archived else access.current_studies(studies)
    experiments, runs_seen = experiments_of(request.user), runs_of(request.user)
    context = {
        "studies": [_study_row(study, request.user) for study in shown],
        "shows_archived": shows_archived,
        "archived": archived.count(),
        "may_create": access.may_create(request.user),
        "experiments": [_experiment_row(row) for row in experiments.with_counts()[:LATEST]],
        "n_experiments": experiments.count(),
        "runs": [_run_row(run) for run in runs_seen[:LATEST]],
        "n_runs": runs_seen.count(),
    }
    return render(request, "home.html", context)


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """Every run over an experiment that the user may see."""
    return render(request, "inference/runs.html", {"runs": [_run_row(run) for run in runs_of(request.user)]})


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: progress while it works, then samples, rejected images, provenance and files."""
    row = _run_for(request.user, pk)
    if request.headers.get("HX-Request"):
        return render(request, "inference/_progress.html", {"run": _run_row(row)})
    context = {
        "run": _run_row(row),
        "stages": _stage_rows(row),
        "samples": _sample_rows(row),
        "rejected": _rejected_rows(row),
        "downloads": _downloads(row),
        "record_digest": row.record_digest,
        "replays": [
            {"id": again.pk, "same": again.record_digest == row.record_digest} for again in row.replays.all()
        ],
    }
    return render(request, "inference/run.html", context)


@require_safe
def download(request: HttpRequest, pk: int, name: str) -> FileResponse:
    """A file that a run left, as an attachment."""
    row = _run_for(request.user, pk)
    if name not in DOWNLOADS or not row.record_digest:
        raise Http404("This run left no such file.")
    path = fetch("runs", f"{row.pk}/{name}")
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"run-{row.pk}-{name}")


def runs_of(user: Any) -> QuerySet[InferenceRun]:
    """Runs over experiments that the user may see, newest first."""
    return InferenceRun.objects.filter(experiment__in=experiments_of(user)).select_related("experiment", "model")


def _run_for(user: Any, pk: int) -> InferenceRun:
    row = runs_of(user).filter(pk=pk).first()
    if row is None:
        raise Http404("No such run, or you may not see its experiment.")
    return row


def _study_row(study: Any, user: Any) -> dict[str, Any]:
    return {
        "id": study.pk,
        "name": study.name,
        "question": study.question,
        "answered": progress.answered_crops(study),
        "total": progress.pool_size(study),
        "role": "lead" if access.is_lead(user, study) else "annotator",
        "is_simulated": study.is_simulated,
        "archived_at": study.archived_at,
        "is_done": is_done(study),
        "sees_models": sees_opinions(user, study),
    }


def _experiment_row(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "images": row.image_count,
        "crops": row.crop_count,
        "rejected": row.rejected_count,
    }


def _run_row(run: InferenceRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "experiment": run.experiment.name,
        "model": run.model.digest if run.model else "",
        "status": run.status,
        "progress": run.progress,
        "stage": run.stage,
        "problem": run.problem,
        "objects": run.objects_found if run.record_digest else None,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "watermark": run.watermark,
        "replay_of": run.replay_of_id,
    }


def _stage_rows(run: InferenceRun) -> list[dict[str, Any]]:
    """Each stage once: version, parameters, and the seconds it took over all images."""
    seconds: dict[str, float] = defaultdict(float)
    images: dict[str, int] = defaultdict(int)
    for name, spent in StageRecord.objects.filter(run=run).values_list("name", "seconds"):
        seconds[name] += spent
        images[name] += 1
    return [
        {
            "name": stage["name"],
            "version": stage["version"],
            "seconds": seconds[stage["name"]],
            "images": images[stage["name"]],
            "params": stage["params"],
        }
        for stage in run.pipeline.stages
        if images[stage["name"]]
    ]


def _sample_rows(run: InferenceRun) -> list[dict[str, Any]]:
    return [
        {
            "sample": row.sample.name,
            "condition": row.sample.condition,
            "n": row.objects_found,
            "fields": row.fields,
            "rejected_fields": row.rejected_fields,
            "counts": [
                {"class": share["label"], "count": share["count"], "share": share["share"]} for share in row.counts
            ],
        }
        for row in run.sample_results.select_related("sample")
    ]


def _rejected_rows(run: InferenceRun) -> list[dict[str, Any]]:
    """Every image that some stage refused in this run, with its reasons."""
    rows = StageRecord.objects.filter(run=run).exclude(verdict={}).select_related("image").order_by("image__name")
    return [
        {
            "name": row.image.name,
            "reasons": [
                {"text": reason_text(reason), "advice": reason["advice"]} for reason in row.verdict["reasons"]
            ],
        }
        for row in rows
    ]


def _downloads(run: InferenceRun) -> list[dict[str, str]]:
    if not run.record_digest:
        return []
    return [
        {"label": label, "url": reverse("inference:download", args=[run.pk, name])}
        for name, label in DOWNLOADS.items()
    ]
