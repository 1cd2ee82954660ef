"""What the reads of each crop add up to: the majority, and the consensus model where it can be told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from labeling.agreement.columns import Columns, Flags, counts_of
from labeling.agreement.counts import Floats
from labeling.agreement.dawid_skene import FEWEST_SHARED, NEEDED_READERS, Consensus, consensus
from labeling.agreement.intervals import Estimate
from labeling.agreement.mace import competence_intervals
from labeling.agreement.report import told_model
from labeling.agreement.shape import ConsensusPart, DawidSkenePart, DisputedCrop
from labeling.agreement.table import MISSING, Codes, ReadTable, recoded, without_label

MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Per item: `votes` (items, labels), `label` of the majority or of what was decided (-1 for none), whether it is
    disputed; `posterior` (items, labels) by the consensus model, NaN where there is none.

    `names` of the codes in `label`: the labels that reads name, then those that were only decided on.
    """

    names: tuple[str, ...]
    votes: Floats
    label: Codes
    disputed: Flags
    posterior: Floats


@dataclass(frozen=True, slots=True)
class Model:
    """The consensus model over the readers that it knows well enough, and the names of the others."""

    table: ReadTable
    found: Consensus
    left_out: tuple[str, ...]


def model_of(columns: Columns) -> Model:
    """Dawid-Skene over all independent reads of readers who share 30 items or more with other such readers."""
    table = without_label(columns.table(columns.kinds.independent), columns.names.not_sure)
    kept = _well_known(table)
    names = tuple(name for name, ok in zip(table.annotators, kept) if not ok and name)
    small = used_labels(_only(table, kept))
    if kept.sum() < NEEDED_READERS:
        reason = (
            f"not identifiable: {int(kept.sum())} readers share {FEWEST_SHARED} crops or more with such others, "
            f"{NEEDED_READERS} are needed"
        )
        return Model(small, Consensus(None, reason=reason), names)
    return Model(small, consensus(small), names)


def competence_of(model: Model) -> dict[str, Estimate]:
    """The competence of each reader whom the consensus model knows; nobody's where it is not identifiable."""
    if model.found.fit is None:
        return {}
    return dict(zip(model.table.annotators, competence_intervals(model.table)))


def _well_known(table: ReadTable) -> Flags:
    """Readers who share enough items with others that are known well enough themselves."""
    read = table.codes >= 0
    kept = read.any(axis=0)
    while True:
        shared = (read & kept & ((read & kept).sum(axis=1, keepdims=True) >= 2)).sum(axis=0)
        enough = kept & (shared >= FEWEST_SHARED)
        if (enough == kept).all():
            return np.asarray(enough)
        kept = enough


def _only(table: ReadTable, kept: Flags) -> ReadTable:
    place = np.cumsum(kept) - 1
    own = kept[table.again.annotators]
    again = type(table.again)(table.again.items[own], place[table.again.annotators[own]], table.again.codes[own])
    names = tuple(name for name, ok in zip(table.annotators, kept) if ok)
    return ReadTable(table.items, names, table.labels, table.codes[:, kept], again, table.not_sure)


def used_labels(table: ReadTable) -> ReadTable:
    """The table without labels that no read gives: a hidden class that nobody names would fit anything."""
    used = np.zeros(len(table.labels), dtype=bool)
    used[table.codes[table.codes >= 0]] = True
    used[table.again.codes] = True
    labels = tuple(label for label, ok in zip(table.labels, used) if ok)
    return recoded(table, np.where(used, np.cumsum(used) - 1, MISSING), labels)


