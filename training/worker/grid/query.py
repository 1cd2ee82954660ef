"""Sorts and filters the ranked pool for one user; what a blind reader must not learn is refused, not left empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Image
from labeling.models import Annotation, Study
from labeling.services import access
from labeling.services.checks import unread_checks
from labeling.services.history import hides_old_answers, without_old
from training.learning.grid import inside, page_in_order, scattered
from training.services.crop_facts import searched_crop_for, sees_opinions
from training.services.work import Refused
from training.worker.grid.answers import KINDS, Reads, reads
from training.worker.grid.maps import coordinates, outlier_distance
from training.worker.grid.table import GridTable, grid_table, sizes
from training.worker.pool import Ids
from training.worker.similar import distances_to

# What tells neither an opinion nor where a crop is from.
BLIND_SORTS = ("mixed", "similar", "size")
SORTS = ("uncertain", "probability", "similar", "outlier", "size", "field", "mixed")
BLIND_STATES = ("", "unlabelled", "labelled", "not_sure")
STATES = (*BLIND_STATES, "discordant")
HIDDEN = "This study is blind: its readers sort by size and likeness alone, and see their own answers alone."
LEADS_ALONE = "Only leads of this study see who answered what."

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GridQuery:
    """Which crops, in which order. `label` is the class whose probability sorts; `pin` the crop that is looked like.

    `reverse` turns the order round. `state`, `reader` (number of a user), `predicted`, `given` (keys of classes),
    `experiment` (number) and `lasso` (corners on the map `layout`) narrow the pool. `ranking` names the ranking that
    earlier pages were cut from.
    """

    sort: str = ""
    label: str = ""
    reverse: bool = False
    pin: int | None = None
    state: str = ""
    reader: int | None = None
    predicted: str = ""
    given: str = ""
    experiment: int | None = None
    lasso: tuple[tuple[float, float], ...] = ()
    layout: str = ""
    ranking: str = ""
    start: int = 0
    count: int = 200


@dataclass(frozen=True, slots=True)
class Sight:
    """What the user may see of the study: everything (leads), what models say (open studies), or neither."""

    user: Any
    is_lead: bool
    opinions: bool

    @classmethod
    def of(cls, user: Any, study: Study) -> "Sight":
        """The sight of this user."""
        return cls(user, access.is_lead(user, study), sees_opinions(user, study))


@dataclass(frozen=True, slots=True)
class GridPage:
    """One page: places `rows` (count,) in `table`, of `total` crops that fit; `values` (count,) sorted them, in
    `unit`; `seen` are the answers that the user may see, `counts` those that tell which class a crop has: for leads
    without readers who are left out, and with what was decided in place of what was answered. `hidden` crops of the
    pool are kept from the user, because they are random checks that they have still to read."""

    table: GridTable
    rows: Ids
    total: int
    values: NDArray[Any]
    unit: str
    seen: Reads
    counts: Reads
    sort: str
    hidden: int = 0


def grid_page(study: Study, user: Any, query: GridQuery) -> GridPage:
    """The page that was asked for; Refused says what cannot be sorted or is not for this user, and why."""
    sight = Sight.of(user, study)
    sort = query.sort or ("uncertain" if sight.opinions else "mixed")
    _check(sight, query, sort)
    table = grid_table(study, query.ranking)
    given = reads(study)
    seen = given.given() if sight.is_lead else _of_their_own(study, user, given.given())
    checks = _unread_checks(study, sight, table)
    # Somebody who is left out is seen by name, and as one sees oneself; else their answers stand for nothing.
    counts = given.counted() if sight.is_lead and not query.reader else seen
    allowed = ~checks & _allowed(study, table, query, counts)
    values, unit, descending = _values(study, user, table, query, sort)
    first = _pinned(table, query, sort)
    # On top whether or not it fits the filters, and there alone.
    allowed[first] = False
    rows = _rows(values, table, allowed, query, first, descending != query.reverse)
    total = len(first) + int(np.count_nonzero(allowed))
    return GridPage(
        table, rows, total, np.asarray(values)[rows], unit, seen, counts, sort, int(np.count_nonzero(checks))
    )


def _of_their_own(study: Study, user: Any, given: Reads) -> Reads:
    """The user's own answers, without those that they are not shown because they may be asked again."""
    own = given.by(user.pk)
    if not hides_old_answers(study, user):
        return own
    shown = without_old(Annotation.objects.filter(study=study, annotator=user), study, user)
    return Reads(
        own.rows[np.isin(own.rows["number"], np.fromiter(shown.values_list("pk", flat=True), np.int64))], own.classes
    )


def _check(sight: Sight, query: GridQuery, sort: str) -> None:
    if sort not in SORTS or query.state not in STATES:
        raise Refused(f"The grid sorts by {', '.join(SORTS)} and knows the states {', '.join(STATES[1:])}.")
    tells = query.predicted or query.experiment or query.lasso or query.state not in BLIND_STATES
    if not sight.opinions and (sort not in BLIND_SORTS or tells):
        raise Refused(HIDDEN)
    if query.reader and not sight.is_lead:
        raise Refused(LEADS_ALONE)


def _unread_checks(study: Study, sight: Sight, table: GridTable) -> Mask:
    """Crops (n,) of the pool that nothing here may tell the user of; leads see all."""
    if sight.is_lead:
        return np.zeros(len(table.crop_ids), dtype=bool)
    return table.mask_of(np.fromiter(unread_checks(study, sight.user), np.int64)) & (table.experiment >= 0)


