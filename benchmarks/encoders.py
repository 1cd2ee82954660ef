"""Crops per CPU second of the two built-in encoders, against measuring crop by crop with scikit-image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import feature, filters
from skimage import measure as regions

from benchmarks.fields import nuclei_crops
from benchmarks.measure import cpu_seconds
from benchmarks.rows import Beside, Row
from training.learning.encoders import make_encoder

CROPS, NAIVE_CROPS = 1024, 32
CHANNELS = 3
WINDOWS = [(150.0, 2500.0)] * CHANNELS
TARGETS = {"handcrafted": ">= 2000", "untrained": ">= 900"}
# Grey-level co-occurrence needs few levels; 32 is the usual choice.
LEVELS = 32


def measure() -> list[Row]:
    """One row per encoder, 64 x 64 x 3 crops of uint16."""
    crops = nuclei_crops(0, CROPS, CHANNELS)
    naive = NAIVE_CROPS / cpu_seconds(lambda: [naive_features(crop) for crop in crops[:NAIVE_CROPS]], repeats=3)
    beside = Beside("crop by crop with scikit-image", naive)
    return [_row(name, crops, target, beside) for name, target in TARGETS.items()]


def _row(name: str, crops: NDArray[np.uint16], target: str, beside: Beside) -> Row:
    encoder = make_encoder(name, CHANNELS)
    rate = CROPS / cpu_seconds(lambda: encoder.encode(crops, WINDOWS))
    return Row(name, rate, "crops per CPU-s", target, beside)


def naive_features(crop: NDArray[np.uint16]) -> list[float]:
    """Comparable measurements of one crop (channel, height, width), the way a notebook would take them."""
    values: list[float] = []
    for plane in crop:
        grey = plane.astype(np.float64)
        values += [*np.percentile(grey, (1, 25, 50, 75, 99)), grey.mean(), grey.std()]
        values += _shape(grey) + _texture(grey)
    flat = crop.reshape(len(crop), -1)
    return [*values, *np.corrcoef(flat)[np.triu_indices(len(crop), 1)]]


def _shape(grey: NDArray[np.float64]) -> list[float]:
    labels: Any = regions.label(grey > filters.threshold_otsu(grey))
    names = ("area", "eccentricity", "extent", "perimeter", "axis_major_length", "axis_minor_length")
    return [float(value) for region in regions.regionprops(labels, grey) for value in (region[n] for n in names)]


def _texture(grey: NDArray[np.float64]) -> list[float]:
    scaled = (grey - grey.min()) / max(float(np.ptp(grey)), 1.0)
    levels = (scaled * (LEVELS - 1)).astype(np.uint8)
    pairs = feature.graycomatrix(levels, [1, 4], [0, np.pi / 2], levels=LEVELS, normed=True)
    textures = [feature.graycoprops(pairs, name).ravel() for name in ("contrast", "homogeneity", "correlation")]
    patterns = np.bincount(feature.local_binary_pattern(levels, 8, 1, "uniform").astype(int).ravel(), minlength=10)
    bands = [filters.difference_of_gaussians(grey, low, 2 * low).std() for low in (1, 2, 4)]
    return [*np.concatenate(textures), *patterns, *bands, filters.sobel(grey).mean()]
