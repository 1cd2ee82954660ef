"""What can be measured on a crop without training: brightness, object shape, texture and radial profile.

Every function takes planes (m, height, width), float32 in [0, 1], one row per crop and channel, and returns
(m, number of features) float32, finite also for constant planes.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BANDS = 4
LAGS = (1, 2, 4, 8)
RINGS = 6
SMALLEST_SIDE_PX = 2 * max(LAGS)
TINY = np.float32(1e-6)
PATTERN_STEP = np.float32(1 / 512)

INTENSITY_NAMES = ("mean", "std", "skew", "kurtosis", *(f"p{q}" for q in PERCENTILES), "max", "background")
OBJECT_NAMES = (
    "area", "object_mean", "object_std", "surround_mean", "object_sum", "log_object_sum", "perimeter",
    "compactness", "major_axis", "minor_axis", "eccentricity", "off_centre", "weight_off_centre",
    "weight_major", "weight_minor",
)  # fmt: skip
GRADIENT_NAMES = ("edge_mean", "edge_rms", "edge_max", "edge_object", "coherence")
BAND_NAMES = tuple(f"band{i}_{kind}" for i in range(BANDS) for kind in ("rms", "skew"))
PATTERN_NAMES = tuple(f"pattern{i}" for i in range(10))
LAG_NAMES = tuple(f"lag{lag}_{kind}" for lag in LAGS for kind in ("contrast", "correlation"))
RING_NAMES = (*(f"ring{i}_mean" for i in range(RINGS)), *(f"ring{i}_std" for i in range(RINGS)))


def _mean(values: NDArray[np.generic]) -> FloatArray:
    """Mean over the pixels of each plane, (m,)."""
    flat = values.reshape(len(values), -1)
    return np.asarray(flat.mean(axis=1, dtype=np.float32))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Mean product over the pixels of each plane, (m,)."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return np.asarray(np.vecdot(a, b) / np.float32(a.shape[1]), dtype=np.float32)


def _ordered(planes: FloatArray) -> FloatArray:
    """About a thousand pixels of each plane in rising order, (m, pixels).

    An odd step walks through all rows and columns; quantiles move by far less than the camera's noise moves
    them, and the time falls to a tenth.
    """
    flat = planes.reshape(len(planes), -1)
    return np.sort(flat[:, :: flat.shape[1] // 1024 | 1], axis=1)


def background(planes: FloatArray) -> FloatArray:
    """Median brightness (m,) of the two outermost rows and columns: what lies around the object."""
    m = len(planes)
    edges = (planes[:, :2], planes[:, -2:], planes[:, 2:-2, :2], planes[:, 2:-2, -2:])
    frame = np.sort(np.concatenate([edge.reshape(m, -1) for edge in edges], axis=1), axis=1)
    return frame[:, frame.shape[1] // 2]


def intensity(planes: FloatArray, ground: FloatArray) -> FloatArray:
    """Moments, percentiles and background of each plane, columns INTENSITY_NAMES."""
    ordered = _ordered(planes)
    at = [round(q / 100 * (ordered.shape[1] - 1)) for q in PERCENTILES]
    flat = planes.reshape(len(planes), -1)
    mean = _mean(flat)
    centred = flat - mean[:, None]
    squared = centred * centred
    variance = _mean(squared)
    safe = np.maximum(variance, TINY)
    skew = _dot(squared, centred) / safe**1.5
    kurtosis = _dot(squared, squared) / safe**2
    columns = [mean, np.sqrt(variance), np.cbrt(skew), np.log1p(kurtosis)]
    return np.column_stack([*columns, ordered[:, at], flat.max(axis=1), ground])


def otsu_mask(deviation: FloatArray) -> NDArray[np.bool_]:
    """True where a plane departs from its background by more than Otsu's threshold (10.1109/TSMC.1979.4310076).

    A plane without any departure has an empty mask.
    """
    sample = _ordered(deviation)
    below = np.cumsum(sample, axis=1, dtype=np.float32)
    n = sample.shape[1]
    k = np.arange(1, n, dtype=np.float32)
    difference = below[:, -1:] * (k / n) - below[:, :-1]
    between = difference * difference / (k * (n - k))
    cut = np.argmax(between, axis=1)
    rows = np.arange(len(sample))
    threshold = (sample[rows, cut] + sample[rows, cut + 1]) / 2
    return np.asarray(deviation > np.maximum(threshold, TINY)[:, None, None])


@lru_cache(maxsize=8)
def _position_basis(height: int, width: int) -> FloatArray:
    """(pixels, 6): 1, x, y, xx, yy, xy with x, y in half crop widths from the centre."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x = (2 * x.ravel() - (width - 1)) / max(width, height)
    y = (2 * y.ravel() - (height - 1)) / max(width, height)
    return np.ascontiguousarray(np.column_stack([np.ones_like(x), x, y, x * x, y * y, x * y]))


