"""Quality control: measure every field on its raw pixels, then judge it and say what to do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imaging.pixels import quality_metrics as qm
from imaging.pixels.colour import is_bright_field
from imaging.pixels.digest import mapping_digest

QUALITY_VERSION = 1
PREFIX = "ImageQuality_"
VerdictName = Literal["use", "use_part", "reject"]
Metrics = dict[str, float]

ADVICE = {
    "out_of_focus": "Re-focus and acquire the field again",
    "softer_than_experiment": "Re-focus: this field is blurrier than the others of its experiment",
    "slightly_soft": "Check the focus; exclude the channel if details matter",
    "saturated": "Re-expose with less light or a shorter exposure; intensities are cut off",
    "some_saturated": "Treat the brightest objects' intensities as lower limits, or re-expose",
    "empty": "Exclude the field, or acquire it again: no object stands out from the noise",
    "weak_signal": "Expose longer or stain again; exclude the channel from measurements",
    "uneven_illumination": "Correct the illumination (flat field) or align the lamp and acquire again",
}


@dataclass(frozen=True, slots=True)
class QualityRules:
    """Limits by which fields are judged; a changed limit is a changed digest.

    Focus is rejected only when slope and gradient agree. Fields with a side below `min_side_absolute_px`
    are not judged by absolute focus limits, below `min_side_relative_px` not for focus at all.
    """

    robust_z: float = 3.5
    min_images: int = 8
    min_side_absolute_px: int = 200
    min_side_relative_px: int = 96
    slope_reject: float = -2.5
    gradient_reject: float = 0.0035
    slope_warn: float = -2.4
    gradient_warn: float = 0.0042
    slope_drop: float = 0.5
    gradient_drop: float = 0.75
    saturated_reject_percent: float = 1.0
    saturated_warn_percent: float = 0.25
    colour_saturated_reject_percent: float = 95.0
    colour_saturated_warn_percent: float = 60.0
    contrast_empty: float = 1.2
    contrast_weak: float = 4.0
    illumination_share: float = 0.8
    illumination_ratio_reject: float = 3.0
    illumination_ratio_warn: float = 1.3

    @property
    def digest(self) -> str:
        """SHA-256 of all limits and of the version of the metrics."""
        return mapping_digest({"version": QUALITY_VERSION, **asdict(self)})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a channel is not simply used: the metric, its value, the limit it crossed, and what to do.

    `fails`: the channel cannot be used for this; otherwise it is a warning.
    """

    code: str
    channel: str
    metric: str
    value: float
    limit: float
    advice: str
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome for one field: `use`, `use_part` (leave the named channels out) or `reject`."""

    verdict: VerdictName
    reasons: tuple[Reason, ...] = ()


def measure(field: NDArray[Any], ceiling: float | None, channel_names: Sequence[str]) -> Metrics:
    """Metrics of a raw field (channel, height, width), named ImageQuality_<Metric>_<channel>.

    `ceiling` is the camera's largest value (4095 for 12 bit); None infers it from a pile of pixels at the
    maximum (CeilingInferred = 1) or, without one, takes the container's. All values are finite.
    """
    channels, height, width = field.shape
    if len(channel_names) != channels:
        raise ValueError(f"{channels} channels need as many names, not {len(channel_names)}")
    if not np.isfinite(field).all():
        raise ValueError("the field holds NaN or infinite values")
    metrics: Metrics = {
        f"{PREFIX}Height": float(height),
        f"{PREFIX}Width": float(width),
        f"{PREFIX}IsBrightFieldColour": float(is_bright_field(field)),
    }
    done: list[tuple[NDArray[Any], Metrics]] = []
    for name, plane in zip(channel_names, field):
        # Grey pictures saved as RGB carry one plane three times.
        same = next((found for other, found in done if np.array_equal(other, plane)), None)
        values = same if same is not None else _measure_plane(plane, ceiling)
        done.append((plane, values))
        metrics.update({f"{PREFIX}{metric}_{name}": value for metric, value in values.items()})
    return metrics


def _measure_plane(plane: NDArray[Any], ceiling: float | None) -> Metrics:
    inferred = qm.infer_ceiling(plane) if ceiling is None else None
    container = float(np.iinfo(plane.dtype).max) if plane.dtype.kind == "u" else float(np.finfo(np.float32).max)
    top = ceiling or inferred or container
    mean, deviation = (float(v) for v in (plane.mean(dtype=np.float64), plane.std(dtype=np.float64)))
    surface = qm.illumination_surface(plane)
    ratio, share = qm.illumination(plane, surface)
    noise = qm.noise_sigma(plane)
    contrast, foreground = qm.object_contrast(plane, surface, noise)
    return {
        "PowerLogLogSlope": qm.power_log_log_slope(plane),
        "TenengradOverVariance": qm.tenengrad_over_variance(plane),
        "LaplacianVarianceRatio": qm.laplacian_variance_ratio(plane),
        "FocusScore": deviation**2 / mean if mean > 0 else 0.0,
        "SaturatedPercent": qm.saturated_percent(plane, top),
        "ClippedLowPercent": qm.clipped_low_percent(plane),
        "Ceiling": top,
        "CeilingInferred": float(inferred is not None),
        "NoiseSigma": noise,
        "HotPixelCount": float(qm.hot_pixel_count(plane, noise)),
        "ObjectContrast": contrast,
        "EmptyFieldScore": 1.0 / (1.0 + contrast),
        "ForegroundFraction": foreground,
        "IlluminationGradient": ratio,
        "IlluminationShare": share,
        "MeanIntensity": mean,
        "StdIntensity": deviation,
        "MinIntensity": float(plane.min()),
        "MaxIntensity": float(plane.max()),
    }


def channels_of(metrics: Metrics) -> tuple[str, ...]:
    """Channel names for which `metrics` holds values, in their order."""
    start = f"{PREFIX}PowerLogLogSlope_"
    return tuple(key[len(start) :] for key in metrics if key.startswith(start))


def judge(metrics: Sequence[Metrics], rules: QualityRules | None = None) -> list[Verdict]:
    """Verdicts, in order, for the fields of ONE experiment.

    A channel fails by absolute limits, or by robust z against the experiment's other fields when there
    are at least `min_images`. A field is rejected when all its channels fail.
    """
    rules = rules or QualityRules()
    blurred = _softer_than_the_rest(metrics, rules)
    return [_judge_one(values, blurred[i], rules) for i, values in enumerate(metrics)]


def _judge_one(values: Metrics, blurred: dict[str, Reason], rules: QualityRules) -> Verdict:
    reasons: list[Reason] = []
    channels = channels_of(values)
    for channel in channels:
        found = _absolute(values, channel, rules)
        if channel in blurred and not any(reason.code == "out_of_focus" for _, reason in found):
            found.append((True, blurred[channel]))
        reasons += [replace(reason, fails=fails) for fails, reason in found]
    if values[f"{PREFIX}IsBrightFieldColour"] > 0:
        reasons = _in_all_channels(reasons, channels)
    if reasons and {reason.channel for reason in reasons if reason.fails} == set(channels):
        return Verdict("reject", tuple(reasons))
    return Verdict("use_part" if reasons else "use", tuple(reasons))


def _in_all_channels(reasons: list[Reason], channels: tuple[str, ...]) -> list[Reason]:
    """Reasons whose code all channels share: one colour of a picture cannot be left out."""
    by_code = {reason.code: {r.channel for r in reasons if r.code == reason.code} for reason in reasons}
    return [reason for reason in reasons if by_code[reason.code] == set(channels)]


def _absolute(values: Metrics, channel: str, rules: QualityRules) -> list[tuple[bool, Reason]]:
    """Reasons by absolute limits, each with whether it fails the channel."""
    contrast = values[f"{PREFIX}ObjectContrast_{channel}"]
    if contrast < rules.contrast_empty:
        # Nothing else can be said of a channel without content.
        return [(True, _reason("empty", values, channel, "ObjectContrast", rules.contrast_empty))]
    found = _focus(values, channel, rules) + _saturation(values, channel, rules)
    found += _illumination(values, channel, rules)
    if contrast < rules.contrast_weak:
        found.append((True, _reason("weak_signal", values, channel, "ObjectContrast", rules.contrast_weak)))
    return found


def _reason(code: str, values: Metrics, channel: str, metric: str, limit: float) -> Reason:
    key = f"{PREFIX}{metric}_{channel}"
    return Reason(code, channel, key, values[key], limit, ADVICE[code])


def _side(values: Metrics) -> float:
    return min(values[f"{PREFIX}Height"], values[f"{PREFIX}Width"])


def _focus(values: Metrics, channel: str, rules: QualityRules) -> list[tuple[bool, Reason]]:
    if _side(values) < rules.min_side_absolute_px:
        return []
    slope = values[f"{PREFIX}PowerLogLogSlope_{channel}"]
    gradient = values[f"{PREFIX}TenengradOverVariance_{channel}"]
    if slope < rules.slope_reject and gradient < rules.gradient_reject:
        return [(True, _reason("out_of_focus", values, channel, "PowerLogLogSlope", rules.slope_reject))]
    if slope < rules.slope_warn and gradient < rules.gradient_warn:
        return [(False, _reason("slightly_soft", values, channel, "PowerLogLogSlope", rules.slope_warn))]
    return []


def _saturation(values: Metrics, channel: str, rules: QualityRules) -> list[tuple[bool, Reason]]:
    """Bright-field colour has a white background that is allowed to saturate; fluorescence has not."""
    colour = values[f"{PREFIX}IsBrightFieldColour"] > 0
    reject = rules.colour_saturated_reject_percent if colour else rules.saturated_reject_percent
    warn = rules.colour_saturated_warn_percent if colour else rules.saturated_warn_percent
    percent = values[f"{PREFIX}SaturatedPercent_{channel}"]
    if percent >= reject:
        return [(True, _reason("saturated", values, channel, "SaturatedPercent", reject))]
    if percent >= warn:
        return [(False, _reason("some_saturated", values, channel, "SaturatedPercent", warn))]
    return []


def _illumination(values: Metrics, channel: str, rules: QualityRules) -> list[tuple[bool, Reason]]:
    if _side(values) < rules.min_side_absolute_px:
        return []
    if values[f"{PREFIX}IlluminationShare_{channel}"] < rules.illumination_share:
        return []
    ratio = values[f"{PREFIX}IlluminationGradient_{channel}"]
    for fails, limit in ((True, rules.illumination_ratio_reject), (False, rules.illumination_ratio_warn)):
        if ratio >= limit:
            return [(fails, _reason("uneven_illumination", values, channel, "IlluminationGradient", limit))]
    return []


def _softer_than_the_rest(metrics: Sequence[Metrics], rules: QualityRules) -> list[dict[str, Reason]]:
    """Per field, the channels that are blurrier than the experiment's other fields, with the reason."""
    found: list[dict[str, Reason]] = [{} for _ in metrics]
    for channel in dict.fromkeys(channel for values in metrics for channel in channels_of(values)):
        rows = [i for i, values in enumerate(metrics) if _comparable(values, channel, rules)]
        if len(rows) < rules.min_images:
            continue
        slopes = np.array([metrics[i][f"{PREFIX}PowerLogLogSlope_{channel}"] for i in rows])
        gradients = np.array([metrics[i][f"{PREFIX}TenengradOverVariance_{channel}"] for i in rows])
        # The median deviation of few images is itself uncertain, so few images need a larger distance.
        limit = rules.robust_z * (1 + rules.min_images / len(rows))
        slope_z = robust_z(slopes, floor=0.1)
        gradient_z = robust_z(np.log(np.maximum(gradients, 1e-9)), floor=0.1)
        soft = (slope_z < -limit) & (gradient_z < -limit / 2)
        soft &= slopes < np.median(slopes) - rules.slope_drop
        soft &= gradients < np.median(gradients) * rules.gradient_drop
        border = float(np.median(slopes) - limit * _sigma(slopes, 0.1))
        for i in np.flatnonzero(soft):
            row = rows[i]
            reason = _reason("softer_than_experiment", metrics[row], channel, "PowerLogLogSlope", border)
            found[row][channel] = reason
    return found


def _comparable(values: Metrics, channel: str, rules: QualityRules) -> bool:
    key = f"{PREFIX}ObjectContrast_{channel}"
    return values.get(key, 0.0) >= rules.contrast_empty and _side(values) >= rules.min_side_relative_px


def _sigma(values: NDArray[np.float64], floor: float) -> float:
    """Robust spread of the sharper half: blurred fields, up to nearly half of all, cannot widen it."""
    middle = np.median(values)
    upper = values[values >= middle] - middle
    return max(floor, qm.MAD_TO_SIGMA * float(np.median(upper)))


def robust_z(values: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations of the upper half, at least `floor` each."""
    return np.asarray((values - np.median(values)) / _sigma(values, floor), dtype=np.float64)
