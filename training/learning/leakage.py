"""Crops that a split should have kept together: the same pixels, nearly the same picture, or overlapping
places."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.spatial import cKDTree

from imaging.pixels.digest import array_digest

HASH_BITS = 64
MAX_DISTANCE = 6
MIN_CORRELATION = 0.97
SMALL_PX = 32
DETAIL_PX = 24
BLOCK = 512

Pairs = NDArray[np.int64]
Floats = NDArray[np.float32]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Places:
    """Where crops were cut: image name (n,), centre x and y (n, 2) and side length in full-resolution
    pixels."""

    image: NDArray[np.str_]
    centre: NDArray[np.float64]
    field_px: float


@dataclass(frozen=True, slots=True)
class Leakage:
    """Pairs (k, 2) of crop indices that lie in different folds, by kind; every crop that has a twin
    occurs."""

    exact: Pairs
    near: Pairs
    overlapping: Pairs
    n: int

    @property
    def counts(self) -> dict[str, int]:
        """Number of crops that have a twin in another fold, by kind."""
        kinds = {"exact": self.exact, "near": self.near, "overlapping": self.overlapping}
        return {name: len(np.unique(pairs)) for name, pairs in kinds.items()}

    @property
    def text(self) -> str:
        """The findings in one sentence."""
        exact, near, overlapping = self.counts.values()
        if not exact + near + overlapping:
            return f"No duplicate, near-duplicate or overlapping crops across the split ({self.n} crops searched)."
        return (
            f"Of {self.n} crops, {exact} have an exact copy, {near} a near copy and {overlapping} an overlapping "
            "crop on the other side of the split; held-out figures look better than they are."
        )


def find_leakage(crops: NDArray[np.generic], fold_of: NDArray[np.int64], places: Places | None = None) -> Leakage:
    """All pairs of crops in different folds that show the same thing.

    crops (n, channel, s, s), a memory map is fine; fold_of (n,), -1 for crops that are always trained on.
    Without `places` overlaps are not searched. Time grows with n squared: about 8 s for 10,000 crops.
    """
    exact = exact_pairs(crops, fold_of)
    near = near_pairs(crops, fold_of)
    known = {tuple(pair) for pair in exact.tolist()}
    near = _as_pairs([pair for pair in near.tolist() if tuple(pair) not in known])
    overlapping = _as_pairs([]) if places is None else overlapping_pairs(places, fold_of)
    return Leakage(exact, near, overlapping, len(crops))


def exact_pairs(crops: NDArray[np.generic], fold_of: NDArray[np.int64]) -> Pairs:
    """Pairs (i, j), i < j, of crops with equal pixels in different folds; at least one pair per such crop."""
    digests = np.array([array_digest(np.asarray(crop)) for crop in crops], dtype=np.str_)
    group = np.unique(digests, return_inverse=True)[1] if len(digests) else np.zeros(0, np.int64)
    order = np.lexsort((np.arange(len(group)), fold_of, group))
    found = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        first_fold = members[fold_of[members] == fold_of[members[:1]]] if len(members) else members
        others = members[len(first_fold) :]
        if len(others):
            # A chain is enough: listing all pairs of a thousand black crops helps nobody.
            found += [(first_fold[0], other) for other in others] + [(own, others[0]) for own in first_fold[1:]]
    return _as_pairs(found)


def near_pairs(crops: NDArray[np.generic], fold_of: NDArray[np.int64]) -> Pairs:
    """Pairs (i, j), i < j, in different folds that look the same, also turned or mirrored.

    A pair needs perceptual hashes at most 6 of 64 bits apart under one of the 8 symmetries and then, under
    that
    symmetry, pixels that correlate in every channel.
    """
    spectra = np.concatenate(list(_spectra(crops))) if len(crops) else np.zeros((0, 8, 8), np.float32)
    own = _hashes(spectra)
    turned = np.stack([_hashes(_turned_spectrum(spectra, k)) for k in range(8)])
    found: set[tuple[int, int]] = set()
    for a, b, symmetry in _close_hashes(own, turned, fold_of):
        if (a, b) not in found and correlation(crops[a], crops[b], symmetry) >= MIN_CORRELATION:
            found.add((a, b))
    return _as_pairs(sorted(found))


def _close_hashes(own: Hashes, turned: Hashes, fold_of: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Pairs i < j in different folds with close hashes, and the symmetry of j under which they are close."""
    for start in range(0, len(own), BLOCK):
        stop = min(start + BLOCK, len(own))
        elsewhere = fold_of[start:stop, None] != fold_of[None, start:]
        for symmetry in range(8):
            apart = np.bitwise_count(own[start:stop, None] ^ turned[symmetry, None, start:])
            i, j = np.nonzero((apart <= MAX_DISTANCE) & elsewhere)
            later = j > i
            yield from zip((i[later] + start).tolist(), (j[later] + start).tolist(), repeat(symmetry))


