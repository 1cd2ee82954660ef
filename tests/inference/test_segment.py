"""The segment stage: objects found or given, in one numbering."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.objects import ObjectSet, from_boxes, from_label_image, whole_image
from inference.pipeline.run import open_field
from inference.pipeline.segment import STAGE, Params, numbered, paint, pixel_boxes, run
from inference.pipeline.stage import ParamsError, PipelineError
from inference.pipeline.state import Field, FieldContext

INFO = ImageInfo((1, 1, 80, 100), "YX", "uint16", ("DNA",))
Y, X = np.mgrid[:80, :100]
LABELS = np.zeros((80, 100), np.int32)
LABELS[10:20, 10:30], LABELS[40:60, 50:60] = 7, 3


def field_of(objects=None, region: Box | None = None, halo_px: int = 64) -> Field:
    plane = (100 + 900 * (np.hypot(X - 40, Y - 40) < 9)).astype(np.uint16)
    context = FieldContext(objects=objects, region=region, halo_px=halo_px)
    return open_field(context, ArrayReader(plane[None, None], INFO))


def test_a_bright_disc_is_found_where_it_is():
    found = run(field_of(), Params())
    assert found.labels.dtype == np.int32
    assert found.objects.centroids == pytest.approx(np.array([[40.5, 40.5]]), abs=0.3)


def test_corrected_pixels_are_segmented_only_when_asked_for():
    field = field_of()
    blank = Field(field.context, field.reader, field.info, field.raw, pixels=np.zeros_like(field.raw))
    assert len(run(blank, Params()).objects) == 1
    assert len(run(blank, Params(pixels="corrected")).objects) == 0


def test_a_given_label_image_is_numbered_from_one_in_its_order():
    found = run(field_of(LABELS), Params())
    assert found.labels[45, 55] == 1
    assert found.labels[15, 15] == 2
    assert found.objects.boxes.tolist() == [[50, 40, 60, 60], [10, 10, 30, 20]]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_numbering_keeps_background_order_and_equality(values):
    labels = np.array([values])
    new = numbered(labels)[0]
    assert (new > 0).tolist() == [value > 0 for value in values]
    assert sorted(set(new[new > 0].tolist())) == list(range(1, len({v for v in values if v}) + 1))
    order = np.argsort(labels[0], kind="stable")
    assert (np.diff(new[order]) >= 0).all()


def test_a_region_keeps_its_part_of_a_given_label_image():
    found = run(field_of(LABELS, Box(50, 30, 100, 80), halo_px=0), Params())
    assert found.labels.shape == (50, 50)
    assert found.objects.boxes.tolist() == [[0, 10, 10, 30]]


@pytest.mark.parametrize("seam", [12, 15, 20, 29, 45, 55])
@pytest.mark.parametrize("objects", [LABELS, from_label_image(LABELS), None])
def test_an_object_on_the_seam_of_two_regions_is_whole_and_counted_once(seam, objects):
    halves = [Box(0, 0, seam, 80), Box(seam, 0, 100, 80)]
    parts = [run(field_of(objects, half, halo_px=25), Params(polarity="bright")) for half in halves]
    whole = run(field_of(objects), Params())
    boxes = np.concatenate([part.objects.boxes + np.tile(part.offset, 2) for part in parts])
    assert sorted(boxes.tolist()) == sorted(whole.objects.boxes.tolist())
    assert all(sorted(np.unique(p.labels)) == list(range(len(p.objects) + 1)) for p in parts)


def test_a_region_keeps_the_boxes_whose_centre_it_holds():
    boxes = from_boxes([Box(0, 0, 10, 10), Box(45, 45, 65, 65), Box(90, 70, 99, 79)], INFO)
    found = run(field_of(boxes, Box(50, 50, 100, 80), halo_px=0), Params())
    assert found.objects.boxes.tolist() == [[0, 0, 15, 15], [40, 20, 49, 29]]


def test_the_whole_image_is_one_object():
    found = run(field_of(whole_image(INFO)), Params())
    assert (found.labels == 1).all()


def test_outlines_are_painted_as_the_mask_they_came_from():
    disc = (np.hypot(X - 40, Y - 40) < 12).astype(np.int32)
    painted = paint(from_label_image(disc), disc.shape)
    assert (painted != disc).mean() < 0.005


@given(st.tuples(*[st.floats(-30, 130)] * 4))
def test_any_box_stays_inside_the_field_and_keeps_a_pixel(corners):
    boxes = ObjectSet(np.array([corners]), np.array([[50.0, 40.0]]), (None,), "box")
    found = run(field_of(boxes), Params())
    [[x0, y0, x1, y1]] = pixel_boxes(found.objects)
    assert 0 <= x0 < x1 <= 100
    assert 0 <= y0 < y1 <= 80


@pytest.mark.parametrize("bad", [np.zeros((80, 99), np.int32), np.zeros((80, 100), np.float32)])
def test_a_label_image_that_does_not_fit_is_refused(bad):
    with pytest.raises(PipelineError, match="the given label image is"):
        run(field_of(bad), Params())


@pytest.mark.parametrize(
    ("name", "value"), [("min_area_px", 0), ("smoothing_px", -1.0), ("channel", -1), ("polarity", "up")]
)
def test_a_parameter_out_of_bounds_is_refused(name, value):
    with pytest.raises(ParamsError, match=r"^segment: "):
        STAGE.parse({name: value})
