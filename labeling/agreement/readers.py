"""Reader by reader: how far each can be relied on, whom they differ from and how, and how steady they are."""

from collections.abc import Collection, Mapping

import numpy as np

from labeling.agreement import figures
from labeling.agreement.breakdowns import others_label
from labeling.agreement.columns import Columns, Flags
from labeling.agreement.counts import patterns
from labeling.agreement.dawid_skene import FEWEST_SHARED, NEEDED_READERS
from labeling.agreement.intervals import Estimate, Sample, interval
from labeling.agreement.intra import repeated_counts
from labeling.agreement.overview import told
from labeling.agreement.pairs import confusion, pairwise
from labeling.agreement.shape import Confusions, Intra, Pair, PairConfusion, Reader, SuspectRow
from labeling.agreement.shares import share
from labeling.agreement.summary import NOTHING_SHARED, ONE_LABEL
from labeling.agreement.suspects import suspects
from labeling.agreement.table import Codes, ReadTable

MOST_PAIRS = 300
ONE_OTHER = "most of the crops have one other reader: this is agreement with that reader more than being right"
NOT_KNOWN = Estimate(
    None, None, None, 0, f"it takes {NEEDED_READERS} readers who share {FEWEST_SHARED} crops or more with one another"
)
NO_OTHERS = "no crop on which more than half of the other readers named one class"


def readers_of(
    columns: Columns,
    chosen: Flags,
    found: list[SuspectRow],
    competence: Mapping[str, Estimate],
    simulated: Collection[int],
) -> list[Reader]:
    """Every reader with one of the chosen reads (one per reader and item), in the order of names."""
    others = others_label(columns, chosen)
    matrices = _matrices(columns, others)
    given = np.bincount(columns.reader[chosen], minlength=len(columns.names.readers))
    unsure = np.bincount(columns.reader[chosen & columns.unsure], minlength=len(columns.names.readers))
    lone = _lone(columns, chosen, others)
    rows: list[Reader] = [
        {
            "id": number,
            "name": name,
            "simulated": number in simulated,
            "n": int(given[place]),
            "not_sure": told(share(int(unsure[place]), int(given[place]))),
            "reliability": told(_reliability(columns, matrices[place], bool(lone[place]))),
            "competence": told(competence.get(name, NOT_KNOWN)),
            "confusion": matrices[place].tolist(),
            "suspects": [row for row in found if row["annotator"] == name],
        }
        for place, (number, name) in enumerate(columns.names.readers)
        if given[place]
    ]
    return sorted(rows, key=lambda row: row["name"])


def _matrices(columns: Columns, others: Codes) -> Codes:
    """Counts (readers, label of the others, label of the reader)."""
    size, known = len(columns.names.labels), others >= 0
    places = (columns.reader[known] * size + others[known]) * size + columns.label[known]
    n = len(columns.names.readers)
    return np.bincount(places, minlength=n * size * size).reshape(n, size, size)


def _lone(columns: Columns, chosen: Flags, others: Codes) -> Flags:
    """Readers who are held against one other reader in most of their crops."""
    known, n = others >= 0, len(columns.names.readers)
    votes = columns.reads_of(chosen & ~columns.unsure)[columns.item] - ~columns.unsure
    alone = np.bincount(columns.reader[known & (votes == 1)], minlength=n)
    return np.asarray(2 * alone > np.bincount(columns.reader[known], minlength=n))


def _reliability(columns: Columns, matrix: Codes, lone: bool) -> Estimate:
    """Share of the reader's named classes that the others name too; "not sure" is no class."""
    sure = [place for place, label in enumerate(columns.names.labels) if label != columns.names.not_sure]
    kept = matrix[np.ix_(sure, sure)]
    found = share(int(np.trace(kept)), int(kept.sum()), NO_OTHERS)
    return Estimate(found.value, found.low, found.high, found.n, ONE_OTHER) if found.n and lone else found


def suspect_rows(table: ReadTable) -> list[SuspectRow]:
    """What stands out in readers' answers, as the report keeps it."""
    return [
        {
            "annotator": one.annotator,
            "kind": one.kind,
            "n": one.n,
            "rate": one.rate,
            "others": one.others,
            "z": one.z,
            "text": one.text,
            "classes": list(one.classes) if one.classes else None,
        }
        for one in suspects(table)
    ]


def pairs_of(table: ReadTable) -> list[Pair]:
    """Every two readers, in the order of names: what they share and how far they agree."""
    found: list[Pair] = []
    for pair in pairwise(table):
        equal = share(round(pair.agreement * pair.n) if pair.n else 0, pair.n, NOTHING_SHARED)
        kappa = pair.kappa
        if kappa.value is None:
            kappa = Estimate(None, None, None, pair.n, ONE_LABEL if pair.n else NOTHING_SHARED)
        found.append({"a": pair.a, "b": pair.b, "n": pair.n, "agreement": told(equal), "kappa": told(kappa)})
    return found


def confusions_of(table: ReadTable, pairs: list[Pair]) -> Confusions:
    """The tables of counts of the pairs that share a crop, at most 300: those that share most."""
    sharing = sorted((pair for pair in pairs if pair["n"]), key=lambda pair: -pair["n"])
    place = {name: number for number, name in enumerate(table.annotators)}
    columns = np.ascontiguousarray(table.codes.T)
    kept: list[PairConfusion] = []
    for pair in sharing[:MOST_PAIRS]:
        counts = confusion(columns[place[pair["a"]]], columns[place[pair["b"]]], len(table.labels))
        kept.append({"a": pair["a"], "b": pair["b"], "n": pair["n"], "counts": counts.tolist()})
    return {"labels": list(table.labels), "pairs": kept, "left_out": len(sharing) - len(kept)}


def intra_of(columns: Columns) -> list[Intra]:
    """Readers who read crops again without knowing it, against themselves."""
    kinds = columns.kinds
    table = columns.table((kinds.blind | kinds.reread) & ~kinds.dependent & ~kinds.imported)
    found: list[Intra] = []
    for name, counts in repeated_counts(table):
        sample = Sample(*patterns(counts))
        percent = interval(figures.percent(sample.patterns), sample, by_chance=False)
        alpha = interval(figures.alpha(sample.patterns), sample)
        found.append({"reader": name, "n": sample.n_shared, "percent": told(percent), "alpha": told(alpha)})
    return found
