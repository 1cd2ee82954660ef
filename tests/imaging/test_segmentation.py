"""Segmentation finds the nuclei that experts drew, and behaves under changes that do not matter."""

from pathlib import Path

import numpy as np
import pytest

from imaging.pixels.manifest import read_manifest
from imaging.pixels.objects import read_mask
from imaging.pixels.reading import open_planes
from imaging.pixels.segmentation import SegmentationParams, segment


def disks(centres: list[tuple[int, int]], radius: int = 9, side: int = 160) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    mask = np.zeros((side, side), bool)
    for cx, cy in centres:
        mask |= (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
    return np.random.default_rng(0).poisson(100 + 900 * mask).astype(np.uint16)[None]


def matches(truth: np.ndarray, found: np.ndarray) -> tuple[int, int, int]:
    """Pairs with IoU of at least 0.5, objects in truth, objects found."""
    table = np.zeros((truth.max() + 1, found.max() + 1))
    np.add.at(table, (truth.ravel(), found.ravel()), 1)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    return int((table / union >= 0.5)[1:, 1:].sum()), int(truth.max()), int(found.max())


def test_touching_disks_are_parted_and_counted() -> None:
    labels = segment(disks([(30, 30), (46, 30), (100, 100), (60, 120)]))
    assert labels.dtype == np.int32 and sorted(np.unique(labels)) == [0, 1, 2, 3, 4]


def test_the_result_does_not_depend_on_gain_offset_or_dtype() -> None:
    field = disks([(30, 30), (100, 100)])
    expected = segment(field) > 0
    for other in (field * 4 + 77, field.astype(np.float32), (field // 5).astype(np.uint8)):
        assert ((segment(other) > 0) == expected).mean() > 0.995


def test_dark_objects_on_bright_are_found_by_automatic_polarity() -> None:
    field = disks([(30, 30), (100, 100), (60, 120)])
    inverted = (4000 - field).astype(np.uint16)
    assert segment(inverted).max() == segment(field).max() == 3


def test_a_coloured_picture_of_fluorescence_is_segmented_by_its_brightest_colour() -> None:
    grey = np.clip(disks([(30, 30), (100, 100)])[0] // 5, 0, 255)
    tinted = np.stack([grey // 6, grey // 3, grey]).astype(np.uint8)
    assert segment(tinted).max() == 2


def test_segmenting_twice_gives_the_same_labels() -> None:
    field = disks([(30, 30), (46, 30), (100, 100)])
    assert np.array_equal(segment(field), segment(field.copy()))


def test_area_limits_hold_and_a_blank_field_has_no_object() -> None:
    field = disks([(30, 30)]) + disks([(100, 100)], radius=20) - 100
    areas = np.bincount(segment(field, SegmentationParams(max_area_px=600)).ravel())[1:]
    assert len(areas) == 1 and 200 < areas[0] <= 600
    assert segment(np.full((1, 50, 50), 7, np.uint16)).max() == 0


@pytest.mark.parametrize(
    "wrong", [{"polarity": "up"}, {"min_area_px": 0}, {"min_distance_px": 0}, {"smoothing_px": -1}]
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        SegmentationParams(**wrong)


def test_a_missing_channel_is_named() -> None:
    with pytest.raises(ValueError, match="channel 3 does not exist"):
        segment(disks([(30, 30)]), SegmentationParams(channel=3))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("fluorescence_256x256", 0.85),
        ("fluorescence_360x360", 0.75),
        ("fluorescence_520x696", 0.85),
        ("purple_white_256x320", 0.5),
    ],
)
def test_expert_masks_are_matched(shared_data: Path, kind: str, least: float) -> None:
    listing = read_manifest(shared_data / "05_segmentation_dsb2018" / "manifest.csv")
    counts = np.zeros(3)
    for field in listing.fields:
        if field.batch == kind and field.mask is not None:
            counts += matches(read_mask(field.mask), segment(open_planes(field.files).field()))
    assert 2 * counts[0] / (counts[1] + counts[2]) >= least
