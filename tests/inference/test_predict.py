"""The predict stage: crops as in training, models that do not fit are named."""

import numpy as np
import pytest

from imaging.pixels.crops import CropPlan, cut_crops
from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.objects import from_boxes
from inference.pipeline import preprocess, segment
from inference.pipeline.predict import STAGE, Params, run, unfit
from inference.pipeline.run import open_field
from inference.pipeline.stage import ParamsError, PipelineError
from inference.pipeline.state import CropModel, Field, FieldContext

INFO = ImageInfo((1, 1, 80, 100), "YX", "uint16", ("DNA",), pixel_size_um=0.5)
PIXELS = np.random.default_rng(2).integers(200, 900, (1, 1, 80, 100)).astype(np.uint16)
BOXES = from_boxes([Box(10, 10, 20, 20), Box(70, 50, 90, 70)], INFO)


class Spy:
    """A model that remembers what it was shown."""

    classes = ("a", "b")
    channels = 1

    def __init__(self) -> None:
        self.crops: list[np.ndarray] = []
        self.windows: list[tuple] = []

    def predict(self, crops, windows):
        self.crops.append(crops)
        self.windows.append(windows)
        return np.tile([0.25, 0.75], (len(crops), 1))


def prepared(spy: Spy, region: Box | None = None, **preprocessing) -> Field:
    meta = {"size_px": 16, "field_px": 24, **preprocessing}
    context = FieldContext(model=CropModel.of(spy, "m", meta), objects=BOXES, region=region, windows=((0.0, 999.0),))
    field = open_field(context, ArrayReader(PIXELS, INFO))
    return segment.run(preprocess.run(field, preprocess.Params()), segment.Params())


def test_crops_and_windows_are_those_of_training():
    spy = Spy()
    run(prepared(spy), Params())
    expected = cut_crops(ArrayReader(PIXELS, INFO), BOXES.centroids, CropPlan(16, 24.0))
    assert np.array_equal(spy.crops[0], expected)
    assert spy.windows == [((0.0, 999.0),)]


def test_windows_of_the_model_go_before_those_of_the_experiment():
    spy = Spy()
    run(prepared(spy, windows=[[5, 50]]), Params())
    assert spy.windows == [((5.0, 50.0),)]


def test_a_region_does_not_cut_the_surroundings_of_its_objects():
    whole, part = Spy(), Spy()
    run(prepared(whole), Params())
    run(prepared(part, Box(75, 55, 100, 80)), Params())
    assert np.array_equal(part.crops[0][0], whole.crops[0][1])


def test_the_physical_field_is_kept_on_images_of_another_pixel_size():
    spy = Spy()
    run(prepared(spy, field_um=20.0), Params())
    expected = cut_crops(ArrayReader(PIXELS, INFO), BOXES.centroids, CropPlan(16, 40.0))
    assert np.array_equal(spy.crops[0], expected)


def test_a_model_trained_on_corrected_pixels_sees_those():
    spy = Spy()
    stage = {"background_radius_px": 50.0, "flattened": False}
    field = prepared(spy, stage=stage)
    assert run(field, Params()).verdict.verdict == "use"
    expected = cut_crops(ArrayReader(field.pixels[None], INFO), BOXES.centroids, CropPlan(16, 24.0))
    assert np.array_equal(spy.crops[0], expected)


def test_a_model_trained_on_otherwise_prepared_fields_is_refused():
    stage = {"background_radius_px": 10.0, "flattened": False}
    [reason] = run(prepared(Spy(), stage=stage), Params()).verdict.reasons
    assert reason.code == "model_preprocessing"
    assert "'background_radius_px': 10.0" in reason.advice


def test_no_object_gives_no_row_and_asks_nothing_of_the_model():
    spy = Spy()
    empty = prepared(spy, Box(0, 70, 100, 80))
    assert run(empty, Params()).probabilities.shape == (0, 2)
    assert spy.crops == []


def test_a_fitting_model_is_accepted_before_the_run():
    model = CropModel.of(Spy(), "m", {"size_px": 16, "field_px": 24})
    assert unfit(model, INFO) is None


def test_metadata_without_a_crop_plan_are_refused():
    with pytest.raises(PipelineError, match="lack 'field_px'; train it again"):
        CropModel.of(Spy(), "m", {"size_px": 16})


def test_no_crop_at_a_time_is_refused():
    with pytest.raises(ParamsError, match="crops_at_a_time = 0 is outside"):
        STAGE.parse({"crops_at_a_time": 0})
