"""Crops and rankings as the reading room wants them."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.urls import reverse
from django.utils import timezone

from imaging.models import Crop, Experiment
from imaging.services.pixels import CONTEXT_PX, shown_channels
from imaging.services.storage import shard
from labeling.models import Ranked, Study
from labeling.services.access import is_lead
from labeling.services.examples import examples_of
from labeling.services.progress import own_progress
from labeling.services.queue import Candidate, newer_answers, next_crops
from labeling.services.reads import ADJUDICATION, MORE_LIKE_THIS

CONTEXT_SCALE = 4
PREFETCH = 12
MOST_AT_ONCE = 50
# What a reader asked for themselves is no secret, and who adjudicates may know it: it tells no answer.
TOLD_TO_ALL = frozenset({ADJUDICATION, MORE_LIKE_THIS})


def room_state(study: Study, user: Any, count: int) -> dict[str, Any]:
    """The next crops, the ranking they come from, and the user's progress."""
    candidates = next_crops(study, user, max(1, min(count, MOST_AT_ONCE)))
    ranking = ranking_payload(study, user)
    return {
        "crops": crop_payloads(study, candidates),
        "ranking": ranking,
        "progress": asdict(own_progress(study, user, ranking["pool"] if ranking else None)),
    }


def crop_payloads(study: Study, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """The candidates with all that a page needs to draw them, in the same order."""
    wanted = [candidate.crop_id for candidate in candidates]
    rows = Crop.objects.select_related("image__sample__experiment").defer("image__files").in_bulk(wanted)
    return [crop_payload(study, rows[candidate.crop_id], candidate) for candidate in candidates]


def crop_payload(study: Study, crop: Crop, candidate: Candidate | None = None) -> dict[str, Any]:
    """One crop: where its pixels are, how to show them, and, unless the study is blind, why it is asked."""
    experiment = crop.image.sample.experiment
    shape = shard(crop.shard).shape[1:]
    to_crop_px = shape[1] / crop.image.crop_field_px
    shown = not study.is_blind
    return {
        "id": crop.pk,
        # The key tells image and place apart, which a blind reader must not see.
        "key": None if study.is_blind else crop.key,
        # The pixels' own name is part of the address: a browser may keep them, and never shows them for others.
        "pixels": f"{reverse('labeling-api:study-crop-pixels', args=[study.pk, crop.pk])}?v={_version(crop)}",
        "context": _context_url(study, crop),
        "box_in_context": _box_in_context(),
        "dtype": str(shard(crop.shard).dtype),
        "shape": list(shape),
        "channels": shown_channels(crop.image),
        "um_per_px": crop.image.pixel_size_um / to_crop_px if crop.image.pixel_size_um else None,
        "is_rgb": experiment.modality == Experiment.Modality.BRIGHTFIELD,
        "why": candidate.why if candidate and (shown or candidate.why in TOLD_TO_ALL) else None,
        "experiment": experiment.name if not study.is_blind else None,
        "contour": _contour(crop, to_crop_px),
    }


def example_payloads(study: Study) -> dict[str, list[dict[str, Any]]]:
    """The example crops of each open class by its key, in the order of the keyboard; classes without any too."""
    return {
        key: [{"crop": crop_payload(study, row.crop), "note": row.note} for row in rows]
        for key, rows in examples_of(study).items()
    }


def ranking_payload(study: Study, user: Any) -> dict[str, Any] | None:
    """Which state ranked, when, over how many crops, and how many answers are newer; None before the first."""
    ranked = Ranked.objects.filter(study=study).first()
    if ranked is None:
        return None
    return {
        "digest": ranked.digest,
        "ranked_at": ranked.ranked_at.isoformat(),
        "age_s": round((timezone.now() - ranked.ranked_at).total_seconds(), 1),
        "seconds": ranked.seconds,
        "pool": ranked.pool_size,
        "strategy": ranked.strategy,
        "encoder": ranked.encoder_name or ranked.encoder,
        "answers": ranked.answers,
        "newer_answers": newer_answers(study, ranked.last_annotation),
        # How many others could not tell is an opinion on the crops to come, which a blind reader must not hear.
        "expected_not_sure": None if study.is_blind and not is_lead(user, study) else ranked.expected_not_sure,
        "note": ranked.note,
        "problem": study.ranking_problem,
    }


def _version(crop: Crop) -> str:
    # Hashed: the name of a shard would tell which crops are of one experiment.
    return hashlib.sha256(f"{crop.shard}-{crop.row}".encode()).hexdigest()[:16]


def _context_url(study: Study, crop: Crop) -> str | None:
    if crop.image.object_source == "whole":
        return None
    return (
        reverse("labeling-api:study-crop-context", args=[study.pk, crop.pk])
        + f"?scale={CONTEXT_SCALE}&v={_version(crop)}"
    )


def _box_in_context() -> list[float]:
    side = CONTEXT_PX / CONTEXT_SCALE
    start = (CONTEXT_PX - side) / 2
    return [start, start, start + side, start + side]


def _contour(crop: Crop, to_crop_px: float) -> list[list[float]] | None:
    if not crop.contour:
        return None
    field_px = crop.image.crop_field_px
    left, top = crop.x - field_px / 2, crop.y - field_px / 2
    return [[round((x - left) * to_crop_px, 2), round((y - top) * to_crop_px, 2)] for x, y in crop.contour]
