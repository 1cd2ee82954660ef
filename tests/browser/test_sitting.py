"""How a reader wants to be served, in a real browser: staying at a place, a ceiling that holds everything back."""

from pathlib import Path
from typing import Any

import pytest
import tifffile
from django.contrib.auth import get_user_model
from playwright.sync_api import Page

from imaging.models import Crop, Experiment
from imaging.pixels.scanning import scan_folder
from imaging.worker.ingest import Options, ingest
from labeling.models import Membership, Sitting, Study
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from labeling.services.studies import StudyPlan, create_study
from tests.browser.access import serious
from tests.browser.conftest import field_of_nuclei, until

READY = "main[data-state=ready]"


@pytest.fixture
def study(transactional_db: None, tmp_path: Path) -> Study:
    """Two fields of 16 nuclei, ranked so that every next crop is of the other field; `reader` leads it."""
    folder = tmp_path / "plate 1"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(folder / f"field_{number}.tif", field_of_nuclei(number))
    ingest(scan_folder(folder, None), Options(experiment="plate 1", pixel_size_um=0.5))
    lead = get_user_model().objects.create_user("reader", password="let me read")
    experiments = tuple(Experiment.objects.all())
    made = create_study(
        StudyPlan("nuclei", "Is it round?", ("round", "long"), experiments, is_blind=False, overlap_share=0), lead
    )
    images = sorted(set(Crop.objects.values_list("image", flat=True)))
    fields = [Crop.objects.filter(image=image).order_by("id") for image in images]
    rank(made, [crop.pk for pair in zip(*fields) for crop in pair])
    return made


def rank(study: Study, crops: list[int], odds: float | None = None) -> None:
    rows = [NewEntry(pk, 1.0 / (place + 1), "uncertain", None, odds) for place, pk in enumerate(crops)]
    replace_queue(study, rows, RankingInfo("0f3a" * 16, "uherding", "handcrafted", len(rows), 0))


def field_of(room: Page) -> int:
    return Crop.objects.values_list("image", flat=True).get(pk=room.get_attribute("main", "data-crop-id"))


def read(room: Page) -> int:
    """Answers the crop on screen once nothing waits; returns its field."""
    room.wait_for_selector(f"{READY}[data-waiting='0']")
    here, crop = field_of(room), room.get_attribute("main", "data-crop-id")
    room.keyboard.press("1")
    room.wait_for_selector(f"{READY}[data-waiting='0']:not([data-crop-id='{crop}'])")
    return here


def choose(room: Page, *steps: str) -> None:
    """Opens the sheet by its key, takes these steps, and reads like this."""
    room.keyboard.press(",")
    for step in steps:
        room.get_by_label(step, exact=True).check()
    room.get_by_role("button", name="Read like this").click()
    room.wait_for_selector("#sitting-dialog:not([open])", state="attached")


def said(room: Page, text: str) -> None:
    until(room, "text => document.querySelector('#sitting-state').textContent === text", text)


def test_a_reader_stays_on_an_image_for_three_crops_and_then_moves_on(room: Page, troubles: list[str]) -> None:
    shown = room.get_attribute("main", "data-crop-id")
    room.keyboard.press(",")
    room.get_by_label("stay on this image").check()
    room.get_by_label("for", exact=True).fill("3")
    room.keyboard.press("Enter")
    said(room, "staying on this image: 3 left")
    assert room.get_attribute("main", "data-crop-id") == shown
    seen = []
    for left in (3, 2, 1, 3):
        said(room, f"staying on this image: {left} left")
        seen.append(read(room))
    assert seen[0] == seen[1] == seen[2] != seen[3]
    choose(room, "wherever the queue leads")
    said(room, "")
    read(room)
    assert read(room) != field_of(room)
    assert troubles == []


def test_who_left_out_all_that_is_left_is_told_so_and_reads_it_after_all(room: Page, study: Study) -> None:
    rank(study, list(Crop.objects.values_list("pk", flat=True)), 0.9)
    choose(room, "leave out the nearly certain ones: more than 80 %", "20 %")
    said(room, "not sure up to 80 % · easy 20 %")
    room.keyboard.press("1")
    room.wait_for_selector("main[data-state=held]")
    room.get_by_role("button", name="Read them after all").click()
    room.wait_for_selector(READY)
    said(room, "easy 20 %")


def test_a_change_that_the_server_did_not_get_is_said_in_the_sheet(room: Page) -> None:
    room.context.set_offline(True)
    room.keyboard.press(",")
    room.get_by_label("30 %").check()
    room.get_by_role("button", name="Read like this").click()
    room.wait_for_selector("#sitting-note:has-text('Nothing was changed: the server cannot be reached.')")
    assert not Sitting.objects.exists()


def test_annotators_of_a_blind_study_choose_where_to_stay_and_nothing_else(
    room: Page, study: Study, live_server: Any
) -> None:
    Study.objects.update(is_blind=True)
    Membership.objects.update(role=Membership.Role.ANNOTATOR)
    room.reload()
    room.wait_for_selector(READY)
    room.keyboard.press(",")
    names = room.eval_on_selector_all("#sitting-form input", "all => [...new Set(all.map((one) => one.name))]")
    assert names == ["stay_on", "stay_for"]
    room.get_by_label("stay on this experiment").check()
    room.keyboard.press("Enter")
    said(room, "staying on this experiment: 20 left")


def test_the_goal_of_the_day_stands_beside_what_is_read(room: Page, study: Study) -> None:
    Membership.objects.filter(study=study).update(daily_goal=200)
    read(room)
    room.wait_for_selector("#progress-text:has-text('today 1 of 200')")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_sheet_fits_and_can_be_read_by_all(room: Page, width: int) -> None:
    room.set_viewport_size({"width": width, "height": 844})
    room.click("#open-sitting")
    room.get_by_label("stay on this image").check()
    assert serious(room) == []
    assert room.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert room.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('#sitting-dialog'))")
    room.get_by_role("button", name="Read like this").click()
    said(room, "staying on this image: 20 left")
    assert serious(room) == []
    assert room.evaluate("document.documentElement.scrollWidth <= innerWidth")
