"""The grid as its page wants it: crops in order, how to draw them, and what the user may know of each."""

from typing import Any

import numpy as np
from django.urls import reverse

from imaging.models import Experiment, Image
from imaging.services.pixels import shown_channels
from imaging.services.storage import shard
from labeling.models import Annotation, Ranked, Study
from labeling.services import access
from labeling.services.preferences import preferences_of
from training.services.embedding_maps import latest_map, shown_map
from training.services.work import as_progress
from training.worker.grid.answers import KINDS
from training.worker.grid.maps import MapPoints
from training.worker.grid.query import (
    BLIND_SORTS,
    SORTS,
    GridPage,
    Sight,
    bulk_numbers,
    crops_of_page,
    images_of,
    own_answers,
)

UNANSWERED, LABELLED, UNSURE, OTHER = range(4)


def page_payload(study: Study, user: Any, page: GridPage, start: int) -> dict[str, Any]:
    """The crops of a page in order, with what draws them; in a blind study annotators learn no prediction."""
    facts = _facts(page, user, Sight.of(user, study).opinions)
    rows = crops_of_page(page)
    displays, places = _displays(rows)
    crops = [{"id": crop, "display": places[image]} | facts[crop] for crop, image, _ in rows]
    newest = Ranked.objects.filter(study=study).values_list("digest", flat=True).first()
    return {
        "ranking": page.table.digest,
        "is_newest": page.table.digest == newest,
        "total": page.total,
        "start": start,
        "sort": page.sort,
        "unit": page.unit,
        "hidden": page.hidden,
        "displays": displays,
        "crops": crops,
    }


def _displays(rows: list[tuple[int, int, str]]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The ways of drawing these crops, and which of them each image has; all crops of an image share one."""
    displays: list[dict[str, Any]] = []
    places: dict[int, int] = {}
    images = images_of(rows)
    for _, number, name in rows:
        if number in places:
            continue
        found = _display(images[number], shard(name).shape[2])
        if found not in displays:
            displays.append(found)
        places[number] = displays.index(found)
    return displays, places


def _display(image: Image, side: int) -> dict[str, Any]:
    return {
        "channels": shown_channels(image),
        "is_rgb": image.sample.experiment.modality == Experiment.Modality.BRIGHTFIELD,
        "um_across": image.crop_field_px * image.pixel_size_um if image.pixel_size_um else None,
        "side": side,
    }


def _facts(page: GridPage, user: Any, opinions: bool) -> dict[int, dict[str, Any]]:
    """What is said of each crop of the page: the own answer, the value that sorted it, and the prediction."""
    table, own = page.table, own_answers(page, user)
    bulk = bulk_numbers([number for _, _, number in own.values()])
    found = {}
    for row, value in zip(page.rows, page.values):
        crop = int(table.crop_ids[row])
        answer = own.get(crop)
        found[crop] = {
            "answer": _answer(answer, table.classes, bulk) if answer else None,
            "value": float(f"{value:.5g}") if np.isfinite(value) and page.sort not in ("mixed", "field") else None,
            **(_opinion(page, int(row)) if opinions else {"predicted": None, "probability": None}),
        }
    return found


def _answer(answer: tuple[str, int, int], classes: tuple[str, ...], bulk: frozenset[int]) -> dict[str, Any]:
    kind, place, number = answer
    return {
        "kind": kind,
        "label": classes[place] if place >= 0 else None,
        "number": number,
        "is_bulk": number in bulk,
    }


def _opinion(page: GridPage, row: int) -> dict[str, Any]:
    table = page.table
    if table.probabilities is None:
        return {"predicted": None, "probability": None}
    place = int(table.predicted[row])
    return {"predicted": table.classes[place], "probability": round(float(table.probabilities[row, place]), 3)}


def map_blocks(page: GridPage, shown: MapPoints, allowed: Any) -> list[Any]:
    """Numbers (float64), places (n, 2), predicted classes (int16) and what was answered (uint8) of the crops of a map
    that the user may see; answers as UNANSWERED, LABELLED, UNSURE or OTHER, and the class given (int16)."""
    rows, points = shown.rows[allowed[shown.rows]], shown.points[allowed[shown.rows]]
    table = page.table
    state = np.zeros(len(table.crop_ids), dtype=np.uint8)
    label = np.full(len(table.crop_ids), -1, dtype=np.int16)
    given = page.counts.rows
    at = table.rows_of(given["crop"])
    kinds = np.array([_STATE.get(kind, OTHER) for kind in KINDS], dtype=np.uint8)
    state[at[at >= 0]] = kinds[given["kind"][at >= 0]]
    label[at[at >= 0]] = given["label"][at >= 0]
    ids = table.crop_ids[rows].astype(np.float64)
    return [ids, points.astype(np.float32), table.predicted[rows].astype(np.int16), state[rows], label[rows]]


_STATE = {Annotation.Answer.LABEL: LABELLED, Annotation.Answer.NOT_SURE: UNSURE}


def map_state(study: Study) -> dict[str, Any]:
    """How far the map of the study is, and which layouts can be looked at."""
    latest, shown = latest_map(study), shown_map(study)
    return {
        "work": as_progress(latest) if latest else None,
        "layouts": shown.layouts if shown else [],
        "crops": shown.crops if shown else 0,
    }


def choices(study: Study, user: Any) -> dict[str, Any]:
    """What this user may sort and filter by: names of sorts, experiments and readers."""
    sight = Sight.of(user, study)
    readers = []
    if sight.is_lead:
        rows = Annotation.objects.filter(study=study).order_by("annotator__username")
        readers = list(rows.values_list("annotator_id", "annotator__username").distinct())
    experiments = study.experiments.order_by("name").values_list("pk", "name") if sight.opinions else []
    return {
        "sorts": list(SORTS if sight.opinions else BLIND_SORTS),
        "readers": [{"id": pk, "name": name} for pk, name in readers],
        "experiments": [{"id": pk, "name": name} for pk, name in experiments],
        "opinions": sight.opinions,
        "is_lead": access.is_lead(user, study),
        "strategy": study.strategy if sight.opinions else "",
    }


GRID_URLS = ("grid", "grid-pixels", "grid-map", "grid-map-state")
# Stands in an address for the number of a crop, which the page fills in.
ANY = 0


def grid_config(study: Study, user: Any, classes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page's script needs to begin: addresses, classes, and what this user may sort and filter by."""
    may = choices(study, user)
    urls = {name.replace("-", "_"): reverse(f"training-api:{name}", args=[study.pk]) for name in GRID_URLS}
    urls |= {
        "bulk": reverse("labeling-api:study-bulk", args=[study.pk]),
        "undo": reverse("labeling-api:study-bulk-undo", args=[study.pk]),
        "context": f"{reverse('labeling-api:study-crop-context', args=[study.pk, ANY])}?scale=4",
        "crop": reverse("training:crop", args=[study.pk, ANY]) if may["opinions"] else None,
        "login": reverse("login"),
    }
    return {
        "study": study.pk,
        "user": user.pk,
        "keys": preferences_of(user).keys,
        "urls": urls,
        "classes": classes,
        "map": map_state(study) if may["opinions"] else None,
    } | may
