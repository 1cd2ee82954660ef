"""Formats as plain data: what is written is read again, for any text and any outline."""

import csv
import io
import json
import math
import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from labeling.exchange import csv_table, formats, label_studio, qupath
from labeling.exchange.consensus import majority
from labeling.exchange.folders import unique_names
from labeling.exchange.labels import FileRefused, Label, Place, answer_of, clean
from labeling.exchange.matching import Field, Images, KnownCrop, KnownImage, NoMatch
from labeling.exchange.qupath import Look
from labeling.exchange.rings import area, centroid, paint
from labeling.exchange.text import FORMULA, guarded, json_of, unguarded

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
NAMES = TEXT.filter(lambda text: text == text.strip() and answer_of(text) == ("label", text))
NUMBERS = st.floats(-1000, 5000, allow_nan=False).map(lambda value: round(value, 2))
SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))


@given(st.text(max_size=30))
def test_a_guarded_cell_begins_no_formula_and_keeps_its_text(text: str) -> None:
    assert not guarded(text).startswith(FORMULA)
    assert unguarded(guarded(text)) == text


@given(NAMES, TEXT, NUMBERS, NUMBERS)
def test_any_name_survives_a_table(name: str, annotator: str, x: float, y: float) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["image", "x", "y", "class", "annotator"])
    writer.writerow(["field.tif", x, y, guarded(name), guarded(annotator.strip())])
    parsed = csv_table.parse(stream.getvalue().encode())
    (label,) = parsed.labels
    assert (label.name, label.annotator, label.place.point) == (name, annotator.strip(), (x, y))
    assert parsed.problems == []


@given(NAMES, st.lists(st.tuples(st.sampled_from(["k1", "k2"]), TEXT), max_size=5), NUMBERS)
def test_any_name_survives_label_studio(name: str, reads: list[tuple[str, str]], x: float) -> None:
    at = datetime(2024, 5, 1, tzinfo=UTC)
    reads.sort(key=lambda read: read[0])
    labels = [Label("", Place(key, name, x, 2.0), name, annotator=by, at=at, seconds=1.5) for key, by in reads]
    parsed = label_studio.parse("".join(label_studio.write(labels)).encode())
    assert parsed.problems == []
    back = [(label.name, label.place, label.annotator, label.at, label.seconds) for label in parsed.labels]
    assert [item[0] for item in back] == [name] * len(labels)
    assert [item[1].key for item in back] == [key for key, _ in reads]
    assert [item[2] for item in back] == [clean(by, 150) for _, by in reads]
    assert {item[3:] for item in back} <= {(at, 1.5)}


@given(NAMES, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=12, unique=True))
def test_any_outline_survives_qupath(name: str, ring: list[tuple[float, float]]) -> None:
    assume(abs(area(ring)) > 1)
    label = Label("", Place("key", "field.tif", 1.0, 2.0, ring=tuple(ring)), name)
    parsed = qupath.parse("".join(qupath.write([label], {name: Look(name, "#0072b2")})).encode(), "field.tif")
    (back,) = parsed.labels
    assert (back.name, back.place.key, back.place.image) == (name, "key", "field.tif")
    assert back.place.ring is not None and set(back.place.ring) == set(ring)
    assert area(back.place.ring) == pytest.approx(abs(area(ring)))


@given(st.lists(st.text(max_size=90), max_size=12))
def test_names_of_files_are_single_safe_parts_and_never_meet(texts: list[str]) -> None:
    names = unique_names(texts)
    assert names.keys() == set(texts)
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert PurePosixPath(name).parts == (name,) and PureWindowsPath(name).parts == (name,)
        assert name not in (".", "..") and not PureWindowsPath(name).is_reserved()
        assert len(name.encode()) <= 255 and not any(unicodedata.category(letter) == "Cc" for letter in name)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(-3, 23), st.floats(-3, 18)), min_size=3, max_size=9))
def test_painted_pixels_are_those_whose_centre_lies_inside(ring: list[tuple[float, float]]) -> None:
    labels = np.zeros((15, 20), dtype=np.int32)
    painted = paint(labels, ring, 7)
    rows, columns = np.mgrid[:15, :20]
    centres = np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5])
    expected = points_in_poly(centres, np.array(ring)).reshape(15, 20)
    # On an edge itself either answer is right.
    sure = _distance_to_edges(centres, np.array(ring)).reshape(15, 20) > 1e-9
    assert np.array_equal((labels == 7)[sure], expected[sure])
    assert painted == (labels == 7).sum()


