"""What leaving readers out changes in the labels that a model learns from: counted both ways, crop by crop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop
from labeling.models import Study
from labeling.services.exclusions import excluded_readers
from training.services.labels import Standing, class_keys, standing_answers

# A report names so many crops of each kind; the counts are over all.
MOST_NAMED = 50


def labels_left_out(study: Study) -> dict[str, Any]:
    """Who is left out, and the labels with and without them; empty where nobody is.

    `readers`: number, since when, and standing answers of each; names stand in the user table alone. `before`
    and `after`: labelled crops, and of each class, with their answers and without. `lost`: crops that carry no label
    without them, `changed`: crops whose class is another one, `shifted`: how many more have other shares of votes.
    """
    readers = excluded_readers(study)
    if not readers:
        return {}
    classes = class_keys(study)
    before, after = standing_answers(study, with_excluded=True), standing_answers(study)
    told = [{"reader": row.user, "since": row.since.isoformat(), "answers": row.answers} for row in readers]
    counts = {"before": _counts(before, classes), "after": _counts(after, classes)}
    return {"readers": told} | counts | _compared(_labels(before), _labels(after), classes)


def _labels(standing: Standing) -> dict[int, NDArray[np.float64]]:
    """Vote shares (classes,) of each labelled crop."""
    ids = standing.crop_ids[standing.labelled()]
    return dict(zip(map(int, ids), standing.shares(), strict=True))


def _counts(standing: Standing, classes: list[str]) -> dict[str, Any]:
    named = standing.shares().argmax(axis=1)
    per_class = np.bincount(named, minlength=len(classes))
    return {"crops": len(named), "per_class": dict(zip(classes, map(int, per_class), strict=True))}


def _compared(
    before: dict[int, NDArray[np.float64]], after: dict[int, NDArray[np.float64]], classes: list[str]
) -> dict[str, Any]:
    lost = sorted(before.keys() - after.keys())
    both = sorted(before.keys() & after.keys())
    changed = [crop for crop in both if before[crop].argmax() != after[crop].argmax()]
    shifted = [crop for crop in both if not np.array_equal(before[crop], after[crop])]
    keys = dict(Crop.objects.filter(pk__in=[*lost[:MOST_NAMED], *changed[:MOST_NAMED]]).values_list("pk", "key"))
    return {
        # A crop that two could not tell carries a label once one of the two is left out.
        "gained": len(after.keys() - before.keys()),
        "lost": len(lost),
        "changed": len(changed),
        "shifted": len(shifted) - len(changed),
        "lost_crops": [keys[crop] for crop in lost[:MOST_NAMED]],
        "changed_crops": [
            {
                "crop": keys[crop],
                "before": classes[int(before[crop].argmax())],
                "after": classes[int(after[crop].argmax())],
            }
            for crop in changed[:MOST_NAMED]
        ],
    }
