"""A real browser in front of a live site: a study over 16-bit images, its reader, and pages that report trouble."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from imaging.models import Crop, Experiment
from imaging.pixels.scanning import scan_folder
from imaging.worker.ingest import Options, ingest
from labeling.models import Study
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from labeling.services.studies import StudyPlan, create_study

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
QUIET = ("GPU stall", "favicon")

# The live server answers in several threads: SQLite in memory turns them away ("table is locked"), a file lets
# them wait.
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    in_file = str(settings.DATA_FOLDER / "browser-tests.sqlite3")
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = in_file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder drives a browser; without one it says so and is skipped."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on the path"))


@pytest.fixture(scope="session", autouse=True)
def _orm_beside_a_browser() -> Iterator[None]:
    # Playwright keeps an event loop in this thread, in which Django otherwise refuses plain queries.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def base_url() -> str:
    """No fixed address: each test has its own live server. Replaces a plug-in's fixture that pytest deprecates."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The installed Chromium instead of a downloaded one."""
    return {"executable_path": CHROMIUM, "args": ARGUMENTS, "headless": True}


def field_of_nuclei(seed: int, size: int = 320) -> np.ndarray:
    """A dim 16-bit field: round nuclei of at most 5000 of 65535 counts on a noisy ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    picture = rng.normal(200, 20, (size, size))
    for row in range(40, size, 80):
        for column in range(40, size, 80):
            shift_y, shift_x = rng.uniform(-8, 8, 2)
            inside = (y - row - shift_y) ** 2 + (x - column - shift_x) ** 2 < rng.uniform(12, 18) ** 2
            picture[inside] += rng.uniform(2000, 4500)
    return picture.clip(0, 5000).astype(np.uint16)


@pytest.fixture
def study(transactional_db: None, tmp_path: Path) -> Study:
    """A study over two fields of 16 nuclei each, ranked, led by `reader`."""
    folder = tmp_path / "plate 1"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(folder / f"field_{number}.tif", field_of_nuclei(number))
    ingest(scan_folder(folder, None), Options(experiment="plate 1", pixel_size_um=0.5))
    lead = get_user_model().objects.create_user("reader", password="let me read")
    plan = StudyPlan(
        "nuclei", "Is it round?", ("round", "long", "other"), tuple(Experiment.objects.all()), is_blind=False
    )
    made = create_study(plan, lead)
    rank_everything(made)
    return made


def rank_everything(study: Study) -> None:
    """Put every crop into the queue, in order of number."""
    crops = Crop.objects.order_by("id").values_list("pk", flat=True)
    entries = [NewEntry(pk, 1.0 / (place + 1), "uncertain", None) for place, pk in enumerate(crops)]
    replace_queue(study, entries, RankingInfo("0f3a" * 16, "uherding", "handcrafted", len(entries), 0))


@pytest.fixture
def log_in(live_server: Any, context: BrowserContext) -> Callable[[], None]:
    """Gives the browser a fresh session of `reader`."""

    return lambda: come_as(context, live_server, get_user_model().objects.get(username="reader"))


@pytest.fixture
def troubles(page: Page) -> list[str]:
    """Errors and policy violations that the browser's console names."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "console",
        lambda message: (
            found.append(message.text)
            if message.type == "error" and not any(word in message.text for word in QUIET)
            else None
        ),
    )
    return found


@pytest.fixture
def room(page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]) -> Page:
    """The reading room with its first crop on screen."""
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    page.wait_for_selector("main[data-state=ready]")
    return page


def come_as(context: BrowserContext, live_server: Any, user: Any) -> None:
    """From now on this browser is logged in as the user."""
    client = Client()
    client.force_login(user)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])


def until(page: Page, script: str, arg: object = None, within_s: float = 15.0) -> None:
    """Wait until the script is true on the page; a page's own policy forbids the browser to look again by itself."""
    end = time.monotonic() + within_s
    while not page.evaluate(script, arg):
        assert time.monotonic() < end, f"not within {within_s:g} s: {script}"
        page.wait_for_timeout(50)
