"""Objects from boxes, label images and other programs' files agree on where the cells are."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo
from imaging.pixels.objects import (
    ObjectSet,
    from_boxes,
    from_cellprofiler_table,
    from_geojson,
    from_label_image,
    from_mask_file,
    whole_image,
)
from imaging.pixels.objects_check import inside_image

INFO = ImageInfo((1, 1, 50, 80), "YX", "uint8", ("a",))
LABELS = np.zeros((50, 80), np.int32)
LABELS[10:20, 30:50] = 4
LABELS[40:44, 0:4] = 9


def test_a_label_image_gives_boxes_centroids_and_outlines() -> None:
    objects = from_label_image(LABELS)
    assert objects.boxes.tolist() == [[30, 10, 50, 20], [0, 40, 4, 44]]
    assert objects.centroids.tolist() == [[40, 15], [2, 42]]
    for outline, box in zip(objects.contours, objects.boxes):
        assert outline is not None and (outline[0] == outline[-1]).all()
        assert np.abs(outline.min(axis=0) - box[:2]).max() <= 0.5
        assert np.abs(outline.max(axis=0) - box[2:]).max() <= 0.5


def test_boxes_are_clipped_and_those_outside_are_dropped() -> None:
    objects = from_boxes([Box(-10, -10, 10, 10), Box(90, 10, 99, 20), Box(5, 5, 9, 7)], INFO)
    assert objects.boxes.tolist() == [[0, 0, 10, 10], [5, 5, 9, 7]]
    assert objects.centroids.tolist() == [[5, 5], [7, 6]]


def test_the_whole_image_is_one_object() -> None:
    objects = whole_image(INFO)
    assert objects.boxes.tolist() == [[0, 0, 80, 50]] and objects.source == "whole"


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_label_and_binary_masks_give_the_same_objects(tmp_path: Path, name: str) -> None:
    def written(pixels: np.ndarray) -> list[list[float]]:
        path = tmp_path / name
        tifffile.imwrite(path, pixels) if name.endswith("tif") else Image.fromarray(pixels).save(path)
        return sorted(from_mask_file(path).boxes.tolist())

    expected = sorted(from_label_image(LABELS).boxes.tolist())
    assert written(LABELS.astype(np.uint16)) == expected
    assert written((LABELS > 0).astype(np.uint8) * 255) == expected
    assert written(LABELS > 0) == expected


def test_a_picture_is_not_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableImage, match="mask"):
        from_mask_file(tmp_path / "a.png")


def test_qupath_polygons_give_box_area_centroid_and_class(tmp_path: Path) -> None:
    ring = [[30, 10], [50, 10], [50, 20], [30, 20], [30, 10]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": "Tumour"}},
    }
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature, {"geometry": None}, 3]}))
    objects = from_geojson(path)
    assert objects.boxes.tolist() == [[30, 10, 50, 20]] and objects.labels == ("Tumour",)
    assert objects.centroids[0] == pytest.approx((40, 15))


@pytest.mark.parametrize("text", ["", "{", "3", "[" * 5000])
def test_broken_geojson_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(UnreadableImage, match=r"a\.geojson"):
        from_geojson(tmp_path / "a.geojson")


def test_a_cellprofiler_table_gives_the_objects_of_one_image(tmp_path: Path) -> None:
    path = tmp_path / "Nuclei.csv"
    path.write_text(
        "FileName_DNA,Nuclei_Location_Center_X,Nuclei_Location_Center_Y\na.tif,40,15\na.tif,nan,3\nb.tif,1,1\n"
    )
    objects = from_cellprofiler_table(path, "plate/a.tif")
    assert objects.centroids.tolist() == [[40.5, 15.5]] and objects.boxes.tolist() == [[24.5, -0.5, 56.5, 31.5]]


def test_objects_of_files_are_clipped_or_dropped_and_counted() -> None:
    boxes = np.array([[-5, 3, 9, 9], [4, 4, 4, 9], [90, 60, 99, 70], [1, 1, 9, 9]], float)
    centroids = np.array([[2, 6], [4, 6], [95, 65], [np.nan, 5]])
    objects, dropped = inside_image(ObjectSet(boxes, centroids, (None,) * 4, "table", tuple("abcd")), INFO)
    assert (objects.boxes.tolist(), objects.labels, dropped) == ([[0, 3, 9, 9]], ("a",), 3)
    assert inside_image(objects, INFO)[1] == 0


def test_a_table_of_several_images_names_each_by_its_own_column(tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    path.write_text("Metadata_FileName,Location_Center_X,Location_Center_Y\nx/a.tif,4,4\nx/b.tif,9,9\n")
    assert len(from_cellprofiler_table(path, "x/a.tif")) == 1
