"""The postprocess stage: flags, filters and counts of one field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imaging.pixels.crops import CropPlan
from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.objects import from_boxes
from inference.pipeline import segment
from inference.pipeline.postprocess import STAGE, Params, classified, entropy, run
from inference.pipeline.run import open_field
from inference.pipeline.stage import ParamsError, PipelineError
from inference.pipeline.state import CropModel, Field, FieldContext, FieldIdentity

INFO = ImageInfo((1, 2, 60, 60), "CYX", "uint8", ("DNA", "F-actin"))
BOXES = from_boxes([Box(0, 5, 10, 15), Box(20, 20, 24, 24), Box(30, 30, 50, 50)], INFO)
PROBABILITIES = np.array([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25], [0.2, 0.7, 0.1]])
IDENTITY = FieldIdentity("exp 1", "A01", "s1", 5, "A01_s1.tif", "ab" * 32)


def field(probabilities: np.ndarray | None = PROBABILITIES) -> Field:
    model = CropModel("m", ("G1", "S/G2", "M"), 2, CropPlan(), lambda crops, windows: crops)
    pixels = np.random.default_rng(0).integers(0, 255, (1, 2, 60, 60)).astype(np.uint8)
    opened = open_field(FieldContext(IDENTITY, model, objects=BOXES), ArrayReader(pixels, INFO))
    found = segment.run(opened, segment.Params())
    return Field(
        found.context, found.reader, found.info, found.raw, labels=found.labels, objects=found.objects,
        probabilities=probabilities,
    )  # fmt: skip


def test_every_object_has_a_row_under_cellprofilers_names():
    table = run(field(), Params()).table
    assert {
        "ImageNumber",
        "ObjectNumber",
        "Metadata_Experiment",
        "Metadata_Well",
        "Metadata_Site",
        "Location_Center_X",
        "AreaShape_Area",
        "AreaShape_BoundingBoxMinimum_X",
        "Intensity_MeanIntensity_DNA",
        "Intensity_MeanIntensity_F_actin",
        "Classify_S_G2_Probability",
        "Classify_Predicted",
    } <= set(table.names)
    assert table.columns["Classify_Predicted"].tolist() == ["G1", "G1", "S/G2"]
    assert table.columns["ImageNumber"].tolist() == [5, 5, 5]


def test_unsure_objects_and_those_at_the_border_are_flagged_and_counted():
    done = run(field(), Params())
    assert done.table.columns["Classify_Uncertain"].tolist() == [False, True, False]
    assert done.table.columns["Location_TouchesBorder"].tolist() == [True, False, False]
    assert done.counts == {
        "objects": 3,
        "uncertain": 1,
        "touching_border": 1,
        "dropped": 0,
        "class:G1": 2,
        "class:S/G2": 1,
        "class:M": 0,
    }


def test_small_objects_are_left_out_and_the_others_keep_their_numbers():
    done = run(field(), Params(min_area_px2=50))
    assert done.table.columns["ObjectNumber"].tolist() == [1, 3]
    assert (done.counts["dropped"], done.counts["class:G1"]) == (1, 1)


def test_objects_at_the_border_can_be_left_out():
    assert run(field(), Params(drop_border=True)).table.columns["ObjectNumber"].tolist() == [2, 3]


def test_a_higher_demand_never_makes_an_object_less_uncertain():
    flags = [classified(PROBABILITIES, ("a", "b", "c"), Params(min_top_probability=p)) for p in (0, 0.5, 0.8, 1)]
    counts = [int(columns["Classify_Uncertain"].sum()) for columns in flags]
    assert counts == sorted(counts)


@given(arrays(np.float64, (4, 3), elements=st.floats(0.0, 1.0)))
def test_entropy_is_a_share_of_that_of_equal_shares(weights):
    probabilities = (weights + 1e-9) / (weights + 1e-9).sum(axis=1, keepdims=True)
    values = entropy(probabilities)
    assert ((values >= 0) & (values <= 1)).all()
    assert values == pytest.approx(entropy(probabilities[:, ::-1]))


def test_entropy_of_equal_shares_is_one_and_of_certainty_zero():
    assert entropy(np.array([[0.25] * 4, [1.0, 0, 0, 0]])).tolist() == pytest.approx([1.0, 0.0])
    assert entropy(np.ones((2, 1))).tolist() == [0.0, 0.0]


def test_without_probabilities_it_says_what_must_run_before():
    with pytest.raises(PipelineError, match="run segment and predict before"):
        run(field(None), Params())


@pytest.mark.parametrize("name", ["min_top_probability", "max_entropy"])
def test_a_percentage_where_a_share_is_meant_is_refused(name):
    with pytest.raises(ParamsError, match=f"postprocess: {name} = 60.0 is outside 0 to 1"):
        STAGE.parse({name: 60})
