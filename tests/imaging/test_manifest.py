"""A manifest or a folder becomes fields; what is wrong is refused row by row, the rest goes on."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from imaging.pixels.errors import ManifestError
from imaging.pixels.info import ImageInfo
from imaging.pixels.manifest import (
    COLUMNS,
    FieldEntry,
    Listing,
    explain_object_source,
    object_source,
    read_manifest,
    scan_folder,
)
from imaging.pixels.naming import parse_name
from imaging.pixels.reading import open_planes


def image(folder: Path, name: str, value: int = 0) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((8, 8), value, np.uint16))
    return name


def manifest(folder: Path, *rows: dict[str, object]) -> Listing:
    with (folder / "manifest.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return read_manifest(folder / "manifest.csv")


def test_planes_of_one_place_become_one_field(tmp_path: Path) -> None:
    place = {"experiment": "e", "well": "B02", "field": "s1"}
    rows = [{**place, "path": image(tmp_path, f"{c}{z}.tif", z), "channel": c, "z": z} for c in "ab" for z in (0, 1)]
    listing = manifest(tmp_path, *rows)
    assert len(listing.fields) == 1
    assert [(f.channel, f.z) for f in listing.fields[0].files] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert open_planes(listing.fields[0].files).info.shape == (2, 2, 8, 8)


def test_files_without_a_place_or_with_the_same_channel_stay_apart(tmp_path: Path) -> None:
    names = [image(tmp_path, f"{i}.tif", i) for i in range(4)]
    rows = [{"path": names[0]}, {"path": names[1]}]
    rows += [{"path": name, "well": "B02", "field": "s1", "channel": "w1"} for name in names[2:]]
    assert [len(field.files) for field in manifest(tmp_path, *rows).fields] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"path": "missing.tif"}, "does not exist"),
        ({"path": "../outside.tif"}, "leaves the manifest's folder"),
        ({"path": "/etc/hostname"}, "leaves the manifest's folder"),
        ({"path": ""}, "path is empty"),
        ({"path": "a.tif", "kind": "picture"}, "kind 'picture' is unknown"),
        ({"path": "a.tif", "kind": "box", "x0": 1, "y0": 1, "x1": "x", "y1": 5}, "x1='x' is not a number"),
        ({"path": "a.tif", "kind": "box", "x0": 1, "y0": 1, "x1": "nan", "y1": 5}, "not a number"),
        ({"path": "a.tif", "kind": "box", "x0": 5, "y0": 1, "x1": 5, "y1": 5}, "no area"),
        ({"path": "a.tif", "kind": "box", "x0": -9, "y0": -9, "x1": -5, "y1": -1}, "outside the image"),
        ({"path": "a.tif"}, "repeated"),
    ],
)
def test_a_bad_row_is_refused_with_its_number_and_the_rest_goes_on(
    tmp_path: Path, row: dict[str, object], reason: str
) -> None:
    listing = manifest(tmp_path, {"path": image(tmp_path, "a.tif")}, row)
    assert len(listing.refused) == 1
    assert listing.refused[0].reason.startswith("row 3: ") and reason in listing.refused[0].reason
    assert [field.name for field in listing.fields] == ["a.tif"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    image(tmp_path, "secret.tif")
    inside.mkdir()
    (inside / "link.tif").symlink_to(tmp_path / "secret.tif")
    assert "through a link" in manifest(inside, {"path": "link.tif"}).refused[0].reason


@pytest.mark.parametrize("text", ["", "  \n", "name,kind\na,b\n", "path,kind\n", "path\0\n"])
def test_an_unusable_manifest_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ManifestError, match=r"manifest\.csv"):
        read_manifest(tmp_path / "manifest.csv")


def test_a_label_counts_only_with_an_annotator_who_is_not_a_reference(tmp_path: Path) -> None:
    row = {"path": image(tmp_path, "a.tif"), "kind": "label"}
    listing = manifest(
        tmp_path,
        {**row, "label": "x", "annotator": "anna", "note": "seen twice; task=shape;other"},
        {**row, "label": "y", "annotator": "majority", "note": "task=shape;reference"},
        {**row, "label": "z"},
    )
    assert [(entry.annotator, entry.label, entry.task) for entry in listing.labels] == [("anna", "x", "shape")]
    assert "without an annotator" in listing.warnings[0]


def test_box_labels_keep_their_box_and_one_box_may_have_many_readers(tmp_path: Path) -> None:
    row = {"path": image(tmp_path, "a.tif"), "kind": "box", "x0": 1, "y0": 1, "x1": 5, "y1": 5, "label": "x"}
    listing = manifest(tmp_path, {**row, "annotator": "anna"}, {**row, "annotator": "ben"})
    assert len(listing.fields[0].boxes) == 1
    assert [entry.box for entry in listing.labels] == [listing.fields[0].boxes[0]] * 2


def test_identical_files_are_noticed(tmp_path: Path) -> None:
    rows = [{"path": image(tmp_path, name, 3)} for name in ("a.tif", "b.tif")]
    rows.append({"path": image(tmp_path, "c.tif", 4)})
    listing = manifest(tmp_path, *rows)
    assert listing.duplicates == (("b.tif", "a.tif"),)
    assert any("byte-identical" in warning for warning in listing.warnings)


def info(side: int) -> ImageInfo:
    return ImageInfo((1, 1, side, side), "YX", "uint8", ("a",))


@pytest.mark.parametrize(
    ("labelled", "side", "source"),
    [(True, 512, "whole"), (True, 513, "segmentation"), (False, 160, "whole"), (False, 161, "segmentation")],
)
def test_small_or_labelled_images_are_one_crop(labelled: bool, side: int, source: str) -> None:
    field = FieldEntry("e", "", "", "", (), labelled_whole=labelled)
    assert object_source(field, info(side)) == source
    assert explain_object_source(field, info(side))[1]


NAMES = {
    "p/9987_B02_s1_w1.TIF": ("p", "B02", "s1", "w1", None),
    "p/TimePoint_1/ZStep_2/9987_B02_s1_w3.TIF": ("p", "B02", "s1", "w3", 2),
    "p/IXM_A01_s1_w164FBEEF7-F77C-4892-86F5-72D0160D4FB2.tif": ("p", "A01", "s1", "w1", None),
    "p/Images/r02c05f03p04-ch2sk1fk1fl1.tiff": ("p", "B05", "f03", "ch2", 4),
    "p/Assay_C07_T0001F004L01A01Z03C02.tif": ("p", "C07", "F004", "C02", 3),
    "p/anything.png": ("p", "", "", "", None),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_microscopes_naming_schemes_are_understood(name: str) -> None:
    parts = parse_name(name)
    assert parts is not None
    assert (parts.experiment, parts.well, parts.site, parts.channel, parts.z) == NAMES[name]


def test_a_folder_is_scanned_by_the_users_own_pattern(tmp_path: Path) -> None:
    for name in ("run7-B2-x1-dapi.tif", "run7-B2-x1-gfp.tif", "other.tif"):
        image(tmp_path, name)
    pattern = r"(?P<experiment>run\d+)-(?P<well>\w+)-(?P<site>x\d)-(?P<channel>\w+)\.tif"
    listing = scan_folder(tmp_path, pattern)
    assert [(f.experiment, f.well, f.site, len(f.files)) for f in listing.fields] == [("run7", "B2", "x1", 2)]
    assert "does not match the pattern" in listing.refused[0].reason


@pytest.mark.parametrize("pattern", ["(", "no groups", "(?P<colour>x)", "a" * 600])
def test_a_bad_pattern_is_explained(tmp_path: Path, pattern: str) -> None:
    image(tmp_path, "a.tif")
    with pytest.raises(ManifestError, match="pattern"):
        scan_folder(tmp_path, pattern)


def test_later_time_points_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    image(tmp_path, "TimePoint_1/x_A01_s1_w1.tif")
    image(tmp_path, "TimePoint_2/x_A01_s1_w1.tif")
    image(tmp_path, "x.czi")
    listing = scan_folder(tmp_path)
    assert len(listing.fields) == 1
    reasons = {refused.path: refused.reason for refused in listing.refused}
    assert "time point 2" in reasons["TimePoint_2/x_A01_s1_w1.tif"] and "OME-TIFF" in reasons["x.czi"]


@pytest.mark.shared_data
def test_real_plates_are_the_same_by_manifest_and_by_folder(shared_data: Path) -> None:
    folder = shared_data / "04_plates_fluor_16bit"
    listed, scanned = read_manifest(folder / "manifest.csv"), scan_folder(folder)
    for listing in (listed, scanned):
        sizes = {(f.experiment, f.well, f.site): len(f.files) for f in listing.fields}
        assert sizes["9987_Plate_3434", "B02", "s1"] == 7 and sizes["9987_Plate_3434", "B03", "s2"] == 5
        assert sizes["BBBC022_20585", "A01", "s1"] == 1 and len(sizes) == 7
        pairs = {tuple(name.split("TimePoint_1/")[1] for name in pair) for pair in listing.duplicates}
        assert pairs == {(f"ZStep_1/9987_B02_s1_w{c}.TIF", f"ZStep_0/9987_B02_s1_w{c}.TIF") for c in (2, 3)}


@pytest.mark.shared_data
def test_real_manifests_give_the_published_numbers(shared_data: Path) -> None:
    counts = {
        "01_crops_mitosis_amibr": (180, 900),
        "02_crops_cellcycle_ifc": (494, 494),
        "03_boxes_bloodcells_bccd": (24, 316),
        "05_segmentation_dsb2018": (15, 0),
    }
    for folder, expected in counts.items():
        listing = read_manifest(shared_data / folder / "manifest.csv")
        assert (len(listing.fields), len(listing.labels)) == expected and not listing.refused


@pytest.mark.shared_data
def test_the_same_well_in_and_out_of_focus_is_not_merged(shared_data: Path) -> None:
    listing = read_manifest(shared_data / "08_focus_illumination_qc" / "manifest.csv")
    assert len(listing.fields) == 13 and all(len(field.files) == 1 for field in listing.fields)
