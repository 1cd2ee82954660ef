"""The tables of the agreement report as CSV: one row per line of a table, figures with their interval and n."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_origin, get_type_hints, is_typeddict

from labeling.agreement.shape import (
    AgreementData,
    Group,
    Headline,
    Intra,
    Pair,
    PerClass,
    Rate,
    Reader,
    Row,
    SuspectRow,
    Window,
)
from labeling.exchange.text import guarded
from labeling.services.export.files import csv_lines

Line = Mapping[str, Any]
Lines = Callable[[AgreementData], Iterable[Line]]


def table_names() -> list[str]:
    """Names of the tables, in the order of the documentation."""
    return list(TABLES)


def table_csv(data: AgreementData, name: str) -> Iterator[bytes]:
    """The lines of the table; KeyError where there is none of this name.

    Cells that a spreadsheet would run as a formula are guarded, as in all tables of the house.
    """
    header, lines = TABLES[name]
    return csv_lines(header, ([_cell(line.get(column)) for column in header] for line in lines(data)))


def _cell(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value


def columns_of(kind: type, prefix: str = "") -> list[str]:
    """Names of the columns for rows of this shape; figures within a row give columns named after both."""
    found: list[str] = []
    for key, hint in get_type_hints(kind).items():
        if is_typeddict(hint):
            found += columns_of(hint, f"{prefix}{key}_")
        elif get_origin(hint) is not list:
            found.append(f"{prefix}{key}")
    return found


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The row with the figures in it spread over columns; lists are left out."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}_")
        elif not isinstance(value, list):
            found[f"{prefix}{key}"] = value
    return found


def _plain(kind: type, rows: Callable[[AgreementData], Iterable[Any]]) -> tuple[list[str], Lines]:
    return columns_of(kind), lambda data: (flat(row) for row in rows(data))


def _not_sure(data: AgreementData) -> Iterator[Line]:
    part = data["not_sure"]
    yield {"by": "all", **part["rate"]}
    for by, rows in (
        ("reader", part["by_reader"]),
        ("class", part["by_class"]),
        ("experiment", part["by_experiment"]),
    ):
        for row in rows:
            yield {"by": by, **row}


def _confusions(data: AgreementData) -> Iterator[Line]:
    labels = data["confusions"]["labels"]
    for pair in data["confusions"]["pairs"]:
        for said, row in zip(labels, pair["counts"]):
            for other, n in zip(labels, row):
                yield {"a": pair["a"], "b": pair["b"], "a_said": said, "b_said": other, "n": n}


def _against_others(data: AgreementData) -> Iterator[Line]:
    labels = data["confusions"]["labels"]
    for reader in data["readers"]:
        for others, row in zip(labels, reader["confusion"]):
            for said, n in zip(labels, row):
                yield {"reader": reader["name"], "others_said": others, "said": said, "n": n}


def _model(data: AgreementData) -> Iterator[Line]:
    part = data["dawid_skene"]
    for reader, matrix in part["confusion"].items():
        for label, row in zip(part["labels"], matrix):
            for said, chance in zip(part["labels"], row):
                yield {"reader": reader, "class": label, "said": said, "probability": chance}


def _disputed(data: AgreementData) -> Iterator[Line]:
    for row in data["consensus"]["disputed"]:
        votes = "; ".join(f"{name} {n}" for name, n in row["votes"].items())
        yield {**row, "votes": votes}


def _suspects(data: AgreementData) -> Iterator[Line]:
    return ({**flat(row), "classes": "; ".join(row["classes"] or [])} for row in data["suspects"])


TABLES: dict[str, tuple[list[str], Lines]] = {
    "headline": _plain(Headline, lambda data: [data["headline"]]),
    "rows": _plain(Row, lambda data: data["rows"]),
    "not-sure": (["by", *columns_of(Rate)], _not_sure),
    "per-class": _plain(PerClass, lambda data: data["per_class"]),
    "pairs": _plain(Pair, lambda data: data["pairs"]),
    "confusions": (["a", "b", "a_said", "b_said", "n"], _confusions),
    "intra": _plain(Intra, lambda data: data["intra"]),
    "by-experiment": _plain(Group, lambda data: data["by_experiment"]),
    "by-why": _plain(Group, lambda data: data["by_why"]),
    "by-quality": _plain(Group, lambda data: data["by_quality"]),
    "over-time": _plain(Window, lambda data: data["over_time"]),
    "readers": _plain(Reader, lambda data: data["readers"]),
    "readers-against-others": (["reader", "others_said", "said", "n"], _against_others),
    "disputed": (["crop", "key", "experiment", "votes", "reads"], _disputed),
    "dawid-skene": (["reader", "class", "said", "probability"], _model),
    "suspects": (columns_of(SuspectRow), _suspects),
}
