"""Every page in light and dark, wide and narrow: readable by everybody, and silent in the console."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page

from imaging.models import Crop, CropMove, Experiment, Revision
from inference.models import InferenceRun
from labeling.models import Study
from labeling.services.archive import archive_study
from tests.browser import many
from tests.browser.access import serious
from tests.browser.conftest import until
from tests.browser.rows import make_model, make_run
from tests.factories import answer
from tests.factories import make_model as trained
from training.models import ModelVersion, Promotion


def _answered(study: Study) -> bool:
    """Some answers of the reader's, one of them changed."""
    reader = study.members.get(username="reader")
    for crop in (*Crop.objects.order_by("id")[:5], Crop.objects.first()):
        answer(study, reader, crop, "long" if crop.pk % 2 else "round")
    return True


def _archived(study: Study) -> bool:
    """The study is archived by its lead."""
    return archive_study(study, study.members.get(username="reader"))


def _revised() -> Revision:
    """A revision of the experiment, with a crop of each kind."""
    columns = ("kept", "outline", "moved", "new", "gone", "back", "held", "unclear")
    total = {name: place for place, name in enumerate(columns)}
    image = {"name": "field_0.tif", "is_added": False} | total
    revision = Revision.objects.create(
        experiment=Experiment.objects.get(),
        number=1,
        source="masks",
        report={"total": total, "images": [image], "untouched": 1, "moved_px": {"median": 2.0, "largest": 4.5}},
    )
    for crop, kind in zip(Crop.objects.order_by("id"), CropMove.Kind.values):
        CropMove.objects.create(
            revision=revision,
            crop=crop,
            kind=kind,
            distance_px=2.0,
            overlap=0.8,
            is_held=True,
            relation="split",
            other=crop,
        )
    return revision


PAGES: dict[str, Callable[[Study], str]] = {
    "home": lambda study: reverse("home"),
    "overview": lambda study: reverse("labeling:overview", args=[study.pk]),
    "new study": lambda study: reverse("labeling:new"),
    "settings": lambda study: reverse("labeling:settings", args=[study.pk]),
    "import": lambda study: reverse("labeling:imports", args=[study.pk]),
    "export": lambda study: reverse("labeling:exports", args=[study.pk]),
    "ambiguous": lambda study: reverse("labeling:ambiguous", args=[study.pk]),
    "mine": lambda study: _answered(study) and reverse("labeling:mine", args=[study.pk]),
    "planner": lambda study: reverse("labeling:planner") + "?shares=70,30&agreement=85&figure=percent&half_width=0.1",
    "progress": lambda study: _answered(study) and reverse("labeling:progress", args=[study.pk]) + "?rate=30",
    "reader": lambda study: (
        _answered(study) and reverse("labeling:reader", args=[study.pk, study.members.get(username="reader").pk])
    ),
    "room": lambda study: reverse("labeling:room", args=[study.pk]),
    "models": lambda study: reverse("training:runs", args=[study.pk]),
    "experiments": lambda study: reverse("imaging:experiments"),
    "experiment": lambda study: reverse("imaging:experiment", args=[Experiment.objects.get().pk]),
    "revision": lambda study: reverse("imaging:revision", args=[_revised().experiment_id, 1]),
    "report": lambda study: reverse("training:report", args=[make_model(study).pk]),
    "no agreement yet": lambda study: reverse("labeling:agreement", args=[study.pk]),
    "nothing to discuss": lambda study: reverse("labeling:discuss", args=[study.pk]),
    "no comment yet": lambda study: reverse("labeling:comments", args=[study.pk]),
    "archived": lambda study: _archived(study) and reverse("labeling:room", args=[study.pk]),
    "password": lambda study: reverse("change-password"),
    "protocol draft": lambda study: reverse("labeling:protocol", args=[many.drafted(study).study_id]),
    "protocol locked": lambda study: reverse("labeling:protocol", args=[many.locked(study).study_id]),
    "protocol closed": lambda study: reverse("labeling:protocol", args=[many.closed(study).study_id]),
    "runs": lambda study: reverse("inference:runs"),
    "running": lambda study: reverse("inference:run", args=[make_run(make_model(study), "running").pk]),
    "done": lambda study: reverse("inference:run", args=[make_run(make_model(study), "done").pk]),
}


# Pages of a study with twelve classes and eight readers, whose names are as long as may be.
CROWDED: dict[str, Callable[[Study], str]] = {
    "overview": PAGES["overview"],
    "agreement": lambda study: reverse("labeling:agreement", args=[study.pk]),
    "discuss": lambda study: reverse("labeling:discuss", args=[study.pk]) + many.worst_cell(study),
    "session": lambda study: reverse("labeling:session", args=[study.pk, many.talked_over(study).pk]),
    "session, closed": lambda study: reverse("labeling:session", args=[study.pk, many.agreed_on(study).pk]),
    "reader, left out": lambda study: reverse("labeling:reader", args=[study.pk, many.left_out(study).user_id]),
    "people": lambda study: reverse("labeling:members", args=[study.pk]),
    "progress": lambda study: reverse("labeling:progress", args=[study.pk]) + "?rate=30",
    "comments": lambda study: reverse("labeling:comments", args=[many.commented(study)[0].study_id]),
    "classes": lambda study: reverse("labeling:classes", args=[study.pk]),
    "crop": lambda study: reverse("training:crop", args=[study.pk, many.commented(study)[0].crop_id]),
    "room": PAGES["room"],
    "report": lambda study: reverse("training:report", args=[trained(study, None).pk]),
}


