"""The first page: what is listed says of how many, and who can do nothing alone is told whom to ask."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from inference.views import LATEST
from tests.factories import add_reader, make_experiment, make_study, make_user


def page(user: Any, name: str = "home") -> str:
    client = Client()
    client.force_login(user)
    return client.get(reverse(name)).content.decode()


@pytest.mark.parametrize("name", ["home", "imaging:experiments"])
def test_only_who_can_take_images_in_is_told_the_command(db: None, name: str) -> None:
    nobody, admin = make_user("nobody"), make_user("admin")
    admin.is_staff = True
    admin.save()
    assert "manage.py ingest" in page(admin, name)
    assert "manage.py ingest" not in page(nobody, name)
    assert "invitation link" in page(nobody, name)


def test_a_list_that_is_cut_short_says_of_how_many(db: None, tmp_path: Path) -> None:
    plates = [make_experiment(tmp_path, f"plate {number}", seed=number, crops=2) for number in range(LATEST + 2)]
    lead = make_user("lead")
    study = make_study(lead, *plates)
    shown = page(lead)
    assert f"{LATEST} of {LATEST + 2}" in shown and "All experiments" in shown
    assert sum(plate.name in shown for plate in plates) == LATEST
    blind = make_study(lead, plates[0], name="blind", is_blind=True)
    assert " of 7" not in page(add_reader(blind, "reader"))
    assert f"{LATEST} of {LATEST + 2}" in page(add_reader(study, "other"))
