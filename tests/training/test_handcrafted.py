"""The handcrafted encoder measures what its column names say."""

import numpy as np
import pytest

from training.learning.handcrafted import HandcraftedEncoder

WINDOW = [(0.0, 1000.0)]
ENCODER = HandcraftedEncoder(1)


def disc(radius: float, level: float = 500, size: int = 64, stretch: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.where((x / stretch) ** 2 + (y * stretch) ** 2 < radius**2, level, 20).astype(np.uint16)


def measured(plane: np.ndarray) -> dict[str, float]:
    row = ENCODER.encode(plane[None, None], WINDOW)[0]
    return dict(zip((name.removeprefix("channel0_") for name in ENCODER.feature_names), map(float, row)))


def test_area_is_the_root_of_the_share_of_object_pixels():
    plane = disc(15)
    assert measured(plane)["area"] == pytest.approx(np.sqrt((plane > 100).mean()), rel=1e-3)


def test_twice_the_stain_is_twice_the_object_sum():
    single, double = measured(disc(12, 270)), measured(disc(12, 520))
    assert double["object_sum"] == pytest.approx(2 * single["object_sum"], rel=1e-3)


def test_stain_above_the_display_window_still_counts_in_the_total():
    assert measured(disc(12, 4000))["total"] > 1.9 * measured(disc(12, 2000))["total"]
    assert measured(disc(12, 4000))["mean"] == measured(disc(12, 2000))["mean"]


def test_a_stretched_object_is_more_eccentric_than_a_round_one():
    assert measured(disc(12, stretch=1.5))["eccentricity"] > 0.8 > 0.3 > measured(disc(12))["eccentricity"]


def test_a_dark_object_on_bright_ground_has_the_same_shape():
    bright, dark = measured(disc(12)), measured(1000 - disc(12))
    for name in ("area", "major_axis", "eccentricity", "perimeter"):
        assert dark[name] == pytest.approx(bright[name], rel=1e-3)


def test_finer_texture_moves_energy_to_the_finer_bands():
    y, x = np.mgrid[:64, :64]
    fine, coarse = (((x // step + y // step) % 2 * 500).astype(np.uint16) for step in (1, 8))
    assert measured(fine)["band0_rms"] > measured(coarse)["band0_rms"]
    assert measured(fine)["band2_rms"] < measured(coarse)["band2_rms"]


def test_a_disc_is_bright_in_the_inner_rings_only():
    row = measured(disc(12))
    assert row["ring0_mean"] > 0.45
    assert row["ring5_mean"] < 0.05


def test_most_features_of_a_turned_crop_are_the_same():
    plane = np.random.default_rng(0).gamma(2, 100, (64, 64)).astype(np.uint16) + disc(10)
    first, turned = (ENCODER.encode(p[None, None], WINDOW)[0] for p in (plane, np.rot90(plane)))
    assert np.mean(np.isclose(first, turned, rtol=0.05, atol=0.02)) > 0.9


def test_identical_channels_correlate_fully_and_opposite_ones_negatively():
    encoder = HandcraftedEncoder(3)
    row = encoder.encode(np.stack([disc(9), disc(9), 900 - disc(9)])[None], WINDOW * 3)[0]
    np.testing.assert_allclose(row[-3:], [1, -1, -1], atol=1e-3)


@pytest.mark.slow
def test_five_hundred_crops_take_less_than_two_seconds_of_processor_time():
    import time

    pixels = np.random.default_rng(0).gamma(2, 300, (500, 3, 64, 64)).astype(np.uint16)
    start = time.process_time()
    HandcraftedEncoder(3).encode(pixels, WINDOW * 3)
    assert time.process_time() - start < 2
