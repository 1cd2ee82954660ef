"""Objects of a field: boxes, centroids and outlines, from whichever source marks them."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo

Contour = NDArray[np.float64]
MAX_OBJECTS_FILE_BYTES = 512 * 1024 * 1024
CENTRE_COLUMNS = (("Location_Center_X", "Location_Center_Y"), ("AreaShape_Center_X", "AreaShape_Center_Y"))
BOUNDS = tuple(f"AreaShape_BoundingBox{end}_{axis}" for end in ("Minimum", "Maximum") for axis in "XY")
# The column by which Parfocal's own tables name the image.
OWN_NAME = "Metadata_FileName"
POINT_SIDE_PX = 32.0


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """n objects in full-resolution pixels.

    boxes (n,4) x0 y0 x1 y1; centroids (n,2) x y; contours: closed outlines (k,2) x y, or None;
    labels: class names where the source has them, else empty.
    """

    boxes: NDArray[np.float64]
    centroids: NDArray[np.float64]
    contours: tuple[Contour | None, ...]
    source: str
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.boxes)


def whole_image(info: ImageInfo) -> ObjectSet:
    """The image itself as its only object."""
    return from_boxes([Box(0, 0, info.width, info.height)], info, source="whole")


def from_boxes(boxes: Iterable[Box], info: ImageInfo, source: str = "box") -> ObjectSet:
    """One object per box, clipped to the image; boxes with nothing inside it are dropped."""
    clipped = [box.clipped(info.width, info.height) for box in boxes]
    kept = [box for box in clipped if box.is_proper]
    corners = np.array([(box.x0, box.y0, box.x1, box.y1) for box in kept], dtype=np.float64).reshape(-1, 4)
    return _from_corners(corners, source)


def _from_corners(corners: NDArray[np.float64], source: str) -> ObjectSet:
    centroids = (corners[:, :2] + corners[:, 2:]) / 2
    return ObjectSet(corners, centroids, (None,) * len(corners), source)


def from_label_image(labels: NDArray[Any], source: str = "segmentation") -> ObjectSet:
    """One object per positive integer in `labels` (height, width), in increasing order of the integer."""
    from scipy import ndimage

    labels = np.asarray(labels).astype(np.int32, copy=False)
    slices = ndimage.find_objects(labels)
    present = [(number, window) for number, window in enumerate(slices, 1) if window is not None]
    corners, centroids, contours = [], [], []
    for number, (rows, columns) in present:
        mask = labels[rows, columns] == number
        y, x = np.nonzero(mask)
        corners.append((columns.start, rows.start, columns.stop, rows.stop))
        # A pixel's centre lies half a pixel from its edge, where coordinates are counted from.
        centroids.append((columns.start + x.mean() + 0.5, rows.start + y.mean() + 0.5))
        contours.append(_outline(mask, columns.start, rows.start))
    return ObjectSet(
        np.array(corners, dtype=np.float64).reshape(-1, 4),
        np.array(centroids, dtype=np.float64).reshape(-1, 2),
        tuple(contours),
        source,
    )


def _outline(mask: NDArray[np.bool_], left: int, top: int) -> Contour:
    from skimage import measure

    # Typed as Any: scikit-image ships annotations for a part of its functions only.
    untyped: Any = measure
    lines = untyped.find_contours(np.pad(mask, 1).astype(np.uint8), 0.5)
    longest = np.asarray(max(lines, key=len), dtype=np.float64)
    step = np.diff(longest, axis=0, append=longest[1:2])
    # Points on a straight run carry nothing; the end repeats the start and stays.
    turns = np.any(step != np.roll(step, 1, axis=0), axis=1)
    turns[[0, -1]] = True
    return np.asarray(longest[turns][:, ::-1] + (left - 0.5, top - 0.5), dtype=np.float64)


def from_mask_file(path: Path | str, name: str = "") -> ObjectSet:
    """One object per label of a label image; a mask of one value is split into connected parts."""
    return from_label_image(read_mask(Path(path), name), source="mask")


def read_mask(path: Path, name: str = "") -> NDArray[np.int32]:
    """Label image (height, width), 0 = background, from a PNG or TIFF of bools or integers."""
    from imaging.pixels.masks import read_label_file

    return read_label_file(path, name or path.name)


def from_geojson(path: Path | str) -> ObjectSet:
    """One object per QuPath GeoJSON feature (Polygon, MultiPolygon or Point), with its class as label."""
    path = Path(path)
    document = _load_json(path)
    features = document.get("features", [document]) if isinstance(document, dict) else document
    if not isinstance(features, list):
        raise UnreadableImage(path.name, "its GeoJSON has no list of features", "Export it from QuPath again")
    found = [part for feature in features if isinstance(feature, dict) for part in _feature(feature)]
    corners = np.array([part[0] for part in found], dtype=np.float64).reshape(-1, 4)
    centroids = np.array([part[1] for part in found], dtype=np.float64).reshape(-1, 2)
    return ObjectSet(
        corners, centroids, tuple(part[2] for part in found), "geojson", tuple(part[3] for part in found)
    )


def _load_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_OBJECTS_FILE_BYTES:
            raise UnreadableImage(path.name, "it is larger than 512 MiB", "Split it")
        return json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ImageError):
            raise
        raise UnreadableImage(path.name, "it is not a JSON file", "Export it from QuPath again") from error


def _feature(
    feature: dict[str, Any],
) -> list[tuple[tuple[float, ...], tuple[float, float], Contour | None, str]]:
    geometry = feature.get("geometry") or {}
    label = _class_name(feature)
    try:
        rings = _outer_rings(geometry)
        if geometry.get("type") == "Point":
            x, y = (float(v) for v in geometry["coordinates"][:2])
            half = POINT_SIDE_PX / 2
            return [((x - half, y - half, x + half, y + half), (x, y), None, label)]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return []
    return [(*_ring_facts(ring), ring, label) for ring in rings if _is_ring(ring)]


def _class_name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties")
    classification = properties.get("classification") if isinstance(properties, dict) else None
    return str(classification.get("name", "")) if isinstance(classification, dict) else ""


def _outer_rings(geometry: dict[str, Any]) -> list[Contour]:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    polygons: Any = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(str(kind)) or []
    return [np.array(polygon[0], dtype=np.float64)[:, :2] for polygon in polygons]


def _is_ring(ring: Contour) -> bool:
    return len(ring) >= 3 and bool(np.isfinite(ring).all()) and bool((np.ptp(ring, axis=0) > 0).all())


def _ring_facts(ring: Contour) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Box and area centroid of a closed ring (shoelace formula)."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    shifted = ring - low
    x, y = shifted.T
    following_x, following_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * following_y - following_x * y
    area = cross.sum() / 2
    if abs(area) < 1e-9:
        centre = (low + high) / 2
    else:
        sums = ((x + following_x) * cross).sum(), ((y + following_y) * cross).sum()
        centre = low + np.array(sums) / (6 * area)
    return (low[0], low[1], high[0], high[1]), (float(centre[0]), float(centre[1]))


def from_cellprofiler_table(path: Path | str, image_name: str) -> ObjectSet:
    """Objects of one image in a CellProfiler object table (CSV), found by any FileName_* column.

    Without such a column every row counts. Missing boxes become squares of 32 px around the centre. The table
    counts from the centre of the first pixel; centroids here count from its corner, half a pixel earlier.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableImage(path.name, "it is not a CSV table", "Export it from CellProfiler") from error
    columns = list(rows[0]) if rows else []
    centre = next((pair for pair in CENTRE_COLUMNS if all(_column(columns, c) for c in pair)), None)
    if centre is None:
        raise UnreadableImage(path.name, "it has no columns Location_Center_X and _Y", "Export object tables")
    chosen = [row for row in rows if _belongs(row, image_name)]
    centroids = _numbers(chosen, [_column(columns, c) for c in centre]) + 0.5
    bounds = [_column(columns, c) for c in BOUNDS]
    corners = _numbers(chosen, bounds) if all(bounds) else _squares(centroids)
    usable = np.isfinite(centroids).all(axis=1) & np.isfinite(corners).all(axis=1)
    return ObjectSet(corners[usable], centroids[usable], (None,) * int(usable.sum()), "table")


def _column(columns: Sequence[str], ending: str) -> str:
    return next((c for c in columns if c == ending or c.endswith("_" + ending)), "")


def _belongs(row: dict[str, str], image_name: str) -> bool:
    names = [value for column, value in row.items() if column and ("FileName_" in column or column == OWN_NAME)]
    return not names or Path(image_name).name in [Path(name or "").name for name in names]


def _numbers(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> NDArray[np.float64]:
    values = [[_float(row[column]) for column in columns] for row in rows]
    return np.array(values, dtype=np.float64).reshape(-1, len(columns))


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _squares(centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([centroids - POINT_SIDE_PX / 2, centroids + POINT_SIDE_PX / 2])
