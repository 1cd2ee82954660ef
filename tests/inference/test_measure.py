"""Measured objects agree with scikit-image, whatever the blocks they are measured in."""

import numpy as np
import pytest
from skimage.measure import regionprops_table

from inference.pipeline import measure
from inference.pipeline.measure import box_blocks, label_blocks, measure_objects


def scene(objects: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:90, :120]
    labels = np.zeros((90, 120), dtype=np.int32)
    for number in range(1, objects + 1):
        cx, cy, a, b = rng.uniform(8, 112), rng.uniform(8, 82), rng.uniform(2, 9), rng.uniform(2, 9)
        labels[((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1] = number
    return labels, rng.integers(0, 65535, (2, 90, 120)).astype(np.uint16)


def test_shapes_and_intensities_equal_regionprops():
    labels, pixels = scene()
    table = measure_objects(label_blocks(labels), labels.max(), pixels, ("DNA", "Actin"))
    names = (
        "area",
        "axis_major_length",
        "axis_minor_length",
        "eccentricity",
        "intensity_mean",
        "intensity_max",
    )
    expected = regionprops_table(labels, pixels.transpose(1, 2, 0), properties=("label", *names, "intensity_min"))
    rows = expected["label"] - 1
    for ours, theirs in {
        "AreaShape_Area": "area",
        "AreaShape_MajorAxisLength": "axis_major_length",
        "AreaShape_MinorAxisLength": "axis_minor_length",
        "AreaShape_Eccentricity": "eccentricity",
        "Intensity_MeanIntensity_DNA": "intensity_mean-0",
        "Intensity_MaxIntensity_Actin": "intensity_max-1",
        "Intensity_MinIntensity_Actin": "intensity_min-1",
    }.items():
        np.testing.assert_allclose(table[ours][rows], expected[theirs], rtol=1e-6, atol=1e-6)


def test_spread_and_sum_equal_numpy():
    labels, pixels = scene(5)
    table = measure_objects(label_blocks(labels), labels.max(), pixels[:1], ("DNA",))
    inside = pixels[0][labels == 2].astype(float)
    assert table["Intensity_StdIntensity_DNA"][1] == pytest.approx(inside.std())
    assert table["Intensity_IntegratedIntensity_DNA"][1] == inside.sum()


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    labels, pixels = scene()
    whole = measure_objects(label_blocks(labels), labels.max(), pixels, ("a", "b"))
    monkeypatch.setattr(measure, "BLOCK_PIXELS", 300)
    for name, column in measure_objects(label_blocks(labels), labels.max(), pixels, ("a", "b")).items():
        np.testing.assert_array_equal(column, whole[name])


def test_boxes_are_measured_as_their_pixels_even_when_they_overlap(monkeypatch):
    monkeypatch.setattr(measure, "BLOCK_PIXELS", 64)
    pixels = np.random.default_rng(4).integers(0, 255, (1, 40, 50)).astype(np.uint8)
    boxes = np.array([[0, 0, 50, 40], [3, 4, 9, 20], [5, 5, 5, 9], [8, 10, 20, 30]])
    table = measure_objects(box_blocks(boxes), 4, pixels, ("g",))
    assert table["AreaShape_Area"].tolist() == [2000, 96, 0, 240]
    for row in (0, 1, 3):
        x0, y0, x1, y1 = boxes[row]
        assert table["Intensity_MeanIntensity_g"][row] == pytest.approx(pixels[0, y0:y1, x0:x1].mean())
    assert np.isnan(table["Intensity_MeanIntensity_g"][2])


def test_no_object_gives_empty_columns():
    table = measure_objects(label_blocks(np.zeros((4, 4), np.int32)), 0, np.zeros((1, 4, 4)), ("g",))
    assert {len(column) for column in table.values()} == {0}
    assert {
        len(c) for c in measure_objects(box_blocks(np.zeros((0, 4), int)), 0, np.zeros((1, 4, 4)), ("g",)).values()
    } == {0}


def test_an_object_of_one_pixel_is_round_and_has_no_spread():
    labels = np.array([[0, 1]], dtype=np.int32)
    table = measure_objects(label_blocks(labels), 1, np.array([[[3.0, 7.0]]]), ("g",))
    assert table["AreaShape_Eccentricity"][0] == 0
    assert table["Intensity_StdIntensity_g"][0] == 0
