"""What is known of one crop apart from a model: who may look at it, why it is asked, what was answered."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404
from numpy.typing import NDArray

from imaging.models import Crop
from imaging.services.storage import fetch
from labeling.models import Annotation, Lease, QueueEntry, Ranked, Study
from labeling.models.annotation import is_excluded
from labeling.services import access
from labeling.services.reader_study.guard import refuse_results, with_open_results
from labeling.services.reads import STREAM, awaiting_reads
from labeling.services.stream import State, stream_crops

# As `training.worker.saving` names them.
RANKINGS = "rankings"
SCORES, CROPS = "", ".crops"
BLIND = (
    "This study is blind: its readers see crops, but neither what a model says of them nor what others answered. "
    "Leads of the study may open this page."
)
BLIND_SEARCH = (
    "This study is blind: its readers look for more crops like one that they have answered themselves. "
    "Answer this crop first."
)
BLIND_MODELS = (
    "This study is blind: its readers see crops, but neither models nor how their answers compare with a model's. "
    "Leads of the study may open this page."
)
UNREAD = (
    "This crop waits for your own read, which is to be given without sight of what a model or others say of it. "
    "Read it first; the page is shown once you have answered it."
)
UNREAD_CHECK = (
    "This crop is a random check, which is read without sight of other answers and of what a model says of it. "
    "Read it first; the page opens when you have answered it."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a crop is asked: its place in the queue from 1 on, and its score among the whole pool's.

    `rank`, `why` and `probability` are those of the queue, None where the crop is not in it. `above` is the share of
    the `pool` crops with a lower score, in [0, 1], None where the ranking gives the crop no score.
    """

    rank: int | None = None
    queue: int = 0
    why: str = ""
    probability: float | None = None
    above: float | None = None
    pool: int = 0


def crop_for(user: Any, study_pk: int, crop_pk: int) -> tuple[Study, Crop]:
    """The study and the crop of it; Http404 for strangers, and for crops of other studies.

    PermissionDenied while the results of a study of readers are closed.
    """
    study = access.study_for(user, study_pk)
    refuse_results(study)
    crops = Crop.objects.filter(image__sample__experiment__studies=study)
    crop = crops.select_related("image__sample__experiment").filter(pk=crop_pk).first()
    if crop is None:
        raise Http404("No such crop in this study.")
    return study, crop


def explained_crop_for(user: Any, study_pk: int, crop_pk: int) -> tuple[Study, Crop]:
    """The same for those who may see a model's opinion: leads, and annotators of studies that are not blind.

    PermissionDenied says why a blind reader may not, and why nobody but a lead may before their own read of a random
    check or of any other crop that still wants one.
    """
    study, crop = crop_for(user, study_pk, crop_pk)
    if not sees_opinions(user, study):
        raise PermissionDenied(BLIND)
    if access.is_lead(user, study) or _has_answered(user, study, crop):
        return study, crop
    if _is_random_check(study, crop):
        raise PermissionDenied(UNREAD_CHECK)
    if awaiting_reads(study, {crop.pk: crop.key}):
        raise PermissionDenied(UNREAD)
    return study, crop


def searched_crop_for(user: Any, study_pk: int, crop_pk: int) -> tuple[Study, Crop]:
    """The same for those who may look for similar crops: also blind readers, from a crop that they answered."""
    study, crop = crop_for(user, study_pk, crop_pk)
    if not sees_opinions(user, study) and not _has_answered(user, study, crop):
        raise PermissionDenied(BLIND_SEARCH)
    return study, crop


def _has_answered(user: Any, study: Study, crop: Crop) -> bool:
    return Annotation.objects.reads().filter(study=study, crop=crop, annotator=user).exists()


def _is_random_check(study: Study, crop: Crop) -> bool:
    """Whether the random stream drew the crop: it waits in the queue, is held by a reader, or was read."""
    return (
        Annotation.objects.reads().filter(study=study, crop=crop, why_asked=STREAM).exists()
        or QueueEntry.objects.filter(study=study, crop=crop, why=STREAM).exists()
        or Lease.objects.filter(study=study, crop=crop, why=STREAM).exists()
    )


def sees_opinions(user: Any, study: Study) -> bool:
    """Whether the user may see what a model says."""
    return not study.is_blind or access.is_lead(user, study)


