"""A lead takes a file of labels in: looks at what it brings, then stores it, then takes the study's labels out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from imaging.models import Crop
from labeling.models import Annotation, Study
from tests.browser.access import serious


def labels_file(folder: Path) -> Path:
    """Twelve labels that fit, a class that the study does not have, a place without a crop, a broken number."""
    crops = list(Crop.objects.order_by("id")[:13])
    lines = [f"{crop.key},,,,round,{name}" for crop, name in zip(crops[:12], ["reader", "Dr. <b>Who</b>"] * 6)]
    lines += [f"{crops[12].key},,,,anaphase,reader", ",field_1.tif,1,1,long,reader", ",field_1.tif,nan,1,long,reader"]
    path = folder / "labels of another tool, exported from a folder with a rather long name.csv"
    path.write_text("\n".join(["crop,image,x,y,class,annotator", *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_file_is_looked_at_then_stored(
    width: int, theme: str, page: Page, live_server: Any, study: Study, log_in: Callable[[], None], tmp_path: Path,
    troubles: list[str],
) -> None:  # fmt: skip
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/import/")
    page.get_by_label("File", exact=True).set_input_files(labels_file(tmp_path))
    page.get_by_role("button", name="Look at what it brings").click()
    page.get_by_role("heading", name="12 of 15 rows become answers").wait_for()
    assert not Annotation.objects.exists()
    _is_fit(page)
    page.get_by_role("button", name="Store 12 answers").click()
    page.get_by_text("12 labels of").wait_for()
    assert Annotation.objects.filter(source="import").count() == 12
    page.get_by_text("Rows that were left out").click()
    assert page.get_by_text("the study has no class “anaphase”").is_visible()
    _is_fit(page)
    page.goto(f"{live_server.url}/studies/{study.pk}/export/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Consensus").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 13
    assert troubles == []


def _is_fit(page: Page) -> None:
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_a_file_that_is_none_is_refused_beside_its_field(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], tmp_path: Path
) -> None:
    log_in()
    (tmp_path / "labels.csv").write_bytes("crop,class\nx,spät\n".encode("latin-1"))
    page.goto(f"{live_server.url}/studies/{study.pk}/import/")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "labels.csv")
    page.get_by_role("button", name="Look at what it brings").click()
    page.get_by_text("The file is not UTF-8 text").wait_for()
    assert not Annotation.objects.exists()
