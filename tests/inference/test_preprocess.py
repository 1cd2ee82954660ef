"""The preprocess stage: what is measured is corrected, what the model sees keeps its windows."""

import numpy as np
import pytest

from imaging.pixels.crops import CropPlan
from imaging.pixels.info import ArrayReader, ImageInfo
from inference.pipeline.preprocess import STAGE, Params, flatten_illumination, run
from inference.pipeline.run import open_field
from inference.pipeline.stage import ParamsError
from inference.pipeline.state import CropModel, Field, FieldContext

Y, X = np.mgrid[:200, :240]
DISC = 1000 * (np.hypot(X - 60, Y - 90) < 8)


def field_of(plane: np.ndarray, pixel_size_um: float | None = 0.5, **context) -> Field:
    pixels = np.stack([plane] * 3).astype(np.uint16)
    info = ImageInfo((1, *pixels.shape), "CYX", "uint16", ("a", "b", "c"), pixel_size_um, is_rgb=False)
    return open_field(FieldContext(**context), ArrayReader(pixels[None], info))


def test_background_is_taken_away_and_objects_stay():
    done = run(field_of(DISC + 500 + X), Params())
    assert int(done.pixels[0, 90, 60]) == pytest.approx(1000, abs=60)
    assert np.median(done.pixels) < 40
    assert done.pixels.dtype == np.uint16


def test_raw_pixels_are_left_for_the_model():
    field = field_of(DISC + 500)
    assert run(field, Params()).raw is field.raw


@pytest.mark.parametrize(
    ("params", "pixel_size_um", "radius_px"),
    [
        (Params(background_radius_um=20), 0.5, 40.0),
        (Params(background_radius_um=20), None, 0.0),
        (Params(background_radius_px=33), None, 33.0),
        (Params(background_radius_um=20, background_radius_px=33), 0.5, 33.0),
        (Params(background_radius_um=0), 0.5, 0.0),
    ],
)
def test_the_radius_in_pixels_follows_the_pixel_size_and_is_recorded(params, pixel_size_um, radius_px):
    field = field_of(DISC + 500, pixel_size_um)
    done = run(field, params)
    assert done.preprocessing["background_radius_px"] == radius_px
    assert np.array_equal(done.pixels, field.raw) == (radius_px == 0)


def test_a_colour_picture_keeps_the_light_of_its_lamp():
    pixels = np.full((3, 50, 50), 240, np.uint8)
    info = ImageInfo((1, 3, 50, 50), "YXS", "uint8", ("red", "green", "blue"), 0.5, is_rgb=True)
    done = run(open_field(FieldContext(), ArrayReader(pixels[None], info)), Params())
    assert np.array_equal(done.pixels, pixels)


def test_uneven_light_is_levelled_and_the_mean_stays():
    lamp = 1 + 0.6 * (X / 240 - 0.5) + 0.4 * (Y / 200 - 0.5)
    plane = (2000 * lamp + 40 * np.sin(X * 3.0 + Y)).astype(np.uint16)[None]
    flat = flatten_illumination(plane)
    assert np.ptp([tile.mean() for tile in np.array_split(flat[0], 6, axis=1)]) < 30
    assert flat.mean() == pytest.approx(plane.mean(), rel=0.05)


@pytest.mark.parametrize("plane", [np.full((1, 1), 5), np.zeros((2, 9)), np.full((60, 60), 7)])
def test_a_plane_without_structure_is_not_changed_by_levelling(plane):
    assert np.array_equal(flatten_illumination(plane.astype(np.uint16)[None])[0], plane)


def test_levelling_never_leaves_the_range_of_the_type():
    plane = np.where(X < 40, 60_000, 65_535).astype(np.uint16)[None]
    assert flatten_illumination(plane).dtype == np.uint16
    assert flatten_illumination(plane)[0, 0, 0] > 50_000


def test_windows_are_the_models_else_the_experiments_else_the_fields():
    own, experiments = ((0.0, 9.0),) * 3, ((5.0, 6.0),) * 3
    model = CropModel("m", ("a",), 3, CropPlan(), lambda crops, windows: crops, windows=own)
    chosen = [
        run(field_of(DISC, model=model, windows=experiments), Params()),
        run(field_of(DISC, windows=experiments), Params()),
        run(field_of(DISC), Params()),
    ]
    assert [field.preprocessing["windows_from"] for field in chosen] == ["model", "experiment", "field"]
    assert (chosen[0].windows, chosen[1].windows) == (own, experiments)
    assert all(high > low for low, high in chosen[2].windows)


@pytest.mark.parametrize(
    ("name", "value"),
    [("background_radius_um", 25_000.0), ("background_radius_px", -1.0), ("background_percentile", 0.1)],
)
def test_a_mistaken_unit_is_refused(name, value):
    with pytest.raises(ParamsError, match=f"preprocess: {name} ="):
        STAGE.parse({name: value})
