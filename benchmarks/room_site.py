"""A site as `manage.py up` serves it, with a study over 10,000 computed crops, in a temporary folder."""

import os
import secrets
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks.fields import nuclei_crops, nuclei_field

PROJECT = Path(__file__).resolve().parent.parent
FIELDS, PER_FIELD = 50, 200
CHANNELS = ("nuclei", "actin", "tubulin", "mitochondria")
COLORS = ("#00ffff", "#ff00ff", "#f2e85c", "#50e050")
FEWEST = 2
CLASSES = ("interphase", "mitosis", "debris")
FILES = 4
ANSWERS_WITHIN_S, RANKED_WITHIN_S = 60.0, 180.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where the site answers, its study, who may log in, and the process id of its web server."""

    address: str
    study: int
    user: str
    password: str
    web_process: int


@contextmanager
def running_site(channels: int = FEWEST) -> Iterator[Site]:
    """The site with its ranking worker, ready to be read in; all of it is gone afterwards.

    Sets Django up on the temporary folder, so that the caller may use the tables: once per process.
    """
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as folder:
        set_up_django(folder)
        study, password = _make_study(Path(folder), CHANNELS[:channels]), secrets.token_urlsafe(9)
        user = make_reader(password)
        join_study(study, user)
        with processes(folder) as (address, web_process, _):
            wait_for(lambda: is_ranked(study), RANKED_WITHIN_S)
            yield Site(address, study.pk, user.username, password, web_process)


def set_up_django(folder: str) -> None:
    """Settings, tables and static files of a site in that folder; once per process."""
    os.environ["PARFOCAL_DATA"] = folder
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.development"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)


def _make_study(folder: Path, channels: tuple[str, ...]) -> Any:
    """A study over one experiment that says in its name that it was computed."""
    from imaging.models import Experiment, Image, Sample
    from imaging.pixels.crops_store import write_shard
    from imaging.services.storage import CROPS, local_folder
    from labeling.models import LabelClass, Study

    experiment = Experiment.objects.create(
        name="computed crops (no cells were photographed)",
        modality=Experiment.Modality.MULTICHANNEL,
        channels=[{"name": name, "color": color, "low": 150, "high": 2500} for name, color in zip(channels, COLORS)],
        pixel_size_um=0.5,
        bit_depth=12,
        source="computed",
        content_digest="0" * 64,
        is_simulated=True,
    )
    sample = Sample.objects.create(experiment=experiment, name="A01")
    paths = _write_fields(folder, len(channels))
    digest = write_shard(local_folder(CROPS), nuclei_crops(0, FIELDS * PER_FIELD, len(channels)))
    for number in range(FIELDS):
        image = Image.objects.create(**_image(number, paths[number % FILES], channels), sample=sample)
        _make_crops(image, number * PER_FIELD, digest)
    study = Study.objects.create(name="speed", question="Which phase?", is_blind=False, is_simulated=True)
    study.experiments.add(experiment)
    for position, name in enumerate(CLASSES):
        LabelClass.objects.create(study=study, key=name, name=name, color="#0072b2", position=position)
    return study


def _write_fields(folder: Path, channels: int) -> list[Path]:
    paths = [folder / f"field_{number}.tif" for number in range(FILES)]
    for number, path in enumerate(paths):
        field = np.concatenate([nuclei_field(number)] * (channels // FEWEST))
        tifffile.imwrite(path, field, metadata={"axes": "CYX"})
    return paths


def _image(number: int, path: Path, channels: tuple[str, ...]) -> dict[str, Any]:
    from imaging.pixels.digest import file_digest

    file = {"uri": str(path), "sha256": file_digest(path), "channel": "", "z": None}
    name = f"field {number}"
    return {
        "name": name,
        "files": [{"name": name} | file],
        "sha256": f"{number:064x}",
        "axes": "CYX",
        "shape": [1, len(channels), 1080, 1080],
        "dtype": "uint16",
        "channels": list(channels),
        "pixel_size_um": 0.5,
        "crop_field_px": 64.0,
        "object_source": "segmentation",
    }


def _make_crops(image: Any, first_row: int, shard: str) -> None:
    from imaging.models import Crop
    from imaging.pixels.digest import crop_key

    rows = []
    for number in range(PER_FIELD):
        x, y = 60.0 + 68 * (number % 15), 60.0 + 68 * (number // 15)
        outline = [[x - 10, y], [x, y - 10], [x + 10, y], [x, y + 10], [x - 10, y]]
        box = {"x0": x - 10, "y0": y - 10, "x1": x + 10, "y1": y + 10}
        key = crop_key(image.sha256[::-1], x, y)
        rows.append(Crop(image=image, key=key, x=x, y=y, **box, contour=outline, shard=shard, row=first_row + number))
    Crop.objects.bulk_create(rows)


def make_reader(password: str) -> Any:
    """Somebody who may log in."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_user("reader", password=password)


def join_study(study: Any, user: Any) -> None:
    """Let the user read in the study."""
    from labeling.models import Membership
    from labeling.services.access import join

    join(study, user, Membership.Role.ANNOTATOR)


@contextmanager
def processes(folder: str) -> Iterator[tuple[str, int, int]]:
    """Address, and process ids of web server and ranking worker, under the supervisor of `manage.py up`.

    No tasks are sent, so there is no broker.
    """
    from config.broker import EmbeddedBroker
    from config.site import children
    from config.supervisor import Supervisor

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    named = {child.name: child for child in children(EmbeddedBroker(Path(folder), Path(folder)), "127.0.0.1", port)}
    named["ranking"].command = [sys.executable, str(PROJECT / "manage.py"), "rank_worker"]
    log: list[str] = []
    supervisor = Supervisor([named["web"], named["ranking"]], log.append)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/health/live"), ANSWERS_WITHIN_S)
        web, ranking = (process.pid if (process := named[name].process) else 0 for name in ("web", "ranking"))
        yield f"http://127.0.0.1:{port}", web, ranking
    except TimeoutError:
        print("\n".join(log), file=sys.stderr)
        raise
    finally:
        supervisor.stop()
        thread.join()


def is_ranked(study: Any) -> bool:
    """Whether the study has a ranking."""
    from labeling.models import Ranked

    return bool(Ranked.objects.filter(study=study).exists())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def wait_for(ready: Callable[[], bool], within_s: float) -> None:
    """Return once it is ready; TimeoutError when that takes longer."""
    deadline = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the site was not ready within {within_s:.0f} s")
        time.sleep(0.2)
