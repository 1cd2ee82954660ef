"""What the two commands of the fast loop tell."""

import logging

import pytest
from django.core.management import call_command

from labeling.models import Ranked, Study
from tests.commands import call
from tests.factories import answer_all
from tests.training.conftest import Bench


def test_rank_tells_what_was_ranked_by_what_in_which_time_and_how_far_it_lags(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:6])
    code, told = call("rank", "nuclei")
    assert code == 0
    assert (told["encoder"], told["strategy"], told["note"]) == ("handcrafted", "uherding", "")
    assert (told["pool"], told["answers"], told["newer_answers"]) == (48, 6, 0)
    assert told["seconds"] > 0 and len(told["queue"]) == 20


def test_until_the_chosen_encoder_is_ready_handcrafted_features_rank_and_it_is_said(bench: Bench) -> None:
    Study.objects.update(encoder="untrained")
    code, told = call("rank", "nuclei")
    assert (code, told["encoder"]) == (0, "handcrafted")
    assert "untrained" in told["note"] and told["note"] == Ranked.objects.get().note


def test_the_worker_logs_one_line_for_each_ranking(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:6])
    with caplog.at_level(logging.INFO, logger="training.worker.ranking"):
        call_command("rank_worker", "--once")
    assert [record.getMessage().rpartition(",")[0] for record in caplog.records] == [
        f"study {bench.study.pk} ranked: 6 answers, 48 crops, uherding by handcrafted"
    ]
