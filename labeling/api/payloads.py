"""Crops and rankings as the reading room wants them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from audit.statements import Rows, ask_all
from imaging.models import Crop
from imaging.services.crops import crops_to_show, shown_crops
from labeling.api.drawn import drawn
from labeling.models import Study, Suggestion
from labeling.services.access import reads_blind
from labeling.services.examples import examples_of
from labeling.services.guidelines_shown import NEWEST, number_in
from labeling.services.progress import own_counts, pool_size, progress_in
from labeling.services.queue import RANKED, Candidate, Served, newest_ranking, serve
from labeling.services.reader_study.guard import results_are_open
from labeling.services.reads import MORE_LIKE_THIS, told_why
from labeling.services.suggestions import shows, suggestions_for

PREFETCH = 12
# What a browser may keep for the time of a broken line.
MOST_AT_ONCE = 60
# What a reader asked for themselves is no secret.
TOLD_TO_ALL = frozenset({MORE_LIKE_THIS})
# What a blind reader is told in place of a ranking's note and problem, which may name an experiment.
PLAIN_WORDS = (
    "Another encoder ranked than the study's; leads see why.",
    "The newest answers could not be ranked; leads see why. It is tried again.",
)


def room_state(study: Study, user: Any, count: int) -> dict[str, Any]:
    """The next crops and their ranking, the progress of the user, how they are served, and which guidelines stand."""
    served = serve(study, user, max(1, min(count, MOST_AT_ONCE)))
    ranked, guideline, counts, *crops = ask_all(
        RANKED.of(study=study.pk),
        NEWEST.of(study=study.pk),
        own_counts(study, user),
        *crops_to_show([row.crop_id for row in served.crops]),
    )
    # Cases come in an order of their own, which no ranking made.
    ranking = None if study.is_reader_study else _ranking(study, user, ranked)
    total = ranking["pool"] if ranking else pool_size(study)
    return {
        "crops": crop_payloads(study, served.crops, shown_crops(*crops)),
        "ranking": ranking,
        "progress": asdict(progress_in(counts, total, served.reader.goal, is_capped=study.is_reader_study)),
        "sitting": sitting_payload(served),
        "guideline": number_in(guideline),
    }


def sitting_payload(served: Served) -> dict[str, Any]:
    """How the user is served for now; names no place."""
    wish = served.reader.wish
    return {
        "stay_on": wish.stay_on,
        "stay_for": wish.stay_for,
        "left": served.left,
        "not_sure_ceiling": wish.not_sure_ceiling,
        "easy_share": wish.easy_share,
        "paused": wish.is_paused,
        "held_back": served.held_back,
        "archived": served.reader.study.archived_at is not None,
        "note": served.note,
    }


def crop_payloads(study: Study, candidates: Sequence[Candidate], rows: dict[int, Crop]) -> list[dict[str, Any]]:
    """The candidates with all that a page needs to draw them, in the same order; `rows`: their crops by number."""
    found = suggestions_for(study, [(row.crop_id, row.why) for row in candidates]) if shows(study) else {}
    return [
        crop_payload(study, rows[row.crop_id], row) | {"suggestion": suggestion_payload(found.get(row.crop_id))}
        for row in candidates
    ]


def suggestion_payload(suggestion: Suggestion | None) -> dict[str, Any] | None:
    """The likeliest class with its probability, and the model that says so."""
    if suggestion is None:
        return None
    return {
        "class": suggestion.label_class.key,
        "probability": round(suggestion.probability, 3),
        "model": suggestion.model,
    }


def crop_payload(study: Study, crop: Crop, candidate: Candidate | None = None) -> dict[str, Any]:
    """One crop: where its pixels are, how to show them, and, unless the study is blind, why it is asked.

    The reason tells of no other reader: who reads blind must not know that others differ.
    """
    may_know = candidate is not None and (not study.is_blind or candidate.why in TOLD_TO_ALL)
    return drawn(study, crop) | {
        "why": told_why(candidate.why) if candidate and may_know else None,
        "suggestion": None,
    }


def picture_payload(study: Study, crop: Crop) -> dict[str, Any]:
    """What a page needs to draw one crop, and nothing else of it."""
    shown = crop_payload(study, crop)
    return {name: shown[name] for name in ("pixels", "channels", "is_rgb")}


def example_payloads(study: Study) -> dict[str, list[dict[str, Any]]]:
    """The example crops of each open class by its key, in the order of the keyboard; classes without any too."""
    return {
        key: [{"crop": crop_payload(study, row.crop), "note": row.note} for row in rows]
        for key, rows in examples_of(study).items()
    }


def ranking_payload(study: Study, user: Any) -> dict[str, Any] | None:
    """Which state ranked, when, over how many crops, and how many answers are newer; None before the first."""
    return _ranking(study, user, RANKED.ask(study=study.pk))


def _ranking(study: Study, user: Any, rows: Rows) -> dict[str, Any] | None:
    newest = newest_ranking(rows)
    if newest is None:
        return None
    ranked, newer = newest
    said = (ranked.note, study.ranking_problem)
    # How many others could not tell is an opinion on the crops to come, and what went wrong may name an experiment.
    is_told = any(said) or ranked.expected_not_sure is not None
    is_blind = is_told and (reads_blind(user, study) or not results_are_open(study))
    note, problem = (text and plain for text, plain in zip(said, PLAIN_WORDS)) if is_blind else said
    return {
        "digest": ranked.digest,
        "ranked_at": ranked.ranked_at.isoformat(),
        "age_s": round((timezone.now() - ranked.ranked_at).total_seconds(), 1),
        "seconds": ranked.seconds,
        "pool": ranked.pool_size,
        "strategy": ranked.strategy,
        "encoder": ranked.encoder_name or ranked.encoder,
        "answers": ranked.answers,
        "newer_answers": newer,
        "expected_not_sure": None if is_blind else ranked.expected_not_sure,
        "note": note,
        "problem": problem,
    }


def told_problem(study: Study, user: Any) -> str:
    """Why the study has no newer ranking, as the user may know it; "" where it has the newest."""
    is_blind = bool(study.ranking_problem) and reads_blind(user, study)
    return PLAIN_WORDS[1] if is_blind else study.ranking_problem
