"""Second stage: background and illumination of the pixels that are measured, windows for those a model sees."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.display import display_window
from imaging.pixels.info import resize
from imaging.pixels.normalise import subtract_background
from imaging.pixels.quality_metrics import illumination_surface
from inference.pipeline.stage import Stage, bounded
from inference.pipeline.state import Field, Windows

# 1: background by tile percentile over twice the radius; optional flattening by a second-order surface.
VERSION = 1

MIN_TILE_PX = 8


@dataclass(frozen=True, slots=True)
class Params:
    """Background radius in micrometres, or in pixels where that is above 0; a radius of 0 subtracts nothing.

    The radius must be well above that of an object. Without a known pixel size only the one in pixels counts.
    """

    background_radius_um: float = 25.0
    background_radius_px: float = 0.0
    background_percentile: float = 10.0
    flatten_illumination: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that are given in another unit."""
        bounded("background_radius_um", self.background_radius_um, (0, 2000), "give micrometres, 0 for none")
        bounded("background_radius_px", self.background_radius_px, (0, 20_000), "give pixels, 0 for none")
        bounded("background_percentile", self.background_percentile, (0, 50), "give percent, such as 10")
        if 0 < self.background_percentile < 1:
            bounded("background_percentile", self.background_percentile, (1, 50), "percent, not a share")


def run(field: Field, params: Params) -> Field:
    """The field with corrected `pixels` (in the dtype of the image) and the windows that scale its crops.

    The model sees raw pixels unless it was trained on corrected ones. RGB fields keep their background:
    there it is the light of the lamp.
    """
    pixels = field.raw
    if params.flatten_illumination:
        pixels = flatten_illumination(pixels)
    radius = background_radius_px(field, params)
    if radius > 0:
        tile = max(MIN_TILE_PX, round(2 * radius))
        pixels = subtract_background(pixels, tile_px=tile, percentile=params.background_percentile)
    source, windows = _windows(field)
    done = {"background_radius_px": radius, "flattened": params.flatten_illumination, "windows_from": source}
    return replace(field, pixels=pixels, windows=windows, preprocessing=done)


def background_radius_px(field: Field, params: Params) -> float:
    """Radius in pixels that is subtracted in this field; 0 for RGB and where it is not known."""
    if field.info.is_rgb:
        return 0.0
    if params.background_radius_px > 0:
        return params.background_radius_px
    return params.background_radius_um / field.info.pixel_size_um if field.info.pixel_size_um else 0.0


def flatten_illumination(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels (channel, height, width) over their smooth illumination, whose mean is one; same dtype."""
    planes = [_flattened(plane) for plane in pixels]
    return np.stack(planes).astype(pixels.dtype)


def _flattened(plane: NDArray[Any]) -> NDArray[np.float32]:
    if min(plane.shape) < 3 or float(np.ptp(plane)) == 0:
        return plane.astype(np.float32)
    grid = illumination_surface(plane).astype(np.float32)
    # A surface that reaches zero would blow up the noise of a dark corner.
    gain = np.maximum(grid / max(float(grid.mean()), 1e-6), 0.1)
    flat: NDArray[np.float32] = plane.astype(np.float32) / resize(gain[None], *plane.shape)[0]
    if plane.dtype.kind == "u":
        flat = np.floor(np.clip(flat, 0, np.iinfo(plane.dtype).max) + 0.5)
    return flat


def _windows(field: Field) -> tuple[str, Windows]:
    """Where the windows come from, and the windows: the model's own, else the experiment's, else the field's."""
    model, given = field.context.model, field.context.windows
    if model is not None and model.windows is not None:
        return "model", model.windows
    if given is not None:
        return "experiment", given
    return "field", tuple(display_window(field.raw[None], is_rgb=field.info.is_rgb))


STAGE = Stage(
    name="preprocess",
    version=VERSION,
    params=Params,
    run=run,
    reads=("raw", "info", "model", "given_windows"),
    writes=("pixels", "windows", "preprocessing"),
)
