"""What is shown and what models see: windows that make every image visible, and one scaling for all."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imaging.pixels.display import default_colors, display_window, thumbnail
from imaging.pixels.normalise import scale_crops, subtract_background

RNG = np.random.default_rng(0)


@given(hnp.arrays(np.uint16, (2, 3, 5, 5)))
def test_a_window_is_never_empty(samples: np.ndarray) -> None:
    windows = display_window(samples)
    assert len(windows) == 3 and all(np.isfinite(w).all() and w[1] > w[0] for w in windows)


def test_a_uint16_image_with_low_values_is_visible() -> None:
    field = RNG.integers(0, 5000, (1, 64, 64), dtype=np.uint16)
    picture = thumbnail(field, display_window(field[None]), default_colors(1), 64)
    assert picture.shape == (64, 64, 3) and 90 < picture.mean() < 165


def test_a_single_bright_spot_on_black_stays_visible() -> None:
    field = np.zeros((1, 200, 200), np.uint16)
    field[0, 100, 100] = 50
    (window,) = display_window(field[None])
    assert window == (0.0, 50.0)


def test_rgb_keeps_its_full_range_and_its_colours() -> None:
    field = RNG.integers(90, 120, (3, 32, 40), dtype=np.uint8)
    windows = display_window(field[None], is_rgb=True)
    assert windows == [(0.0, 255.0)] * 3
    picture = thumbnail(field, windows, default_colors(3, is_rgb=True), 40)
    assert np.array_equal(picture, np.moveaxis(field, 0, 2))


@pytest.mark.parametrize("n", range(1, 12))
def test_every_channel_has_a_colour(n: int) -> None:
    colors = default_colors(n)
    assert len(colors) == n and all(len(c) == 7 and int(c[1:], 16) > 0 for c in colors)
    assert len(set(colors[:8])) == min(n, 8)


@given(st.sampled_from(["uint8", "uint16", "float32"]), st.integers(0, 99))
def test_scaled_crops_lie_between_0_and_1_and_grow_with_intensity(dtype: str, seed: int) -> None:
    crops = np.random.default_rng(seed).integers(0, 256, (4, 2, 6, 6)).astype(dtype)
    scaled = scale_crops(crops, [(10, 100), (0, 255)])
    assert scaled.dtype == np.float32 and scaled.min() >= 0 and scaled.max() <= 1
    order = np.argsort(crops[:, 0].ravel(), kind="stable")
    assert (np.diff(scaled[:, 0].ravel()[order]) >= 0).all()


def test_scaling_does_not_change_its_input_and_needs_a_window_per_channel() -> None:
    crops = np.full((1, 1, 4, 4), 5, np.float32)
    scale_crops(crops, [(0, 10)])
    assert (crops == 5).all()
    for windows in ([], [(0, 1), (0, 1)], [(1, 1)], [(0, float("nan"))]):
        with pytest.raises(ValueError, match="window"):
            scale_crops(crops, windows)


def test_background_subtraction_levels_a_ramp_and_keeps_cells() -> None:
    ramp = np.tile(np.linspace(1000, 2000, 256), (256, 1))
    ramp[100:110, 100:110] += 500
    flat = subtract_background(ramp.astype(np.uint16)[None], tile_px=32)[0]
    assert flat.dtype == np.uint16 and np.median(flat) < 80 and flat[105, 105] > 400


def test_the_web_process_can_read_and_show_images_without_scientific_libraries() -> None:
    code = (
        "import sys, imaging.pixels.reading, imaging.pixels.display, imaging.pixels.crops_store;"
        "import imaging.pixels.manifest;"
        "print([m for m in ('scipy', 'skimage', 'torch', 'openslide') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
