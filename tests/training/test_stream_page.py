"""The page and the card of what the random stream says, and the reports behind them."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Study
from labeling.services.queue import NewEntry, RankingInfo, next_crops, replace_queue
from labeling.services.reads import STREAM
from tests.factories import answer, kind_of, make_user
from tests.training.conftest import Bench
from training.models import Status, StreamReport
from training.services.stream import DUE_AFTER, newer_reads, newest_report, reports_due, request_report
from training.worker.stream import make_report


def read_checks(bench: Bench, count: int, reader: object = None) -> None:
    """Answer this many random checks, as the queue hands them out."""
    reader = reader or bench.bob
    entries = [NewEntry(crop.pk, 1.0, STREAM, 0.01) for crop in bench.crops]
    replace_queue(bench.study, entries, RankingInfo("ab" * 32, "uherding", "handcrafted", len(entries), 0))
    for _ in range(count):
        candidate = next_crops(bench.study, reader, 1)[0]
        crop = next(crop for crop in bench.crops if crop.pk == candidate.crop_id)
        answer(bench.study, reader, crop, kind_of(crop))


def page(study: Study, user: object, **headers: str) -> object:
    client = Client()
    client.force_login(user)
    return client.get(reverse("training:stream", args=[study.pk]), headers=headers)


def test_leads_see_the_page_annotators_are_refused_and_strangers_find_nothing(bench: Bench) -> None:
    assert page(bench.study, bench.alice).status_code == 200
    assert page(bench.study, bench.bob).status_code == 403
    assert page(bench.study, make_user("mallory")).status_code == 404


def test_htmx_gets_the_card_alone(bench: Bench) -> None:
    text = page(bench.study, bench.alice, **{"hx-request": "true"}).content.decode()
    assert text.lstrip().startswith("<section") and "<html" not in text


def test_a_report_is_asked_for_once_enough_checks_were_read_and_once_only(bench: Bench) -> None:
    read_checks(bench, DUE_AFTER - 1)
    assert reports_due() == []
    read_checks(bench, 1)
    (number,) = reports_due()
    assert reports_due() == [number] and request_report(bench.study).pk == number
    make_report(number)
    make_report(number)
    assert reports_due() == [] and StreamReport.objects.count() == 1
    assert newest_report(bench.study).stream_crops == DUE_AFTER


def test_the_same_answers_are_not_computed_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read_checks(bench, 5)
    make_report(request_report(bench.study).pk)
    monkeypatch.setattr("training.worker.stream.content_of", lambda *_: pytest.fail("computed again"))
    make_report(request_report(bench.study).pk)
    first, second = StreamReport.objects.order_by("pk")
    assert first.digest == second.digest and first.content == second.content and second.status == Status.DONE


def test_the_page_counts_what_is_newer_than_its_report(bench: Bench) -> None:
    read_checks(bench, 3)
    make_report(request_report(bench.study).pk)
    report = newest_report(bench.study)
    assert newer_reads(bench.study, report) == 0
    read_checks(bench, 2)
    assert newer_reads(bench.study, report) == 2


def test_the_page_shows_every_answer_with_its_figures_and_marks_simulated_studies(bench: Bench) -> None:
    read_checks(bench, 44)
    make_report(request_report(bench.study).pk)
    Study.objects.filter(pk=bench.study.pk).update(is_simulated=True)
    text = page(bench.study, bench.alice).content.decode()
    for wanted in ("Can I stop?", "Is the queue worth it?", "44 used as test", "plate 1", "simulated", "As of 20"):
        assert wanted in text, wanted
    card = page(bench.study, bench.alice, **{"hx-request": "true"}).content.decode()
    assert "Can I stop?" in card and "simulated" in card


def test_before_the_first_check_the_page_says_where_checks_come_from(bench: Bench) -> None:
    assert "Nobody has answered a random check yet" in page(bench.study, bench.alice).content.decode()


def test_only_leads_ask_for_a_report(bench: Bench) -> None:
    client = Client()
    client.force_login(bench.bob)
    assert client.post(reverse("training:stream-compute", args=[bench.study.pk])).status_code == 403
    client.force_login(bench.alice)
    assert client.post(reverse("training:stream-compute", args=[bench.study.pk])).status_code == 302
    assert StreamReport.objects.get().requested_by == bench.alice


def test_a_refusal_stands_on_the_page(bench: Bench) -> None:
    bench.study.experiments.clear()
    make_report(request_report(bench.study).pk)
    assert "add one" in page(bench.study, bench.alice).content.decode()
