"""Quality control measures what was planted, rejects what is bad and leaves good fields alone."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from imaging.pixels.manifest import read_manifest
from imaging.pixels.quality import QualityRules, Verdict, judge, measure
from imaging.pixels.reading import open_planes

RNG = np.random.default_rng(0)


def cells(count: int = 30, side: int = 256, blur: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    light = np.zeros((side, side))
    for cx, cy, radius in zip(rng.uniform(0, side, count), rng.uniform(0, side, count), rng.uniform(7, 11, count)):
        light += 900 * (np.hypot(x - cx, y - cy) < radius) * (1 + 0.2 * np.sin(x) * np.sin(y))
    return rng.poisson(100 + ndimage.gaussian_filter(light, blur)).astype(np.uint16)[None]


def value(metrics: dict[str, float], name: str, channel: str = "dna") -> float:
    return metrics[f"ImageQuality_{name}_{channel}"]


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.0123, 0.2])
@pytest.mark.parametrize("hot_pixels", [0, 3])
def test_a_planted_share_of_saturated_pixels_is_measured(fraction: float, hot_pixels: int) -> None:
    field = np.minimum(cells(), 4000)
    planted = round(fraction * field.size)
    field.reshape(-1)[:planted] = 4095
    field.reshape(-1)[-hot_pixels or field.size :] = 60_000
    measured = value(measure(field, 4095, ["dna"]), "SaturatedPercent")
    assert measured == pytest.approx(100 * (planted + hot_pixels) / field.size, abs=0.01)


@pytest.mark.parametrize("gain", [1, 2, 4, 8])
def test_clipping_at_an_unknown_ceiling_is_inferred_and_said_so(gain: int) -> None:
    field = np.minimum(cells().astype(np.int64) * gain, 4095).astype(np.uint16)
    metrics = measure(field, None, ["dna"])
    clipped = 100 * (field == 4095).mean()
    assert value(metrics, "CeilingInferred") == float(clipped > 0.5)
    assert value(metrics, "SaturatedPercent") == pytest.approx(clipped, abs=0.02)


@pytest.mark.parametrize("level", [0, 7, 4095])
def test_a_blank_frame_is_empty_and_not_saturated(level: int) -> None:
    metrics = measure(np.full((1, 256, 256), level, np.uint16), None, ["dna"])
    assert value(metrics, "SaturatedPercent") == 0 and value(metrics, "ForegroundFraction") == 0
    verdict = judge([metrics])[0]
    assert verdict.verdict == "reject" and codes(verdict) == {"empty"}


@pytest.mark.parametrize(("count", "is_empty"), [(0, True), (1, False), (2, False), (5, False)])
def test_fields_with_few_cells_are_told_from_empty_ones(count: int, is_empty: bool) -> None:
    for seed in range(8):
        y, x = np.mgrid[:300, :300]
        rng = np.random.default_rng(seed)
        light = sum(
            (200.0 * (np.hypot(x - cx, y - cy) < 8) for cx, cy in rng.uniform(20, 280, (count, 2))),
            np.zeros((300, 300)),
        )
        field = rng.poisson(100 + light).astype(np.uint16)[None]
        assert ("empty" in codes(judge([measure(field, None, ["dna"])])[0])) == is_empty


def test_sharpness_falls_with_every_step_of_blur() -> None:
    metrics = [measure(cells(blur=blur), None, ["dna"]) for blur in (0.8, 1.5, 3, 6)]
    for name in ("PowerLogLogSlope", "TenengradOverVariance"):
        values = [value(m, name) for m in metrics]
        assert values == sorted(values, reverse=True)


def test_focus_does_not_depend_on_gain_or_on_how_many_channels_there_are() -> None:
    field = cells()
    once = measure(field, None, ["dna"])
    bright = measure(np.concatenate([field * 3, field]), None, ["dna", "copy"])
    for name in ("PowerLogLogSlope", "TenengradOverVariance"):
        assert value(bright, name) == pytest.approx(value(once, name), rel=1e-3)
        assert value(bright, name, "copy") == value(once, name)


@pytest.mark.parametrize("bad", [0, 1, 4, 8])
def test_blurred_fields_stand_out_within_their_experiment(bad: int) -> None:
    blurs = [5.0] * bad + [1.0] * (24 - bad)
    fields = [measure(cells(blur=blur, seed=i, side=180), None, ["dna"]) for i, blur in enumerate(blurs)]
    rejected = ["softer_than_experiment" in codes(verdict) for verdict in judge(fields)]
    assert rejected == [True] * bad + [False] * (24 - bad)


def test_few_images_are_not_compared_with_each_other() -> None:
    fields = [measure(cells(blur=b, seed=i, side=180), None, ["dna"]) for i, b in enumerate([5.0] + [1.0] * 6)]
    assert all(verdict.verdict == "use" for verdict in judge(fields))


@pytest.mark.parametrize("ratio", [1.3, 2.0])
def test_light_fall_off_is_measured(ratio: float) -> None:
    ramp = np.linspace(1, 1 / ratio, 256)[None, :]
    field = (1000 * ramp * np.ones((256, 1)) + RNG.normal(0, 3, (256, 256))).astype(np.uint16)[None]
    assert value(measure(field, None, ["dna"]), "IlluminationGradient") == pytest.approx(ratio, rel=0.1)


def test_one_bad_channel_makes_a_field_partly_usable() -> None:
    good, flat = cells()[0], np.full((256, 256), 9, np.uint16)
    verdict = judge([measure(np.stack([good, flat]), None, ["dna", "actin"])])[0]
    assert verdict.verdict == "use_part"
    assert [(r.code, r.channel) for r in verdict.reasons] == [("empty", "actin")]
    assert verdict.reasons[0].metric == "ImageQuality_ObjectContrast_actin" and verdict.reasons[0].advice


def test_a_changed_limit_is_a_changed_digest() -> None:
    assert QualityRules().digest == QualityRules().digest != QualityRules(robust_z=4.0).digest


def test_all_metrics_are_finite_even_for_tiny_and_odd_fields() -> None:
    for shape in ((1, 1, 1), (1, 2, 40), (2, 9, 5)):
        for dtype in (np.uint8, np.uint16, np.float32):
            field = RNG.integers(0, 200, shape).astype(dtype)
            metrics = measure(field, None, "ab"[: shape[0]])
            assert all(np.isfinite(v) for v in metrics.values())
            assert judge([metrics])[0].verdict in ("use", "use_part", "reject")


def test_wrong_names_and_non_finite_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="names"):
        measure(cells(), None, ["a", "b"])
    with pytest.raises(ValueError, match="NaN"):
        measure(np.full((1, 9, 9), np.nan, np.float32), None, ["a"])


def judged(folder: Path) -> dict[str, Verdict]:
    by_experiment: dict[str, list[tuple[str, dict[str, float]]]] = defaultdict(list)
    for field in read_manifest(folder / "manifest.csv").fields:
        reader = open_planes(field.files)
        metrics = measure(reader.field(), reader.info.ceiling, reader.info.channel_names)
        by_experiment[field.experiment].append((field.name, metrics))
    return {
        name: verdict
        for members in by_experiment.values()
        for (name, _), verdict in zip(members, judge([metrics for _, metrics in members]))
    }


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["01_crops_mitosis_amibr", "02_crops_cellcycle_ifc", "03_boxes_bloodcells_bccd"])
def test_good_real_images_are_used(shared_data: Path, folder: str) -> None:
    counts = Counter(verdict.verdict for verdict in judged(shared_data / folder).values())
    assert counts["reject"] == 0 and counts["use"] >= 0.98 * counts.total()


@pytest.mark.shared_data
def test_the_weak_channel_of_a_real_plate_is_named_and_the_others_are_used(shared_data: Path) -> None:
    for name, verdict in judged(shared_data / "04_plates_fluor_16bit").items():
        if "9987" in name:
            assert verdict.verdict == "use_part" and {r.channel for r in verdict.reasons} == {"w3"}
        else:
            assert verdict.verdict == "use"


@pytest.mark.shared_data
def test_known_faults_are_found_and_sharp_fields_are_used(shared_data: Path) -> None:
    verdicts = judged(shared_data / "08_focus_illumination_qc")
    found = {Path(name).stem: codes(verdict) for name, verdict in verdicts.items()}
    for name, verdict in verdicts.items():
        if name.startswith("in_focus/"):
            assert verdict.verdict == "use"
        if name.startswith("out_of_focus/"):
            assert verdict.verdict == "reject" and "out_of_focus" in codes(verdict)
        if name.startswith("illumination/"):
            assert verdict.verdict == "reject" and "uneven_illumination" in codes(verdict)
    for stem in ("cell_image_blurred", "cell_image_airy_blurred", "cell_image_degraded"):
        assert found[stem] == {"softer_than_experiment"}
    for stem in ("cell_image_saturated", "cell_image_saturated_with_offset"):
        assert found[stem] == {"saturated"}
    assert not found["cell_image2"]


@pytest.mark.shared_data
def test_every_sharp_field_ranks_above_every_blurred_one(shared_data: Path) -> None:
    scores: dict[str, list[tuple[float, float]]] = {"in_focus": [], "out_of_focus": []}
    for field in read_manifest(shared_data / "08_focus_illumination_qc" / "manifest.csv").fields:
        kind = field.name.split("/")[0]
        if kind in scores:
            m = measure(open_planes(field.files).field(), None, ["dna"])
            scores[kind].append((value(m, "PowerLogLogSlope"), value(m, "TenengradOverVariance")))
    sharp, blurred = np.array(scores["in_focus"]), np.array(scores["out_of_focus"])
    assert (sharp.min(axis=0) > blurred.max(axis=0)).all()


def test_a_colour_picture_fails_only_by_what_all_its_colours_share() -> None:
    field = np.repeat(cells(), 3, axis=0) // 8
    metrics = measure(field.astype(np.uint8), 255, ["red", "green", "blue"])
    metrics["ImageQuality_IsBrightFieldColour"] = 1.0
    assert judge([metrics])[0].verdict == "use"
    for channel, metric in (("red", "SaturatedPercent"), ("green", "IlluminationGradient")):
        metrics[f"ImageQuality_{metric}_{channel}"] = 99.0
    metrics["ImageQuality_IlluminationShare_green"] = 1.0
    metrics["ImageQuality_ObjectContrast_blue"] = 2.0
    for channel in ("red", "green", "blue"):
        # A warning that all share: the failures above are each of one colour only.
        metrics[f"ImageQuality_PowerLogLogSlope_{channel}"] = -2.45
        metrics[f"ImageQuality_TenengradOverVariance_{channel}"] = 0.004
    verdict = judge([metrics])[0]
    assert (verdict.verdict, codes(verdict)) == ("use_part", {"slightly_soft"})
    assert not any(reason.fails for reason in verdict.reasons)