def _open(page: Page, address: str, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.add_init_script(f"localStorage.setItem('parfocal.theme', '{theme}')")
    page.goto(address)
    page.wait_for_load_state("load")
    if page.query_selector("main[data-state]"):
        page.wait_for_selector("main[data-state=ready]")


CROPS = 128  # So many that a model can learn from them.
# What a matrix has, a column for each class, is scrolled sideways; a table of figures is not.
OUT_OF_SIGHT = """[...document.querySelectorAll(".table-wrap:not(.confusion, :has(.confusion))")]
    .filter((wrap) => wrap.scrollWidth > wrap.clientWidth + 1).map((wrap) => wrap.textContent.slice(0, 80))"""
CUT_OFF = """[...document.querySelectorAll(".table-wrap")].filter((wrap) =>
    wrap.scrollHeight > wrap.clientHeight + 1 || wrap.scrollWidth > wrap.clientWidth + 1
).map((wrap) => wrap.textContent.slice(0, 80))"""
ON_WHITE = "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'"


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_fits_a_phone_and_breaks_no_policy(
    name: str, theme: str, page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    address = live_server.url + PAGES[name](study)
    _open(page, address, 1440, theme)
    assert serious(page) == []
    _open(page, address, 390, theme)
    assert _overflow(page) <= 0
    assert serious(page) == []
    assert troubles == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", CROWDED)
def test_long_names_and_many_of_them_leave_every_figure_in_reach(
    name: str, theme: str, page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    address = live_server.url + CROWDED[name](many.crowded(study, CROPS))
    _open(page, address, 1440, theme)
    assert serious(page) == []
    # A table that is scrolled sideways for its figures hides them: names give way.
    assert page.evaluate(OUT_OF_SIGHT) == []
    _open(page, address, 390, theme)
    assert _overflow(page) <= 0
    assert serious(page) == []
    assert troubles == []


@pytest.mark.parametrize("name", ["agreement", "protocol closed"])
def test_on_paper_nothing_is_cut_off_and_the_ground_is_white(
    name: str, page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    address = PAGES[name](study) if name in PAGES else CROWDED[name](many.crowded(study, CROPS))
    _open(page, live_server.url + address, 1050, "dark")
    page.emulate_media(media="print")
    until(page, ON_WHITE)
    assert page.evaluate(CUT_OFF) == []
    assert _overflow(page) <= 0


def test_a_plot_has_the_colours_of_the_page_where_nothing_moves_and_follows_the_theme(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    _open(page, live_server.url + PAGES["report"](study), 1440, "light")
    page.wait_for_selector(".uplot")
    accent = """import("/static/js/shared/plot.js")
        .then(({ colors }) => colors(document.querySelector("figure.plot"))("--accent"))"""
    assert page.evaluate(accent) == "rgb(15, 118, 110)"
    before = page.evaluate("document.querySelector('.uplot canvas').toDataURL()")
    page.click("[data-theme-toggle]")
    until(page, "before => document.querySelector('.uplot canvas').toDataURL() !== before", before)
    assert page.locator(".uplot").count() == 1


def test_the_log_in_page_is_accessible_and_says_what_was_wrong(
    page: Page, live_server: Any, study: Study, troubles: list[str]
) -> None:
    _open(page, live_server.url + reverse("login"), 390, "light")
    page.fill("#id_username", "reader")
    page.fill("#id_password", "wrong")
    page.click("main button[type=submit]")
    assert page.is_visible("[role=alert]")
    assert serious(page) == []
    page.fill("#id_password", "let me read")
    page.click("main button[type=submit]")
    page.wait_for_url("**/")
    assert "nuclei" in page.inner_text("main")
    assert troubles == []


def test_the_theme_is_kept_from_page_to_page(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.emulate_media(color_scheme="light")
    page.goto(live_server.url + reverse("home"))
    for expected in ("light", "dark"):
        page.click("[data-theme-toggle]")
        assert page.get_attribute("html", "data-theme") == expected
    page.goto(live_server.url + reverse("imaging:experiments"))
    assert page.get_attribute("html", "data-theme") == "dark"


def test_the_reading_room_reaches_the_highest_contrast(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    for theme in ("light", "dark"):
        _open(page, live_server.url + PAGES["room"](study), 1440, theme)
        rule = {"runOnly": ["color-contrast-enhanced"], "rules": {"color-contrast-enhanced": {"enabled": True}}}
        assert Axe().run(page, options=rule).response["violations"] == []


def test_a_running_run_says_when_it_is_done(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    run = make_run(make_model(study), "running")
    page.goto(live_server.url + reverse("inference:run", args=[run.pk]))
    InferenceRun.objects.filter(pk=run.pk).update(status="done", progress=1.0)
    page.click("text=Show the results")
    assert "75 %" in page.inner_text("main")
    assert troubles == []


def test_a_page_that_renews_itself_keeps_what_stands_on_it_when_the_session_is_over(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.goto(live_server.url + reverse("inference:run", args=[make_run(make_model(study), "running").pk]))
    Session.objects.all().delete()
    page.wait_for_selector("#logged-out:has-text('You are logged out')")
    assert page.is_visible("#run-progress") and not page.query_selector("#id_username")
    log_in()
    page.wait_for_selector("#logged-out", state="hidden")


def test_a_lead_overrules_the_gate_only_with_a_reason(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    model = make_model(study)
    ModelVersion.objects.filter(pk=model.pk).update(gate=model.gate | {"passed": False})
    page.goto(live_server.url + reverse("training:report", args=[model.pk]))
    page.click("text=Put into production")
    assert Promotion.objects.count() == 0
    page.fill("#reason", "only for the pilot plate")
    page.click("text=Put into production")
    page.wait_for_selector("text=only for the pilot plate")
    assert Promotion.objects.get().model == model
