"""Taking files in: what is bad is named with its rule, the rest goes on, nothing is half-written."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from audit.models import AuditEvent
from imaging.models import Crop, Experiment, Image, QualityReport, Sample, Verdict
from imaging.pixels.digest import crop_key, file_digest
from imaging.pixels.errors import ManifestError
from imaging.pixels.objects import BOUNDS, from_label_image
from imaging.services.pixels import crop_pixels
from imaging.services.storage import shard
from imaging.worker import storing
from imaging.worker.ingest import IngestRefused, Report, list_source
from tests.commands import call
from tests.factories import (
    CELL,
    box_rows,
    crops_of,
    kind_of,
    make_experiment,
    picture,
    take_in,
    write_experiment,
    write_manifest,
)


def text_named_tif(folder: Path) -> None:
    (folder / "bad.tif").write_text("this is no image")


def truncated(folder: Path) -> None:
    tifffile.imwrite(folder / "bad.tif", picture(24, 9))
    whole = (folder / "bad.tif").read_bytes()
    (folder / "bad.tif").write_bytes(whole[: len(whole) // 2])


def empty_file(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"")


def no_width(folder: Path) -> None:
    Picture.new("L", (4, 4)).save(folder / "bad.png")
    data = bytearray((folder / "bad.png").read_bytes())
    data[16:20] = (0).to_bytes(4, "big")
    (folder / "bad.png").write_bytes(bytes(data))


def not_a_number(folder: Path) -> None:
    field = np.ones((64, 64), np.float32)
    field[3, 3] = np.nan
    tifffile.imwrite(folder / "bad.tif", field)


def a_link(folder: Path) -> None:
    (folder / "bad.tif").symlink_to(folder / "good.tif")


def foreign(folder: Path) -> None:
    (folder / "bad.czi").write_bytes(b"ZISRAWFILE")


BROKEN = [text_named_tif, truncated, empty_file, no_width, not_a_number, a_link, foreign]


@pytest.mark.parametrize("break_one", BROKEN)
def test_a_broken_file_is_named_with_its_reason_and_the_rest_is_in(
    db: None, tmp_path: Path, break_one: Callable[[Path], None]
) -> None:
    tifffile.imwrite(tmp_path / "good.tif", picture())
    break_one(tmp_path)
    report = take_in(tmp_path, experiment="batch")
    assert [item["path"].split(".")[0] for item in report.refused] == ["bad"]
    assert len(report.refused[0]["reason"]) > 20 and str(tmp_path) not in report.refused[0]["reason"]
    assert list(Image.objects.values_list("name", flat=True)) == ["good.tif"]
    assert (report.images, report.accepted) == (2, 1)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"path": "missing.tif"}, "row 26.*does not exist"),
        ({"path": "../field.tif"}, "row 26.*leaves the manifest's folder"),
        ({"path": "/etc/hostname"}, "row 26.*leaves the manifest's folder"),
        ({"kind": "picture"}, "row 26.*kind 'picture' is unknown"),
        ({"x1": "wide"}, "row 26.*x1='wide' is not a number"),
        ({"x0": "50", "x1": "10"}, "row 26.*no area"),
        ({"x0": "-50", "x1": "-10"}, "row 26.*outside the image"),
        ({"x0": "nan"}, "row 26.*is not a number"),
    ],
)
def test_a_bad_row_is_named_by_its_number_and_rule_and_the_rest_is_in(
    db: None, tmp_path: Path, row: dict[str, str], rule: str
) -> None:
    tifffile.imwrite(tmp_path / "field.tif", picture())
    rows = box_rows("field.tif", "plate", 24)
    report = take_in(write_manifest(tmp_path, [*rows, rows[0] | {"note": "odd"} | row]))
    # A row about a file that is in is a warning; a file that is not in is refused, and counted.
    assert re.search(rule, one_reason(report) if "path" in row else one_warning(report))
    assert (report.images, report.accepted) == (1 + ("path" in row), 1)
    assert Crop.objects.count() == 24


def one_warning(report: Report) -> str:
    assert len(report.warnings) == 1 and not report.refused
    return report.warnings[0]


def one_reason(report: Report) -> str:
    assert len(report.refused) == 1
    return report.refused[0]["reason"]


def test_a_repeated_row_is_refused_once(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "field.tif", picture())
    rows = box_rows("field.tif", "plate", 24)
    assert re.search(r"row 26.*repeated", one_warning(take_in(write_manifest(tmp_path, [*rows, rows[3]]))))
    assert Crop.objects.count() == 24


def test_a_box_beyond_the_image_is_refused_and_its_neighbours_are_in(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "field.tif", picture())
    rows = box_rows("field.tif", "plate", 24)
    beyond = rows[0] | {"x0": 9000, "x1": 9024}
    reason = one_warning(take_in(write_manifest(tmp_path, [*rows, beyond])))
    assert re.search(r"row 26.*\(9000, 0\).*outside the image of 144 x 96", reason)
    assert Crop.objects.count() == 24


@pytest.mark.parametrize(
    ("text", "rule"),
    [("", "is empty"), ("name\na.tif\n", "no column 'path'"), ("path\n", "no rows"), ("path\n\0", "NUL")],
)
def test_an_unusable_manifest_is_refused_as_a_whole(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ManifestError, match=rule):
        list_source(tmp_path, None)


def test_a_path_that_does_not_exist_is_refused_by_its_last_name(tmp_path: Path) -> None:
    with pytest.raises(IngestRefused, match=r"^nowhere: there is no such folder"):
        list_source(tmp_path / "nowhere", None)


def test_running_twice_changes_nothing(db: None, tmp_path: Path) -> None:
    manifest = write_experiment(tmp_path)
    first, before = take_in(manifest), rows_of_everything()
    assert take_in(manifest) == first
    assert rows_of_everything() == before


def rows_of_everything() -> list[Any]:
    return [list(model.objects.values()) for model in (Experiment, Sample, Image, QualityReport, Crop, AuditEvent)]


def test_a_taken_name_with_other_images_is_refused_and_the_old_ones_stay(db: None, tmp_path: Path) -> None:
    make_experiment(tmp_path, "plate")
    before = rows_of_everything()
    report = take_in(write_experiment(tmp_path / "other", "plate", seed=7))
    assert "experiment 'plate' exists with other images" in one_reason(report)
    assert (report.accepted, report.experiments) == (0, [])
    assert rows_of_everything() == before


@pytest.mark.parametrize("step", ["_create_samples", "create_image", "create_report", "create_crops", "audit"])
def test_a_failure_in_the_middle_of_storing_leaves_no_row(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    manifest = write_experiment(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(*((storing.audit, "record", fail) if step == "audit" else (storing, step, fail)))
        with pytest.raises(RuntimeError):
            take_in(manifest)
    assert not any(rows_of_everything())
    assert take_in(manifest).crops == 24


def test_no_shard_of_a_failed_write_is_taken_for_a_whole_one(db: None, data_folder: Path, tmp_path: Path) -> None:
    make_experiment(tmp_path)
    digest = Crop.objects.first().shard
    shards = [path.name for path in (data_folder / "files" / "crops").iterdir()]
    assert shards == [f"{digest}.npy"]
    assert shard(digest).shape[0] == 24


def test_crops_show_what_lies_at_their_place(db: None, tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path)
    for crop in crops_of(experiment):
        pixels = crop_pixels(crop)[0].astype(float)
        middle = pixels.shape[0] // 2
        is_bright = pixels[middle - 1 : middle + 1, middle - 1 : middle + 1].mean() > 1500
        assert is_bright == (kind_of(crop) == "disc")


def test_keys_of_crops_do_not_depend_on_the_order_or_the_name(db: None, tmp_path: Path) -> None:
    first = make_experiment(tmp_path, "one")
    rows = box_rows("field.tif", "two", 24)[::-1]
    take_in(write_manifest(tmp_path / "one", rows))
    second = Experiment.objects.get(name="two")
    assert {crop.key for crop in crops_of(first)} == {crop.key for crop in crops_of(second)}


def test_boxes_are_kept_in_full_resolution_pixels(db: None, tmp_path: Path) -> None:
    crop = crops_of(make_experiment(tmp_path))[7]
    assert (crop.x1 - crop.x0, crop.y1 - crop.y0) == (CELL, CELL)
    assert (crop.x0, crop.y0) == (CELL, CELL)


def test_identical_files_count_once_and_are_told(db: None, tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, picture())
    report = take_in(tmp_path, experiment="twins")
    assert [item["path"] for item in report.duplicates] == ["b.tif"]
    assert (report.images, report.accepted) == (2, 2)
    assert Image.objects.count() == 1


def test_one_experiment_per_name_in_the_manifest_unless_one_is_given(db: None, tmp_path: Path) -> None:
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", picture(seed=number))
    rows = [row for number in range(2) for row in box_rows(f"{number}.tif", f"plate {number}", 24)]
    manifest = write_manifest(tmp_path, rows)
    assert take_in(manifest).experiments == ["plate 0", "plate 1"]
    assert take_in(manifest, experiment="all").experiments == ["all"]


def test_a_rejected_image_stays_visible_and_its_crops_stay_out_of_the_pool(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "good.tif", picture())
    tifffile.imwrite(tmp_path / "white.tif", np.full((96, 144), 65535, np.uint16))
    rows = [*box_rows("good.tif", "plate", 6), *box_rows("white.tif", "plate", 6)]
    report = take_in(write_manifest(tmp_path, rows))
    assert (report.accepted, report.refused, report.crops) == (2, [], 12)
    assert Image.objects.get(verdict=Verdict.REJECT).name == "white.tif"
    assert Crop.objects.usable().count() == 6


def test_names_given_back_are_relative_to_the_folder(db: None, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "deep" / "er" / "a.tif", picture())
    (tmp_path / "deep" / "bad.tif").write_text("no image")
    report = take_in(tmp_path, experiment="deep")
    assert [item["path"] for item in report.refused] == ["deep/bad.tif"]
    assert Image.objects.get().name == "deep/er/a.tif"
    assert str(tmp_path) not in str(report)


def with_objects(folder: Path, name: str, kind: str) -> Report:
    """What became of one field of 144 x 96 px with a file of objects."""
    tifffile.imwrite(folder / "field.tif", picture())
    return take_in(write_manifest(folder, [{"path": "field.tif"}, {"path": name, "kind": kind}]))


def test_rows_of_a_table_without_area_or_outside_are_dropped_and_told(db: None, tmp_path: Path) -> None:
    header = ",".join(("Location_Center_X,Location_Center_Y", *BOUNDS))
    rows = ["20,20,10,10,30,30", "40,40,40,40,40,40", "900,900,890,890,910,910"]
    (tmp_path / "field.csv").write_text("\n".join([header, *rows]))
    report = with_objects(tmp_path, "field.csv", "table")
    assert (report.accepted, report.crops) == (1, 1)
    assert any(re.search(r"field\.tif: 2 objects of field\.csv left out", text) for text in report.warnings)


def test_a_polygon_outside_the_image_makes_no_crop(db: None, tmp_path: Path) -> None:
    ring = [[500, 500], [520, 500], [520, 520], [500, 500]]
    (tmp_path / "field.geojson").write_text(json.dumps({"geometry": {"type": "Polygon", "coordinates": [ring]}}))
    report = with_objects(tmp_path, "field.geojson", "annotation")
    assert report.crops == 0 and any("1 objects of field.geojson" in text for text in report.warnings)


def test_a_mask_of_another_size_is_refused_with_both_sizes(db: None, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "masks" / "field.tif", np.ones((600, 500), np.uint16))
    report = with_objects(tmp_path, "masks/field.tif", "mask")
    assert "500 x 600 px, but its image is 144 x 96 px" in one_reason(report)


def test_our_own_table_of_objects_gives_the_same_crops_again(db: None, tmp_path: Path) -> None:
    labels = np.zeros((96, 144), np.int32)
    for number, (y, x) in enumerate([(9, 9), (40, 71), (70, 120)], start=1):
        labels[y : y + 12 + number, x : x + 15] = number
    objects = from_label_image(labels)
    rows = [
        f"{x - 0.5},{y - 0.5}," + ",".join(map(str, box)) for (x, y), box in zip(objects.centroids, objects.boxes)
    ]
    header = ",".join(("Location_Center_X,Location_Center_Y", *BOUNDS))
    (tmp_path / "field.csv").write_text("\n".join([header, *rows]))
    with_objects(tmp_path, "field.csv", "table")
    digest = file_digest(tmp_path / "field.tif")
    assert {crop.key for crop in Crop.objects.all()} == {crop_key(digest, x, y) for x, y in objects.centroids}


def test_a_taken_name_accepts_no_duplicates_and_fails(db: None, tmp_path: Path) -> None:
    make_experiment(tmp_path, "plate")
    (tmp_path / "twins").mkdir()
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / "twins" / name, picture(seed=3))
    code, answer = call("ingest", tmp_path / "twins", "--experiment", "plate")
    assert (code, answer["accepted"], answer["images"]) == (1, 0, 2)
    assert ([item["path"] for item in answer["refused"]], len(answer["duplicates"])) == (["a.tif", "b.tif"], 1)


def test_rows_about_one_missing_file_count_as_one_image(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "field.tif", picture())
    rows = [*box_rows("field.tif", "plate", 3), *box_rows("missing.tif", "plate", 3)]
    mask = {"path": "mask.png", "kind": "mask"}
    report = take_in(write_manifest(tmp_path, [*rows, mask]))
    assert (report.images, report.accepted, report.crops) == (2, 1, 3)
    assert {item["path"] for item in report.refused} == {"missing.tif", "mask.png"}


def test_fields_without_a_pixel_size_are_cut_at_one_magnification(db: None, tmp_path: Path) -> None:
    rows = []
    for number, side in enumerate((30, 60, 90)):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.full((200, 200), 10 + number, np.uint16))
        rows.append({"path": f"{number}.tif", "kind": "box", "x0": 0, "y0": 0, "x1": side, "y1": side})
    take_in(write_manifest(tmp_path, rows))
    assert list(Image.objects.values_list("crop_field_px", flat=True)) == [96.0] * 3
    assert len({crop_pixels(crop).shape for crop in Crop.objects.all()}) == 1


def test_channel_names_that_do_not_fit_are_refused_with_both_counts(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "field.tif", picture())
    assert "2 channel names were given, but it has 1 channels" in one_reason(take_in(tmp_path, channels=("a", "b")))
    with pytest.raises(IngestRefused, match="repeated"):
        take_in(tmp_path, channels=("a", "a"))


def test_a_pixel_size_is_taken_from_the_file_where_it_tells_one(db: None, tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", picture(), metadata=metadata)
    tifffile.imwrite(tmp_path / "b.tif", picture(seed=2))
    take_in(tmp_path, pixel_size_um=0.5)
    sizes = dict(Image.objects.values_list("name", "pixel_size_um"))
    assert sizes == {"a.ome.tif": pytest.approx(0.25), "b.tif": 0.5}


def test_rows_of_a_manifest_kept_elsewhere_are_relative_to_the_folder(db: None, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "images", tmp_path / "lists"
    folder.mkdir()
    elsewhere.mkdir()
    tifffile.imwrite(folder / "field.tif", picture())
    manifest = write_manifest(elsewhere, box_rows("field.tif", "plate", 4))
    code, answer = call("ingest", folder, "--manifest", manifest)
    assert (code, answer["accepted"], answer["crops"]) == (0, 1, 4)
    assert call("ingest", tmp_path / "nowhere", "--manifest", manifest)[0] == 1


@pytest.mark.django_db
def test_subject_condition_and_control_of_the_manifest_reach_the_sample(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", picture())
    about = {"well": "B02", "subject": "donor 7", "condition": "DMSO", "control": "true"}
    take_in(write_manifest(tmp_path, [{"path": "a.tif", "experiment": "e"} | about]))
    sample = Sample.objects.get()
    assert (sample.name, sample.subject, sample.condition, sample.is_control) == ("B02", "donor 7", "DMSO", True)
