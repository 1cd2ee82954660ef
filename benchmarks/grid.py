"""The grid in Chromium on a running site of 10,000 crops, and its pages over 100,000 crops without a browser."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.key_to_paint import ARGUMENTS, chromium
from benchmarks.measure import percentile
from benchmarks.room_site import Site, running_site
from benchmarks.rows import Row

CROPS = 500
LOADS, SCROLL_MS = 5, 4000
# Of a screen of 60 Hz: a frame that came half of one later was missed.
LATE_MS = 25.0
PAINTED = f"main[data-state=ready][data-painted='{CROPS}']"
SPENT = """() => {
  const last = (name) => performance.getEntriesByName(name).at(-1).startTime;
  return last("grid-painted") - last("grid-asked");
}"""
SCROLL = """(ms) => new Promise((resolve) => {
  const grid = document.getElementById("grid");
  const frames = [];
  const started = performance.now();
  let before = started;
  const step = (now) => {
    frames.push(now - before);
    before = now;
    const way = (now - started) / ms;
    if (way >= 1) return resolve(frames.slice(2));
    grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * (0.5 - 0.5 * Math.cos(2 * Math.PI * way));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
POOL, PER_IMAGE, ASKED = 100_000, 1_000, 20
QUERIES: dict[str, dict[str, Any]] = {
    "uncertain": {"sort": "uncertain"},
    "probability": {"sort": "probability", "label": "mitosis"},
    "size": {"sort": "size"},
    "unlabelled_of_a_class": {"state": "unlabelled", "predicted": "debris"},
}


def measure() -> list[Row]:
    """Time from asking for 500 crops to the last one painted, frames while scrolling, and points of the map drawn."""
    with running_site() as site:
        with _page(site) as page:
            paints = [_load(page) for _ in range(LOADS)]
            frames = [float(value) for value in page.evaluate(SCROLL, SCROLL_MS)]
        # Playwright's loop has ended: Django refuses to be asked inside of one.
        pages = _pages()
    late = sum(frame > LATE_MS for frame in frames) / len(frames)
    return [
        Row("500_crops_painted_median", percentile(paints, 50), "ms", "<= 1000"),
        Row("500_crops_painted_worst", max(paints), "ms", "<= 1000"),
        Row("scroll_frame_median", percentile(frames, 50), "ms", "<= 17"),
        Row("scroll_frames_per_s", 1000 * len(frames) / sum(frames), "1/s", ">= 58"),
        Row("scroll_late_frames", 100 * late, "%", "<= 5"),
        *(Row(f"page_of_100k_{name}", milliseconds, "ms", "<= 300") for name, milliseconds in pages.items()),
    ]


@contextmanager
def _page(site: Site) -> Iterator[Page]:
    """The grid with 500 crops, in a window of 1440 x 900."""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{site.address}/accounts/login/?next=/studies/{site.study}/grid/%3Fcount=500")
        page.fill("#id_username", site.user)
        page.fill("#id_password", site.password)
        page.press("#id_password", "Enter")
        page.wait_for_selector(PAINTED)
        yield page
        browser.close()


def _load(page: Page) -> float:
    """Milliseconds for another order of 500 crops, most of which are new to the browser."""
    page.wait_for_timeout(300)
    loads = int(page.get_attribute("main", "data-loads") or 0)
    page.click("[name=reverse]")
    page.wait_for_selector(f"{PAINTED}[data-loads='{loads + 1}']")
    return float(page.evaluate(SPENT))


def _pages() -> dict[str, float]:
    """p95 milliseconds of a page of 500 of 100,000 crops, by query; the first look, which reads rows, apart."""
    from labeling.models import Membership
    from training.worker.grid.query import GridQuery, grid_page

    study = _large_study()
    user = Membership.objects.filter(user__username="reader").get().user
    grid_page(study, user, GridQuery(sort="size"))
    found = {}
    for name, given in QUERIES.items():
        spent = []
        for number in range(ASKED):
            started = time.perf_counter()
            grid_page(study, user, GridQuery(count=CROPS, start=number * CROPS, **given))
            spent.append(1000 * (time.perf_counter() - started))
        found[name] = percentile(spent, 95)
    return found


def _large_study() -> Any:
    """A study over 100,000 crops of one experiment with a made-up ranking; its crops have no pixels of their own."""
    from django.utils import timezone

    from imaging.models import Crop, Image
    from labeling.models import LabelClass, Ranked, Study
    from training.models import Ranking

    first = Image.objects.order_by("pk").first()
    shown = Crop.objects.order_by("pk").first()
    assert first is not None and shown is not None
    experiment = _many_crops(first, shown)
    study = Study.objects.create(name="large", question="Which phase?", is_blind=False, is_simulated=True)
    study.experiments.add(experiment)
    for position, row in enumerate(Study.objects.get(name="speed").classes.all()):
        LabelClass.objects.create(study=study, key=row.key, name=row.name, color=row.color, position=position)
    digest, now = _write_ranking(study), timezone.now()
    shared = {"study": study, "digest": digest, "strategy": "uherding", "encoder": "ab", "pool_size": POOL}
    columns = [row.key for row in study.classes.all()]
    Ranking.objects.create(**shared, answers=0, seconds=0.1, parameters={"classes": columns})
    Ranked.objects.create(**shared, ranked_at=now)
    return study


def _many_crops(first: Any, shown: Any) -> Any:
    """An experiment of 100 images with 1,000 crops each, all of them like `shown`."""
    from imaging.models import Crop, Experiment, Image, Sample

    experiment = Experiment.objects.get()
    experiment.pk, experiment.name, experiment._state.adding = None, "many computed crops", True
    experiment.save()
    sample = Sample.objects.create(experiment=experiment, name="A01")
    for number in range(POOL // PER_IMAGE):
        digest = f"{number + 1000:064x}"
        image = Image.objects.create(
            sample=sample, name=digest, files=[], sha256=digest, axes="CYX", shape=first.shape, dtype=first.dtype,
            channels=first.channels, pixel_size_um=0.5, crop_field_px=64.0, object_source="segmentation",
        )  # fmt: skip
        box = {name: getattr(shown, name) for name in ("x0", "y0", "x1", "y1", "shard", "contour")}
        Crop.objects.bulk_create(
            Crop(image=image, key=f"{number}-{row}", x=row, y=number, row=row, **box) for row in range(PER_IMAGE)
        )
    return experiment


def _write_ranking(study: Any) -> str:
    """Files of a ranking with scores and probabilities drawn once; returns its digest."""
    import numpy as np

    from imaging.models import Crop
    from imaging.services.storage import local_folder
    from training.worker.saving import RANKINGS, file_names

    rng, digest = np.random.default_rng(0), "77" * 32
    crops = Crop.objects.filter(image__sample__experiment__studies=study).order_by("id").values_list("pk", flat=True)
    known = rng.dirichlet(np.ones(study.classes.count()), POOL).astype(np.float16)
    arrays = (rng.random(POOL, dtype=np.float32), np.asfortranarray(known), np.array(crops))
    for name, array in zip(file_names(digest), arrays):
        np.save(local_folder(RANKINGS) / name, array)
    return digest
