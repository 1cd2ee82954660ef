"""One's own answers: listed, filtered, changed, taken back; and nothing of it to the wrong eyes."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Crop, Experiment
from labeling.models import Annotation, Comment, Lease, Study
from labeling.services import history
from labeling.services.answers import AnswerRefused
from tests.factories import add_reader, answer, crops_of, make_experiment, make_study, make_user, submission

EXPERIMENT = "Zanzibar plate"


@pytest.fixture
def study(data_folder: Path, db: None, tmp_path: Path) -> Study:
    return make_study(make_user("alice"), make_experiment(tmp_path, EXPERIMENT))


@pytest.fixture
def bob(study: Study) -> Any:
    return add_reader(study, "bob")


@pytest.fixture
def crops(study: Study) -> list[Crop]:
    return crops_of(Experiment.objects.get())


@pytest.fixture
def client(bob: Any) -> Client:
    client = Client()
    client.force_login(bob)
    return client


def page(client: Client, study: Study, query: str = "", **headers: str) -> Any:
    return client.get(reverse("labeling:mine", args=[study.pk]) + query, headers=headers)


def shown(response: Any) -> list[int]:
    """Crops of the listed answers, in order."""
    return [
        int(number) for number in re.findall(r'<article class="mine-tile" id="tile-(\d+)"', response.content.decode())
    ]


def change(client: Client, study: Study, crop: Crop, choice: str, replaces: Any, **more: Any) -> Any:
    given = {"choice": choice, "replaces": str(replaces), "client_id": str(uuid4())} | more
    return client.post(reverse("labeling:mine-change", args=[study.pk, crop.pk]), given)


def age(rows: Sequence[Annotation], days: int) -> None:
    Annotation.objects.filter(pk__in=[row.pk for row in rows]).update(
        received_at=timezone.now() - timedelta(days=days)
    )


def test_the_newest_answer_comes_first_and_only_one_s_own_are_listed(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    for crop in crops[:3]:
        answer(study, bob, crop)
    answer(study, add_reader(study, "eve"), crops[4])
    assert shown(page(client, study)) == [crop.pk for crop in reversed(crops[:3])]


def test_filters_narrow_and_go_together(study: Study, bob: Any, crops: list[Crop], client: Client) -> None:
    disc, ring, unsure, bad, wrong = crops[:5]
    answer(study, bob, disc)
    answer(study, bob, ring, "ring")
    answer(study, bob, unsure, "")
    answer(study, bob, bad, "", answer="bad_crop")
    answer(study, bob, wrong, "", answer="wrong_object")
    answer(study, bob, disc, "ring")
    Annotation.objects.filter(crop=ring).update(is_bulk=True)
    Comment.objects.create(study=study, crop=ring, author=bob, text="odd")
    Comment.objects.create(study=study, crop=bad, author=study.members.get(username="alice"), text="not mine")
    today, tomorrow = (timezone.localdate() + timedelta(days=days) for days in (0, 1))
    expected = {
        "?class=ring": {disc.pk, ring.pk},
        "?class=disc": set(),
        "?kind=not_sure": {unsure.pk},
        "?kind=bad_crop": {bad.pk},
        "?kind=wrong_object": {wrong.pk},
        "?kind=withdrawn": set(),
        "?changed=1": {disc.pk},
        "?bulk=1": {ring.pk},
        "?comment=1": {ring.pk},
        f"?day={today}": {row.pk for row in crops[:5]},
        f"?day={tomorrow}": set(),
        "?class=ring&changed=1": {disc.pk},
        "?class=ring&changed=1&bulk=1": set(),
        # What nobody offers narrows nothing, and breaks nothing.
        "?kind=nonsense&day=2026-99-99&before=x": {row.pk for row in crops[:5]},
        "?class=%00%27%22%3Cscript%3E": set(),
        "?day=9999-12-31": {row.pk for row in crops[:5]},
    }
    for query, numbers in expected.items():
        assert set(shown(page(client, study, query))) == numbers, query


def test_pages_go_on_by_number_and_show_each_answer_once(
    study: Study, bob: Any, crops: list[Crop], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE", 10)
    for crop in crops:
        answer(study, bob, crop)
    seen, query = [], "?"
    while query:
        response = page(client, study, query)
        seen += shown(response)
        # An answer that comes meanwhile moves nothing from one page to the next.
        answer(study, bob, crops[0], "ring" if len(seen) == 10 else "disc")
        query = response.context["more_url"]
    assert seen == [crop.pk for crop in reversed(crops[1:])]


def test_htmx_gets_the_list_alone(study: Study, bob: Any, crops: list[Crop], client: Client) -> None:
    answer(study, bob, crops[0])
    part = page(client, study, "", **{"HX-Request": "true"})
    assert shown(part) == [crops[0].pk]
    assert b"<html" not in part.content


def test_a_change_is_a_new_answer_over_the_old_one_and_the_old_one_can_be_unfolded(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    first = answer(study, bob, crops[0])
    response = change(client, study, crops[0], "label:ring", first.client_id)
    newest = Annotation.objects.latest("id")
    assert (response.status_code, newest.supersedes, newest.answer) == (200, first, "label")
    assert "changed 1×" in response.content.decode()
    again = change(client, study, crops[0], "not_sure", newest.client_id).content.decode()
    assert "changed 2×" in again
    assert again.index("ring") < again.index("disc")
    assert Annotation.objects.current().get().answer == "not_sure"
    assert AuditEvent.objects.filter(action__startswith="answer.").count() == 3
    # Nobody is kept from a crop because somebody looked at their history.
    assert not Lease.objects.exists()


def test_a_reason_that_is_added_to_the_same_answer_is_no_change_of_it(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    unsure = answer(study, bob, crops[0], answer="not_sure", classes=())
    reasoned = answer(
        study, bob, crops[0], answer="not_sure", classes=(), reason_code="artefact", replaces=unsure.client_id
    )
    assert reasoned.supersedes == unsure
    changed = answer(study, bob, crops[1], "disc")
    changed = answer(study, bob, crops[1], answer="not_sure", classes=(), replaces=changed.client_id)
    answer(study, bob, crops[1], answer="not_sure", classes=(), reason_code="artefact", replaces=changed.client_id)
    text = page(client, study).content.decode()
    assert text.count("changed 1×") == text.count("×</summary>") == 1
    assert shown(page(client, study, "?changed=1")) == [crops[1].pk]


def test_a_double_click_changes_once(study: Study, bob: Any, crops: list[Crop], client: Client) -> None:
    first, same = answer(study, bob, crops[0]), str(uuid4())
    replies = [
        change(client, study, crops[0], "label:ring", first.client_id, client_id=same).status_code for _ in range(2)
    ]
    assert replies == [200, 200]
    assert Annotation.objects.count() == 2


def test_a_stale_page_is_shown_both_answers_and_nothing_is_overwritten(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    first = answer(study, bob, crops[0])
    answer(study, bob, crops[0], "ring")
    response = change(client, study, crops[0], "not_sure", first.client_id)
    text = response.content.decode()
    assert response.status_code == 409
    assert "It stands as <strong>ring</strong>; you chose <strong>not sure</strong>" in text
    assert Annotation.objects.current().get().labels.get().label_class.key == "ring"
    chosen = re.search(r'name="replaces" value="([^"]+)"><input type="hidden" name="choice" value="not_sure"', text)
    assert change(client, study, crops[0], "not_sure", chosen[1]).status_code == 200
    assert Annotation.objects.current().get().answer == "not_sure"


def test_taking_back_leaves_the_answer_in_the_books_and_the_crop_with_the_reader(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    first = answer(study, bob, crops[0])
    address = reverse("labeling:mine-back", args=[study.pk, crops[0].pk])
    given = {"client_id": str(uuid4()), "replaces": str(first.client_id)}
    assert client.post(address, given).status_code == 200
    assert client.post(address, given).status_code == 200
    assert list(Annotation.objects.values_list("answer", flat=True)) == ["label", "withdrawn"]
    assert Lease.objects.get().crop == crops[0]
    assert shown(page(client, study)) == []
    assert shown(page(client, study, "?kind=withdrawn")) == [crops[0].pk]
    answered = change(client, study, crops[0], "label:ring", "")
    assert (answered.status_code, Annotation.objects.current().count()) == (200, 1)


def test_what_does_not_fit_is_refused_and_kept_as_it_was(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    first = answer(study, bob, crops[0])
    for choice in ("label:nothing", "withdrawn", "", "label:", "nonsense", "label:" + "x" * 500):
        response = change(client, study, crops[0], choice, first.client_id)
        assert response.status_code == 400, choice
        assert 'role="alert"' in response.content.decode()
    assert Annotation.objects.get() == first


def test_a_comment_is_kept_with_its_words_as_text(study: Study, bob: Any, crops: list[Crop], client: Client) -> None:
    answer(study, bob, crops[0])
    address = reverse("labeling:mine-comment", args=[study.pk, crops[0].pk])
    response = client.post(address, {"text": "<script>alert(1)</script>"})
    assert Comment.objects.get().author == bob
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.content.decode()
    assert client.post(address, {"text": "  "}).status_code == 400
    elsewhere = reverse("labeling:mine-comment", args=[study.pk, crops[5].pk])
    assert client.post(elsewhere, {"text": "I never answered this"}).status_code == 404


def test_leads_open_any_reader_s_page_to_look_at_and_annotators_only_their_own(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    alice, eve = study.members.get(username="alice"), add_reader(study, "eve")
    answer(study, bob, crops[0])
    answer(study, eve, crops[1])
    lead = Client()
    lead.force_login(alice)
    seen = page(lead, study, f"?reader={bob.pk}")
    assert shown(seen) == [crops[0].pk]
    assert "data-own" not in seen.content.decode()
    assert page(client, study, f"?reader={eve.pk}").status_code == 403
    assert page(client, study, f"?reader={bob.pk}").status_code == 200
    assert page(lead, study, f"?reader={make_user('zoe').pk}").status_code == 404
    # A lead changes nobody else's answer, not even by the address.
    assert change(lead, study, crops[0], "label:ring", uuid4()).status_code == 200
    assert Annotation.objects.current().get(annotator=bob).labels.get().label_class.key == "disc"


def test_a_blind_study_tells_no_reason_no_experiment_no_place_and_no_other_reader(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    Study.objects.filter(pk=study.pk).update(is_blind=True)
    eve = add_reader(study, "Evangeline")
    Lease.objects.create(study=study, crop=crops[0], user=bob, why="random check", expires_at=timezone.now())
    answer(study, bob, crops[0])
    answer(study, eve, crops[0], "ring")
    Comment.objects.create(study=study, crop=crops[0], author=eve, text="surely a ring")
    Annotation.objects.filter(annotator=bob).update(is_reread=True)
    text = page(client, study).content.decode()
    for secret in (EXPERIMENT, "random check", "re-read", crops[0].key, "Evangeline", "surely"):
        assert secret not in text, secret
    lead = Client()
    lead.force_login(study.members.get(username="alice"))
    seen = page(lead, study, f"?reader={bob.pk}").content.decode()
    assert all(word in seen for word in (EXPERIMENT, "random check", "re-read"))


def test_what_may_be_read_again_is_neither_shown_nor_changed_in_a_blind_study(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    given = [answer(study, bob, crop) for crop in crops[:6]]
    Study.objects.filter(pk=study.pk).update(is_blind=True, reread_share=0.1, reread_after_items=3)
    study.refresh_from_db()
    assert shown(page(client, study)) == [row.crop_id for row in reversed(given[3:])]
    age(given[3:5], study.reread_after_days)
    assert shown(page(client, study)) == [given[5].crop_id]
    listed = client.get(reverse("labeling-api:study-answers", args=[study.pk])).json()["results"]
    assert [row["crop"] for row in listed] == [given[5].crop_id]
    assert change(client, study, crops[0], "label:ring", given[0].client_id).status_code == 400
    with pytest.raises(AnswerRefused):
        history.change_answer(study, bob, submission(crops[0], "ring"))
    assert Annotation.objects.count() == 6
    for open_again in ({"is_blind": False}, {"is_blind": True, "reread_share": 0.0}):
        Study.objects.filter(pk=study.pk).update(**open_again)
        assert len(shown(page(client, study))) == 6


def test_days_count_by_arrival_against_the_goal_and_leads_see_everybody(
    study: Study, bob: Any, crops: list[Crop], client: Client
) -> None:
    study.memberships.filter(user=bob).update(daily_goal=2)
    for crop in crops[:3]:
        # The browser lives in yesterday.
        wrong = timezone.now() - timedelta(days=1)
        answer(study, bob, crop, answered_at=wrong, shown_at=wrong - timedelta(seconds=4))
    days = history.own_days(study, bob)
    assert (len(days), days[-1].answers, days[-1].median_s) == (history.DAYS, 3, 4.0)
    assert sum(day.answers for day in days[:-1]) == 0
    assert "of 2, goal reached" in page(client, study).content.decode()
    people = {row.name: row for row in history.everybodys_days(study)}
    assert (people["bob"].today.answers, people["bob"].goal, people["bob"].days.timed) == (3, 2, 3)
    assert people["alice"].days.answers == 0
    assert "Everybody" not in page(client, study).content.decode()


def test_a_page_asks_the_database_no_more_for_many_answers_than_for_few(
    study: Study, bob: Any, crops: list[Crop], client: Client, django_assert_max_num_queries: Any
) -> None:
    for crop in crops[:2]:
        answer(study, bob, crop)
        answer(study, bob, crop, "ring")
    with django_assert_max_num_queries(40) as few:
        page(client, study)
    for crop in crops[2:20]:
        answer(study, bob, crop)
        answer(study, bob, crop, "ring")
    with django_assert_max_num_queries(len(few)):
        page(client, study)
