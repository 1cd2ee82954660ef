"""Labels of other tools become answers: which crop each means, what is left out and why, all or nothing."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Crop
from labeling.exchange import labels as limits
from labeling.exchange.labels import FileRefused
from labeling.models import Annotation, LabelImport
from labeling.services import progress
from labeling.services.classes import add_class, retire_class, split_class
from labeling.services.imports.plan import plan
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.studies import NewClass
from labeling.services.summary import agreement_of
from tests.commands import call
from tests.factories import answer, make_experiment, make_study, make_user
from tests.labeling.conftest import Room
from tests.labeling.exchange_files import csv_upload, json_upload, said, taken


def codes(made: Any) -> dict[str, str]:
    return {problem.row: problem.code for problem in made.problems}


def test_a_table_by_crop_key_becomes_answers(room: Room) -> None:
    crop, other, third, fourth = room.crops[:4]
    made = taken(
        room.study,
        csv_upload(
            "Crop,Class,Annotator,Time,Comment",
            f"{crop.key},disc,bob,2024-05-01T10:00:00+02:00,easy",
            f"{other.key},RING,Dr. Who,2024-05-02,",
            f"{third.key},not sure,Dr. Who,,",
            f"{fourth.key},bad crop,,,",
        ),
        room.alice,
    )
    assert len(made.new) == 4
    rows = {row.crop_id: row for row in Annotation.objects.filter(study=room.study)}
    first = rows[crop.pk]
    assert (first.annotator, first.source, first.reason) == (room.bob, "import", "easy")
    assert first.answered_at.isoformat() == "2024-05-01T08:00:00+00:00"
    assert (first.shown_at, first.why_asked, first.labels.get().label_class.key) == (None, "", "disc")
    stranger = rows[other.pk].annotator
    assert (stranger.username, stranger.is_active) == ("imported: Dr. Who", False)
    assert not stranger.has_usable_password() and not room.study.memberships.filter(user=stranger).exists()
    assert (rows[third.pk].answer, rows[third.pk].annotator) == ("not_sure", stranger)
    assert (rows[fourth.pk].answer, rows[fourth.pk].annotator.username) == ("bad_crop", "imported: CSV")


def test_a_pseudonym_cannot_log_in(room: Room) -> None:
    taken(room.study, csv_upload("crop,class,annotator", f"{room.crops[0].key},disc,mallory"))
    assert not Client().login(username="imported: mallory", password="")
    assert get_user_model().objects.get(username="imported: mallory").last_login is None


def test_an_active_user_who_bears_the_pseudonym_is_given_no_answers(room: Room) -> None:
    make_user("imported: eve")
    with pytest.raises(ValueError, match="rename them"):
        take(room.study, csv_upload("crop,class,annotator", f"{room.crops[0].key},disc,eve"), None)
    assert not Annotation.objects.exists() and not LabelImport.objects.exists()


def test_a_label_finds_the_nearest_crop_of_its_image_and_never_a_doubtful_one(room: Room) -> None:
    first, second = room.crops[:2]
    near = second.image.crop_field_px / 4
    middle = (first.x + second.x) / 2
    made = take(
        room.study,
        csv_upload(
            "image;x;y;class",
            f"field.tif;{first.x + 2};{first.y - 2};disc",
            f"field;{second.x};{second.y};ring",
            f"FIELD.tif;{second.x};{second.y};ring",
            f"field.tif;{second.x};{second.y - near - 9};ring",
            f"field.tif;{middle};{first.y};ring",
            "field.tif;;;ring",
        ),
        None,
    )
    assert {item.crop: item.key for _, item in made.new} == {first.pk: "disc", second.pk: "ring"}
    left_out = codes(made)
    assert (left_out["row 4"], left_out["row 7"]) == ("image", "place")
    assert left_out["row 5"] in ("far", "ambiguous") and left_out["row 6"] in ("far", "ambiguous")
    assert made.rows == 6


def test_two_crops_about_equally_near_are_named_and_not_guessed(room: Room) -> None:
    first = room.crops[0]
    Crop.objects.filter(pk=room.crops[1].pk).update(x=first.x + 6, y=first.y)
    made = plan(room.study, csv_upload("image,x,y,class", f"field.tif,{first.x + 3},{first.y},disc"))
    assert codes(made) == {"row 2": "ambiguous"}
    made = plan(room.study, csv_upload("image,x,y,class", f"field.tif,{first.x},{first.y},disc"))
    assert [item.crop for _, item in made.new] == [first.pk]


def test_an_image_is_found_by_the_beginning_of_its_digest_and_by_its_experiment(room: Room, tmp_path: Path) -> None:
    make_experiment(tmp_path, "plate 2", crops=6, seed=5)
    both = make_study(room.alice, *room.study.experiments.all(), name="one")
    both.experiments.add(*type(both.experiments.first()).objects.all())
    crop, image = room.crops[0], room.crops[0].image
    lines = ["image,x,y,class", f"{image.sha256[:12]},{crop.x},{crop.y},disc", f"field.tif,{crop.x},{crop.y},disc"]
    made = plan(both, csv_upload(*lines))
    assert codes(made) == {"row 3": "image"} and "2 images" in made.problems[0].message
    made = plan(both, csv_upload("image,x,y,class", f"plate 2/field.tif,{crop.x},{crop.y},disc"))
    assert [Crop.objects.get(pk=item.crop).image.sample.experiment.name for _, item in made.new] == ["plate 2"]


def test_unknown_classes_are_named_or_added_on_request(room: Room) -> None:
    lines = ["crop,class", f"{room.crops[0].key},disc", f"{room.crops[1].key},Anaphase, late"]
    lines[2] = f'{room.crops[1].key},"Anaphase, late"'
    made = plan(room.study, csv_upload(*lines))
    assert codes(made) == {"row 3": "class"} and made.new_classes == []
    made = take(room.study, csv_upload(*lines, adds_classes=True), room.alice)
    assert made.new_classes == ["Anaphase, late"] and not made.problems
    added = room.study.classes.get(key="Anaphase, late")
    assert (added.name, added.position, bool(added.color)) == ("Anaphase, late", 2, True)
    assert AuditEvent.objects.filter(action="class.added").count() == 1


def test_a_word_for_another_answer_is_a_class_where_the_study_has_one_of_that_name(room: Room) -> None:
    lines = ("crop,class", f"{room.crops[0].key},Unsure")
    take(make_study(room.alice, *room.study.experiments.all(), name="other"), csv_upload(*lines), room.alice)
    add_class(room.study, room.alice, "unsure", "Unsure type")
    taken(room.study, csv_upload(*lines))
    answers = dict(Annotation.objects.values_list("study__name", "answer"))
    assert answers == {"other": "not_sure", "nuclei": "label"}


def test_long_names_that_begin_alike_become_two_classes(room: Room) -> None:
    names = [f"{'stage ' * 20}{end}" for end in ("early", "late")]
    lines = ("crop,class", *(f"{crop.key},{name}" for crop, name in zip(room.crops, names)))
    taken(room.study, csv_upload(*lines, adds_classes=True), room.alice)
    given = Annotation.objects.values_list("labels__label_class__name", "labels__label_class__key")
    assert [name for name, _ in given] == names and len({key for _, key in given}) == 2
    again = make_study(room.alice, *room.study.experiments.all(), name="again")
    taken(again, csv_upload(*lines, adds_classes=True), room.alice)
    assert len(said(again)) == 2


def test_a_label_means_the_crop_of_today_and_never_one_whose_object_is_gone(room: Room) -> None:
    old, other = room.crops[:2]
    new = Crop.objects.get(pk=old.pk)
    new.pk, new.key, new.x, new.row = None, "renewed", old.x + 1, 777
    new.save(force_insert=True)
    Crop.objects.filter(pk__in=[old.pk, other.pk]).update(gone_at=timezone.now())
    lines = (f"field.tif,{old.x + 0.5},{old.y},disc", f"field.tif,{other.x},{other.y},disc")
    made = plan(room.study, csv_upload("image,x,y,class", *lines))
    assert [item.crop for _, item in made.new] == [new.pk] and codes(made) == {"row 3": "far"}
    made = plan(room.study, csv_upload("crop,class", f"{old.key},disc"))
    assert codes(made) == {"row 2": "gone"} and not made.new


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_of_the_calendar_is_named(room: Room, time: str) -> None:
    made = take(room.study, csv_upload("crop,class,time", f"{room.crops[0].key},disc,{time}"), room.alice)
    assert codes(made) == {"row 2": "unreadable"}


def test_a_mark_that_says_neither_yes_nor_no_is_named(room: Room) -> None:
    crop, other = room.crops[:2]
    lines = (f"{crop.key},disc,perhaps,", f"{other.key},disc,,=1+1")
    made = plan(room.study, csv_upload("crop,class,is_bulk,suggested_by", *lines))
    assert codes(made) == {"row 2": "unreadable", "row 3": "unreadable"}


def test_a_class_is_not_added_for_a_row_that_is_left_out(room: Room) -> None:
    made = take(room.study, csv_upload("crop,class", "nowhere,anaphase", adds_classes=True), room.alice)
    assert made.new_classes == [] and room.study.classes.count() == 2


def test_what_became_of_a_closed_class_is_told_with_what_can_be_done(room: Room) -> None:
    add_class(room.study, room.alice, "oval", "Oval")
    add_class(room.study, room.alice, "long", "Long")
    of = room.study.classes.get
    split_class(of(key="ring"), room.alice, (NewClass("thin", "thin ring"), NewClass("thick", "thick ring")))
    retire_class(of(key="oval"), room.alice, of(key="disc"))
    retire_class(of(key="long"), room.alice)
    lines = (f"{crop.key},{key}" for crop, key in zip(room.crops, ("ring", "oval", "long")))
    made = plan(room.study, csv_upload("crop,class", *lines))
    split, merged, retired = (problem.message for problem in made.problems)
    assert "split into “thin ring” and “thick ring”: name one of them" in split and "restore" not in split
    assert "merged into “disc”: name that one" in merged
    assert retired.endswith("is retired: restore it first")


def test_the_plan_says_who_gets_labels_that_name_nobody_and_how_a_stranger_becomes_a_member(room: Room) -> None:
    client = Client()
    client.force_login(room.alice)
    keys = [crop.key for crop in room.crops]

    def shown(*lines: str, **more: str) -> str:
        file = SimpleUploadedFile("labels.csv", "\n".join(("crop,class,annotator", *lines)).encode())
        return client.post(f"/studies/{room.study.pk}/import/", {"file": file, **more}).content.decode()

    told = shown(f"{keys[0]},disc,", f"{keys[1]},disc,", f"{keys[2]},disc,bob")
    assert "2 rows name no annotator: they are kept as answers of “imported: CSV”" in told
    assert "Invite by link" in told
    assert "“imported: Eve”" in shown(f"{keys[0]},disc,", annotator="Eve")
    assert "“dora”" in shown(f"{keys[0]},disc,", annotator="dora")
    known = shown(f"{keys[2]},disc,bob")
    assert "name no annotator" not in known and "Invite by link" not in known
    assert not Annotation.objects.exists()


def test_a_retired_class_takes_no_labels(room: Room) -> None:
    room.study.classes.filter(key="ring").update(retired_at=timezone.now())
    made = plan(room.study, csv_upload("crop,class", f"{room.crops[0].key},ring", adds_classes=True))
    assert codes(made) == {"row 2": "class"} and "restore" in made.problems[0].message


def test_contradictions_take_none_repetitions_take_one(room: Room) -> None:
    one, two = room.crops[:2]
    made = take(
        room.study,
        csv_upload(
            "crop,class,annotator",
            f"{one.key},disc,eve", f"{one.key},ring,eve", f"{one.key},ring,dan",
            f"{two.key},disc,eve", f"{two.key},disc,eve",
        ),
        None,
    )  # fmt: skip
    assert codes(made) == {"row 2": "conflict", "row 3": "conflict", "row 6": "duplicate"}
    assert said(room.study) == {one.key: [("label", "ring")], two.key: [("label", "disc")]}


def test_what_an_annotator_has_answered_here_stays(room: Room) -> None:
    mine = answer(room.study, room.bob, room.crops[0], "ring")
    made = take(room.study, csv_upload("crop,class,annotator", f"{room.crops[0].key},disc,bob"), room.alice)
    assert codes(made) == {"row 2": "answered"}
    assert list(Annotation.objects.all()) == [mine]


def test_the_same_file_again_stores_nothing_twice_and_only_what_was_missing(room: Room) -> None:
    lines = ["crop,class", f"{room.crops[0].key},disc", f"{room.crops[1].key},anaphase"]
    assert len(take(room.study, csv_upload(*lines), room.alice).new) == 1
    again = take(room.study, csv_upload(*lines), room.alice)
    assert (len(again.new), again.already) == (0, 1)
    more = take(room.study, csv_upload(*lines, adds_classes=True), room.alice)
    assert (len(more.new), more.already, Annotation.objects.count()) == (1, 1, 2)
    assert LabelImport.objects.count() == 1
    # The same file in another study is other answers.
    other = make_study(room.alice, *room.study.experiments.all(), name="other")
    assert len(take(other, csv_upload(*lines), room.alice).new) == 1


def test_an_import_has_its_event_and_its_report(room: Room) -> None:
    take(room.study, csv_upload("crop,class", f"{room.crops[0].key},disc", "nowhere,disc"), room.alice)
    row, event = LabelImport.objects.get(), AuditEvent.objects.get(action="labels.imported")
    assert (row.format, row.by, row.report["taken"], row.report["left_out"]) == ("csv", room.alice, 1, {"crop": 1})
    assert row.report["problems"] == [{"row": "row 3", "code": "crop", "message": "no crop has the key “nowhere”"}]
    assert (event.actor, event.detail["taken"], event.detail["sha256"]) == (f"user:{room.alice.pk}", 1, row.sha256)


def test_nothing_is_half_stored_when_a_step_fails(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr("labeling.services.imports.store.audit.record", break_)
    lines = csv_upload("crop,class,annotator", f"{room.crops[0].key},anaphase,eve", adds_classes=True)
    with pytest.raises(RuntimeError):
        take(room.study, lines, room.alice)
    assert not Annotation.objects.exists() and not LabelImport.objects.exists()
    assert room.study.classes.count() == 2 and not get_user_model().objects.filter(username__contains="eve").exists()


def test_a_time_to_come_is_refused(room: Room) -> None:
    later = (timezone.now() + timedelta(days=2)).isoformat()
    made = plan(room.study, csv_upload("crop,class,time", f"{room.crops[0].key},disc,{later}"))
    assert codes(made) == {"row 2": "time"}


def test_imported_answers_are_counted_apart_and_out_of_agreement(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    lines = [f"{crop.key},ring,{name}" for crop in room.crops[:3] for name in ("eve", "dan")]
    taken(room.study, csv_upload("crop,class,annotator", *lines))
    assert progress.imported_answers(room.study) == 6
    assert agreement_of(room.study)["n_annotators"] == 1
    assert agreement_of(room.study, with_imported=True)["n_annotators"] == 3
    client = Client()
    client.force_login(room.alice)
    assert "6 answers came from" in client.get(f"/studies/{room.study.pk}/").content.decode()


REFUSED = {
    "latin-1": ("crop,class\nx,Anaphase spät\n".encode("latin-1"), "not UTF-8"),
    "NUL": (b"crop,class\nx,di\0sc\n", "NUL"),
    "empty": (b" \n", "empty"),
    "no class": (b"crop,phase\nx,disc\n", "no column"),
    "no place": (b"cell,class\nx,disc\n", "neither a column"),
    "a huge cell": (b'crop,class\nx,"' + b"a" * 200_000 + b'"\n', "breaks off"),
    "picture": (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
}


@pytest.mark.parametrize("content, words", REFUSED.values(), ids=REFUSED.keys())
def test_a_table_that_cannot_be_read_is_refused_in_words(room: Room, content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        take(room.study, Upload("labels.csv", content), room.alice)
    assert not Annotation.objects.exists() and not LabelImport.objects.exists()


NO_JSON = {
    "deep": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "deep objects": (b'[{"a":' * 40_000, "nested deeper"),
    "NaN": (b'[{"data": {"image": "field.tif", "x": NaN}}]', "NaN"),
    "cut": (b'[{"data": {"image": "fie', "not JSON"),
    "no list": (b'{"features": 3}', "no list"),
    "digits": (b"[" + b"9" * 5000 + b"]", "not JSON"),
}


@pytest.mark.parametrize("content, words", NO_JSON.values(), ids=NO_JSON.keys())
def test_json_that_no_tool_writes_is_refused_in_words(room: Room, content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        take(room.study, Upload("labels.json", content), room.alice)


def test_too_many_rows_are_refused_before_they_are_kept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ROWS", 3)
    lines = [f"{crop.key},disc" for crop in room.crops[:4]]
    assert len(plan(room.study, csv_upload("crop,class", *lines[:3])).new) == 3
    with pytest.raises(FileRefused, match="more than 3 rows"):
        take(room.study, csv_upload("crop,class", *lines), None)
    with pytest.raises(FileRefused, match="more than 3 rows"):
        take(room.study, json_upload([{"data": {}, "annotations": []}] * 4), None)
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("x", ["nan", "inf", "-inf", "1e99", "left", "0x10"])
def test_a_coordinate_that_is_no_number_is_named(room: Room, x: str) -> None:
    made = plan(room.study, csv_upload("image,x,y,class", f"field.tif,{x},10,disc"))
    assert codes(made) == {"row 2": "unreadable"} and x in made.problems[0].message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_save_is_read(room: Room, encoding: str) -> None:
    text = f"crop;class;annotator\r\n{room.crops[0].key};disc;Zoë\r\n"
    taken(room.study, Upload("labels.csv", text.encode(encoding)))
    assert Annotation.objects.get().annotator.username == "imported: Zoë"


def test_label_studio_choices_boxes_polygons_and_skips(room: Room) -> None:
    one, two, three = room.crops[:3]
    height, width = one.image.shape[-2:]
    size = {"original_width": width, "original_height": height}
    box = {"x": 100 * two.x0 / width, "y": 100 * two.y0 / height}
    box |= {"width": 100 * (two.x1 - two.x0) / width, "height": 100 * (two.y1 - two.y0) / height, "rotation": 0}
    corners = [(three.x0, three.y0), (three.x1, three.y0), (three.x1, three.y1), (three.x0, three.y1)]
    points = [[100 * x / width, 100 * y / height] for x, y in corners]
    choice = {"from_name": "c", "to_name": "image", "type": "choices", "value": {"choices": ["disc"]}}
    regions = [
        size | {"type": "rectanglelabels", "value": box | {"rectanglelabels": ["ring"]}},
        size | {"type": "polygonlabels", "value": {"points": points, "polygonlabels": ["disc"]}},
        size | {"type": "brushlabels", "value": {"rle": [1], "brushlabels": ["disc"]}},
    ]
    by = {"created_at": "2024-03-01T12:00:00.000000Z", "lead_time": 3.25, "was_cancelled": False}
    tasks = [
        {
            "id": 1,
            "data": {"image": "/data/upload/3/0a1b2c3d-field.tif", "crop": one.key},
            "annotations": [
                by | {"completed_by": {"id": 7, "email": "bob"}, "result": [choice]},
                by | {"completed_by": 3, "result": [], "was_cancelled": True},
            ],
            "predictions": [],
        },
        {
            "id": 2,
            "data": {"image": "/data/local-files/?d=plates/field.tif"},
            "annotations": [by | {"completed_by": 3, "result": regions}],
        },
    ]
    made = taken(room.study, json_upload(tasks))
    assert made.silent == 1
    assert said(room.study) == {
        one.key: [("label", "disc")], two.key: [("label", "ring")], three.key: [("label", "disc")],
    }  # fmt: skip
    first = Annotation.objects.get(crop=one)
    assert (first.annotator, first.active_ms, first.answered_at.year) == (room.bob, 3250, 2024)
    assert Annotation.objects.get(crop=two).annotator.username == "imported: 3"


def test_label_studio_json_min(room: Room) -> None:
    one, two = room.crops[:2]
    height, width = one.image.shape[-2:]
    box = {
        "x": 100 * two.x0 / width, "y": 100 * two.y0 / height, "width": 100 * 24 / width, "height": 100 * 24 / height,
        "rotation": 0, "rectanglelabels": ["ring"], "original_width": width, "original_height": height,
    }  # fmt: skip
    tasks = [
        {"image": "field.tif", "crop": one.key, "id": 1, "choice": "disc", "annotator": 1, "lead_time": 2},
        {"image": "field.tif", "id": 2, "label": [box], "annotator": 1, "created_at": "2024-03-01T12:00:00Z"},
        {"image": "field.tif", "id": 3, "annotator": 1},
    ]
    made = taken(room.study, json_upload(tasks))
    assert made.silent == 1
    assert said(room.study) == {one.key: [("label", "disc")], two.key: [("label", "ring")]}


BROKEN_TASKS = [
    3,
    {"data": [], "annotations": 3},
    {"data": {"image": "field.tif"}, "annotations": [{"result": "none"}]},
    {"data": {"image": "field.tif"}, "annotations": [{"result": [{"value": {"choices": ["disc", "ring"]}}]}]},
    {"data": {}, "annotations": [{"result": [{"value": {"choices": ["disc"]}}]}]},
    {"data": {"image": "field.tif"}, "annotations": [{"result": [{"value": {"rectanglelabels": ["disc"], "x": 1}}]}]},
    {"data": {"image": "f"}, "annotations": [{"result": [{"value": {"choices": ["disc"]}}], "created_at": "soon"}]},
    {"data": {"image": "f"}, "annotations": [{"result": [{"value": {"choices": ["disc"]}}], "lead_time": -1}]},
]


def test_broken_tasks_are_named_one_by_one_and_the_rest_goes_on(room: Room) -> None:
    good = {"data": {"crop": room.crops[0].key}, "annotations": [{"result": [{"value": {"choices": ["disc"]}}]}]}
    made = take(room.study, json_upload([*BROKEN_TASKS, good]), None)
    assert len(made.new) == 1
    assert {problem.code for problem in made.problems} == {"unreadable"}
    assert len(made.problems) == len(BROKEN_TASKS)


def feature(geometry: Any, name: str | None = "disc", **more: Any) -> dict[str, Any]:
    classified = {} if name is None else {"classification": {"name": name, "color": [1, 2, 3]}}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation"} | classified | more}


def test_qupath_objects_of_the_image_that_the_file_is_named_after(room: Room) -> None:
    one, two, three = room.crops[:3]
    square = [[one.x - 5, one.y - 5], [one.x + 5, one.y - 5], [one.x + 5, one.y + 5], [one.x - 5, one.y + 5]]
    far = [[0, 0], [1, 0], [1, 1], [0, 0]]
    piece = [[[x + two.x - one.x, y] for x, y in square]]
    features = [
        feature({"type": "Polygon", "coordinates": [[*square, square[0]]]}, objectType="cell"),
        feature({"type": "MultiPolygon", "coordinates": [[far], piece]}, "ring"),
        feature({"type": "Point", "coordinates": [three.x, three.y]}, "not sure"),
        feature({"type": "Point", "coordinates": [three.x, three.y]}, None),
    ]
    made = taken(room.study, json_upload({"type": "FeatureCollection", "features": features}, "field.tif.geojson"))
    assert made.silent == 1
    assert said(room.study) == {
        one.key: [("label", "disc")], two.key: [("label", "ring")], three.key: [("not_sure", "")],
    }  # fmt: skip
    assert Annotation.objects.first().annotator.username == "imported: QuPath GeoJSON"


@pytest.mark.parametrize(
    "geometry",
    [
        None, {}, {"type": "Polygon"}, {"type": "Polygon", "coordinates": []},
        {"type": "LineString", "coordinates": []}, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Point", "coordinates": ["nan", 3]},
        {"type": "Point", "coordinates": [True, 3]}, {"type": "MultiPolygon", "coordinates": []}, [1, 2],
    ],
)  # fmt: skip
def test_a_broken_geometry_is_named(room: Room, geometry: Any) -> None:
    made = plan(room.study, json_upload([feature(geometry)], "field.geojson"))
    assert codes(made) == {"feature 1": "unreadable"}


def test_a_training_set_of_cellprofiler_analyst(room: Room) -> None:
    one, two = room.crops[:2]
    text = (
        "# Training set created while using properties: C:\\x.properties\n"
        "label disc ring\n"
        f"disc 1 17 {round(one.x)} {round(one.y)}\n"
        f"ring 0 1 18 {round(two.x)} {round(two.y)}\n"
        "ring 2 18 10 10\n"
        "ring 1 18\n"
        "oval 1 18 10 10\n"
        "# eJyVUctuwjAQ\n"
    )
    images = b"ImageNumber,Image_FileName_DNA\n1,field.tif\n"
    made = take(room.study, Upload("set.txt", text.encode(), images=images), None)
    assert (made.kind, len(made.new)) == ("cpa", 2)
    assert said(room.study) == {one.key: [("label", "disc")], two.key: [("label", "ring")]}
    assert codes(made) == {"line 5": "unreadable", "line 6": "unreadable", "line 7": "unreadable"}


def test_a_table_of_images_with_an_endless_cell_is_refused_in_words(room: Room) -> None:
    images = b'ImageNumber,FileName_DNA\n1,"' + b"a" * 200_000 + b'"\n'
    with pytest.raises(FileRefused, match="table of images breaks off"):
        take(room.study, Upload("set.txt", b"label disc\ndisc 1 1 12 12\n", images=images), room.alice)


def test_the_pickle_in_a_training_set_is_never_opened(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("a pickle was opened"))
    content = b"label disc\n# gASVKAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjA1lY2hvIG93bmVkID4veJSFlFKULg==\n"
    assert plan(room.study, Upload("set.txt", content)).rows == 0


def test_text_of_a_file_never_breaks_a_row_or_a_page(room: Room) -> None:
    nasty = "\ud800 \u0000 <script>alert(1)</script> =1+1 \u202e"
    tasks = [
        {"data": {"crop": nasty, "image": nasty}, "annotations": [{"result": [{"value": {"choices": [nasty]}}]}]}
    ]
    for crop, choice in ((room.crops[0], "disc"), (room.crops[1], nasty)):
        given = {"annotator": nasty, "result": [{"value": {"choices": [choice]}}]}
        tasks.append({"data": {"crop": crop.key}, "annotations": [given]})
    made = take(room.study, json_upload(tasks, adds_classes=True), room.alice)
    assert len(made.new) == 1 and room.study.classes.count() == 2
    json.dumps(made.report()).encode("utf-8", "strict")
    client = Client()
    client.force_login(room.alice)
    page = client.get(f"/studies/{room.study.pk}/import/").content.decode()
    assert "<script>alert(1)" not in page and "&lt;script&gt;" in page


def test_the_command_looks_then_takes(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"crop,class\n{room.crops[0].key},disc\nnowhere,disc\n")
    code, look = call("import_labels", "nuclei", path, "--dry-run")
    assert (code, look["taken"], look["left_out"], Annotation.objects.count()) == (0, 1, {"crop": 1}, 0)
    code, done = call("import_labels", "nuclei", path)
    assert (code, done["taken"], done["dry_run"], Annotation.objects.count()) == (0, 1, False, 1)
    code, again = call("import_labels", "nuclei", path)
    assert (code, again["taken"], again["already"]) == (0, 0, 1)
    for arguments, words in (
        (("nuclei", tmp_path / "none.csv"), "Check the path"),
        (("nothing", path), "There is no study"),
        (("nuclei", path, "--format", "label_studio"), "not JSON"),
    ):
        code, answered = call("import_labels", *arguments)
        assert code == 1 and words in answered["error"]
