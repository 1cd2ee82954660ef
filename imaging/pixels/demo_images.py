"""The built-in demo: real immunohistochemistry from scikit-image's own files, cut and re-acquired."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from imaging.pixels.demo_parts import DemoExperiment, DemoField, DemoObject
from imaging.pixels.demo_synthetic import synthetic_experiment
from imaging.pixels.geometry import Box
from imaging.pixels.manifest_rows import COLUMNS
from imaging.pixels.segmentation import SegmentationParams, split_mask

__all__ = ["DemoExperiment", "DemoField", "DemoObject", "demo_experiments", "write_demo"]

TASK = "staining"
CLASSES = ("negative", "DAB weak", "DAB positive")
# DAB optical density between the classes: the valley between stroma and epithelium, and a point that
# parts the stained cells into two groups of similar size.
THRESHOLDS = (0.035, 0.08)
UPSAMPLING = 2
TILE_ROWS, TILE_COLUMNS = 4, 5
# Pixels around a nucleus, after upsampling, in which the stain of its cell is measured.
CELL_MARGIN_PX = 6
# Nearer to the edge a crop would be mostly empty.
EDGE_PX = 6
NUCLEI = SegmentationParams(min_area_px=90, max_area_px=2500, min_distance_px=7)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How an experiment differs from the original: stain factors, blur (sigma, px), shading, brightness."""

    name: str
    description: str
    haematoxylin: float = 1.0
    dab: float = 1.0
    blur_px: float = 0.0
    shading: float = 0.0
    brightness: float = 1.0
    expected: str = "use"


ACQUISITIONS = (
    Acquisition("ihc-1-reference", "as photographed"),
    Acquisition("ihc-2-pale", "paler haematoxylin and DAB", 0.75, 0.8),
    Acquisition("ihc-3-strong", "stronger DAB, slightly darker lamp", 1.1, 1.25, brightness=0.93),
    Acquisition("ihc-4-soft", "slightly blurred, stronger haematoxylin", 1.25, 0.95, blur_px=0.8),
    Acquisition("ihc-5-uneven", "light falls off to one corner", 0.95, 1.1, shading=0.18),
    Acquisition("ihc-6-defocused", "out of focus: to be rejected", blur_px=9.0, expected="reject"),
)


def demo_experiments(seed: int = 0) -> list[DemoExperiment]:
    """The demo's experiments: five usable and one defocused from real images, and one synthetic plate.

    No two experiments share a pixel of the original. Deterministic for a seed, and without network.
    """
    original = _original()
    tiles = _tiles(original)
    experiments = [
        _ihc_experiment(acquisition, tiles[index], np.random.default_rng([seed, index]))
        for index, acquisition in enumerate(ACQUISITIONS)
    ]
    return [*experiments, synthetic_experiment(seed)]


def _original() -> NDArray[np.uint8]:
    """Immunohistochemistry of colon tissue, 512 x 512 RGB, as it comes with scikit-image."""
    from skimage import data

    loader: Any = data
    return np.asarray(loader.immunohistochemistry(), dtype=np.uint8)


def tile_owner(row: int, column: int) -> int:
    """Index of the acquisition that owns a tile: one tile per row each, in ever different columns.

    The last row also feeds the sixth acquisition, so that all kinds of tissue are in each of the others.
    """
    owner = (column + 2 * row) % 5
    return 5 if row == TILE_ROWS - 1 and owner >= 3 else owner


def _tiles(original: NDArray[np.uint8]) -> list[list[NDArray[np.uint8]]]:
    """Disjoint tiles (height, width, 3) of the original, per acquisition."""
    owned: list[list[NDArray[np.uint8]]] = [[] for _ in ACQUISITIONS]
    for row, strip in enumerate(np.array_split(original, TILE_ROWS, axis=0)):
        for column, tile in enumerate(np.array_split(strip, TILE_COLUMNS, axis=1)):
            owned[tile_owner(row, column)].append(tile)
    return owned


def _ihc_experiment(
    acquisition: Acquisition, tiles: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> DemoExperiment:
    fields = []
    for number, tile in enumerate(tiles, 1):
        enlarged = _enlarge(tile)
        objects = _objects(enlarged)
        pixels = np.moveaxis(_acquire(enlarged, acquisition, rng), 2, 0)
        fields.append(DemoField(f"f{number}", "", np.ascontiguousarray(pixels), objects))
    return DemoExperiment(
        name=acquisition.name,
        description=f"Colon, DAB and haematoxylin (scikit-image, ihc.png); {acquisition.description}",
        task=TASK,
        fields=tuple(fields),
        channel_names=("red", "green", "blue"),
        expected=acquisition.expected,
    )


def _enlarge(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = tile.shape[:2]
    size = width * UPSAMPLING, height * UPSAMPLING
    return np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC))


