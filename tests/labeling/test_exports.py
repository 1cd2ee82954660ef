"""A study's labels as files of other tools: whole, valid to their readers, and the same when they come back."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
import zarr
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from imaging.models import Crop
from imaging.services.pixels import crop_pixels
from labeling.models import Annotation, LabelClass, Lease, Study
from labeling.services.access import join
from labeling.services.ambiguous import reopen
from labeling.services.bulk import BulkItem, BulkStep, submit_bulk
from labeling.services.classes import add_class, retire_class, split_class
from labeling.services.counts import count
from labeling.services.decisions import decide
from labeling.services.export.answers import HEADER, answer_rows
from labeling.services.export.files import EXPORTS
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.progress import by_annotator
from labeling.services.reads import ADJUDICATION, STREAM, reads_of
from labeling.services.reads import disputed as is_disputed
from labeling.services.studies import NewClass
from tests.commands import call
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study, submission
from tests.labeling.conftest import Room
from tests.labeling.exchange_files import ODD_NAMES, csv_upload, exported, outline, said, taken, twin, unzipped


@pytest.fixture
def read(room: Room) -> Room:
    """Bob and Dora agree on three crops, differ on the fourth, and Bob cannot tell the fifth; outlines on four."""
    for crop in room.crops[:4]:
        crop.contour = outline(crop)
        crop.save(update_fields=["contour"])
    for crop, first, second in zip(room.crops, ("disc", "ring", "disc", "disc"), ("disc", "ring", "disc", "ring")):
        answer(room.study, room.bob, crop, first)
        answer(room.study, room.dora, crop, second)
    answer(room.study, room.bob, room.crops[4], "", reason="blurred, perhaps")
    return room


def oddly_named(room: Room) -> Study:
    """A study whose classes bear names that break careless files; one crop each."""
    study = make_study(room.alice, *room.study.experiments.all(), name="odd")
    for crop, name in zip(room.crops, ODD_NAMES):
        add_class(study, room.alice, name, name)
        answer(study, room.alice, crop, name)
    return study


@pytest.mark.parametrize("kind, name", [("answers", "labels.csv"), ("label_studio", "labels.json")])
def test_every_read_comes_back_the_same(read: Room, kind: str, name: str) -> None:
    answer(read.study, read.bob, read.crops[0], "ring")
    again = twin(read.study, read.alice)
    join(again, read.bob, "annotator")
    made = taken(again, Upload(name, exported(read.study, kind)))
    assert said(again) == said(read.study)
    # Bob takes part in both studies; the other one does not know Dora.
    assert {row["user"] for row in made.people} == {"bob", f"imported: user:{read.dora.pk}"}
    times = [
        sorted(Annotation.objects.current().filter(study=study).values_list("crop", "answered_at"))
        for study in (read.study, again)
    ]
    assert times[0] == times[1]


@pytest.fixture
def mixed(read: Room) -> Room:
    """Besides single reads: a bulk answer that confirms a prediction, a re-read that differs, an answer out of a file
    and one of a reader who left."""
    study = read.study
    items = (BulkItem(uuid4(), read.crops[6].pk, suggested_by="ab" * 32),)
    submit_bulk(study, read.bob, BulkStep("label", timezone.now(), items, ("ring",)))
    until = timezone.now() + timedelta(minutes=5)
    Lease.objects.create(study=study, crop=read.crops[0], user=read.bob, why="re-read", expires_at=until)
    assert answer(study, read.bob, read.crops[0], "ring").is_reread
    taken(study, csv_upload("crop,class,annotator", f"{read.crops[7].key},disc,Dr. Who"))
    answer(study, read.dora, read.crops[8], "ring")
    study.memberships.filter(user=read.dora).delete()
    return read


def marks(study: Study) -> list[tuple[Any, ...]]:
    """Crop, answer, class and marks of every first read that stands, in any order."""
    rows = Annotation.objects.reads().filter(study=study)
    columns = ("crop", "answer", "labels__label_class__key", "is_bulk", "suggested_by")
    return sorted(rows.values_list(*columns), key=str)


@pytest.mark.parametrize("kind, name", [("answers", "labels.csv"), ("label_studio", "labels.json")])
def test_what_leaves_a_study_and_comes_back_changes_nothing(mixed: Room, kind: str, name: str) -> None:
    before = list(Annotation.objects.order_by("id").values())
    made = take(mixed.study, Upload(name, exported(mixed.study, kind)), mixed.alice)
    assert list(Annotation.objects.order_by("id").values()) == before
    assert made.counts == {"answered": len(marks(mixed.study))} | ({"reread": 1} if kind == "answers" else {})


@pytest.mark.parametrize("kind, name", [("answers", "labels.csv"), ("label_studio", "labels.json")])
def test_answers_keep_their_marks_in_a_copy_of_the_study(mixed: Room, kind: str, name: str) -> None:
    again = twin(mixed.study, mixed.alice)
    take(again, Upload(name, exported(mixed.study, kind)), mixed.alice)
    assert marks(again) == marks(mixed.study)
    assert not Annotation.objects.filter(study=again).independent().exists()


def test_what_a_program_answered_is_marked_as_such_in_a_copy_of_the_study_and_has_no_pace(room: Room) -> None:
    for reader, source in ((room.bob, "simulated"), (room.dora, "room")):
        for crop in room.crops[:6]:
            answer(room.study, reader, crop, source=source)
    again = twin(room.study, room.alice)
    take(again, Upload("labels.csv", exported(room.study, "answers")), room.alice)
    told = {row["name"]: (row["simulated"], row["per_hour"]) for row in count(again).by_annotator}
    assert told == {f"imported: user:{room.bob.pk}": (True, None), f"imported: user:{room.dora.pk}": (False, None)}


def test_programs_stay_marked_through_any_number_of_exports_and_imports(room: Room) -> None:
    for reader, source in ((room.bob, "simulated"), (room.dora, "room")):
        answer(room.study, reader, room.crops[0], source=source)
    study = room.study
    for number in range(3):
        told = list(csv.DictReader(io.StringIO(exported(study, "answers").decode("utf-8-sig"))))
        assert [row["simulated"] for row in told] == ["True", "False"], number
        content, study = exported(study, "answers"), twin(study, room.alice, f"twin {number}")
        take(study, Upload("labels.csv", content), room.alice)
    # The same people again, in a study that never heard of them.
    again = twin(room.study, room.alice, "again")
    take(again, Upload("labels.csv", exported(room.study, "answers")), room.alice)
    assert [row["simulated"] for row in by_annotator(again)] == [True, False]


def test_one_person_under_two_names_answers_a_crop_once(room: Room) -> None:
    one, two = room.crops[:2]
    by = f"user:{room.bob.pk}"
    lines = (f"{one.key},disc,bob", f"{one.key},disc,{by}", f"{two.key},disc,bob", f"{two.key},ring,{by}")
    made = take(room.study, csv_upload("crop,class,annotator", *lines), room.alice)
    assert made.counts == {"duplicate": 1, "conflict": 2}
    assert [row.annotator for row in Annotation.objects.all()] == [room.bob]


@pytest.mark.parametrize("kind, name", [("answers", "labels.csv"), ("label_studio", "labels.json")])
def test_a_class_that_is_called_like_another_answer_stays_a_class(room: Room, kind: str, name: str) -> None:
    for called in ("unsure", "not sure"):
        add_class(room.study, room.alice, called, called)
    answer(room.study, room.bob, room.crops[0], "unsure")
    answer(room.study, room.bob, room.crops[1], "not sure")
    answer(room.study, room.bob, room.crops[2], "")
    again = twin(room.study, room.alice)
    taken(again, Upload(name, exported(room.study, kind)))
    assert said(again) == said(room.study)


@pytest.mark.parametrize("kind, name", [("answers", "labels.csv"), ("label_studio", "labels.json")])
def test_odd_names_of_classes_come_back_the_same(room: Room, kind: str, name: str) -> None:
    study = oddly_named(room)
    again = twin(study, room.alice)
    taken(again, Upload(name, exported(study, kind)))
    assert said(again) == said(study) and len(said(again)) == len(ODD_NAMES)


def test_qupath_files_come_back_the_same_by_key_and_by_place(read: Room) -> None:
    agreed = {key: [said(read.study)[key][0]] for key in [crop.key for crop in read.crops[:3]]}
    (name, content), *others = unzipped(exported(read.study, "qupath")).items()
    assert (name, others) == ("field.tif.geojson", [])
    again = twin(read.study, read.alice)
    taken(again, Upload(name, content))
    assert said(again) == agreed
    document = json.loads(content)
    for feature in document["features"]:
        del feature["properties"]["metadata"]
    third = twin(read.study, read.alice, "by place")
    taken(third, Upload(name, json.dumps(document).encode()))
    assert said(third) == agreed


def test_qupath_features_are_closed_counter_clockwise_rings_with_class_and_colour(read: Room) -> None:
    study = oddly_named(read)
    for chosen in (read.study, study):
        for content in unzipped(exported(chosen, "qupath")).values():
            document = json.loads(content)
            assert document["type"] == "FeatureCollection" and document["features"]
            colours = {row.key: row.color for row in chosen.classes.all()}
            for feature in document["features"]:
                (ring,) = feature["geometry"]["coordinates"]
                assert feature["geometry"]["type"] == "Polygon" and ring[0] == ring[-1] and len(ring) >= 4
                x, y = np.array(ring).T
                assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0
                look = feature["properties"]["classification"]
                assert "#{:02x}{:02x}{:02x}".format(*look["color"]) == colours[look["name"]]
                assert feature["properties"]["objectType"] == "detection"
            assert len({feature["id"] for feature in document["features"]}) == len(document["features"])


def test_coco_holds_what_its_readers_expect(read: Room) -> None:
    document = json.loads(exported(read.study, "coco"))
    image = read.crops[0].image
    assert document["images"] == [
        {"id": image.pk, "file_name": "field.tif", "width": image.shape[-1], "height": image.shape[-2]}
    ]
    categories = {row["id"]: row["name"] for row in document["categories"]}
    assert sorted(categories.values()) == ["disc", "ring"] and min(categories) >= 1
    found = {row["crop"]: categories[row["category_id"]] for row in document["annotations"]}
    assert found == {crop.key: name for crop, name in zip(read.crops, ("disc", "ring", "disc"))}
    assert len({row["id"] for row in document["annotations"]}) == len(document["annotations"]) == 3
    for row in document["annotations"]:
        crop = Crop.objects.get(key=row["crop"])
        assert row["bbox"] == [crop.x0, crop.y0, crop.x1 - crop.x0, crop.y1 - crop.y0]
        (polygon,) = row["segmentation"]
        x, y = np.array(polygon).reshape(-1, 2).T
        assert len(polygon) >= 6 and min(x) >= 0 and max(x) <= image.shape[-1]
        assert row["area"] == pytest.approx(abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2))
        assert (row["iscrowd"], row["image_id"]) == (0, image.pk)


def test_a_crop_without_an_outline_is_a_box_in_coco_and_qupath(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    (row,) = json.loads(exported(room.study, "coco"))["annotations"]
    assert (row["segmentation"], row["area"]) == ([], 24 * 24)
    (content,) = unzipped(exported(room.study, "qupath")).values()
    (ring,) = json.loads(content)["features"][0]["geometry"]["coordinates"]
    assert np.array(ring).min(axis=0).tolist() == [room.crops[0].x0, room.crops[0].y0]
    assert np.array(ring).max(axis=0).tolist() == [room.crops[0].x1, room.crops[0].y1]


def test_the_consensus_counts_first_reads_that_stand(read: Room) -> None:
    Annotation.objects.filter(annotator=read.dora, crop=read.crops[1]).update(is_reread=True)
    rows = list(csv.DictReader(io.StringIO(exported(read.study, "consensus").decode())))
    found = {
        row["crop"]: (row["class"], row["reads"], row["share"], row["disputed"], row["not_sure"]) for row in rows
    }
    one, two, _, four, five = (crop.key for crop in read.crops[:5])
    assert len(found) == 5
    assert found[one] == ("disc", "2", "1.0", "False", "0")
    assert found[two] == ("ring", "1", "1.0", "False", "0")
    assert found[four] == ("", "2", "0.0", "True", "0")
    assert found[five] == ("", "1", "0.0", "False", "1")


def test_the_consensus_says_who_decided_and_a_decided_crop_is_disputed_no_more(room: Room) -> None:
    third = add_reader(room.study, "third")
    for crop, labels in zip(room.crops, (("disc", "ring"), ("disc", "ring"), ("disc", "ring", "ring")), strict=False):
        for reader, label in zip((room.bob, room.dora, third), labels, strict=False):
            answer(room.study, reader, crop, label)
    made = answer(room.study, third, room.crops[1], "ring")
    Annotation.objects.exclude(pk=made.pk).update(why_asked="")
    assert made.why_asked == ADJUDICATION
    assert told_of(room) == [("True", ""), ("False", "adjudication"), ("False", "")]
    decide(room.study, room.alice, submission(room.crops[0], ""))
    assert told_of(room)[0] == ("False", "lead")
    reads = reads_of(room.study)
    assert [is_disputed(reads[crop.pk]) for crop in room.crops[:3]] == [False] * 3


def told_of(room: Room) -> list[tuple[str, str]]:
    """Whether the first three crops are disputed, and who decided on them, by the file."""
    rows = csv.DictReader(io.StringIO(exported(room.study, "consensus").decode()))
    found = {row["crop"]: (row["disputed"], row["decided"]) for row in rows}
    return [found[crop.key] for crop in room.crops[:3]]


def classes_in(study: Study, kind: str) -> dict[str, str]:
    """The class of each crop that a file states one for."""
    content = exported(study, kind)
    if kind == "consensus":
        rows = csv.DictReader(io.StringIO(content.decode()))
        return {row["crop"]: row["class"] for row in rows if row["class"]}
    if kind == "coco":
        document = json.loads(content)
        names = {row["id"]: row["name"] for row in document["categories"]}
        return {row["crop"]: names[row["category_id"]] for row in document["annotations"]}
    rows = csv.DictReader(io.StringIO(unzipped(content)["labels.csv"].decode()))
    return {row["crop"]: row["class"] for row in rows}


ONE_CLASS = ("consensus", "coco", "imagefolder")


@pytest.mark.parametrize("kind", ONE_CLASS)
def test_an_answer_of_a_class_that_was_split_states_no_class(read: Room, kind: str) -> None:
    assert "disc" in classes_in(read.study, kind).values()
    parts = [NewClass("small disc", "small disc"), NewClass("large disc", "large disc")]
    split_class(read.study.classes.get(key="disc"), read.alice, parts)
    # What Dora said of the fourth crop counts alone now.
    assert classes_in(read.study, kind) == {read.crops[1].key: "ring", read.crops[3].key: "ring"}


@pytest.mark.parametrize("kind", ONE_CLASS)
@pytest.mark.parametrize(
    ("said", "why", "expected"),
    [
        (["", "disc", ""], STREAM, None),
        (["", "", "disc"], "uncertain", None),
        (["disc", "ring", ""], STREAM, None),
        (["disc", "ring", "ring"], STREAM, "ring"),
        (["disc", "ring"], STREAM, None),
        (["disc", ""], STREAM, None),
        (["disc"], STREAM, "disc"),
        (["disc", "disc"], STREAM, "disc"),
        (["disc", ""], "uncertain", "disc"),
        (["disc", "ring", "oval"], "uncertain", "oval"),
    ],
)
def test_a_crop_leaves_with_the_class_that_it_has_here_or_with_none(
    room: Room, kind: str, said: list[str], why: str, expected: str | None
) -> None:
    add_class(room.study, room.alice, "oval", "Oval")
    Study.objects.filter(pk=room.study.pk).update(reads_per_crop=2, adjudicates=True)
    room.study.refresh_from_db()
    fill_queue(room.study, room.crops, why=why)
    for user, word in zip((room.bob, room.dora, room.alice), said):
        answer(room.study, user, room.crops[0], word)
    assert classes_in(room.study, kind) == ({room.crops[0].key: expected} if expected else {})


def test_a_class_that_is_named_after_reopening_is_the_class_of_the_crop(room: Room) -> None:
    for user in (room.bob, room.dora):
        answer(room.study, user, room.crops[0], "")
    reopen(room.study, room.alice, room.crops[0])
    assert classes_in(room.study, "consensus") == {}
    answer(room.study, room.alice, room.crops[0], "ring")
    assert classes_in(room.study, "consensus") == {room.crops[0].key: "ring"}


def test_an_answer_decides_nothing_in_a_check_if_it_came_out_of_a_file(room: Room) -> None:
    fill_queue(room.study, room.crops, why=STREAM)
    for user in (room.bob, room.dora):
        answer(room.study, user, room.crops[0], "disc")
    lines = [f"{room.crops[0].key},ring,{name}" for name in ("a", "b", "c")]
    taken(room.study, csv_upload("crop,class,annotator", *lines))
    assert classes_in(room.study, "consensus") == {room.crops[0].key: "disc"}


@pytest.mark.parametrize("kind", EXPORTS)
def test_answers_of_an_experiment_that_was_taken_out_still_leave(read: Room, kind: str) -> None:
    before = exported(read.study, kind)
    read.study.experiments.clear()
    assert exported(read.study, kind) == before


def test_label_images_hold_what_stands_and_what_was_answered_before_it_was_gone(read: Room, tmp_path: Path) -> None:
    answered, unanswered = read.crops[0], read.crops[10]
    for crop in (unanswered, read.crops[11]):
        crop.contour = outline(crop)
        crop.save(update_fields=["contour"])
    Crop.objects.filter(pk__in=[answered.pk, unanswered.pk]).update(gone_at=timezone.now())
    files = unzipped(exported(read.study, "ome_zarr"))
    ome = json.loads(files["field.tif.zarr/labels/objects/zarr.json"])["attributes"]["ome"]
    found = [row["crop"] for row in ome["image-label"]["properties"]]
    assert found == [answered.key, *(crop.key for crop in read.crops[1:4]), read.crops[11].key]


def test_a_merged_class_leaves_as_the_class_that_its_answers_count_for(read: Room) -> None:
    oval = add_class(read.study, read.alice, "oval", "Oval")
    answer(read.study, read.bob, read.crops[5], "oval")
    retire_class(LabelClass.objects.get(pk=oval.pk), read.alice, read.study.classes.get(key="ring"))
    for kind in ("consensus", "label_studio"):
        assert b"oval" not in exported(read.study, kind)
    for kind in ("coco", "qupath", "imagefolder", "ome_zarr"):
        assert exported(read.study, kind)


def test_the_folder_of_crops_holds_every_channel_at_full_depth(read: Room) -> None:
    files = unzipped(exported(read.study, "imagefolder"))
    lines = list(csv.DictReader(io.StringIO(files.pop("labels.csv").decode())))
    assert {row["file"]: row["class"] for row in lines} == {
        f"plate 1/{name}/{crop.key}.tif": name for crop, name in zip(read.crops, ("disc", "ring", "disc"))
    }
    assert files.keys() == {row["file"] for row in lines}
    for row in lines:
        pixels = tifffile.imread(io.BytesIO(files[row["file"]]))
        stored = crop_pixels(Crop.objects.get(key=row["crop"]))
        assert pixels.dtype == np.uint16 and np.array_equal(pixels.reshape(stored.shape), stored)


def test_names_in_archives_stay_below_their_folder_and_apart(room: Room, tmp_path: Path) -> None:
    study = make_study(room.alice, make_experiment(tmp_path, "../../etc"), name="evil")
    crops = crops_of(study.experiments.get())
    names = ["../up", "/abs", "a/b", "a\\b", "con", "CON", "..", "x" * 100, "C:evil"]
    for crop, name in zip(crops, names):
        add_class(study, room.alice, name, name)
        answer(study, room.alice, crop, name)
    for kind in ("imagefolder", "qupath", "ome_zarr"):
        for path in unzipped(exported(study, kind)):
            parts = path.split("/")
            assert ".." not in parts and all(parts) and not path.startswith("/") and "\\" not in path, path
            assert all(len(part.encode()) <= 255 and ":" not in part for part in parts), path
    folders = [path.split("/")[1] for path in unzipped(exported(study, "imagefolder")) if path.count("/") == 2]
    assert len({folder.casefold() for folder in folders}) == len(names)


def test_ome_zarr_labels_are_read_by_zarr_and_cover_the_outlines(read: Room, tmp_path: Path) -> None:
    for path, content in unzipped(exported(read.study, "ome_zarr")).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    group = zarr.open_group(tmp_path / "field.tif.zarr", mode="r")
    assert group["labels"].attrs["ome"] == {"version": "0.5", "labels": ["objects"]}
    label = group["labels/objects"]
    ome = label.attrs["ome"]
    (scales,) = ome["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["y", "x"]
    assert scales["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [0.5, 0.5]}]
    pixels = np.asarray(label[scales["datasets"][0]["path"]])
    assert pixels.shape == tuple(read.crops[0].image.shape[-2:]) and np.issubdtype(pixels.dtype, np.integer)
    properties = {row["label-value"]: row for row in ome["image-label"]["properties"]}
    assert set(np.unique(pixels)) == {0, *properties}
    for value, row in properties.items():
        crop = Crop.objects.get(key=row["crop"])
        assert pixels[int(crop.y), int(crop.x)] == value
        # Pixels whose centre lies inside: as many as the outline has area, give or take its border.
        x, y = np.array(crop.contour).T
        size = abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)
        assert abs((pixels == value).sum() - size) <= 6
    assert [row["class"] for row in properties.values()] == ["disc", "ring", "disc", ""]
    colours = {row["label-value"]: row["rgba"] for row in ome["image-label"]["colors"]}
    assert colours.keys() == properties.keys() and colours[1] == colours[3] != colours[2]


def test_parquet_holds_the_answers_with_their_types(read: Room, tmp_path: Path) -> None:
    code, told = call("export", "nuclei", "--format", "parquet", "--out", tmp_path / "answers.parquet")
    assert (code, told["rows"]) == (0, 9)
    table = pq.read_table(tmp_path / "answers.parquet")
    assert table.column_names == HEADER and table.num_rows == 9
    assert [str(table.schema.field(name).type) for name in ("x", "answered_at", "stands", "class")] == [
        "double", "timestamp[us, tz=UTC]", "bool", "string",
    ]  # fmt: skip
    rows = list(answer_rows(read.study))
    assert table.column("crop").to_pylist() == [row[1] for row in rows]
    moments = [value.isoformat() for value in table.column("answered_at").to_pylist()]
    assert moments == [row[HEADER.index("answered_at")] for row in rows]


@pytest.mark.parametrize("kind", EXPORTS)
def test_the_command_and_the_page_give_the_same_bytes(read: Room, kind: str, tmp_path: Path) -> None:
    out = tmp_path / "file"
    code, told = call("export", "nuclei", "--format", "csv" if kind == "answers" else kind, "--out", out)
    assert (code, told["out"]) == (0, str(out))
    client = Client()
    client.force_login(read.alice)
    response = client.get(f"/studies/{read.study.pk}/export/{kind}/")
    assert b"".join(response.streaming_content) == out.read_bytes() == exported(read.study, kind)
    assert response["Content-Disposition"].startswith("attachment;")
    assert list(tmp_path.glob(".file*")) == []


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_empty_study_leaves_as_a_valid_empty_file(room: Room, kind: str) -> None:
    content = exported(room.study, kind)
    if EXPORTS[kind].ending == ".zip":
        assert set(unzipped(content)) <= {"labels.csv", "README.txt"}
    elif EXPORTS[kind].ending == ".json":
        assert json.loads(content) is not None
    else:
        assert len(content.decode().splitlines()) == 1


@pytest.mark.parametrize("kind", EXPORTS)
def test_no_export_names_an_annotator(read: Room, kind: str) -> None:
    add_reader(read.study, "Zanzibar")
    files = exported(read.study, kind)
    texts = unzipped(files).values() if EXPORTS[kind].ending == ".zip" else [files]
    assert not any(name.encode() in text for text in texts for name in ("bob", "dora", "Zanzibar"))


def test_only_leads_download_and_an_unknown_format_is_not_found(read: Room) -> None:
    for user, expected in ((read.alice, 200), (read.bob, 403)):
        client = Client()
        client.force_login(user)
        assert client.get(f"/studies/{read.study.pk}/export/").status_code == expected
        assert client.get(f"/studies/{read.study.pk}/export/coco/").status_code == expected
        unknown = client.get(f"/studies/{read.study.pk}/export/nonsense/").status_code
        assert unknown == (404 if expected == 200 else 403)


def test_a_file_is_needed_for_what_is_no_table(read: Room, tmp_path: Path) -> None:
    code, told = call("export", "nuclei", "--format", "coco")
    assert code == 1 and "--out" in told["error"]
    code, told = call("export", "nuclei", "--format", "coco", "--out", tmp_path / "none" / "a.json")
    assert code == 1 and "Check the path" in told["error"]


def image_of(study: Study, **more: Any) -> None:
    """Change the image of a study of one image."""
    for experiment in study.experiments.all():
        experiment.samples.get().images.update(**more)


def test_an_image_too_large_for_memory_is_left_out_by_name(read: Room) -> None:
    image_of(read.study, shape=[1, 1, 200_000, 100_000])
    files = unzipped(exported(read.study, "ome_zarr"))
    assert files.keys() == {"README.txt"} and b"field.tif" in files["README.txt"]


def test_label_images_are_offered_only_where_objects_have_outlines(read: Room) -> None:
    lead = Client()
    lead.force_login(read.alice)
    page = reverse("labeling:exports", args=[read.study.pk])
    file = reverse("labeling:download", args=[read.study.pk, "ome_zarr"])
    seen = lead.get(page).content.decode()
    assert file in seen and "no outlined objects" not in seen
    Crop.objects.update(contour=None)
    seen = lead.get(page).content.decode()
    assert file not in seen and "There are no outlined objects in this study" in seen


def test_who_stands_behind_a_pseudonym_is_said_on_the_pages_of_people(read: Room) -> None:
    lead = Client()
    lead.force_login(read.alice)
    assert f"user:{read.bob.pk}" in exported(read.study, "answers").decode()
    for name, more in (("labeling:members", ()), ("labeling:reader", (read.bob.pk,))):
        assert f"user:{read.bob.pk}<" in lead.get(reverse(name, args=[read.study.pk, *more])).content.decode()
