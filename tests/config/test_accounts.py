"""A person changes their own password: with the old one, by the site's rules, and every other session ends."""

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from tests.factories import make_user

ADDRESS = "/accounts/password/"
OLD, NEW = "let me read crops", "correct horse battery"


@pytest.fixture
def erin(db: None) -> Any:
    user = make_user("erin")
    user.set_password(OLD)
    user.save()
    return user


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def given(old: str = OLD, new: str = NEW, again: str = NEW) -> dict[str, str]:
    return {"old_password": old, "new_password1": new, "new_password2": again}


def can_log_in(password: str) -> bool:
    reply = Client().post("/accounts/login/", {"username": "erin", "password": password})
    return reply.status_code == 302


def test_the_new_password_takes_the_place_of_the_old_one_and_ends_other_sessions(erin: Any) -> None:
    here, elsewhere = client_of(erin), client_of(erin)
    assert f'href="{ADDRESS}"' in here.get("/").content.decode()
    reply = here.post(ADDRESS, given(), follow=True)
    assert reply.status_code == 200 and "Your password is changed" in reply.content.decode()
    assert here.get("/").status_code == 200 and elsewhere.get("/").status_code == 302
    assert (can_log_in(OLD), can_log_in(NEW)) == (False, True)
    event = AuditEvent.objects.get(action="account.password_changed")
    assert (event.actor, event.object_id, event.detail) == (f"user:{erin.pk}", str(erin.pk), {})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (given(old="something else"), "old_password"),
        (given(again="correct horse batteries"), "new_password2"),
        (given(new="12345678", again="12345678"), "new_password2"),
        (given(new="", again=""), "new_password1"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_changed(
    erin: Any, wrong: dict[str, str], field: str
) -> None:
    reply = client_of(erin).post(ADDRESS, wrong)
    page = reply.content.decode()
    assert reply.status_code == 400 and "Nothing was changed" in page
    control = page[page.index(f'id="id_{field}"') :].split(">")[0]
    assert f"id_{field}_error" in control and 'aria-invalid="true"' in control and "autofocus" in control
    assert f'id="id_{field}_error"' in page and page.count("autofocus") == 1
    assert all(word not in page for word in wrong.values() if word)
    assert can_log_in(OLD) and not AuditEvent.objects.filter(action="account.password_changed").exists()


def test_nobody_gets_the_page_without_logging_in(db: None) -> None:
    for reply in (Client().get(ADDRESS), Client().post(ADDRESS, given())):
        assert reply.status_code == 302 and "/accounts/login/" in reply["Location"]