def _stains(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Haematoxylin, eosin and DAB (height, width, 3) by colour deconvolution (PMID 11531144)."""
    from skimage import color

    deconvolve: Any = color
    return np.asarray(deconvolve.rgb2hed(pixels), dtype=np.float64)


def _acquire(pixels: NDArray[np.uint8], acquisition: Acquisition, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The enlarged tile as another microscope, stain and lamp would show it."""
    from skimage import color

    change = np.array([acquisition.haematoxylin - 1, 0.0, acquisition.dab - 1])
    scale: NDArray[np.float64] = (_stains(pixels) * change * np.log(1e-6)) @ np.asarray(color.rgb_from_hed)
    light = np.maximum(pixels / 255.0, 1e-3) * np.exp(scale)
    if acquisition.blur_px:
        light = ndimage.gaussian_filter(light, (acquisition.blur_px, acquisition.blur_px, 0))
    height, width = light.shape[:2]
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    light = light * (acquisition.brightness * (1 - acquisition.shading * (x * x + y * y) / 2))[..., None]
    noisy = 255 * light + rng.normal(0, 0.8, light.shape)
    return np.clip(np.floor(noisy + 0.5), 0, 255).astype(np.uint8)


def _objects(pixels: NDArray[np.uint8]) -> tuple[DemoObject, ...]:
    """Nuclei of the original tile with the DAB optical density of their cells, and the class it means."""
    labels = _nuclei(pixels)
    numbers = np.arange(1, int(labels.max()) + 1)
    dab = _stains(pixels)[..., 2]
    cells = ndimage.grey_dilation(labels, size=(2 * CELL_MARGIN_PX + 1,) * 2)
    values = ndimage.mean(dab, cells, numbers)
    centres = ndimage.center_of_mass(labels > 0, labels, numbers)
    found = []
    height, width = labels.shape
    for value, (y, x), window in zip(np.atleast_1d(values), centres, ndimage.find_objects(labels)):
        if min(x, y, width - x, height - y) < EDGE_PX:
            continue
        rows, columns = window
        box = Box(columns.start, rows.start, columns.stop, rows.stop)
        found.append(_object(float(value), (float(x) + 0.5, float(y) + 0.5), box))
    return tuple(found)


def _object(value: float, centroid: tuple[float, float], box: Box) -> DemoObject:
    # Spread of the stain among the cells of this image, the unit in which a boundary is near or far.
    spread = 0.015
    distance = min(abs(value - threshold) for threshold in THRESHOLDS) / spread
    label = CLASSES[int(np.searchsorted(THRESHOLDS, value, side="right"))]
    return DemoObject(centroid, box, label, value, distance)


def _nuclei(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Label image of nuclei: bluer than their surroundings, and dark enough not to be empty glass."""
    colour = pixels.astype(np.float32)
    blueness = colour[..., 2] - colour[..., 0]
    local = ndimage.gaussian_filter(blueness, 2.0) - ndimage.gaussian_filter(blueness, 14.0)
    mask = ndimage.binary_opening(local > 4, structure=np.ones((3, 3)), iterations=2)
    labels = split_mask(np.asarray(mask, dtype=np.bool_), NUCLEI)
    numbers = np.arange(1, int(labels.max()) + 1)
    redness = np.atleast_1d(ndimage.mean(colour[..., 0], labels, numbers))
    kept = np.zeros(len(numbers) + 1, dtype=np.int32)
    kept[1:][redness < 185] = np.arange(1, int((redness < 185).sum()) + 1)
    return kept[labels]


def write_demo(folder: Path | str, seed: int = 0) -> Path:
    """Path of the manifest.csv of the demo written into `folder`: images, boxes and labels of "truth"."""
    root = Path(folder)
    rows: list[dict[str, Any]] = []
    for experiment in demo_experiments(seed):
        for field in experiment.fields:
            name = _write_field(root, experiment, field)
            rows += _rows(name, experiment, field)
    manifest = root / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return manifest


def _write_field(root: Path, experiment: DemoExperiment, field: DemoField) -> str:
    place = "_".join(part for part in (field.well, field.name) if part)
    is_rgb = field.pixels.dtype == np.uint8
    name = f"images/{experiment.name}/{place}{'.png' if is_rgb else '.ome.tif'}"
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_rgb:
        Image.fromarray(np.moveaxis(field.pixels, 0, 2)).save(path)
        return name
    tifffile.imwrite(
        path,
        field.pixels,
        photometric="minisblack",
        compression="zlib",
        ome=True,
        metadata={
            "axes": "CYX",
            "Channel": {"Name": list(experiment.channel_names)},
            "PhysicalSizeX": experiment.pixel_size_um,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": experiment.pixel_size_um,
            "PhysicalSizeYUnit": "µm",
            "SignificantBits": experiment.bit_depth,
            # A fixed identity keeps the file's bytes, and so its digest, the same on every machine.
            "UUID": "00000000-0000-4000-8000-000000000000",
        },
    )
    return name


def _rows(name: str, experiment: DemoExperiment, field: DemoField) -> list[dict[str, Any]]:
    place = {
        "path": name,
        "experiment": experiment.name,
        "batch": "synthetic" if experiment.is_synthetic else "scikit-image",
        "well": field.well,
        "field": field.name,
        "channel": ";".join(experiment.channel_names) if experiment.is_synthetic else "",
    }
    image = {**place, "kind": "image", "note": experiment.description.replace(";", ",")}
    boxes = [
        {
            **place,
            "kind": "box",
            "label": found.label,
            "annotator": "truth",
            "x0": f"{found.box.x0:g}",
            "y0": f"{found.box.y0:g}",
            "x1": f"{found.box.x1:g}",
            "y1": f"{found.box.y1:g}",
            "note": f"task={experiment.task}",
        }
        for found in field.objects
    ]
    return [image, *boxes]