def _ellipse(moments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance of the centre of mass from the crop centre, and both axes (standard deviations), each (m,)."""
    weight = np.maximum(moments[:, 0], TINY)
    x, y, xx, yy, xy = (moments[:, i] / weight for i in range(1, 6))
    xx, yy, xy = xx - x * x, yy - y * y, xy - x * y
    spread = np.sqrt((xx - yy) ** 2 / 4 + xy * xy)
    half = (xx + yy) / 2
    return np.hypot(x, y), np.sqrt(np.maximum(half + spread, 0)), np.sqrt(np.maximum(half - spread, 0))


def _perimeter(mask: NDArray[np.bool_]) -> FloatArray:
    """Number of steps across the object's outline per pixel of the plane, (m,)."""
    across = np.count_nonzero(mask[:, :, 1:] != mask[:, :, :-1], axis=(1, 2))
    down = np.count_nonzero(mask[:, 1:] != mask[:, :-1], axis=(1, 2))
    return np.asarray((across + down) / (mask.shape[1] * mask.shape[2]), dtype=np.float32)


def objects(planes: FloatArray, ground: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Size, brightness and shape of what stands out of the background, columns OBJECT_NAMES, and its mask.

    Sums are kept in absolute (window-scaled) units: the summed DNA stain tells G1 from S from G2.
    """
    m, height, width = planes.shape
    deviation = np.abs(planes - ground[:, None, None])
    mask = otsu_mask(deviation)
    inside = mask.astype(np.float32)
    basis, pixels = _position_basis(height, width), np.float32(height * width)
    shape = inside.reshape(m, -1) @ basis / pixels
    weights = deviation * inside
    weighted = weights.reshape(m, -1) @ basis / pixels
    area, total = shape[:, 0], _mean(planes)
    covered = np.maximum(area, TINY)
    bright = planes * inside
    object_sum = _mean(bright)
    object_mean = object_sum / covered
    object_std = np.sqrt(np.maximum(_dot(bright, planes) / covered - object_mean**2, 0))
    surround = (total - object_sum) / np.maximum(1 - area, TINY)
    excess = weighted[:, 0]
    perimeter = _perimeter(mask)
    off, major, minor = _ellipse(shape)
    weight_off, weight_major, weight_minor = _ellipse(weighted)
    eccentricity = np.sqrt(np.maximum(1 - (minor / np.maximum(major, TINY)) ** 2, 0))
    columns = (
        np.sqrt(area), object_mean, object_std, surround, excess, np.log(excess + np.float32(1e-3)), perimeter,
        np.log((perimeter**2 + TINY) / (covered + TINY)), major, minor, eccentricity, off, weight_off,
        weight_major, weight_minor,
    )  # fmt: skip
    return np.column_stack(columns), mask


def gradients(planes: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """Edge strength in the crop and in the object, and how far edges share one direction, GRADIENT_NAMES."""
    gx = planes[:, 1:-1, 2:] - planes[:, 1:-1, :-2]
    gy = planes[:, 2:, 1:-1] - planes[:, :-2, 1:-1]
    xx, yy, xy = _dot(gx, gx), _dot(gy, gy), _dot(gx, gy)
    strength = np.sqrt(gx * gx + gy * gy)
    inside = mask[:, 1:-1, 1:-1].astype(np.float32)
    within = _dot(strength, inside) / np.maximum(_mean(inside), np.float32(1e-3))
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / np.maximum(xx + yy, TINY)
    largest = strength.reshape(len(strength), -1).max(axis=1)
    return np.column_stack([_mean(strength), np.sqrt(xx + yy), largest, within, coherence])


def _blurred(planes: FloatArray) -> FloatArray:
    """Planes smoothed with the binomial (1, 2, 1) / 4 in both directions; the border repeats."""
    rows, both = np.empty_like(planes), np.empty_like(planes)
    # Sums of neighbours twice over are the weights 1, 2, 1 with two additions a pixel.
    pairs = planes[:, 1:] + planes[:, :-1]
    np.add(pairs[:, 1:], pairs[:, :-1], out=rows[:, 1:-1])
    rows[:, 0] = 2 * planes[:, 0] + pairs[:, 0]
    rows[:, -1] = 2 * planes[:, -1] + pairs[:, -1]
    pairs = rows[:, :, 1:] + rows[:, :, :-1]
    np.add(pairs[:, :, 1:], pairs[:, :, :-1], out=both[:, :, 1:-1])
    both[:, :, 0] = 2 * rows[:, :, 0] + pairs[:, :, 0]
    both[:, :, -1] = 2 * rows[:, :, -1] + pairs[:, :, -1]
    both *= np.float32(1 / 16)
    return both


def _halved(planes: FloatArray) -> FloatArray:
    """Planes averaged over 2 x 2 pixels; an odd last row or column is dropped, a single one kept."""
    short = [max(2 - side, 0) for side in planes.shape[1:]]
    if any(short):
        planes = np.pad(planes, ((0, 0), *((0, missing) for missing in short)), mode="edge")
    height, width = (side // 2 * 2 for side in planes.shape[1:])
    rows = planes[:, :height:2, :width] + planes[:, 1:height:2, :width]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(1 / 4)


def bands(planes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Energy and skewness of the detail in BANDS octaves, columns BAND_NAMES, and the first blur.

    The octaves are differences of Gaussians.
    """
    columns, level, first = [], planes, planes
    for index in range(BANDS):
        smooth = _blurred(level)
        detail = level - smooth
        squared = detail * detail
        energy = _mean(squared)
        columns += [np.sqrt(energy), np.cbrt(_dot(squared, detail) / np.maximum(energy, TINY) ** 1.5)]
        first = smooth if index == 0 else first
        level = _halved(smooth)
    return np.column_stack(columns), first


def patterns(smooth: FloatArray) -> FloatArray:
    """Shares of the ten rotation-invariant uniform local binary patterns (10.1109/TPAMI.2002.1017623), PATTERN_NAMES.

    A neighbour counts as brighter from 1/512 of the window upwards, so that camera noise on a flat background
    does not look like texture.
    """
    m, height, width = smooth.shape
    centre = smooth[:, 1:-1, 1:-1] + PATTERN_STEP
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    bits = [(smooth[:, y : height - 2 + y, x : width - 2 + x] > centre).view(np.uint8) for y, x in ring]
    ones, changes = np.zeros_like(bits[0]), np.zeros_like(bits[0])
    for index, bit in enumerate(bits):
        ones += bit
        changes += bit ^ bits[index - 1]
    code = (ones | (changes > 2).view(np.uint8) << 4).reshape(m, -1)
    shares = [(code == k).view(np.uint8).sum(axis=1, dtype=np.uint32) / code.shape[1] for k in range(9)]
    irregular = np.maximum(1 - np.sum(shares, axis=0), 0)
    return np.asarray(np.sqrt(np.column_stack([*shares, irregular])), dtype=np.float32)


def lags(planes: FloatArray) -> FloatArray:
    """Contrast and correlation of pixels some steps apart, both directions (10.1109/TSMC.1973.4309314), LAG_NAMES."""
    variance = np.maximum(planes.reshape(len(planes), -1).var(axis=1), TINY)
    columns: list[FloatArray] = []
    for lag in LAGS:
        across = planes[:, :, lag:] - planes[:, :, :-lag]
        down = planes[:, lag:] - planes[:, :-lag]
        contrast = (_dot(across, across) + _dot(down, down)) / 2
        columns += [np.sqrt(contrast), 1 - contrast / (2 * variance)]
    return np.column_stack(columns)


@lru_cache(maxsize=8)
def _ring_basis(height: int, width: int) -> FloatArray:
    """(pixels, RINGS): weights that average over each ring of equal width; the corners join the last ring."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot((2 * y - (height - 1)) / height, (2 * x - (width - 1)) / width).ravel()
    ring = np.minimum((radius * RINGS).astype(int), RINGS - 1)
    member = (ring[:, None] == np.arange(RINGS)).astype(np.float32)
    return np.ascontiguousarray(member / np.maximum(member.sum(axis=0), 1))


def rings(planes: FloatArray) -> FloatArray:
    """Mean and spread of the brightness in rings around the crop's centre, RING_NAMES."""
    m, height, width = planes.shape
    basis, flat = _ring_basis(height, width), planes.reshape(m, -1)
    mean = flat @ basis
    spread = np.sqrt(np.maximum((flat * flat) @ basis - mean * mean, 0))
    return np.concatenate([mean, spread], axis=1)


def channel_pairs(crops: FloatArray) -> FloatArray:
    """Correlation between the channels of each crop (m, pairs); 0 where a channel is constant."""
    m, channels, height, width = crops.shape
    flat = crops.reshape(m, channels, -1)
    centred = flat - flat.mean(axis=2, keepdims=True)
    spread = np.sqrt(np.einsum("ijk,ijk->ij", centred, centred) / (height * width))
    first, second = np.triu_indices(channels, k=1)
    columns = [np.einsum("ij,ij->i", centred[:, a], centred[:, b]) for a, b in zip(first, second)]
    covariance = np.array(columns, dtype=np.float32).reshape(len(first), m).T / (height * width)
    return np.asarray(covariance / np.maximum(spread[:, first] * spread[:, second], TINY), dtype=np.float32)