def verdicts_of(
    columns: Columns,
    counted: Flags,
    decided: Mapping[int, str],
    model: Model,
    by_lead: Collection[int] = (),
) -> Verdicts:
    """The verdict of each item; `counted`: the reads that vote; `decided`: what was decided on an item (its place),
    "" for no class whatever the votes say; `by_lead`: items that a lead settled, which nobody disputes any more."""
    votes = counts_of(columns, counted)
    classes = counts_of(columns, counted & ~columns.unsure)
    top = np.sort(classes, axis=1)[:, ::-1]
    second = top[:, 1] if top.shape[1] > 1 else np.zeros(len(top))
    label = np.where((top[:, 0] > 0) & (top[:, 0] > second), classes.argmax(axis=1), MISSING)
    disputed = (second > 0) & (2 * top[:, 0] <= classes.sum(axis=1))
    disputed &= ~columns.items_with(columns.kinds.adjudication & counted)
    disputed[list(by_lead)] = False
    names = tuple(dict.fromkeys([*columns.names.labels, *filter(None, decided.values())]))
    places = {name: place for place, name in enumerate(names)}
    for item, name in decided.items():
        label[item] = places.get(name, MISSING)
    return Verdicts(names, votes, label, disputed, _posterior(columns, model))


def _posterior(columns: Columns, model: Model) -> Floats:
    found = np.full((len(columns.items.keys), len(columns.names.labels)), np.nan)
    if model.found.fit is not None:
        places = [columns.names.labels.index(label) for label in model.table.labels]
        found[:, places] = model.found.fit.posterior
    return found


def consensus_part(columns: Columns, verdicts: Verdicts, crops: Codes) -> ConsensusPart:
    """Counts of crops, and those that are disputed, the newest first; `crops`: number of each item."""
    reads = verdicts.votes.sum(axis=1)
    sure = np.delete(verdicts.votes, _not_sure(columns), axis=1)
    one = (sure > 0).sum(axis=1) == 1
    several = reads >= 2
    agreed = several & one & (sure.sum(axis=1) == reads)
    settled = verdicts.label >= 0
    counts = {
        "agreed": agreed & settled,
        "majority": several & settled & ~agreed,
        "disputed": verdicts.disputed,
        "not_sure": several & ~settled & ~verdicts.disputed,
        "single": reads == 1,
        "with_posterior": np.isfinite(verdicts.posterior).any(axis=1),
    }
    return {
        "counts": {name: int(flags.sum()) for name, flags in counts.items()},
        "disputed": [_disputed(columns, verdicts, crops, item) for item in _newest(columns, verdicts.disputed)],
    }


def _not_sure(columns: Columns) -> list[int]:
    return [place for place, name in enumerate(columns.names.labels) if name == columns.names.not_sure]


def _newest(columns: Columns, chosen: Flags) -> list[int]:
    newest = np.full(len(chosen), -np.inf)
    np.maximum.at(newest, columns.item, columns.time)
    items = np.flatnonzero(chosen)
    return [int(item) for item in items[np.argsort(-newest[items], kind="stable")][:MOST_LISTED]]


def _disputed(columns: Columns, verdicts: Verdicts, crops: Codes, item: int) -> DisputedCrop:
    votes, at = verdicts.votes[item], int(columns.items.experiment[item])
    return {
        "crop": int(crops[item]),
        "key": columns.items.keys[item],
        "experiment": columns.names.experiments[at][1] if at >= 0 else "",
        "votes": {name: int(n) for name, n in zip(columns.names.labels, votes) if n},
        "reads": int(votes.sum()),
    }


def model_part(model: Model) -> DawidSkenePart:
    """The consensus model as the report keeps it, at most 200 crops listed."""
    said = told_model(model.table, model.found)
    changes = said["would_change"]
    return {
        "reason": said["reason"],
        "readers": list(model.table.annotators) if model.found.fit else [],
        "left_out": list(model.left_out),
        "labels": list(model.table.labels),
        "prevalence": said["prevalence"] or {},
        "confusion": said.get("confusion", {}),
        "log_likelihood": said["log_likelihood"],
        "best_log_likelihood": said["best_log_likelihood"],
        "would_change": changes[:MOST_LISTED],
        "would_change_count": len(changes),
    }
