"""The whole pipeline over fields: replays, refusals as values, and what no field may break."""

from dataclasses import replace

import numpy as np
import pytest

from imaging.pixels.crops import CropPlan
from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.normalise import scale_crops
from imaging.pixels.objects import from_boxes, from_label_image
from imaging.pixels.quality import Reason, Verdict
from imaging.pixels.reading import open_image
from imaging.pixels.segmentation import SegmentationParams, segment
from inference.pipeline.aggregate import aggregate
from inference.pipeline.provenance import RunRecord, current_environment
from inference.pipeline.run import STAGES, pipeline_params, run_field
from inference.pipeline.stage import ParamsError, PipelineError
from inference.pipeline.state import CropModel, FieldContext, FieldIdentity
from inference.pipeline.tables import combine, parquet_bytes
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.predict import HandcraftedPredictor

PARAMS = pipeline_params({"segment": {"min_area_px": 20}})


def brightness(crops, windows):
    """A model of two classes: how bright a crop is."""
    mean = scale_crops(crops, windows).mean(axis=(1, 2, 3), dtype=np.float64)
    return np.stack([mean, 1 - mean], axis=1)


def model(channels: int = 2, **changes) -> CropModel:
    plain = CropModel("m" * 64, ("bright", "dark"), channels, CropPlan(32, 32.0), brightness)
    return replace(plain, **changes)


