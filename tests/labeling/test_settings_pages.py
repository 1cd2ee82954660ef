"""The forms of a study: who may open them, what they store, and what they say of nonsense."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from imaging.models import Experiment
from imaging.services.access import grant_view
from labeling.models import Annotation, LabelClass, Reopening, Study
from tests.factories import answer, make_experiment, make_user
from tests.labeling.conftest import Room


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def new_study(room: Room, **other: Any) -> dict[str, Any]:
    form = {
        "name": "second", "question": "Which phase?", "guidelines": "", "strategy": "random", "encoder": "untrained",
        "experiments": [room.study.experiments.get().pk], "coverage_share": "15", "random_share": "12.5",
        "sampling_temperature": "0.5",
        "overlap_share": "20", "reads_per_crop": "2", "is_blind": "on", "locks_view": "on", "adjudicates": "on",
        "reread_share": "5", "reread_after_days": "3", "reread_after_items": "50", "idle_cap_s": "30",
        "class-TOTAL_FORMS": "3", "class-INITIAL_FORMS": "0",
        "class-0-name": "Early", "class-0-key": "e", "class-0-color": "#112233",
        "class-1-name": "Late phase", "class-1-key": "", "class-1-color": "#445566",
        "class-2-name": "", "class-2-key": "", "class-2-color": "#009e73",
    }  # fmt: skip
    return form | other


def test_a_lead_makes_a_study_with_all_that_was_chosen(room: Room) -> None:
    reply = client_of(room.alice).post("/studies/new/", new_study(room))
    study = Study.objects.get(name="second")
    assert reply["Location"] == f"/studies/{study.pk}/settings/members/"
    assert list(study.classes.values_list("key", "name", "color")) == [
        ("e", "Early", "#112233"),
        ("late-phase", "Late phase", "#445566"),
    ]
    assert (study.strategy, study.encoder, study.reads_per_crop) == ("random", "untrained", 2)
    assert (study.coverage_share, study.random_share, study.overlap_share) == (0.15, 0.125, 0.2)
    assert (study.is_blind, study.stream_in_training, study.not_sure_as_soft_labels) == (True, False, False)
    assert (study.reread_share, study.reread_after_days, study.reread_after_items) == (0.05, 3, 50)
    assert (study.locks_view, study.adjudicates, study.shows_suggestions, study.idle_cap_s) == (True, True, False, 30)
    assert study.memberships.get().user == room.alice


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"name": "nuclei"}, "A study named &#x27;nuclei&#x27; exists"),
        ({"class-1-name": ""}, "needs two or more named classes"),
        ({"class-1-name": "", "class-1-key": "late"}, "A class with a key needs a name"),
        ({"class-1-key": "e"}, "two classes the same key"),
        ({"random_share": "101"}, "less than or equal to 100"),
        ({"random_share": "90"}, "more than the whole queue"),
        ({"random_share": "nan"}, "Enter a number"),
        ({"strategy": "magic"}, "Select a valid choice"),
        ({"encoder": "magic"}, "is not a known encoder"),
        ({"experiments": [999]}, "Select a valid choice"),
        ({"class-0-color": "red"}, "Enter a valid value"),
        ({"class-TOTAL_FORMS": ""}, "ManagementForm"),
        ({"shows_suggestions": "on"}, "A blind study shows no suggestions"),
        ({"idle_cap_s": "0"}, "greater than or equal to 1"),
        ({"reread_share": "101"}, "less than or equal to 100"),
    ],
)
def test_nonsense_is_told_on_the_page_and_makes_no_study(room: Room, other: dict[str, Any], said: str) -> None:
    reply = client_of(room.alice).post("/studies/new/", new_study(room, **other))
    assert (reply.status_code, Study.objects.count()) == (400, 1)
    assert said in reply.content.decode()


@pytest.mark.parametrize(
    ("other", "focused", "said"),
    [
        ({"name": "nuclei"}, "id_name", "A study named"),
        ({"question": "", "class-1-name": ""}, "id_question", "This field is required"),
        ({"class-1-name": "", "reads_per_crop": "0"}, "id_class-0-name", "two or more named classes"),
        ({"class-1-name": "Early"}, "id_class-0-name", "the same name"),
        ({"class-1-name": "", "class-1-key": "late"}, "id_class-1-name", "a key needs a name"),
        ({"experiments": []}, "id_experiments", "This field is required"),
        ({"random_share": "90"}, "id_random_share", "more than the whole queue"),
        ({"idle_cap_s": "0"}, "id_idle_cap_s", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_describes_its_field_and_the_first_such_field_has_the_focus(
    room: Room, other: dict[str, Any], focused: str, said: str
) -> None:
    page = client_of(room.alice).post("/studies/new/", new_study(room, **other)).content.decode()
    assert page.count(" autofocus") == 1
    (control,) = re.findall(rf'<[^<>]*\bid="{focused}"[^<>]*>', page)
    error = re.search(r'aria-describedby="[^"]*?(\w[\w-]*error)"', control)[1]
    assert " autofocus" in control
    assert said in page[page.index(f'id="{error}"') :][:300]
    assert "Nothing was stored" in page


def test_errors_are_all_told_at_once_with_links_to_their_fields(room: Room) -> None:
    other = {"name": "", "class-1-name": "", "idle_cap_s": "0"}
    page = client_of(room.alice).post("/studies/new/", new_study(room, **other)).content.decode()
    for link in ("#id_name", "#classes-title", "#id_idle_cap_s"):
        assert page.count(f'href="{link}"') == 1
        assert f'id="{link[1:]}"' in page
    good = client_of(room.alice).get("/studies/new/").content.decode()
    assert "Nothing was stored" not in good and "_error" not in good and " autofocus" not in good


def test_more_rows_keep_what_was_typed_check_nothing_and_make_no_study(room: Room) -> None:
    lead = client_of(room.alice)
    typed = new_study(room, name="", idle_cap_s="0", is_blind="")
    page = lead.post("/studies/new/", typed | {"more": "1"})
    shown, rows = page.context["form"], page.context["rows"]
    assert (page.status_code, Study.objects.count(), len(rows.forms)) == (200, 1, 9)
    assert "Nothing was stored" not in page.content.decode()
    assert [row["name"].value() for row in rows][:3] == ["Early", "Late phase", ""]
    assert rows[0]["color"].value() == "#112233"
    kept = {name: shown[name].value() for name in ("idle_cap_s", "is_blind", "coverage_share")}
    assert kept == {"idle_cap_s": "0", "is_blind": False, "coverage_share": "15"}
    assert re.search(rf'value="{room.study.experiments.get().pk}"[^>]*checked', page.content.decode())
    again = lead.post("/studies/new/", as_sent(page) | {"more": "1"})
    assert len(again.context["rows"].forms) == 15
    names = [f"class {place}" for place in range(12)]
    told = {f"class-{place}-name": name for place, name in enumerate(names)}
    told |= {f"class-{place}-key": "" for place in range(12)} | {"name": "wide", "idle_cap_s": "60"}
    assert lead.post("/studies/new/", as_sent(again) | told).status_code == 302
    assert [row.name for row in Study.objects.get(name="wide").classes.all()] == names


def as_sent(page: Any) -> dict[str, Any]:
    """What a browser sends of the form that the page shows."""
    forms = [page.context["form"], page.context["rows"].management_form, *page.context["rows"].forms]
    values = {form[name].html_name: form[name].value() for form in forms for name in form.fields}
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_experiments_that_the_lead_may_not_see_are_not_offered(room: Room) -> None:
    staff = make_user("staff", is_staff=True)
    assert "plate 1" not in client_of(staff).get("/studies/new/").content.decode()
    assert client_of(staff).post("/studies/new/", new_study(room)).status_code == 400


def test_only_staff_and_leads_make_studies_and_only_leads_change_them(room: Room) -> None:
    stranger = make_user("eve")
    settings = f"/studies/{room.study.pk}/settings/"
    assert [client_of(user).get("/studies/new/").status_code for user in (room.alice, room.bob)] == [200, 403]
    statuses = [client_of(user).get(settings).status_code for user in (room.alice, room.bob, stranger)]
    assert statuses == [200, 403, 404]


def test_every_button_of_the_settings_is_for_leads(room: Room) -> None:
    key, member = room.study.classes.first(), room.study.memberships.get(user=room.dora)
    base = f"/studies/{room.study.pk}"
    addresses = [
        f"{base}/settings/classes/merge/", f"{base}/settings/classes/{key.pk}/split/", f"{base}/settings/examples/",
        f"{base}/ambiguous/{room.crops[0].pk}/reopen/", f"{base}/settings/restore/",
        f"{base}/settings/members/{member.pk}/duties/", f"{base}/settings/invitations/",
    ]  # fmt: skip
    pages = [
        f"{base}/settings/classes/", f"{base}/settings/classes/{key.pk}/", f"{base}/settings/members/",
        f"{base}/settings/members/{member.pk}/remove/", f"{base}/settings/archive/",
    ]  # fmt: skip
    stranger = make_user("eve")
    for address in [*addresses, *pages]:
        assert client_of(room.bob).post(address).status_code == 403, address
        assert client_of(stranger).post(address).status_code == 404, address
        assert client_of(room.alice).get(address).status_code == (200 if address in pages else 405), address
    assert room.study.memberships.count() == 3


@pytest.mark.parametrize("gone", [{}, {"strategy": "of yesterday", "encoder": "of yesterday"}])
def test_the_settings_page_stores_what_it_shows(room: Room, gone: dict[str, str]) -> None:
    Study.objects.update(**gone or {"seed": 0})
    page = client_of(room.alice).get(f"/studies/{room.study.pk}/settings/")
    shown = page.context["form"]
    assert page.content.decode().count("no longer on offer") == bool(gone)
    given = {name: shown[name].value() for name in shown.fields}
    given["experiments"] = [row.pk for row in room.study.experiments.all()]
    given = {name: value for name, value in given.items() if value is not None and value is not False}
    before = Study.objects.values().get()
    assert client_of(room.alice).post(f"/studies/{room.study.pk}/settings/", given).status_code == 302
    assert Study.objects.values().get() == before


def test_classes_and_people_are_changed_from_the_page(room: Room) -> None:
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/settings"
    lead.post(f"{base}/classes/", {"name": "Blob", "key": "blob"})
    blob, disc = room.study.classes.get(key="blob"), room.study.classes.get(key="disc")
    lead.post(f"{base}/classes/{blob.pk}/", {"do": "change", "name": "Blobs", "color": "#010203"})
    lead.post(f"{base}/classes/merge/", {"class": blob.pk, "into": disc.pk})
    blob.refresh_from_db()
    assert (blob.name, blob.color, blob.merged_into) == ("Blobs", "#010203", disc)
    lead.post(f"{base}/classes/{blob.pk}/", {"do": "restore"})
    blob.refresh_from_db()
    assert blob.retired_at is None
    make_user("eve")
    lead.post(f"{base}/members/", {"username": "eve", "role": "lead"})
    assert room.study.memberships.get(user__username="eve").role == "lead"
    said = lead.post(f"{base}/classes/merge/", {"class": blob.pk, "into": "x"}, follow=True).content.decode()
    assert "Choose two classes" in said


def test_who_takes_the_lead_from_themselves_is_led_to_a_page_that_they_may_open(room: Room) -> None:
    client_of(room.alice).post(f"/studies/{room.study.pk}/settings/members/", {"username": "bob", "role": "lead"})
    given = {"username": "bob", "role": "annotator"}
    reply = client_of(room.bob).post(f"/studies/{room.study.pk}/settings/members/", given, follow=True)
    assert reply.redirect_chain == [("/", 302)] and "bob is annotator of this study" in reply.content.decode()


def test_a_character_that_databases_refuse_is_left_out(room: Room) -> None:
    client_of(room.alice).post(f"/studies/{room.study.pk}/settings/classes/", {"name": "Bl\0ob"})
    assert room.study.classes.filter(key="Blob", name="Blob").exists()


def test_the_settings_of_three_hundred_classes_stay_a_page(room: Room) -> None:
    rows = (
        LabelClass(study=room.study, key=f"k{n}", name=f"n{n}", color="#112233", position=n) for n in range(2, 300)
    )
    LabelClass.objects.bulk_create(rows)
    base = f"/studies/{room.study.pk}/settings"
    for address in (f"{base}/", f"{base}/classes/", f"{base}/classes/{room.study.classes.first().pk}/"):
        page = client_of(room.alice).get(address).content
        assert page.count(b"<option") < 3 * 300 and len(page) < 600_000, address


def test_a_lead_who_leaves_is_led_to_the_first_page(room: Room) -> None:
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/settings"
    lead.post(f"{base}/members/", {"username": "dora", "role": "lead"})
    own = room.study.memberships.get(user=room.alice)
    assert lead.post(f"{base}/members/{own.pk}/remove/")["Location"] == "/"


def test_an_ambiguous_crop_is_listed_with_its_notes_and_reopened_once(room: Room) -> None:
    for user in (room.bob, room.dora):
        answer(room.study, user, room.crops[0], "", reason="out of focus at the rim")
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}"
    assert "1 ambiguous crop, kept apart" in lead.get(f"{base}/").content.decode()
    assert lead.get(f"{base}/ambiguous/").content.decode().count("out of focus at the rim") == 2
    for _ in range(2):
        lead.post(f"{base}/ambiguous/{room.crops[0].pk}/reopen/")
    assert Reopening.objects.count() == 1
    assert "waits for a reader" in lead.get(f"{base}/ambiguous/").content.decode()


def test_the_overview_tells_leads_how_many_crops_were_called_bad(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "", answer=Annotation.Answer.BAD_CROP, classes=())
    answer(room.study, room.bob, room.crops[1])
    page = client_of(room.alice).get(f"/studies/{room.study.pk}/").content.decode()
    assert "1 of 2 crops (50 %)" in page
    assert "1 of 2 crops" not in client_of(room.bob).get(f"/studies/{room.study.pk}/").content.decode()


def test_admin_offers_the_strategies_and_refuses_what_nobody_offers(room: Room) -> None:
    admin = client_of(make_user("root", is_superuser=True, is_staff=True))
    page = admin.get(f"/admin/labeling/study/{room.study.pk}/change/").content.decode()
    assert '<option value="typiclust">' in page and "<datalist" in page and 'name="stream_in_training"' not in page


def test_the_page_of_an_experiment_tells_leads_what_was_called_bad_and_nobody_else(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "", answer=Annotation.Answer.BAD_CROP, classes=())
    answer(room.study, room.bob, room.crops[1])
    address = f"/experiments/{room.study.experiments.get().pk}/called/"
    said = [client_of(user).get(address).content.decode() for user in (room.alice, room.bob)]
    assert "1 of 2 crops that were read here" in said[0] and "of 2 crops" not in said[1]
    assert client_of(make_user("eve")).get(address).status_code == 404


def test_admin_leaves_an_experiment_with_answers_in_its_study(room: Room, tmp_path: Path) -> None:
    old, new = room.study.experiments.get(), make_experiment(tmp_path, "plate 2", crops=6, seed=5)
    room.study.experiments.add(new)
    answer(room.study, room.bob, room.crops[0])
    admin = client_of(make_user("root", is_superuser=True, is_staff=True))
    for kept, refused in (([old, new], False), ([old], False), ([new], True)):
        given = {"experiments": [row.pk for row in kept]}
        page = admin.post(f"/admin/labeling/study/{room.study.pk}/change/", given)
        found = page.context["adminform"].form.errors.get("experiments", [])
        assert any("holds answers of this study" in message for message in found) == refused


def test_every_table_is_looked_at_in_admin_and_a_merge_is_made_on_the_settings_page_alone(room: Room) -> None:
    parts_of_others = {"LabelClass", "Membership", "AnnotationLabel"}
    names = ("audit", "imaging", "labeling", "training", "inference")
    tables = [table for name in names for table in apps.get_app_config(name).get_models()]
    assert {table.__name__ for table in tables if not site.is_registered(table)} == parts_of_others
    admin = client_of(make_user("root", is_staff=True, is_superuser=True))
    for table in tables:
        if site.is_registered(table):
            address = reverse(f"admin:{table._meta.app_label}_{table._meta.model_name}_changelist")
            assert admin.get(address).status_code == 200, table
    page = admin.get(f"/admin/labeling/study/{room.study.pk}/change/").content.decode()
    assert "classes-0-name" in page and "classes-0-merged_into" not in page


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"modality": "brightfield"}, "modality (plate 1: multi-channel; slides: bright field, RGB)"),
        ({"pixel_size_um": 0.25}, "pixel size (plate 1: 0.5 µm; slides: 0.25 µm)"),
        ({"channels": None}, "channels ("),
    ],
)
def test_experiments_of_another_kind_are_taken_once_the_lead_confirms(
    room: Room, tmp_path: Path, other: dict[str, Any], named: str
) -> None:
    first, second = room.study.experiments.get(), make_experiment(tmp_path, "slides", crops=2, seed=3)
    grant_view(second, room.alice)
    lead, given = client_of(room.alice), new_study(room, experiments=[first.pk, second.pk])
    if other.get("channels", "") is None:
        other = {"channels": [row | {"name": f"{row['name']} 2"} for row in second.channels]}
    Experiment.objects.filter(pk=second.pk).update(**other)
    refused = lead.post("/studies/new/", given)
    text = unescape(refused.content.decode())
    assert refused.status_code == 400 and named in text and 'name="mixes_experiments"' in text
    assert not Study.objects.filter(name="second").exists()
    assert lead.post("/studies/new/", given | {"mixes_experiments": "on"}).status_code == 302
    assert Study.objects.get(name="second").experiments.count() == 2


def test_experiments_that_are_alike_are_taken_without_a_question(room: Room, tmp_path: Path) -> None:
    more = make_experiment(tmp_path, "plate 2", crops=2, seed=3)
    grant_view(more, room.alice)
    assert "mixes_experiments" not in client_of(room.alice).get("/studies/new/").content.decode()
    Experiment.objects.filter(pk=more.pk).update(pixel_size_um=0.51)
    given = new_study(room, experiments=[room.study.experiments.get().pk, more.pk])
    assert client_of(room.alice).post("/studies/new/", given).status_code == 302
