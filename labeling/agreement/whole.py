"""The whole report from the reads of a study; see `shape.AgreementData` for what it holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from labeling.agreement import breakdowns, overview, readers, votes
from labeling.agreement.bases import Design, bases
from labeling.agreement.columns import Columns, Flags, counts_of
from labeling.agreement.counts import Floats
from labeling.agreement.shape import AgreementData, Group, NotSure, Rate, State
from labeling.agreement.shares import share
from labeling.agreement.table import Codes


@dataclass(frozen=True, slots=True)
class Known:
    """What else the report tells: number of each item's crop, names of the classes by key, what was decided on an
    item, numbers of simulated readers, whether the study is simulated as a whole, and which items a lead settled."""

    crops: Codes
    classes: Mapping[str, str]
    decided: Mapping[int, str]
    simulated: Collection[int]
    is_simulated: bool
    by_lead: Collection[int] = ()


def whole(columns: Columns, design: Design, known: Known, state: State) -> tuple[AgreementData, votes.Verdicts]:
    """The report, and the verdict of each item."""
    chosen, census = bases(columns, design)
    rows = overview.rows_of(columns, chosen)
    headline = overview.headline_of(columns, rows, chosen, census)
    blind = overview.firsts(columns, chosen["blind"])
    led = overview.firsts(columns, chosen[headline["basis"]])
    own, every = counts_of(columns, led), counts_of(columns, blind)
    table = columns.table(blind)
    suspects, pairs = readers.suspect_rows(table), readers.pairs_of(table)
    model = votes.model_of(columns)
    verdicts = votes.verdicts_of(columns, ~columns.kinds.reread, known.decided, model, known.by_lead)
    classes = dict(known.classes) | {columns.names.not_sure: "not sure"}
    data: AgreementData = {
        "headline": headline,
        "rows": rows,
        "not_sure": _not_sure(columns, blind, own, every, classes),
        "per_class": breakdowns.per_class(classes, columns.names.labels, own, every),
        "pairs": pairs,
        "confusions": readers.confusions_of(table, pairs),
        "intra": readers.intra_of(columns),
        "by_experiment": breakdowns.groups(_experiments(columns), columns.items.experiment, own, every),
        "by_why": _by_why(columns, blind, every),
        "by_quality": _by_quality(columns, own, every),
        "over_time": [
            *breakdowns.windows(columns, overview.firsts(columns, chosen["random"]), "random"),
            *breakdowns.windows(columns, blind, "all"),
        ],
        "readers": readers.readers_of(columns, blind, suspects, votes.competence_of(model), known.simulated),
        "consensus": votes.consensus_part(columns, verdicts, known.crops),
        "dawid_skene": votes.model_part(model),
        "suspects": suspects,
        "labels": {label: classes.get(label, label) for label in columns.names.labels},
        "left_out": int((columns.kinds.dependent & ~columns.kinds.reread).sum()),
        "simulated": known.is_simulated,
        "state": state,
    }
    return data, verdicts


def _experiments(columns: Columns) -> list[tuple[str, str]]:
    return [(str(number), name) for number, name in columns.names.experiments]


def _by_why(columns: Columns, blind: Flags, every: Floats) -> list[Group]:
    names = [(why, why or "not asked by the queue") for why in columns.names.why]
    return breakdowns.groups(names, breakdowns.why_of_items(columns, blind), every, every)


def _by_quality(columns: Columns, own: Floats, every: Floats) -> list[Group]:
    verdicts = [(f"verdict:{name}", name.replace("_", " ")) for name in columns.names.verdicts]
    focus = [(f"focus:{name}", name) for name in columns.names.focus]
    return [
        *breakdowns.groups(verdicts, columns.items.verdict, own, every),
        *breakdowns.groups(focus, columns.items.focus, own, every),
    ]


def _not_sure(columns: Columns, blind: Flags, own: Floats, every: Floats, classes: Mapping[str, str]) -> NotSure:
    labels = columns.names.labels
    place = labels.index(columns.names.not_sure) if columns.names.not_sure in labels else -1
    unsure = columns.unsure[blind]
    return {
        "headline": breakdowns.three_ways(own, place),
        "all": breakdowns.three_ways(every, place),
        "rate": overview.told(share(int(unsure.sum()), int(blind.sum()))),
        "by_reader": _rates([(str(n), name) for n, name in columns.names.readers], columns.reader[blind], unsure),
        "by_class": _rates(
            [(label, classes.get(label, label)) for label in labels],
            breakdowns.others_label(columns, blind)[blind],
            unsure,
        ),
        "by_experiment": _rates(_experiments(columns), columns.items.experiment[columns.item[blind]], unsure),
    }


def _rates(names: list[tuple[str, str]], group: Codes, unsure: Flags) -> list[Rate]:
    return sorted(breakdowns.rates(names, group, unsure), key=lambda row: row["name"])