def nuclei(seed: int = 0, shape: tuple[int, int] = (220, 240), channels: int = 2) -> np.ndarray:
    """Round bright objects on an even background with camera noise, uint16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    field = np.full((channels, *shape), 300.0)
    for cx, cy in rng.uniform((15, 15), (shape[1] - 15, shape[0] - 15), (14, 2)):
        field += rng.uniform(900, 2500) / (1 + np.exp(np.hypot(x - cx, y - cy) - 8))
    return rng.poisson(np.minimum(field, 3500)).astype(np.uint16)


def context(number: int = 1, **changes) -> FieldContext:
    identity = FieldIdentity("exp", f"B{number:02d}", "s1", number, f"B{number:02d}_s1.tif", f"{number:064d}")
    return replace(FieldContext(identity, model()), **changes)


def run(source, params=PARAMS, **changes):
    return run_field(context(**changes), source, params)


def codes(result) -> list[str]:
    return [reason.code for reason in result.verdict.reasons]


def test_a_field_passes_all_stages_in_order():
    result = run(nuclei())
    assert [record.name for record in result.records] == [stage.name for stage in STAGES]
    assert not result.refused
    assert result.counts["objects"] == len(result.table) > 5
    assert result.counts["class:bright"] + result.counts["class:dark"] == len(result.table)


def test_running_again_gives_the_same_digests_and_bytes():
    first, second = run(nuclei()), run(nuclei())
    assert first.digest == second.digest
    assert [r.output_digest for r in first.records] == [r.output_digest for r in second.records]
    assert parquet_bytes(first.table) == parquet_bytes(second.table)


def test_time_is_kept_out_of_the_digest():
    ticks = iter(range(100))
    timed = run_field(context(), nuclei(), PARAMS, clock=lambda: float(next(ticks)))
    assert [record.seconds for record in timed.records] == [1.0] * 5
    assert timed.digest == run(nuclei()).digest


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_neither_order_nor_batching_of_fields_changes_the_file(at_a_time):
    params = pipeline_params({"segment": {"min_area_px": 20}, "predict": {"crops_at_a_time": at_a_time}})
    fields = {number: nuclei(number) for number in (1, 2, 3)}
    tables = [run_field(context(number), fields[number], params).table for number in (3, 1, 2)]
    expected = [run_field(context(number), fields[number], PARAMS).table for number in (1, 2, 3)]
    assert parquet_bytes(combine(tables)) == parquet_bytes(combine(expected))


def test_the_fitted_model_gives_the_same_bytes_however_crops_are_batched():
    rng = np.random.default_rng(1)
    encoder = HandcraftedEncoder(2)
    weights = rng.normal(size=(encoder.dimension + 1, 2)) / encoder.dimension
    shape = np.zeros(encoder.dimension), np.ones(encoder.dimension)
    predictor = HandcraftedPredictor(weights, *shape, ("a", "b"), 2)
    fitted = CropModel.of(predictor, "h" * 64, {"size_px": 32, "field_px": 32})
    few = pipeline_params({"predict": {"crops_at_a_time": 2}})
    first, second = (run(nuclei(), params, model=fitted).table for params in (PARAMS, few))
    assert parquet_bytes(first) == parquet_bytes(second)


def test_what_a_stage_reads_is_what_the_stages_before_wrote():
    changed = nuclei()
    changed[0, 100, 100] += 1
    first, second = run(nuclei()).records, run(changed).records
    assert [r.input_digest != s.input_digest for r, s in zip(first, second, strict=True)] == [True] * 5


def test_a_changed_parameter_changes_only_its_stage_and_what_follows():
    other = pipeline_params({"segment": {"min_area_px": 20}, "postprocess": {"border_px": 5.0}})
    first, second = run(nuclei()).records, run(nuclei(), other).records
    assert [r.content == s.content for r, s in zip(first, second, strict=True)] == [True] * 4 + [False]


def test_every_parameter_is_recorded_with_its_default():
    content = pipeline_params({"segment": {"channel": 1}}).content
    assert content[2]["params"]["channel"] == 1
    assert content[2]["params"]["smoothing_px"] == 1.0
    assert [stage["name"] for stage in content] == [stage.name for stage in STAGES]


def test_the_pipeline_digest_is_that_of_the_run_record():
    params = pipeline_params()
    record = RunRecord({}, params.content, {}, current_environment("0.1.0"))
    assert record.pipeline_digest == params.digest
    assert pipeline_params({"segment": {"channel": 1}}).digest != params.digest


def test_stored_parameters_are_read_back():
    params = pipeline_params({"preprocess": {"flatten_illumination": True}})
    stored = {stage["name"]: stage["params"] for stage in params.content}
    assert pipeline_params(stored) == params


def test_an_unknown_stage_or_parameter_names_the_nearest():
    with pytest.raises(ParamsError, match="'segmnt' is not known; did you mean 'segment'"):
        pipeline_params({"segmnt": {}})
    with pytest.raises(
        ParamsError, match="segment: the parameter 'min_area' is not known; did you mean 'min_area_px'"
    ):
        pipeline_params({"segment": {"min_area": 3}})


def test_a_rejected_field_stops_with_reasons_and_never_reaches_the_model():
    def never(crops, windows):
        raise AssertionError("a rejected field must not be predicted")

    noise = np.random.default_rng(0).normal(500, 5, (2, 220, 220)).astype(np.uint16)
    result = run(noise, model=model(predict=never))
    assert (result.stopped_at, result.verdict.verdict) == ("quality", "reject")
    assert "empty" in codes(result)
    assert len(result.records) == 1
    assert result.table is None


def test_a_judgement_of_the_whole_experiment_replaces_that_of_the_field():
    reason = Reason("softer_than_experiment", "w1", "ImageQuality_PowerLogLogSlope_w1", -2.0, -1.5, "re-focus")
    assert codes(run(nuclei(), verdict=Verdict("reject", (reason,)))) == ["softer_than_experiment"]
    blank = np.full((2, 220, 220), 7, np.uint16)
    assert run(blank).refused
    assert not run(blank, verdict=Verdict("use")).refused


def test_a_field_without_objects_has_an_empty_table_with_all_columns():
    result = run(nuclei(), params=pipeline_params({"segment": {"min_area_px": 900_000}}))
    assert not result.refused
    assert result.counts == dict.fromkeys(result.counts, 0)
    assert result.table.names == run(nuclei()).table.names


def test_pixels_that_are_no_numbers_are_a_reason():
    field = nuclei().astype(np.float32)
    field[0, 3, 3], field[1, 5, 5] = np.nan, np.inf
    result = run(field)
    assert (result.stopped_at, codes(result), result.verdict.reasons[0].value) == ("quality", ["not_finite"], 2)


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 7, 300)])
def test_a_field_of_a_few_pixels_is_too_small(shape):
    assert codes(run(np.ones(shape, np.uint16))) == ["too_small"]


def test_the_smallest_field_that_quality_lets_pass_goes_through():
    result = run(nuclei()[:, 20:28, 20:28], verdict=Verdict("use"))
    assert not result.refused


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 5, 5), np.uint8), np.zeros((2, 3, 4, 5), np.uint8), np.zeros((1, 9, 9), np.int64)]
)
def test_an_array_that_is_no_field_is_unreadable(bad):
    result = run(bad)
    assert (result.stopped_at, codes(result)) == ("reading", ["unreadable"])
    assert "array" in result.verdict.reasons[0].advice


def test_an_image_of_twelve_channels_needs_a_model_of_twelve():
    field = nuclei(channels=12)
    result = run(field)
    assert (result.stopped_at, codes(result)) == ("predict", ["model_channels"])
    assert "reads 2 channels and this image has 12" in result.verdict.reasons[0].advice
    assert len([n for n in run(field, model=model(12)).table.names if n.startswith("Intensity_Mean")]) == 12


def test_without_a_model_objects_are_measured_and_counted_but_not_classified():
    result, classified = run(nuclei(), model=None), run(nuclei())
    assert not result.refused and result.labels.max() > 5
    assert not any(name.startswith("Classify_") for name in result.table.names)
    assert result.field_counts.objects == classified.field_counts.objects == len(result.table)


def test_a_channel_that_is_not_there_cannot_be_segmented():
    result = run(nuclei(), params=pipeline_params({"segment": {"channel": 4}}))
    assert (result.stopped_at, codes(result)) == ("segment", ["no_such_channel"])


@pytest.mark.parametrize(
    "answer",
    [
        lambda crops, windows: np.zeros((len(crops), 3)),
        lambda crops, windows: np.full((len(crops), 2), np.nan),
        lambda crops, windows: np.full((len(crops), 2), 0.7),
        lambda crops, windows: np.tile([1.5, -0.5], (len(crops), 1)),
    ],
)
def test_a_model_that_gives_no_probabilities_is_an_error(answer):
    with pytest.raises(PipelineError, match="the model gave"):
        run(nuclei(), model=model(predict=answer))


def test_regions_together_give_the_objects_of_the_whole_image_once():
    reader = ArrayReader(nuclei(shape=(400, 500))[None], ImageInfo((1, 2, 400, 500), "CYX", "uint16", ("a", "b")))
    whole = from_label_image(segment(reader.field(), SegmentationParams(min_area_px=20)))
    regions = [Box(x, y, x + 250, y + 200) for x in (0, 250) for y in (0, 200)]
    same = {"objects": whole, "windows": ((300.0, 3000.0),) * 2, "verdict": Verdict("use")}
    tables = [run(reader, region=box, **same).table for box in regions]
    expected = run(reader, **same).table
    for name in ("Metadata_CropKey", "AreaShape_Area", "Classify_TopProbability"):
        assert sorted(combine(tables).columns[name]) == sorted(expected.columns[name])
    assert combine(tables).digest == combine(tables[::-1]).digest


def test_a_region_outside_the_image_is_unreadable():
    result = run(nuclei(), region=Box(1000, 1000, 1200, 1200))
    assert (result.stopped_at, codes(result)) == ("reading", ["unreadable"])


class HugeReader(ArrayReader):
    """A reader that claims to be a slide and can only be read by region."""

    def field(self):
        raise AssertionError("a slide is never read whole")


def test_a_slide_is_run_region_by_region():
    pixels = nuclei(shape=(300, 300))
    info = ImageInfo((1, 2, 300, 300), "CYX", "uint16", ("a", "b"), is_slide=True)
    reader = HugeReader(pixels[None], info)
    assert "region by region" in run(reader).verdict.reasons[0].advice


def test_results_of_fields_add_up_to_samples():
    results = [run_field(context(number), nuclei(number), PARAMS) for number in (1, 2)]
    results.append(run_field(replace(context(1)), np.full((2, 220, 220), 7, np.uint16), PARAMS))
    first, second = aggregate([result.field_counts for result in results], ("bright", "dark"))
    assert (first.fields, first.rejected_fields, first.objects) == (2, 1, results[0].counts["objects"])
    assert second.classes[0].of == results[1].counts["objects"]


def test_given_boxes_are_measured_and_predicted_in_their_order():
    reader = ArrayReader(nuclei()[None], ImageInfo((1, 2, 220, 240), "CYX", "uint16", ("a", "b")))
    boxes = from_boxes([Box(10, 10, 40, 40), Box(30, 30, 60, 90)], reader.info)
    table = run(reader, objects=boxes).table
    assert table.columns["AreaShape_Area"].tolist() == [900, 1800]
    assert table.columns["Location_Center_X"].tolist() == [24.5, 44.5]


@pytest.mark.shared_data
def test_a_real_sharp_field_is_measured_and_a_blurred_one_is_not(shared_data):
    folder = shared_data / "08_focus_illumination_qc"
    sharp, blurred = (open_image(sorted((folder / name).iterdir())[0]) for name in ("in_focus", "out_of_focus"))
    one = model(1)
    assert run(sharp, model=one).counts["objects"] > 3
    assert run(blurred, model=one).stopped_at == "quality"


@pytest.mark.shared_data
def test_a_region_of_a_real_slide_is_run(shared_data):
    reader = open_image(shared_data / "07_vendor_formats" / "cmu-1-small-region.svs")
    result = run(reader, model=model(3), region=Box(500, 500, 800, 800), verdict=Verdict("use"))
    assert not result.refused
    assert result.labels.shape == (428, 428)
    assert result.origin == (436, 436)
