"""What the overview advises: what is missing, once, with where to do it; nothing that is done."""

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Study
from labeling.services.next_steps import DISPUTED, FEW_ANSWERS, Labels, disputed_crops, next_steps
from labeling.services.reads import ADJUDICATION
from tests.factories import answer, fill_queue
from tests.labeling.conftest import Room

GOOD = Labels(True, 100, 2, "good", 0, [("disc", 60), ("ring", 40)])


def test_nothing_is_advised_where_nothing_is_missing() -> None:
    assert next_steps(GOOD) == ()


@pytest.mark.parametrize(
    ("change", "route"),
    [
        ({"has_guidelines": False}, "labeling:guidelines"),
        ({"answered": 0}, "labeling:room"),
        ({"answered": 0, "awaits_protocol": True}, "labeling:protocol"),
        ({"annotators": 1}, "labeling:members"),
        ({"word": "low"}, "labeling:guidelines"),
        ({"word": "tentative"}, "labeling:settings"),
        ({"disputed": 3}, DISPUTED),
        ({"by_class": [("disc", 60), ("ring", FEW_ANSWERS - 1)]}, "training:grid"),
    ],
)
def test_each_thing_that_is_missing_is_one_step_with_a_place_to_go(change: dict[str, object], route: str) -> None:
    (step,) = next_steps(replace(GOOD, **change))
    assert step.route == route and step.text and step.why
    assert reverse(step.route, args=[1])


def test_all_weak_classes_stand_in_one_line_by_name() -> None:
    labels = replace(GOOD, by_class=[("disc", 60), ("ring", 3), ("blob", 0), ("star", 0)])
    (step,) = next_steps(labels)
    assert "“ring” (3), “blob” (none), “star” (none)" in step.text
    assert "disc" not in step.text


def test_a_crop_is_disputed_until_somebody_decides(room: Room) -> None:
    study, crop = room.study, room.crops[0]
    assert disputed_crops(study) == 0
    answer(study, room.bob, crop, "disc")
    answer(study, room.bob, room.crops[1], "disc")
    answer(study, room.dora, room.crops[1], "disc")
    assert disputed_crops(study) == 0
    answer(study, room.dora, crop, "ring")
    assert disputed_crops(study) == 1
    assert reverse(DISPUTED, args=[study.pk]) in overview(room)
    fill_queue(study, [crop], why=ADJUDICATION)
    decided = answer(study, room.alice, crop, "ring")
    type(decided).objects.filter(pk=decided.pk).update(why_asked=ADJUDICATION)
    assert disputed_crops(study) == 0


def overview(room: Room) -> str:
    client = Client()
    client.force_login(room.alice)
    return client.get(reverse("labeling:overview", args=[room.study.pk])).content.decode()


def test_the_overview_says_so_where_the_labels_lack_nothing_and_leaves_models_to_training(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.views.agreement.next_steps", lambda labels: ())
    text = overview(room)
    assert "The labels lack nothing for now" in text
    assert f'hx-get="{reverse("training:advice", args=[room.study.pk])}"' in text
    Study.objects.filter(pk=room.study.pk).update(guidelines="Look.")
    assert "train a model" not in overview(room)
