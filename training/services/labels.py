"""What the annotators' answers add up to, as arrays of plain values for training and ranking."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.models import Annotation, Study
from labeling.services.reads import STREAM


@dataclass(frozen=True, slots=True)
class Standing:
    """Every standing answer of a study, crop by crop.

    `votes` (crops, classes) counts the reads per class; `answers` holds the kinds of answer per crop; `in_stream`
    marks crops of the random stream; `newest` is the number of the newest answer, also of a withdrawn one.
    """

    crop_ids: tuple[int, ...]
    votes: NDArray[np.float64]
    answers: tuple[tuple[str, ...], ...]
    in_stream: NDArray[np.bool_]
    newest: int

    def labelled(self) -> NDArray[np.bool_]:
        """Which crops carry at least one class."""
        return np.asarray(self.votes.sum(axis=1) > 0)

    def differ(self) -> list[bool]:
        """Which crops have reads that do not all say the same."""
        kinds = [len(set(given) - {Annotation.Answer.LABEL}) for given in self.answers]
        return [bool(said > 1) for said in np.count_nonzero(self.votes, axis=1) + np.array(kinds, dtype=np.int64)]

    def shares(self) -> NDArray[np.float64]:
        """Vote shares (crops, classes) of the labelled crops, rows summing to one."""
        votes = self.votes[self.labelled()]
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def class_keys(study: Study) -> list[str]:
    """Keys of the study's open classes, in order."""
    return list(study.classes.filter(retired_at__isnull=True).values_list("key", flat=True))


def newest_annotation(study: Study) -> int:
    """Number of the study's newest answer, 0 before the first."""
    return Annotation.objects.filter(study=study).order_by("-id").values_list("id", flat=True).first() or 0


def standing_answers(study: Study) -> Standing:
    """What stands now. A function of the set of answers: neither their order nor their numbers matter."""
    newest = newest_annotation(study)
    places = {key: place for place, key in enumerate(class_keys(study))}
    votes: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(places)))
    answers: dict[int, list[str]] = defaultdict(list)
    stream: set[int] = set()
    rows = Annotation.objects.current().filter(study=study, id__lte=newest)
    for crop, answer, why, key in rows.values_list("crop_id", "answer", "why_asked", "labels__label_class__key"):
        answers[crop].append(answer)
        if why == STREAM:
            stream.add(crop)
        if key in places:
            votes[crop][places[key]] += 1
    crops = sorted(answers)
    return Standing(
        crop_ids=tuple(crops),
        votes=np.array([votes[crop] for crop in crops]).reshape(len(crops), len(places)),
        answers=tuple(tuple(sorted(answers[crop])) for crop in crops),
        in_stream=np.array([crop in stream for crop in crops], dtype=bool),
        newest=newest,
    )
