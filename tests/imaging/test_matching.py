"""Partners of two segmentations: the same object keeps its partner, and doubt never attaches."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.pixels.matching import SAME_ABOVE, Kinship, Matching, match_objects
from imaging.pixels.objects import ObjectSet


def boxed(*boxes: tuple[float, float, float, float]) -> ObjectSet:
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return ObjectSet(corners, (corners[:, :2] + corners[:, 2:]) / 2, (None,) * len(corners), "box")


def disc(x: float, y: float, radius: float) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    turn = np.linspace(0, 2 * np.pi, 33)
    outline = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    return (x - radius, y - radius, x + radius, y + radius), outline


def partners(found: Matching) -> dict[int, int]:
    return {pair.old: pair.new for pair in found.pairs}


def moved(objects: ObjectSet, x: float, y: float) -> ObjectSet:
    shift = np.array([x, y])
    contours = tuple(None if c is None else c + shift for c in objects.contours)
    return ObjectSet(objects.boxes + np.tile(shift, 2), objects.centroids + shift, contours, objects.source)


ROW = boxed(*[(40.0 * n, 0, 40 * n + 20, 20) for n in range(6)])


def test_the_same_objects_in_any_order_are_all_partners_and_nothing_is_left() -> None:
    order = np.random.default_rng(0).permutation(len(ROW))
    mixed = ObjectSet(ROW.boxes[order], ROW.centroids[order], ROW.contours, "box")
    found = match_objects(ROW, mixed)
    assert partners(found) == {int(old): new for new, old in enumerate(order)}
    assert (found.gone, found.fresh, found.gone_relatives, found.fresh_relatives) == ((), (), (), ())
    assert {pair.overlap for pair in found.pairs} == {1.0}
    assert {pair.distance_px for pair in found.pairs} == {0.0}


@pytest.mark.parametrize("shift", [(3, 0), (-3, 0), (0, 4), (0, -4)])
def test_objects_that_all_move_a_little_keep_their_partners_and_tell_how_far(shift: tuple[int, int]) -> None:
    found = match_objects(ROW, moved(ROW, *shift))
    assert partners(found) == {n: n for n in range(len(ROW))}
    assert {pair.distance_px for pair in found.pairs} == {float(np.hypot(*shift))}


def test_a_whole_row_that_moves_further_than_half_an_object_attaches_to_nothing() -> None:
    found = match_objects(ROW, moved(ROW, 12, 0))
    assert found.pairs == ()
    assert [row.kinship for row in found.gone_relatives] == [Kinship.UNCLEAR] * len(ROW)


def test_a_row_that_moves_by_its_own_period_is_taken_for_the_row_that_stood_there() -> None:
    # Nothing in the outlines tells otherwise; at the two ends one object is gone and one is new.
    found = match_objects(ROW, moved(ROW, 40, 0))
    assert partners(found) == {n + 1: n for n in range(len(ROW) - 1)}
    assert (found.gone, found.fresh) == ((0,), (len(ROW) - 1,))


def test_a_split_in_unlike_parts_stays_with_the_larger_and_names_the_smaller() -> None:
    found = match_objects(boxed((0, 0, 40, 20)), boxed((0, 0, 30, 20), (30, 0, 40, 20)))
    assert partners(found) == {0: 0}
    assert found.fresh == (1,)
    assert [(row.index, row.other, row.kinship) for row in found.fresh_relatives] == [(1, 0, Kinship.SPLIT)]


def test_a_split_in_two_halves_stays_with_neither() -> None:
    found = match_objects(boxed((0, 0, 40, 20)), boxed((0, 0, 20, 20), (20, 0, 40, 20)))
    assert found.pairs == ()
    assert [row.kinship for row in found.fresh_relatives] == [Kinship.SPLIT] * 2
    assert found.gone == (0,)


def test_a_merge_of_unlike_parts_stays_with_the_larger_and_of_halves_with_neither() -> None:
    unlike = match_objects(boxed((0, 0, 30, 20), (30, 0, 40, 20)), boxed((0, 0, 40, 20)))
    assert partners(unlike) == {0: 0}
    assert [(row.index, row.kinship) for row in unlike.gone_relatives] == [(1, Kinship.MERGED)]
    halves = match_objects(boxed((0, 0, 20, 20), (20, 0, 40, 20)), boxed((0, 0, 40, 20)))
    assert halves.pairs == ()
    assert [row.kinship for row in halves.gone_relatives] == [Kinship.MERGED] * 2


def test_of_two_that_both_overlap_the_total_decides_not_the_first_come() -> None:
    # Greedy would give old 0 to new 0 and leave old 1 without a partner above one half.
    old = boxed((0, 0, 20, 20), (4, 0, 24, 20))
    new = boxed((3, 0, 23, 20), (7, 0, 27, 20))
    assert partners(match_objects(old, new)) == {0: 0, 1: 1}


def test_the_same_centre_is_the_same_object_however_large_it_became() -> None:
    found = match_objects(boxed((10, 10, 14, 14)), boxed((0, 0, 24, 24)))
    assert partners(found) == {0: 0}
    assert found.pairs[0].overlap == pytest.approx(16 / 576)


def test_outlines_count_where_boxes_would_deceive() -> None:
    # Two slender objects on crossing diagonals share their box, and next to nothing of what they cover.
    rising = np.array([(0, 0), (4, 0), (40, 36), (40, 40), (36, 40), (0, 4), (0, 0)], dtype=float)
    falling = np.stack([43 - rising[:, 0], rising[:, 1]], axis=1)
    box = (0.0, 0.0, 40.0, 40.0)
    old = ObjectSet(np.array([box]), np.array([[20.0, 20.0]]), (rising,), "mask")
    new = ObjectSet(np.array([[3.0, 0.0, 43.0, 40.0]]), np.array([[23.0, 20.0]]), (falling,), "mask")
    assert match_objects(old, new).pairs == ()
    plain = [ObjectSet(item.boxes, item.centroids, (None,), "mask") for item in (old, new)]
    assert partners(match_objects(*plain)) == {0: 0}


def test_overlap_of_two_discs_agrees_with_geometry() -> None:
    (box, outline), (box2, outline2) = disc(50, 50, 20), disc(58, 50, 20)
    old = ObjectSet(np.array([box]), np.array([[50.0, 50.0]]), (outline,), "mask")
    new = ObjectSet(np.array([box2]), np.array([[58.0, 50.0]]), (outline2,), "mask")
    lens = 2 * 400 * np.arccos(8 / 40) - 4 * np.sqrt(4 * 400 - 64)
    assert match_objects(old, new).pairs[0].overlap == pytest.approx(lens / (2 * np.pi * 400 - lens), abs=0.03)


@pytest.mark.parametrize(("old", "new"), [(boxed(), ROW), (ROW, boxed()), (boxed(), boxed())])
def test_nothing_on_one_side_is_all_gone_or_all_new(old: ObjectSet, new: ObjectSet) -> None:
    found = match_objects(old, new)
    assert (found.pairs, found.gone, found.fresh) == ((), tuple(range(len(old))), tuple(range(len(new))))


sides = st.floats(2, 30)
boxes = st.lists(
    st.tuples(st.floats(0, 120), st.floats(0, 120), sides, sides).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(boxes, boxes)
def test_partners_are_one_to_one_near_and_everybody_is_accounted_for(
    before: list[tuple[float, ...]], after: list[tuple[float, ...]]
) -> None:
    old, new = boxed(*before), boxed(*after)  # type: ignore[arg-type]
    found = match_objects(old, new)
    olds, news = [pair.old for pair in found.pairs], [pair.new for pair in found.pairs]
    assert len(set(olds)) == len(olds)
    assert len(set(news)) == len(news)
    assert sorted([*olds, *found.gone]) == list(range(len(old)))
    assert sorted([*news, *found.fresh]) == list(range(len(new)))
    assert all(pair.overlap > SAME_ABOVE or pair.distance_px < np.sqrt(2) for pair in found.pairs)
    assert {row.index for row in found.gone_relatives} <= set(found.gone)
    assert {row.index for row in found.fresh_relatives} <= set(found.fresh)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(boxes)
def test_matching_with_itself_pairs_each_object_with_one_of_its_own_place(before: list[tuple[float, ...]]) -> None:
    objects = boxed(*before)  # type: ignore[arg-type]
    found = match_objects(objects, objects)
    places = {tuple(np.floor(centre + 0.5)) for centre in objects.centroids}
    assert len(found.pairs) >= len(places)
    assert all(pair.distance_px < np.sqrt(2) or pair.overlap > SAME_ABOVE for pair in found.pairs)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(boxes, boxes)
def test_it_does_not_matter_which_segmentation_came_first(
    before: list[tuple[float, ...]], after: list[tuple[float, ...]]
) -> None:
    old, new = boxed(*before), boxed(*after)  # type: ignore[arg-type]
    forth, back = match_objects(old, new), match_objects(new, old)
    total = sum(pair.overlap for pair in forth.pairs if pair.overlap > SAME_ABOVE)
    assert total == pytest.approx(sum(pair.overlap for pair in back.pairs if pair.overlap > SAME_ABOVE))