def _allowed(study: Study, table: GridTable, query: GridQuery, seen: Reads) -> Mask:
    allowed = table.experiment >= 0
    if query.experiment:
        allowed &= table.experiment == query.experiment
    if query.predicted:
        place = table.classes.index(query.predicted) if query.predicted in table.classes else -2
        allowed &= table.predicted == place
    if query.lasso:
        points = coordinates(study, table, query.layout)
        allowed &= inside(points, np.array(query.lasso, dtype=np.float64))
    return allowed & _by_answers(table, query, seen)


def _by_answers(table: GridTable, query: GridQuery, seen: Reads) -> Mask:
    """Which crops (n,) fit what was answered: by the reader where one is named, else by anybody in sight."""
    own = seen.by(query.reader) if query.reader else seen
    fits = np.ones(len(table.crop_ids), dtype=bool)
    if query.reader and query.state != "unlabelled":
        fits &= table.mask_of(own.rows["crop"])
    if query.given:
        fits &= table.mask_of(own.naming(query.given))
    if query.state == "unlabelled":
        fits &= ~table.mask_of(own.rows["crop"])
    elif query.state == "labelled":
        fits &= table.mask_of(own.of_kind(Annotation.Answer.LABEL))
    elif query.state == "not_sure":
        fits &= table.mask_of(own.of_kind(Annotation.Answer.NOT_SURE))
    elif query.state == "discordant":
        fits &= _discordant(table, own)
    return fits


def _discordant(table: GridTable, own: Reads) -> Mask:
    """Crops (n,) with a label that differs from the prediction."""
    named = own.labelled()
    at = table.rows_of(named.rows["crop"])
    inside_pool = at >= 0
    at, label = at[inside_pool], named.rows["label"][inside_pool]
    found = np.zeros(len(table.crop_ids), dtype=bool)
    found[at[(table.predicted[at] >= 0) & (table.predicted[at] != label)]] = True
    return found


def _values(study: Study, user: Any, table: GridTable, query: GridQuery, sort: str) -> tuple[NDArray[Any], str, bool]:
    """What sorts (n,), its unit, and whether the largest comes first."""
    if sort == "probability":
        return _probability(table, query.label), "", True
    if sort == "similar":
        return _likeness(study, user, table, query.pin), "", False
    if sort == "outlier":
        return outlier_distance(study, table), "", True
    if sort == "size":
        return *sizes(study, table), True
    if sort == "field":
        return _field(table), "", False
    if sort == "mixed":
        return scattered(table.crop_ids, study.seed), "", False
    return table.scores, "", True


def _probability(table: GridTable, label: str) -> NDArray[np.float16]:
    if table.probabilities is None:
        raise Refused("There are no predicted probabilities yet: label crops of two classes first.")
    if label and label not in table.classes:
        raise Refused(f"The ranking knows no class '{label}'.")
    if not label:
        return np.asarray(table.probabilities.max(axis=1))
    return np.asarray(table.probabilities[:, table.classes.index(label)])


def _likeness(study: Study, user: Any, table: GridTable, pin: int | None) -> NDArray[np.float32]:
    if pin is None:
        raise Refused("Pin a crop first: the others are sorted by how much they look like it.")
    # A blind reader looks for crops like one that they have answered, as on the page of similar crops.
    _, crop = searched_crop_for(user, study.pk, pin)
    ids, distance = distances_to(study, crop)
    found = np.full(len(table.crop_ids), np.nan, dtype=np.float32)
    at = table.rows_of(ids)
    found[at[at >= 0]] = distance[at >= 0]
    return found


def _field(table: GridTable) -> Ids:
    """A number per crop that rises with experiment and image, in the order in which they were taken in."""
    order = np.lexsort((table.crop_ids, table.image, table.experiment))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place


def _pinned(table: GridTable, query: GridQuery, sort: str) -> Ids:
    """Row (1,) of the pinned crop where crops are sorted by how much they look like it, else none (0,)."""
    if sort != "similar" or query.pin is None:
        return np.empty(0, dtype=np.int64)
    row = table.rows_of(np.array([query.pin]))
    return row[row >= 0]


def _rows(
    values: NDArray[Any], table: GridTable, allowed: Mask, query: GridQuery, first: Ids, descending: bool
) -> Ids:
    """Rows of the page: `first`, then those that are allowed in order."""
    ahead = first[query.start : query.start + query.count]
    start, count = max(0, query.start - len(first)), query.count - len(ahead)
    rest = page_in_order(values, table.crop_ids, allowed, start, count, descending=descending)
    return np.concatenate([ahead, rest])


def own_answers(page: GridPage, user: Any) -> dict[int, tuple[str, int, int]]:
    """For each crop of the page that the user answered: kind, place of the class (-1 without), number."""
    wanted = page.table.crop_ids[page.rows]
    mine = page.seen.by(user.pk).rows
    return {
        int(row["crop"]): (KINDS[row["kind"]], int(row["label"]), int(row["number"]))
        for row in mine[np.isin(mine["crop"], wanted)]
    }


def bulk_numbers(numbers: Sequence[int]) -> frozenset[int]:
    """Those of the answers that were given to many crops at once."""
    rows = Annotation.objects.filter(pk__in=list(numbers), is_bulk=True)
    return frozenset(rows.values_list("pk", flat=True))


def crops_of_page(page: GridPage) -> list[tuple[int, int, str]]:
    """Number, image and shard of each crop of the page, in its order."""
    wanted = [int(number) for number in page.table.crop_ids[page.rows]]
    found = Crop.objects.filter(pk__in=wanted).values_list("pk", "image_id", "shard")
    rows = {row[0]: row for row in found}
    return [rows[number] for number in wanted if number in rows]


def images_of(crops: Sequence[tuple[int, int, str]]) -> dict[int, Image]:
    """The images of these crops by number: fewer than crops, and read once each."""
    rows = Image.objects.select_related("sample__experiment").defer("files")
    return rows.in_bulk({image for _, image, _ in crops})
