"""Which object of a new segmentation is which object of the old one; computes only.

Doubt never attaches: two objects are one when their centres round to the same pixel, or when they share more than
half of what they cover together. At most one partner can share that much: an answer never moves to a neighbour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.objects import Contour, ObjectSet

# Above one half at most one object can be the partner of another one, as long as objects do not overlap each other.
SAME_ABOVE = 0.5
# Below this, two outlines only touch.
NEAR_FROM = 0.1
# Outlines are compared on whole pixels, larger objects more coarsely: 64 steps tell one half from less.
RASTER_PX = 64

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Kinship(StrEnum):
    """What an object without a partner has to do with one of the other segmentation."""

    SPLIT = "split"
    MERGED = "merged"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Pair:
    """Object `old` is object `new`; `overlap`: shared share of both together, in [0, 1]; `distance_px` of centres."""

    old: int
    new: int
    overlap: float
    distance_px: float


@dataclass(frozen=True, slots=True)
class Relative:
    """An object without a partner (`index`) and the object of the other segmentation that it overlaps most."""

    index: int
    other: int
    kinship: Kinship
    overlap: float


@dataclass(frozen=True, slots=True)
class Matching:
    """Pairs in order of `old`, the old objects that are `gone` and the new ones that are `fresh`, both rising.

    `gone_relatives` and `fresh_relatives` name those among them that overlap an object of the other side.
    """

    pairs: tuple[Pair, ...]
    gone: tuple[int, ...]
    fresh: tuple[int, ...]
    gone_relatives: tuple[Relative, ...]
    fresh_relatives: tuple[Relative, ...]


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """Pairs of objects that overlap: numbers, shared share of both together, and of each one alone; each (pairs,)."""

    old: Ints
    new: Ints
    both: Floats
    of_old: Floats
    of_new: Floats


def match_objects(old: ObjectSet, new: ObjectSet) -> Matching:
    """Partners of two segmentations of one image, one to one; boxes must have an area.

    Objects whose centres round to the same pixel come first, because that is what a crop's key says. The rest is
    paired so that the sum of overlaps is greatest. Where both have a contour it counts, else the box.
    """
    same = _same_place(old, new)
    found = _overlaps(old, new)
    taken_old, taken_new = {i for i, _ in same}, {j for _, j in same}
    free = ~np.isin(found.old, list(taken_old)) & ~np.isin(found.new, list(taken_new)) & (found.both > SAME_ABOVE)
    chosen = [*same, *_assigned(found, np.flatnonzero(free))]
    shares = {(int(i), int(j)): float(share) for i, j, share in zip(found.old, found.new, found.both)}
    pairs = [Pair(i, j, shares.get((i, j), 0.0), _distance(old, new, i, j)) for i, j in sorted(chosen)]
    gone = sorted(set(range(len(old))) - {pair.old for pair in pairs})
    fresh = sorted(set(range(len(new))) - {pair.new for pair in pairs})
    return Matching(
        tuple(pairs),
        tuple(gone),
        tuple(fresh),
        _relatives(found, gone, (found.old, found.new), found.of_old, Kinship.MERGED),
        _relatives(found, fresh, (found.new, found.old), found.of_new, Kinship.SPLIT),
    )


def _same_place(old: ObjectSet, new: ObjectSet) -> list[tuple[int, int]]:
    """Pairs whose centres round to the same pixel; of several on one pixel the first stands, as for keys."""
    at: dict[tuple[int, int], int] = {}
    for number, centre in enumerate(_rounded(old)):
        at.setdefault(centre, number)
    found: dict[int, int] = {}
    for number, centre in enumerate(_rounded(new)):
        if centre in at:
            found.setdefault(at[centre], number)
    return list(found.items())


def _rounded(objects: ObjectSet) -> list[tuple[int, int]]:
    return [(math.floor(x + 0.5), math.floor(y + 0.5)) for x, y in objects.centroids.tolist()]


def _distance(old: ObjectSet, new: ObjectSet, i: int, j: int) -> float:
    return float(np.hypot(*(old.centroids[i] - new.centroids[j])))


def _overlaps(old: ObjectSet, new: ObjectSet) -> _Overlaps:
    """Every pair whose boxes overlap."""
    i, j = _candidates(old.boxes, new.boxes)
    shared = _shared_box_area(old.boxes[i], new.boxes[j])
    area_old, area_new = _box_area(old.boxes)[i], _box_area(new.boxes)[j]
    touching = shared > 0
    i, j = i[touching], j[touching]
    shared, area_old, area_new = shared[touching], area_old[touching], area_new[touching]
    for at, (first, second) in enumerate(zip(i.tolist(), j.tolist())):
        outlines = old.contours[first], new.contours[second]
        if outlines[0] is not None and outlines[1] is not None:
            shared[at], area_old[at], area_new[at] = _shared_contour_area(outlines[0], outlines[1])
    area_old, area_new = np.maximum(area_old, 1e-9), np.maximum(area_new, 1e-9)
    return _Overlaps(i, j, shared / (area_old + area_new - shared), shared / area_old, shared / area_new)


def _candidates(old: Floats, new: Floats) -> tuple[Ints, Ints]:
    """Pairs of boxes that might overlap, by the distance of their centres."""
    from scipy.spatial import cKDTree

    if not len(old) or not len(new):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    reach = _half_side(old).max() + _half_side(new)
    near = cKDTree(_centre(old)).query_ball_point(_centre(new), reach, p=np.inf, return_sorted=True)
    counts = [len(found) for found in near]
    return np.concatenate([np.asarray(found, np.int64) for found in near]), np.repeat(np.arange(len(new)), counts)


def _centre(boxes: Floats) -> Floats:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _half_side(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1) / 2)


def _box_area(boxes: Floats) -> Floats:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))


def _shared_box_area(first: Floats, second: Floats) -> Floats:
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=1))


def _shared_contour_area(first: Contour, second: Contour) -> tuple[float, float, float]:
    """Area that two closed outlines share, and of each, in the steps of a raster that holds both."""
    both = np.concatenate([first, second])
    low = both.min(axis=0)
    step = max(1.0, float((both.max(axis=0) - low).max()) / RASTER_PX)
    one, other = (_filled((outline - low) / step, (both.max(axis=0) - low) / step) for outline in (first, second))
    return float((one & other).sum()), float(one.sum()), float(other.sum())


def _filled(outline: Contour, size: Floats) -> NDArray[np.bool_]:
    """Pixels whose centres lie inside the outline."""
    from PIL import Image, ImageDraw

    width, height = (math.ceil(float(side)) + 1 for side in size)
    picture = Image.new("1", (width, height))
    ImageDraw.Draw(picture).polygon([tuple(point) for point in (outline - 0.5).tolist()], fill=1)
    return np.asarray(picture)


def _assigned(found: _Overlaps, rows: Ints) -> list[tuple[int, int]]:
    """One-to-one pairs of the greatest total overlap, group by group of objects that overlap each other."""
    from scipy.optimize import linear_sum_assignment

    chosen = []
    for group in _groups(found, rows):
        olds, at_old = np.unique(found.old[group], return_inverse=True)
        news, at_new = np.unique(found.new[group], return_inverse=True)
        weights = np.zeros((len(olds), len(news)))
        weights[at_old, at_new] = found.both[group]
        for i, j in zip(*linear_sum_assignment(weights, maximize=True)):
            if weights[i, j] > 0:
                chosen.append((int(olds[i]), int(news[j])))
    return chosen


def _groups(found: _Overlaps, rows: Ints) -> list[Ints]:
    """The overlapping pairs `rows`, those that share an object together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(rows):
        return []
    _, olds = np.unique(found.old[rows], return_inverse=True)
    _, news = np.unique(found.new[rows], return_inverse=True)
    first_new, size = olds.max() + 1, olds.max() + news.max() + 2
    links: Any = coo_array((np.ones(len(rows)), (olds, news + first_new)), shape=(size, size))
    group = connected_components(links, directed=False)[1][olds]
    order = np.argsort(group, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)


def _relatives(
    found: _Overlaps, alone: Sequence[int], sides: tuple[Ints, Ints], covered: Floats, kinship: Kinship
) -> tuple[Relative, ...]:
    """For each object without a partner that overlaps others: the one that it shares most with.

    `covered` is the share of the object itself that lies in the other one: from one half on it is a part of it.
    """
    own, others = sides
    wanted = np.flatnonzero(np.isin(own, np.array(alone, np.int64)) & ((found.both >= NEAR_FROM) | (covered >= 0.5)))
    best: dict[int, Relative] = {}
    for row in wanted[np.argsort(-found.both[wanted], kind="stable")].tolist():
        kind = kinship if covered[row] >= 0.5 else Kinship.UNCLEAR
        index = int(own[row])
        best.setdefault(index, Relative(index, int(others[row]), kind, float(found.both[row])))
    return tuple(best[index] for index in sorted(best))
