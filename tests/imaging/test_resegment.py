"""Other objects and further images in an experiment that has answers: nothing is lost, nothing changes its object."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.db import transaction

from audit.models import AuditEvent
from imaging.models import Crop, CropMove, Experiment, Image, QualityReport, Revision
from imaging.services.pixels import crop_pixels
from imaging.worker import resegment as module
from imaging.worker.ingest import list_source
from imaging.worker.resegment import Outcome, ResegmentRefused, Wish, resegment
from labeling.models import Annotation, Study
from labeling.services.progress import pool
from labeling.services.queue import next_crops
from tests.commands import call
from tests.factories import (
    CELL,
    answer,
    box_rows,
    crops_of,
    fill_queue,
    kind_of,
    make_experiment,
    make_study,
    make_user,
    picture,
    write_manifest,
)
from training.services.embedding import source_of
from training.worker.embedding import compute
from training.worker.pool import load_pool, load_ranking_pool

pytestmark = pytest.mark.usefixtures("data_folder")


@pytest.fixture
def experiment(db: None, tmp_path: Path) -> Experiment:
    return make_experiment(tmp_path, crops=24)


@pytest.fixture
def study(experiment: Experiment) -> Study:
    return make_study(make_user("alice"), experiment)


def rows_of(experiment: Experiment) -> list[dict[str, Any]]:
    """The manifest rows that the experiment was made from."""
    return box_rows("field.tif", experiment.name, 24)


def shifted(rows: list[dict[str, Any]], x: float, y: float = 0.0) -> list[dict[str, Any]]:
    return [
        row | {"x0": row["x0"] + x, "x1": row["x1"] + x, "y0": row["y0"] + y, "y1": row["y1"] + y} for row in rows
    ]


def again(experiment: Experiment, tmp_path: Path, rows: list[dict[str, Any]], wish: Wish | None = None) -> Outcome:
    """Bring these boxes in."""
    manifest = write_manifest(tmp_path / experiment.name, rows)
    return resegment(Experiment.objects.get(pk=experiment.pk), list_source(manifest, None), wish)


def state() -> dict[str, Any]:
    names = (Experiment, Image, Crop, CropMove, Revision, QualityReport, AuditEvent, Annotation)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in names}


def facts(crops: list[Crop]) -> list[tuple[Any, ...]]:
    """What never changes of a crop."""
    return [(row.pk, row.key, row.x, row.y, row.shard, row.row) for row in crops]


def test_the_same_objects_change_nothing(experiment: Experiment, tmp_path: Path) -> None:
    before = state()
    outcome = again(experiment, tmp_path, rows_of(experiment))
    assert (outcome.revision, outcome.untouched) == (None, 1)
    assert state() == before


def test_objects_that_move_a_little_keep_number_key_and_pixels_and_tell_how_far(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    crops = crops_of(experiment)
    given = [answer(study, make_user("bob"), crops[0]), answer(study, make_user("eve"), crops[1], "ring")]
    before, seen = facts(crops), [crop_pixels(row).tobytes() for row in crops]
    outcome = again(experiment, tmp_path, shifted(rows_of(experiment)[:23], 3))
    after = crops_of(experiment)
    assert facts(after) == before
    assert [crop_pixels(row).tobytes() for row in after] == seen
    assert outcome.total == {
        "kept": 0, "outline": 0, "moved": 23, "new": 0, "gone": 1, "back": 0, "held": 2, "unclear": 0,
    }  # fmt: skip
    assert outcome.moved_px == {"median": pytest.approx(3.0), "largest": pytest.approx(3.0)}
    assert {row.crop_id for row in given} == {crops[0].pk, crops[1].pk}
    assert Annotation.objects.current().count() == 2


def test_outlines_follow_where_nobody_spoke_and_stay_where_somebody_did(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    answered, other = crops_of(experiment)[:2]
    answer(study, make_user("bob"), answered)
    again(experiment, tmp_path, shifted(rows_of(experiment), 3))
    held, renewed = (CropMove.objects.get(crop=row) for row in (answered, other))
    assert (held.is_held, renewed.is_held) == (True, False)
    old, new = answered.x0, answered.x0 + 3
    answered.refresh_from_db()
    assert (answered.x0, held.outline["box"][0]) == (old, new)
    old, new = other.x0, other.x0 + 3
    other.refresh_from_db()
    assert (other.x0, renewed.outline["box"][0]) == (new, old)


def test_twice_is_once_also_after_a_move(experiment: Experiment, study: Study, tmp_path: Path) -> None:
    answer(study, make_user("bob"), crops_of(experiment)[0])
    rows = shifted(rows_of(experiment)[:20], 4)
    again(experiment, tmp_path, rows)
    before = state()
    assert again(experiment, tmp_path, rows).revision is None
    assert state() == before


def test_what_is_gone_keeps_its_answers_is_asked_no_more_and_may_come_back(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    crops, bob = crops_of(experiment), make_user("bob")
    lost = crops[5]
    given = answer(study, bob, lost)
    fill_queue(study, crops)
    rows = rows_of(experiment)
    outcome = again(experiment, tmp_path, rows[:5] + rows[6:])
    lost.refresh_from_db()
    assert (outcome.total["gone"], outcome.total["kept"], lost.gone_at is not None) == (1, 23, True)
    assert list(Annotation.objects.current()) == [given]
    assert lost not in pool(study)
    assert lost.pk not in {row.crop_id for row in next_crops(study, make_user("eve"), 50)}
    # Somebody had it on screen at that moment: their answer counts all the same.
    assert answer(study, make_user("zoe"), lost).crop == lost
    outcome = again(experiment, tmp_path, rows)
    lost.refresh_from_db()
    assert (outcome.total["back"], outcome.total["kept"], lost.gone_at) == (1, 23, None)
    assert lost in pool(study)


def test_new_objects_become_crops_that_show_their_own_pixels(experiment: Experiment, tmp_path: Path) -> None:
    before = facts(crops_of(experiment))
    corner = {
        "path": "field.tif",
        "kind": "box",
        "experiment": experiment.name,
        "x0": 8,
        "y0": 60,
        "x1": 24,
        "y1": 78,
    }
    outcome = again(experiment, tmp_path, [*rows_of(experiment), corner])
    crops = crops_of(experiment)
    new = crops[-1]
    assert (facts(crops[:-1]), outcome.total["new"], outcome.total["kept"]) == (before, 1, 24)
    assert (new.x, new.y) == (16.0, 69.0)
    field = np.pad(picture(24), 64)
    assert np.array_equal(crop_pixels(new)[0], field[69 + 32 : 69 + 96, 16 + 32 : 16 + 96])
    # The new box overlaps a cell that keeps its own: that is told.
    move = CropMove.objects.get(crop=new)
    assert (move.kind, move.relation, kind_of(move.other)) == ("new", "split", kind_of(crops[12]))


def test_halves_attach_to_neither_and_the_report_says_so(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    crops, rows = crops_of(experiment), rows_of(experiment)
    given = answer(study, make_user("bob"), crops[0])
    halves = [rows[0] | {"x1": CELL / 2}, rows[0] | {"x0": CELL / 2}]
    outcome = again(experiment, tmp_path, [*halves, *rows[1:]])
    assert (outcome.total["new"], outcome.total["gone"], outcome.total["unclear"]) == (2, 1, 3)
    assert set(CropMove.objects.filter(kind="new").values_list("relation", "other")) == {("split", crops[0].pk)}
    given.refresh_from_db()
    assert given.crop == crops[0]


def test_further_images_add_crops_and_touch_nothing_else(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    answer(study, make_user("bob"), crops_of(experiment)[0])
    tables = (Crop, Image, QualityReport)
    before = {model: list(model.objects.order_by("pk").values()) for model in tables}
    tifffile.imwrite(tmp_path / experiment.name / "second.tif", picture(12, 5))
    outcome = again(experiment, tmp_path, box_rows("second.tif", experiment.name, 12))
    assert (outcome.total["new"], outcome.untouched, outcome.revision) == (12, 1, 1)
    assert [row.is_added for row in outcome.images] == [True]
    for model, rows in before.items():
        known = model.objects.filter(pk__in=[row["id"] for row in rows])
        assert list(known.order_by("pk").values()) == rows
    assert Image.objects.count() == 2
    added = Image.objects.get(name="second.tif")
    assert (added.quality_reports.count(), added.crops.count()) == (1, 12)


def test_add_only_leaves_images_alone_that_are_there(experiment: Experiment, tmp_path: Path) -> None:
    before = list(Crop.objects.order_by("pk").values())
    tifffile.imwrite(tmp_path / experiment.name / "second.tif", picture(12, 5))
    rows = [*shifted(rows_of(experiment), 3), *box_rows("second.tif", experiment.name, 12)]
    outcome = again(experiment, tmp_path, rows, Wish(adds_only=True))
    assert list(Crop.objects.order_by("pk").values())[:24] == before
    assert (outcome.total["new"], outcome.total["moved"]) == (12, 0)


def test_a_trial_tells_and_writes_nothing(experiment: Experiment, tmp_path: Path) -> None:
    before = state()
    outcome = again(experiment, tmp_path, shifted(rows_of(experiment)[:10], 3), Wish(is_trial=True))
    assert (outcome.total["moved"], outcome.total["gone"], outcome.revision) == (10, 14, None)
    assert state() == before


@pytest.mark.parametrize("step", ["create_crops", "_renew", "_write_added", "audit"])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    experiment: Experiment, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    before = state()
    with monkeypatch.context() as patched:
        patched.setattr(*((module.audit, "record", fail) if step == "audit" else (module, step, fail)))
        with pytest.raises(RuntimeError, match="killed"), transaction.atomic():
            again(experiment, tmp_path, shifted(rows_of(experiment)[:20], 3))
    assert state() == before
    assert again(experiment, tmp_path, shifted(rows_of(experiment)[:20], 3)).revision == 1


def test_two_at_once_are_one_after_the_other_or_refused(experiment: Experiment, tmp_path: Path) -> None:
    stale = Experiment.objects.get(pk=experiment.pk)
    again(experiment, tmp_path, shifted(rows_of(experiment), 3))
    manifest = write_manifest(tmp_path / experiment.name, rows_of(experiment)[:5])
    before = state()
    with pytest.raises(ResegmentRefused, match="changed meanwhile"):
        resegment(stale, list_source(manifest, None))
    assert state() == before


def test_what_does_not_fit_is_refused_with_what_to_do(experiment: Experiment, tmp_path: Path) -> None:
    folder, before = tmp_path / experiment.name, state()
    original = (folder / "field.tif").read_bytes()
    tifffile.imwrite(folder / "field.tif", picture(24, 7))
    with pytest.raises(ResegmentRefused, match="other pixels"):
        again(experiment, tmp_path, rows_of(experiment))
    (folder / "field.tif").write_bytes(original)
    (folder / "field.tif").rename(folder / "elsewhere.tif")
    with pytest.raises(ResegmentRefused, match="No image"):
        again(experiment, tmp_path, rows_of(experiment))
    assert state() == before


def test_one_event_and_one_revision_tell_of_it_and_a_fresh_ingest_knows_the_new_state(
    experiment: Experiment, tmp_path: Path
) -> None:
    again(experiment, tmp_path, shifted(rows_of(experiment)[:20], 3), Wish(actor="user:7"))
    event = AuditEvent.objects.get(action="experiment.revised")
    revision = Revision.objects.get()
    assert (event.actor, event.detail["moved"], event.detail["gone"]) == ("user:7", 20, 4)
    assert revision.content_before == experiment.content_digest
    assert revision.report["total"]["moved"] == 20
    code, answered = call("ingest", tmp_path / experiment.name, "--pixel-size-um", "0.5")
    assert (code, answered["accepted"], answered["crops"]) == (0, 1, 20)
    assert Revision.objects.count() == 1


def test_embeddings_of_crops_that_stayed_are_used_again_and_the_pool_leaves_out_what_is_gone(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    first = compute(experiment, "handcrafted")
    source = source_of(experiment)
    tifffile.imwrite(tmp_path / experiment.name / "second.tif", picture(6, 5))
    rows = [*rows_of(experiment)[:20], *box_rows("second.tif", experiment.name, 6)]
    again(experiment, tmp_path, rows)
    experiment.refresh_from_db()
    assert source_of(experiment) != source
    second = compute(experiment, "handcrafted")
    assert [part for part in second.shards if part in first.shards] == list(first.shards)
    assert sum(count for _, count in second.shards) - sum(count for _, count in first.shards) == 6
    standing = list(Crop.objects.standing().order_by("id").values_list("pk", flat=True))
    assert load_ranking_pool(study, "handcrafted").crop_ids.tolist() == standing
    assert load_pool(study, "handcrafted").crop_ids.tolist() == standing
    assert len(standing) == 26


def test_objects_that_go_and_come_back_leave_no_stale_pool(
    experiment: Experiment, study: Study, tmp_path: Path
) -> None:
    rows = rows_of(experiment)
    for kept in (24, 20, 24, 18):
        again(experiment, tmp_path, rows[:kept])
        assert len(load_ranking_pool(study, "handcrafted").crop_ids) == kept


def test_the_command_prints_the_table_and_refuses_what_it_does_not_know(
    experiment: Experiment, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / experiment.name, shifted(rows_of(experiment)[:20], 3))
    code, trial = call("resegment", experiment.name, manifest, "--trial")
    assert (code, trial["total"]["moved"], trial["revision"]) == (0, 20, None)
    code, done = call("resegment", experiment.name, manifest)
    assert (code, done["total"]["gone"], done["revision"]) == (0, 4, 1)
    assert call("resegment", "nowhere", manifest)[0] != 0
