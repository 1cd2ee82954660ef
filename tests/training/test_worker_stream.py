"""What a report is computed from: rows become arrays as the rules of the stream say."""

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from labeling.services.answers import undo
from labeling.services.queue import NewEntry, RankingInfo, next_crops, replace_queue
from labeling.services.reads import STREAM
from tests.commands import call
from tests.factories import add_reader, answer, kind_of
from tests.training.conftest import Bench
from training.models import Status, StreamReport
from training.services.stream import FEWEST_TIMED, reading_pace, request_report
from training.worker import stream as worker
from training.worker.stream_data import gather


def ask(bench: Bench, why: str, *, probability: float | None = None, count: int = 48) -> None:
    """Put the first crops into the queue for this reason."""
    entries = [NewEntry(crop.pk, 1.0, why, probability) for crop in bench.crops[:count]]
    replace_queue(bench.study, entries, RankingInfo("ab" * 32, "uherding", "handcrafted", len(entries), 0))


def read(bench: Bench, reader: object, crop: object, label: str | None = None) -> object:
    return answer(bench.study, reader, crop, kind_of(crop) if label is None else label)


def test_a_crop_that_waits_is_tested_by_its_votes_and_a_settled_one_by_its_class(bench: Bench) -> None:
    carol, dora = add_reader(bench.study, "carol"), add_reader(bench.study, "dora")
    ask(bench, STREAM, probability=0.1, count=4)
    first, second, third, fourth = bench.crops[:4]
    for reader in (bench.bob, carol):
        read(bench, reader, first, "disc")
    read(bench, bench.bob, second, "disc")
    read(bench, carol, second, "ring")
    for reader, label in ((bench.bob, "disc"), (carol, "ring"), (dora, "ring")):
        read(bench, reader, third, label)
    for reader in (bench.bob, carol):
        read(bench, reader, fourth, "")
    data = gather(bench.study).data
    assert data.in_stream.all() and data.tested.tolist() == [True, True, True, False]
    assert data.truth[:3].tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    assert data.targets[2].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_crops_come_in_the_order_of_their_first_answer_also_after_an_edit(bench: Bench) -> None:
    ask(bench, "uncertain")
    order = [bench.crops[place] for place in (30, 2, 17, 40)]
    for crop in order:
        read(bench, bench.bob, crop)
    before = gather(bench.study)
    read(bench, bench.bob, order[0])
    after = gather(bench.study)
    wanted = [place >= 24 for place in (30, 2, 17, 40)]
    assert before.data.experiment.astype(bool).tolist() == wanted == after.data.experiment.astype(bool).tolist()
    assert (before.data.phi == after.data.phi).all() and before.digest == after.digest


def test_the_digest_follows_the_answers_and_comes_back_with_them(bench: Bench) -> None:
    ask(bench, STREAM, probability=0.1)
    read(bench, bench.bob, bench.crops[0])
    before = gather(bench.study).digest
    read(bench, bench.bob, bench.crops[1])
    changed = gather(bench.study).digest
    undo(bench.study, bench.bob, client_id=uuid4())
    assert changed != before == gather(bench.study).digest


def test_a_check_stands_for_as_many_crops_as_it_was_drawn_from(bench: Bench) -> None:
    ask(bench, STREAM, probability=0.5, count=1)
    read(bench, bench.bob, bench.crops[0])
    ask(bench, STREAM, probability=0.125, count=2)
    read(bench, bench.bob, bench.crops[1])
    weight = gather(bench.study).data.weight
    assert weight[1] / weight[0] == pytest.approx(4) and weight.mean() == pytest.approx(1)


def test_unknown_probabilities_take_the_mean_of_what_is_known(bench: Bench) -> None:
    ask(bench, STREAM, probability=None)
    read(bench, bench.bob, bench.crops[0])
    assert gather(bench.study).data.weight.tolist() == [1.0]


def test_doubt_is_the_share_of_reads_that_could_not_tell(bench: Bench) -> None:
    carol = add_reader(bench.study, "carol")
    ask(bench, "uncertain")
    read(bench, bench.bob, bench.crops[0], "")
    read(bench, carol, bench.crops[0])
    read(bench, bench.bob, bench.crops[1])
    answer(bench.study, bench.bob, bench.crops[2], "", answer="bad_crop")
    assert gather(bench.study).doubt.tolist() == [0.5, 0.0, 0.0]


def test_the_pace_is_the_median_without_interruptions(bench: Bench) -> None:
    ask(bench, "uncertain")
    now = timezone.now()
    for place in range(FEWEST_TIMED):
        seconds = 900 if place == 0 else 2 if place < 12 else 8
        answer(bench.study, bench.bob, bench.crops[place], shown_at=now - timedelta(seconds=seconds), answered_at=now)
    assert reading_pace(bench.study) == (None, FEWEST_TIMED - 1)
    answer(bench.study, bench.bob, bench.crops[40], shown_at=now - timedelta(seconds=2), answered_at=now)
    assert reading_pace(bench.study) == (2.0, FEWEST_TIMED)


def test_a_whole_report_is_computed_and_printed(bench: Bench) -> None:
    ask(bench, STREAM, probability=0.02, count=48)
    for _ in range(44):
        candidate = next_crops(bench.study, bench.bob, 1)[0]
        read(bench, bench.bob, next(crop for crop in bench.crops if crop.pk == candidate.crop_id))
    code, printed = call("stream_report", "--study", bench.study.pk)
    assert code == 0, printed
    assert printed["stream"]["tested"] == 44 and printed["accuracy"]["balanced"]["n"] == 44
    assert printed["queue"]["verdict"] == "open" and "answers of the queue" in printed["queue"]["reason"]
    assert printed["said"][0]["question"] == "Can I stop?"
    assert sum(row["n"] for row in printed["accuracy"]["experiments"]) == 44
    assert np.isfinite(printed["seconds"])


def test_a_study_without_a_pool_is_refused_in_words(bench: Bench) -> None:
    bench.study.experiments.clear()
    code, printed = call("stream_report", "--study", bench.study.pk)
    assert code == 1 and "add one" in printed["error"]
    assert StreamReport.objects.get().status == Status.REFUSED


def test_what_breaks_is_stored_and_raised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "gather", lambda study: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.make_report(request_report(bench.study).pk)
    assert StreamReport.objects.get().status == Status.FAILED