def overlapping_pairs(places: Places, fold_of: NDArray[np.int64]) -> Pairs:
    """Pairs (i, j), i < j, in different folds cut from overlapping squares of one image, with i's nearest
    such j."""
    found = []
    for name in np.unique(places.image):
        members = np.flatnonzero(places.image == name)
        for fold in np.unique(fold_of[members]):
            inside, outside = members[fold_of[members] == fold], members[fold_of[members] != fold]
            if not len(outside):
                continue
            tree = cKDTree(places.centre[outside])
            # Two squares overlap when their centres are closer than a side in the larger of the two
            # directions.
            distance, nearest = tree.query(places.centre[inside], p=np.inf)
            hit = distance < places.field_px
            found += list(zip(inside[hit], outside[nearest[hit]]))
    return _as_pairs(sorted({(min(a, b), max(a, b)) for a, b in found}))


def correlation(a: NDArray[Any], b: NDArray[Any], symmetry: int = 0) -> float:
    """Smallest Pearson correlation over channels of crops (channel, s, s) after turning b; 1 is the same
    picture.

    A flat channel counts as equal to another flat channel and as unequal to anything else.
    """
    # Detail is compared without its smooth part: centred cells all look alike when blurred.
    small = [_detail(_shrunk(np.asarray(crop)[None], DETAIL_PX)[0]) for crop in (a, _turned(b, symmetry))]
    first, second = (part.reshape(len(part), -1) for part in small)
    first, second = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    flat = (np.ptp(first, axis=1) == 0) & (np.ptp(second, axis=1) == 0)
    values = np.divide((first * second).sum(axis=1), size, out=np.zeros_like(size), where=size > 0)
    return float(np.where(flat, 1.0, values).min())


def _detail(small: Floats) -> Floats:
    """Picture (channel, s, s) less its average over 3 x 3 blocks."""
    channels, size, _ = small.shape
    coarse = small.reshape(channels, size // 3, 3, size // 3, 3).mean(axis=(2, 4))
    return np.asarray(small - np.repeat(np.repeat(coarse, 3, axis=1), 3, axis=2))


def _spectra(crops: NDArray[np.generic]) -> Iterator[Floats]:
    """Low frequencies (block, 8, 8) of the grey picture without the constant term, in blocks of crops."""
    for start in range(0, len(crops), BLOCK):
        block = np.asarray(crops[start : start + BLOCK], dtype=np.float32)
        spread = block.std(axis=(2, 3), keepdims=True)
        grey = (block / np.where(spread > 0, spread, 1)).mean(axis=1, keepdims=True)
        yield dctn(_shrunk(grey, SMALL_PX)[:, 0], axes=(1, 2), norm="ortho")[:, :9, :9][:, 1:, 1:]


def _turned_spectrum(spectra: Floats, symmetry: int) -> Floats:
    """Spectra of the pictures under one of the 8 symmetries: mirrors change signs, the diagonal swaps
    axes."""
    signs = np.where(np.arange(1, 9) % 2, -1.0, 1.0).astype(np.float32)
    if symmetry & 1:
        spectra = spectra * signs[None, None, :]
    if symmetry & 2:
        spectra = spectra * signs[None, :, None]
    return spectra.transpose(0, 2, 1) if symmetry & 4 else spectra


def _turned(crop: NDArray[Any], symmetry: int) -> NDArray[Any]:
    """Crop (channel, s, s) under the same symmetry as `_turned_spectrum`."""
    if symmetry & 1:
        crop = crop[:, :, ::-1]
    if symmetry & 2:
        crop = crop[:, ::-1, :]
    return crop.transpose(0, 2, 1) if symmetry & 4 else crop


def _hashes(spectra: Floats) -> NDArray[np.uint64]:
    """Perceptual hash per spectrum: one bit per frequency, set where it is above 0."""
    bits = (spectra > 0).reshape(len(spectra), HASH_BITS).astype(np.uint64)
    return np.asarray((bits << np.arange(HASH_BITS, dtype=np.uint64)).sum(axis=1, dtype=np.uint64))


def _shrunk(crops: NDArray[Any], size: int) -> Floats:
    """Crops (n, channel, size, size), float32: means over equal areas."""
    rows, columns = (_area_weights(length, size) for length in crops.shape[2:])
    return np.asarray(rows @ crops.astype(np.float32) @ columns.T)


def _area_weights(length: int, size: int) -> Floats:
    edges = np.linspace(0, length, size + 1)
    low, high = edges[:-1, None], edges[1:, None]
    covered = np.minimum(high, np.arange(1, length + 1)) - np.maximum(low, np.arange(length))
    return np.asarray(np.maximum(covered, 0) / (high - low), dtype=np.float32)


def _as_pairs(found: list[Any]) -> Pairs:
    return np.sort(np.array(found, dtype=np.int64).reshape(-1, 2), axis=1)
