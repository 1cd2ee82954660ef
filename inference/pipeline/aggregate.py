"""From objects to samples: counts and class shares with their denominators and 95 % intervals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.intervals import Estimate
from training.learning.metrics import wilson
from training.learning.unit_intervals import jackknife_error, t_quantile

# Below this many fields the interval mostly shows how few there are; the reader is told so.
FEW_FIELDS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """What one field gave: its sample, whether quality let it pass, and objects per predicted class."""

    sample: str
    field: str
    rejected: bool
    counts: Mapping[str, int]
    uncertain: int = 0

    @property
    def objects(self) -> int:
        """Number of objects of any class."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class ClassShare:
    """`count` objects of class `label` among `of` objects, and the share with its interval."""

    label: str
    count: int
    of: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """One sample: fields in all, rejected and used; objects in the used ones; a share for every class."""

    sample: str
    fields: int
    rejected_fields: int
    used_fields: int
    objects: int
    uncertain: int
    objects_per_field: Estimate
    classes: tuple[ClassShare, ...]


def aggregate(fields: Sequence[FieldCounts], classes: Sequence[str]) -> list[SampleSummary]:
    """One summary per sample, ordered by name; a sample whose fields were all rejected keeps its row.

    Shares count only fields that were used; intervals treat the field as the unit (see share_interval).
    """
    grouped: dict[str, list[FieldCounts]] = defaultdict(list)
    for field in fields:
        grouped[field.sample].append(field)
    return [summarise(sample, grouped[sample], classes) for sample in sorted(grouped)]


def summarise(name: str, fields: Sequence[FieldCounts], classes: Sequence[str]) -> SampleSummary:
    """The summary of `fields` under one name: a sample, a condition or a whole experiment."""
    used = [field for field in fields if not field.rejected]
    objects = np.array([field.objects for field in used], dtype=np.float64)
    shares = []
    for label in classes:
        counts = np.array([field.counts.get(label, 0) for field in used], dtype=np.float64)
        shares.append(ClassShare(label, int(counts.sum()), int(objects.sum()), share_interval(counts, objects)))
    return SampleSummary(
        sample=name,
        fields=len(fields),
        rejected_fields=len(fields) - len(used),
        used_fields=len(used),
        objects=int(objects.sum()),
        uncertain=sum(field.uncertain for field in used),
        objects_per_field=mean_interval(objects),
        classes=tuple(shares),
    )


def share_interval(counts: Floats, objects: Floats) -> Estimate:
    """Share of `counts` in `objects` (both per field) with its 95 % interval; n is the number of objects.

    One field: Wilson. Several: delete-one-field jackknife of the ratio with Student's t, because cells
    of one field are alike; never narrower than Wilson, since fields that happen to agree prove
    nothing. Cochran, Sampling Techniques, 3rd edition, 1977, section 6.17.
    """
    parts = np.stack([counts, objects], axis=1)[objects > 0]
    if not len(parts):
        return Estimate(None, None, None, 0, "no objects")
    count, of = parts.sum(axis=0)
    share = float(count / of)
    low, high = wilson(share, float(of))
    if len(parts) == 1:
        return _estimate(share, low, high, int(of), "one field: how fields differ is not in the interval")
    half = t_quantile(len(parts)) * jackknife_error(parts, lambda sums: sums[:, 0] / sums[:, 1])
    return _estimate(share, min(low, share - half), max(high, share + half), int(of), _few(len(parts)))


def mean_interval(values: Floats) -> Estimate:
    """Mean per field with its 95 % t interval, never below zero; n is the number of fields."""
    fields = len(values)
    if fields == 0:
        return Estimate(None, None, None, 0, "no field was used")
    mean = float(values.mean())
    if fields == 1:
        return Estimate(mean, None, None, 1, "one field has no interval")
    half = t_quantile(fields) * float(values.std(ddof=1)) / float(np.sqrt(fields))
    return Estimate(mean, max(0.0, mean - half), mean + half, fields, _few(fields))


def _estimate(share: float, low: float, high: float, n: int, reason: str) -> Estimate:
    # A share stays between its own bounds and those of a share, whatever rounding does at the ends.
    return Estimate(share, min(max(low, 0.0), share), max(min(high, 1.0), share), n, reason)


def _few(fields: int) -> str:
    return f"few fields: {fields}, so the interval is wide" if fields < FEW_FIELDS else ""
