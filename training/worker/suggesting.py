"""What the head of a ranking would answer, handed to the reading room of studies whose leads want it shown."""

import numpy as np

from labeling.models import Study
from labeling.services.suggestions import UNLED, Opinion, replace_suggestions, shows
from training.worker.pool import RankingPool
from training.worker.saving import CLASSES, Result


def suggest(study: Study, pool: RankingPool, result: Result) -> None:
    """Put the likeliest class of each queued crop in place of what the last ranking said.

    Where the study shows no suggestions, those that it showed before are removed.
    """
    replace_suggestions(study, opinions(study, pool, result) if shows(study) else [], result.info.digest)


def opinions(study: Study, pool: RankingPool, result: Result) -> list[Opinion]:
    """One opinion per queued crop, but none of crops whose answers judge labels or a model."""
    probabilities = result.ranking.probabilities
    known = dict(study.classes.filter(retired_at__isnull=True).values_list("key", "pk"))
    keys = result.parameters.get(CLASSES, [])
    # Before two classes are known, and while a class has just come or gone, nobody can say.
    if probabilities is None or known.keys() != set(keys):
        return []
    classes = [known[key] for key in keys]
    crops = [entry.crop_id for entry in result.entries if entry.why not in UNLED]
    places = pool.rows_of(crops)
    inside = np.flatnonzero(places >= 0)
    likeliest = probabilities[places[inside]].argmax(axis=1)
    share = probabilities[places[inside], likeliest]
    return [
        Opinion(crops[row], classes[label], float(np.clip(probability, 0, 1)))
        for row, label, probability in zip(inside, likeliest, share, strict=True)
    ]
