"""The people of a demonstration: accounts to log in with, and simulated annotators, marked as such."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from numpy.typing import NDArray

from imaging.models import Crop, Experiment
from imaging.services.access import grant_view
from labeling.models import Annotation, Membership, Study
from labeling.services.access import join
from labeling.services.answers import Submission, submit
from training.learning.head import HeadSettings, fit_head, probabilities
from training.learning.labelled import Item, Task
from training.learning.simulation import NOT_SURE, SimulatedAnnotator, boundary_distance
from training.services.work import Refused
from training.worker.pool import Pool

ACCOUNTS = ("admin", "lead", "reader")
# Stated noise of the simulated annotators: share of slips, and of "not sure" on the boundary between classes.
NOISE = (("careful", 0.03, 0.5), ("quick", 0.08, 0.3), ("doubtful", 0.05, 0.8))
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Reader:
    """A simulated annotator with an account; `replays` names the manifest's annotator whose labels it repeats."""

    user: Any
    noise: SimulatedAnnotator | None = None
    replays: str = ""


def log_in() -> dict[str, str]:
    """Name and password of the accounts to try the site with; made once per data folder, kept in a private file."""
    path = Path(settings.DATA_FOLDER) / "demo_password"
    if not path.exists():
        taken = list(get_user_model().objects.filter(username__in=ACCOUNTS).values_list("username", flat=True))
        if taken:
            # A demonstration must never take over the accounts of a lab.
            raise Refused(
                f"This data folder has accounts named {', '.join(taken)}: run the demonstration in a folder"
                " of its own, PARFOCAL_DATA=some/other/folder."
            )
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9))
    password = path.read_text().strip()
    users = get_user_model()
    for name in ACCOUNTS:
        user, _ = users.objects.get_or_create(username=name)
        user.is_staff = user.is_superuser = name == "admin"
        user.set_password(password)
        user.save()
    return {"address": "http://127.0.0.1:8000/", "names": ", ".join(ACCOUNTS), "password": password}


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands on the stage: the study, what its crops show, the readers, and how doubtful each crop is."""

    study: Study
    task: Task
    items: dict[int, Item]
    readers: list[Reader]
    distance: dict[int, float]


def invite(study: Study, task: Task, *, with_readers: bool = True) -> list[Reader]:
    """The readers of the study: the manifest's annotators replayed where there are several, else simulated ones."""
    join(study, get_user_model().objects.get(username="lead"), Membership.Role.LEAD)
    join(study, get_user_model().objects.get(username="reader"), Membership.Role.ANNOTATOR)
    if not with_readers:
        return []
    if len(task.annotators) > 1:
        return [Reader(_account(study, f"replayed {name}"), replays=name) for name in task.annotators]
    return [
        Reader(_account(study, f"simulated {name}"), SimulatedAnnotator(name, slips, unsure, seed=study.seed))
        for name, slips, unsure in NOISE
    ]


def show_to_everybody(experiments: list[Experiment]) -> None:
    """Let the demonstration's accounts see experiments that are in no study."""
    for experiment, name in product(experiments, ACCOUNTS):
        grant_view(experiment, get_user_model().objects.get(username=name))


def _account(study: Study, name: str) -> Any:
    user, created = get_user_model().objects.get_or_create(username=name)
    if created:
        user.set_unusable_password()
        user.save()
    join(study, user, Membership.Role.ANNOTATOR, is_simulated=True)
    return user


def distances(pool: Pool, truth: Mapping[int, int], n_classes: int) -> dict[int, float]:
    """How far each labelled crop lies from the boundary between classes, by handcrafted features held out in folds.

    Crops near it are those where people hesitate; the figure only drives the simulated "not sure".
    """
    ids = np.array(sorted(truth), dtype=np.int64)
    rows = pool.rows_of(tuple(int(i) for i in ids))
    ids, rows = ids[rows >= 0], rows[rows >= 0]
    labels = np.array([truth[int(i)] for i in ids], dtype=np.int64)
    held_out = _held_out(np.asarray(pool.features[rows], dtype=np.float64), labels, n_classes)
    return {int(i): boundary_distance(held_out[n], int(labels[n])) for n, i in enumerate(ids)}


def _held_out(features: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    fold = np.arange(len(labels)) % FOLDS
    found = np.full((len(labels), n_classes), 1 / n_classes)
    for number in range(FOLDS):
        train, test = fold != number, fold == number
        if train.any() and test.any():
            head = fit_head(features[train], np.eye(n_classes)[labels[train]], settings=HeadSettings())
            found[test] = probabilities(head, features[test])
    return found


def say(reader: Reader, crop: Crop, task: Task, item: Item, distance: float | None) -> str | None:
    """The class that the reader names, "" for not sure, None when they have nothing to say on this crop."""
    if reader.replays:
        return task.answers[item].get(reader.replays)
    assert reader.noise is not None
    truth = task.classes.index(task.truth(item))
    given = reader.noise.answer_crop(crop.key, truth, distance, len(task.classes))
    return "" if given == NOT_SURE else task.classes[given]


def answer(study: Study, reader: Reader, crop: Crop, label: str) -> None:
    """Store the reader's answer the way every answer is stored, marked as simulated."""
    submission = Submission(
        client_id=uuid4(),
        crop_id=crop.pk,
        answer=Annotation.Answer.LABEL if label else Annotation.Answer.NOT_SURE,
        classes=(label,) if label else (),
        answered_at=timezone.now(),
        source=Annotation.Source.SIMULATED,
    )
    submit(study, reader.user, submission)