def model_study_for(user: Any, study_pk: int) -> Study:
    """The study for those who may see its models; PermissionDenied tells blind readers why not, strangers get 404.

    Nobody sees them while the results of a study of readers are closed: they tell what was answered.
    """
    study = access.study_for(user, study_pk)
    if not sees_opinions(user, study):
        raise PermissionDenied(BLIND_MODELS)
    refuse_results(study)
    return study


def model_studies_of(user: Any) -> QuerySet[Study]:
    """The studies of the user whose models they may see."""
    return with_open_results(access.studies_of(user)).filter(
        Q(is_blind=False) | Q(pk__in=access.studies_led_by(user).values("pk"))
    )


def still_to_read(user: Any, study: Study) -> frozenset[int]:
    """Answered crops whose class the user may not see yet: none for leads, else those that the user has not read and
    that are random checks which are not settled, or want another read for any other reason."""
    if access.is_lead(user, study):
        return frozenset()
    own = Annotation.objects.reads().filter(study=study, annotator=user).values_list("crop_id", flat=True)
    others = Annotation.objects.reads().filter(study=study).exclude(crop__in=own)
    waiting = awaiting_reads(study, dict(others.values_list("crop_id", "crop__key")))
    return (_unsettled_checks(study) | waiting).difference(own)


def _unsettled_checks(study: Study) -> frozenset[int]:
    settled = {crop.crop_id: crop.state in (State.AGREE, State.DECIDED) for crop in stream_crops(study)}
    # Drawn now, though read before for another reason.
    for rows in (QueueEntry.objects, Lease.objects):
        drawn = rows.filter(study=study, why=STREAM).values_list("crop_id", flat=True)
        settled = dict.fromkeys(drawn, False) | settled
    return frozenset(crop for crop, is_settled in settled.items() if not is_settled)


def asked(study: Study, crop: Crop) -> Asked:
    """Why the crop is or would be asked, by the newest ranking."""
    ranked = Ranked.objects.filter(study=study).first()
    if ranked is None:
        return Asked()
    above = _score_above(study, crop, ranked)
    queue = QueueEntry.objects.filter(study=study)
    entry = queue.filter(crop=crop).first()
    if entry is None:
        return Asked(queue=queue.count(), above=above, pool=ranked.pool_size)
    return Asked(entry.rank + 1, queue.count(), entry.why, entry.probability, above, ranked.pool_size)


def _score_above(study: Study, crop: Crop, ranked: Ranked) -> float | None:
    try:
        scores, crop_ids = (_array(ranked, kind) for kind in (SCORES, CROPS))
    except (OSError, ValueError):
        # Only the newest few rankings keep their files.
        return None
    place = np.flatnonzero(crop_ids == crop.pk)
    if not len(place) or not np.isfinite(scores[place[0]]):
        return None
    return float(np.mean(scores < scores[place[0]]))


def _array(ranked: Ranked, kind: str) -> NDArray[Any]:
    path = fetch(RANKINGS, f"{ranked.digest}{kind}.npy")
    found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def answers_to(study: Study, crop: Crop, user: Any) -> list[Annotation]:
    """Standing answers to the crop in the order of answering: everybody's and decisions for leads, else one's own."""
    rows = Annotation.objects.standing().filter(study=study, crop=crop)
    # Nobody learns from a page of their own whether they are left out.
    rows = rows.annotate(is_left_out=is_excluded()) if access.is_lead(user, study) else rows.filter(annotator=user)
    return list(rows.select_related("annotator").prefetch_related("labels__label_class").order_by("id"))


def readers_of(study: Study, crop_ids: list[int]) -> dict[int, str]:
    """For each crop the names of those who gave it a class, "ann, bob"; crops without a class are left out."""
    rows = (
        Annotation.objects.reads().included().filter(study=study, crop__in=crop_ids, answer=Annotation.Answer.LABEL)
    )
    names: dict[int, list[str]] = {}
    for crop_id, name in rows.order_by("id").values_list("crop_id", "annotator__username"):
        names.setdefault(crop_id, []).append(name)
    return {crop_id: ", ".join(dict.fromkeys(given)) for crop_id, given in names.items()}