def _distance_to_edges(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    starts, ends = ring, np.roll(ring, -1, axis=0)
    along = ends - starts
    length = np.maximum((along**2).sum(axis=1), 1e-300)
    share = ((points[:, None] - starts) * along).sum(axis=2) / length
    nearest = starts + np.clip(share, 0, 1)[..., None] * along
    return np.hypot(*np.moveaxis(points[:, None] - nearest, -1, 0)).min(axis=1)


def test_neighbours_share_no_pixel_and_leave_no_gap() -> None:
    labels = np.zeros((4, 8), dtype=np.int32)
    paint(labels, SQUARE, 1)
    paint(labels, [(x + 4, y) for x, y in SQUARE], 2)
    assert labels.tolist() == [[1] * 4 + [2] * 4] * 4


def test_the_centre_of_an_outline_does_not_depend_on_where_it_lies() -> None:
    far = [(x + 1e5, y + 1e5) for x, y in SQUARE]
    assert centroid(SQUARE) == (2.0, 2.0) and centroid(far) == pytest.approx((1e5 + 2, 1e5 + 2))
    assert centroid(far[::-1]) == pytest.approx(centroid(far))
    assert (area(SQUARE), area(SQUARE[::-1])) == (16.0, -16.0)
    assert centroid([(0, 0), (4, 4), (8, 8)]) == (4, 4)
    with pytest.raises(ValueError, match="fewer than three"):
        centroid([(0, 0), (1, 1)])


@settings(max_examples=60)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40), NUMBERS, NUMBERS, st.floats(1, 400))
def test_the_nearest_crop_is_found_as_if_all_had_been_looked_at(
    places: list[tuple[float, float]], x: float, y: float, tolerance: float
) -> None:
    field = Field([KnownCrop(number, *place, tolerance) for number, place in enumerate(places)])
    distances = sorted((math.hypot(px - x, py - y), number) for number, (px, py) in enumerate(places))
    near = [item for item in distances if item[0] <= tolerance]
    try:
        found = field.nearest(Place("", "field.tif", x, y))
    except NoMatch as problem:
        doubtful = len(near) > 1 and near[1][0] <= 2 * near[0][0] + 1
        assert (problem.code == "far" and not near) or (problem.code == "ambiguous" and doubtful)
    else:
        assert found == near[0][1]


def test_images_are_found_by_the_longest_name_that_one_alone_bears() -> None:
    images = Images(
        [
            KnownImage(1, "a/field.tif", ("one/a/field.tif",), "ab" * 32),
            KnownImage(2, "b/field.tif", ("DAPI_7.tif", "GFP_7.tif"), "cd" * 32),
            KnownImage(3, "other.ome.tif", (), "ce" * 32),
        ]
    )
    found = {
        name: images.find(name) for name in ("a/field.tif", "b\\field.tif", "GFP_7", "other.ome.tif", "cdcdcdcd")
    }
    assert list(found.values()) == [1, 2, 2, 3, 2]
    for name in ("field.tif", "field", "nothing", "cdcd", ""):
        with pytest.raises(NoMatch):
            images.find(name)


def test_a_majority_needs_more_reads_than_any_other_class() -> None:
    disc, ring, unsure = ("label", "disc"), ("label", "ring"), ("not_sure", "")
    assert majority([disc, disc, ring]).name == "disc"
    tied = majority([disc, ring])
    assert (tied.name, tied.share, tied.disputed) == ("", 0.0, True)
    said = majority([disc, unsure, unsure, ("bad_crop", "")])
    assert (said.name, said.share, said.not_sure, said.bad_crop, said.disputed) == ("disc", 0.25, 2, 1, False)
    assert majority([unsure]).name == ""


@pytest.mark.parametrize(
    "name, content, kind",
    [
        ("a.csv", b"crop,class\n", "csv"), ("a.tsv", b"crop\tclass\n", "csv"),
        ("a.json", b'[{"id": 1, "data": {}}]', "label_studio"), ("a.json", b'\xef\xbb\xbf{"type": ', "qupath"),
        ("a.json", b'[{"type": "Feature"}]', "qupath"), ("a.geojson", b"[]", "qupath"),
        ("a.txt", b"label a b\n", "cpa"), ("a.txt", b"# Training set created\n", "cpa"),
    ],
)  # fmt: skip
def test_a_format_is_told_by_its_first_characters_then_by_its_name(name: str, content: bytes, kind: str) -> None:
    assert formats.format_of(name, content) == kind


def test_an_unknown_file_is_refused_in_words() -> None:
    with pytest.raises(FileRefused, match="Choose the format"):
        formats.format_of("labels.xlsx", b"PK\x03\x04")


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from(["csv", "label_studio", "qupath", "cpa"]))
def test_any_bytes_are_read_or_refused_in_words(content: bytes, kind: str) -> None:
    try:
        parsed = formats.parse(kind, "labels", content, formats.Extra())
    except FileRefused:
        return
    assert parsed.rows >= len(parsed.labels)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["annotations", "data", "result", "value", "choices", "rectanglelabels", "points", "features", "geometry",
             "coordinates", "type", "properties", "classification", "name", "names", "objectType", "image", "x", "y",
             "completed_by", "created_at", "lead_time", "original_width", "metadata", "crop", "label"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(JSON, max_size=4), st.sampled_from(["label_studio", "qupath"]))
def test_any_json_is_read_or_refused_in_words(document: list[object], kind: str) -> None:
    try:
        parsed = formats.parse(kind, "labels", json.dumps(document).encode(), formats.Extra("field.tif"))
    except FileRefused:
        return
    for label in parsed.labels:
        assert label.place.point is None or all(map(math.isfinite, label.place.point))


@pytest.mark.parametrize("content", [b"[NaN]", b"[Infinity]", b"[" * 70 + b"]" * 70, b"{", b"\xff", b'["\x00"]'])
def test_json_with_what_json_has_not_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused):
        json_of(content)
