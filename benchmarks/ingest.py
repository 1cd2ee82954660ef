"""Images per CPU second into the product: read, judged, segmented, cut; against a plain scikit-image script."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage
from skimage import feature, filters, morphology, segmentation
from skimage import measure as regions

from benchmarks.fields import NUCLEI, nuclei_field
from benchmarks.measure import cpu_seconds
from benchmarks.rows import Beside, Row
from imaging.pixels.quality import measure as measure_quality
from imaging.pixels.scanning import scan_folder
from imaging.pixels.segmentation import SegmentationParams, segment
from imaging.worker.measuring import read_field

IMAGES = 4
CROP_PX = 64
# Objects that are found must be those that are there, or the speed means nothing.
FOUND_WITHIN = 0.02


def measure() -> list[Row]:
    """Rows for the whole way in and for its two dear parts; fields of 1080 x 1080 x 2 with 200 nuclei each."""
    fields = [nuclei_field(seed) for seed in range(IMAGES)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"field_{number}.tif" for number in range(IMAGES)]
        for path, field in zip(paths, fields):
            tifffile.imwrite(path, field)
        listed = scan_folder(Path(folder), None).fields
        plain = Beside("plain scikit-image script", _rate(lambda: [plain_script(path) for path in paths]))
        whole = _rate(lambda: [read_field(entry, (), None, 12) for entry in listed])
    names = ("first", "second")
    parts = SegmentationParams()
    _check([int(segment(field, parts).max()) for field in fields])
    quality = _rate(lambda: [measure_quality(field, 4095.0, names) for field in fields])
    return [
        Row("read_judge_segment_cut", whole, "images per CPU-s", ">= 3.3", plain),
        Row("segmentation", _rate(lambda: [segment(field, parts) for field in fields]), "images per CPU-s", ">= 10"),
        Row("quality", quality, "images per CPU-s", ">= 4"),
    ]


def plain_script(path: Path) -> tuple[list[dict[str, object]], NDArray[np.uint16]]:
    """Object table and crops of one field the straightforward way: one library call per step, no tuning."""
    field = tifffile.imread(path)
    for plane in field:
        ndimage.laplace(plane.astype(np.float64)).var()
        np.histogram(plane, 4096)
        np.percentile(plane, (1, 99))
    smooth = filters.gaussian(field[0], 1, preserve_range=True)
    mask = ndimage.binary_fill_holes(
        morphology.remove_small_objects(smooth > filters.threshold_otsu(smooth), max_size=30)
    )
    distance = ndimage.distance_transform_edt(mask)
    peaks = feature.peak_local_max(distance, min_distance=6, labels=regions.label(mask))
    markers = np.zeros(mask.shape, dtype=int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = segmentation.watershed(-distance, markers, mask=mask)
    names = ("label", "area", "centroid", "bbox", "eccentricity", "solidity", "perimeter", "intensity_mean")
    table = regions.regionprops_table(labels, np.moveaxis(field, 0, -1), properties=names)
    padded = np.pad(field, ((0, 0), (CROP_PX // 2,) * 2, (CROP_PX // 2,) * 2))
    centres = zip(table["centroid-0"].astype(int), table["centroid-1"].astype(int))
    return table, np.stack([padded[:, y : y + CROP_PX, x : x + CROP_PX] for y, x in centres])


def _check(found: list[int]) -> None:
    expected = NUCLEI * IMAGES
    if abs(sum(found) - expected) > FOUND_WITHIN * expected:
        raise AssertionError(f"segmentation found {sum(found)} of {expected} nuclei")


def _rate(work: Callable[[], object]) -> float:
    return IMAGES / cpu_seconds(work, repeats=3)
