"""Who sees an experiment, what quality control says of it, and where its arrays lie."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from django.core.files.storage import default_storage
from django.http import Http404
from django.test import Client
from django.urls import reverse

from imaging.models import Crop, Experiment, Image
from imaging.services import storage
from imaging.services.access import experiment_for, experiments_of, grant_view
from imaging.services.pixels import CONTEXT_PX, context_pixels, crop_pixels
from imaging.services.quality import file_reports
from tests.commands import call
from tests.factories import crops_of, make_experiment, make_user, picture, take_in, write_experiment, write_manifest


def test_only_those_who_were_let_in_see_an_experiment(db: None, tmp_path: Path) -> None:
    experiment, viewer, stranger = make_experiment(tmp_path), make_user("viewer"), make_user("stranger")
    grant_view(experiment, viewer)
    grant_view(experiment, viewer)
    assert list(experiments_of(viewer)) == [experiment]
    assert list(experiments_of(stranger)) == []
    with pytest.raises(Http404):
        experiment_for(stranger, experiment.pk)
    assert experiment_for(make_user("root", is_superuser=True), experiment.pk) == experiment


def test_counts_of_an_experiment_are_those_of_its_rows(db: None, tmp_path: Path) -> None:
    make_experiment(tmp_path, "other", seed=4, crops=6)
    row = experiments_of(make_user("root", is_superuser=True)).with_counts().get(pk=make_experiment(tmp_path).pk)
    assert (row.image_count, row.crop_count, row.rejected_count) == (1, 24, 0)


def test_surroundings_hold_the_crop_in_their_middle(db: None, tmp_path: Path) -> None:
    crop = crops_of(make_experiment(tmp_path))[8]
    around = context_pixels(crop, 1)
    assert around.shape[1:] == (CONTEXT_PX, CONTEXT_PX)
    inside = crop_pixels(crop)
    coarse = around[0].reshape(24, CONTEXT_PX // 24, 24, CONTEXT_PX // 24).mean(axis=(1, 3))
    small = np.asarray(inside[0], float)
    step = small.shape[0] / 24
    rows = (np.arange(24) * step + step / 2).astype(int)
    assert np.corrcoef(coarse.ravel(), small[np.ix_(rows, rows)].ravel())[0, 1] > 0.9


def test_surroundings_beyond_the_edge_are_zero(db: None, tmp_path: Path) -> None:
    corner = context_pixels(crops_of(make_experiment(tmp_path))[0], 16)
    assert corner[0, :10, :10].max() == 0


def test_files_of_a_field_with_one_file_per_channel_have_a_row_each(db: None, tmp_path: Path) -> None:
    for number, channel in enumerate(("dna", "actin")):
        tifffile.imwrite(tmp_path / f"B02_s1_{channel}.tif", picture(seed=number))
    pattern = r"(?P<well>B\d+)_(?P<site>s\d)_(?P<channel>\w+)\.tif"
    report = take_in(tmp_path, experiment="plate", pattern=pattern)
    assert report.accepted == 2
    rows = file_reports(Image.objects.first().sample.experiment)
    assert sorted(row["path"] for row in rows) == ["B02_s1_actin.tif", "B02_s1_dna.tif"]


def test_a_warning_does_not_reject_the_file_of_a_channel(db: None, tmp_path: Path) -> None:
    names = ("DAPI", "w1_DAPI", "actin")
    for number, channel in enumerate(names):
        tifffile.imwrite(tmp_path / f"B02_s1_{channel}.tif", picture(seed=number))
    rows = [{"path": f"B02_s1_{name}.tif", "well": "B02", "field": "1", "channel": name} for name in names]
    take_in(write_manifest(tmp_path, rows))
    report = Image.objects.get().quality_reports.get()
    reason = {"code": "soft", "metric": "m", "value": 1.0, "limit": 2.0, "advice": "look"}
    report.reasons = [reason | {"channel": "DAPI", "fails": True}, reason | {"channel": "actin", "fails": False}]
    report.verdict = "use_part"
    report.save()
    found = {row["path"]: row for row in file_reports(Experiment.objects.get())}
    verdicts = [found[f"B02_s1_{channel}.tif"]["verdict"] for channel in names]
    assert verdicts == ["reject", "use", "use_part"]
    keys = set(found["B02_s1_DAPI.tif"]["metrics"])
    assert "ImageQuality_FocusScore_DAPI" in keys and "ImageQuality_FocusScore_w1_DAPI" not in keys


def test_planes_of_a_stack_without_channel_names_show_their_metrics(db: None, tmp_path: Path) -> None:
    for z in range(2):
        tifffile.imwrite(tmp_path / f"z{z}.tif", picture(seed=z))
    take_in(write_manifest(tmp_path, [{"path": f"z{z}.tif", "well": "B02", "z": z} for z in range(2)]))
    rows = file_reports(Experiment.objects.get())
    assert [any("FocusScore" in key for key in row["metrics"]) for row in rows] == [True, True]


def test_whether_a_reason_fails_the_channel_is_kept(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "white.tif", np.full((200, 200), 65535, np.uint16))
    take_in(tmp_path, experiment="mixed")
    assert [reason["fails"] for reason in Image.objects.get().quality_reports.get().reasons] == [True]


def test_a_thumbnail_of_a_moved_original_is_not_found(
    db: None, data_folder: Path, tmp_path: Path, client: Client
) -> None:
    make_experiment(tmp_path)
    client.force_login(make_user("root", is_superuser=True))
    url = reverse("imaging:thumbnail", args=[Image.objects.get().pk])
    (tmp_path / "plate 1" / "field.tif").rename(tmp_path / "moved.tif")
    answer = client.get(url)
    assert answer.status_code == 404 and b"field.tif is not at its place" in answer.content


def test_quality_names_every_file_also_the_rejected(db: None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "good.tif", picture())
    tifffile.imwrite(tmp_path / "white.tif", np.full((200, 200), 65535, np.uint16))
    assert call("ingest", tmp_path, "--experiment", "mixed")[0] == 0
    code, answer = call("quality", "mixed")
    verdicts = {row["path"]: row["verdict"] for row in answer["images"]}
    assert (code, verdicts["white.tif"], set(verdicts)) == (0, "reject", {"good.tif", "white.tif"})
    assert all(row["reasons"] for row in answer["images"] if row["verdict"] == "reject")


def test_ingest_of_nothing_readable_fails_with_reasons(db: None, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no image")
    code, answer = call("ingest", tmp_path)
    assert (code, answer["accepted"], answer["refused"][0]["path"]) == (1, 0, "a.tif")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "no such folder"),
        ([".", "--pixel-size-um", "0"], "between 0.001 and 1000"),
        ([".", "--pixel-size-um", "nan"], "between 0.001 and 1000"),
        ([".", "--pattern", "("], "pattern"),
    ],
)
def test_ingest_refuses_what_it_cannot_use(db: None, tmp_path: Path, arguments: list[str], reason: str) -> None:
    write_experiment(tmp_path)
    code, answer = call("ingest", tmp_path / arguments[0], *arguments[1:])
    assert code == 1 and reason in answer["error"]


def test_what_is_known_of_an_unknown_experiment_is_the_list_of_known_ones(db: None, tmp_path: Path) -> None:
    make_experiment(tmp_path)
    code, answer = call("quality", "plate 9")
    assert (code, answer["error"]) == (1, "There is no experiment 'plate 9'. Known: plate 1.")


def test_a_file_kept_elsewhere_is_fetched_once_and_whole(data_folder: Path) -> None:
    made = storage.local_folder("things") / "a.bin"
    made.write_bytes(b"x" * 100_000)
    storage.keep("things", made)
    assert default_storage.exists("things/a.bin")
    assert storage.fetch("things", "a.bin").read_bytes() == made.read_bytes()
    with pytest.raises(FileNotFoundError):
        storage.fetch("things", "b.bin")
    assert [path.name for path in made.parent.iterdir()] == ["a.bin"]


def test_crops_of_rejected_images_are_not_usable(db: None, tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path)
    Image.objects.update(verdict="use_part")
    assert Crop.objects.usable().count() == len(crops_of(experiment))
    Image.objects.update(verdict="reject")
    assert not Crop.objects.usable().exists()
