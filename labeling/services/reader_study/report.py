"""The report of a closed study of readers: its primary figure against the margin, and every table behind it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling.agreement.summary import summarise
from labeling.agreement.table import ReadTable, from_long
from labeling.agreement.with_others import with_the_others
from labeling.models import Annotation, ReaderStudy
from labeling.services.progress import ABOUT_CLASSES, NOT_SURE_LABEL
from labeling.services.queueing.cases import case_keys
from labeling.services.reader_study.closing import deviations
from labeling.services.reader_study.progress import progress_of
from labeling.services.reads import BAD

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report: `key` names its file, `note` says how to read it; cells are raw, None for none."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The primary figure (value, low, high, n, reason), the sentence about its margin, and the tables."""

    primary: Mapping[str, Any]
    verdict: str
    is_reached: bool | None
    tables: tuple[Table, ...]

    def table(self, key: str) -> Table | None:
        """The table of that key, None where there is none."""
        return next((row for row in self.tables if row.key == key), None)


@dataclass(frozen=True, slots=True)
class _Given:
    """One standing answer to a case: who gave it, what kind it is, its class ("" without), whether read again."""

    crop: str
    reader: str
    answer: str
    label: str
    is_reread: bool


def report_of(protocol: ReaderStudy) -> Report:
    """The report over the answers of the protocol's readers to its cases; the caller knows that it is closed.

    Agreement rests on first answers; second readings tell how far readers repeat themselves. Bad crops and wrong
    objects say nothing of classes: they are counted by reader.
    """
    given = _given(protocol)
    table = _table(given)
    order = [row["key"] for row in protocol.fixed["classes"]]
    found = summarise(table, order)
    primary = primary_of(protocol, found)
    verdict, is_reached = against_margin(protocol, primary)
    tables = (
        _primary(protocol, primary, verdict),
        _pairs(found),
        _readers(protocol, given, table),
        _classes(protocol, found),
        _not_sure(found),
        _again(found),
        _deviations(protocol),
    )
    return Report(primary, verdict, is_reached, tables)


def primary_of(protocol: ReaderStudy, found: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol's figure out of a summary of agreement: value, low, high, n and reason."""
    if protocol.primary_measure == ReaderStudy.Measure.PERCENT:
        return dict(found["percent_agreement_interval"])
    return dict(found[protocol.primary_measure])


def against_margin(protocol: ReaderStudy, primary: Mapping[str, Any]) -> tuple[str, bool | None]:
    """The figure against its margin in words, and whether it was reached; None where that cannot be said."""
    low, high = primary["low"], primary["high"]
    if low is None or high is None:
        why = primary["reason"] or "there are too few answers"
        return f"The margin cannot be judged: {why}.", None
    if protocol.margin_kind == ReaderStudy.MarginKind.HALF_WIDTH:
        # An interval of just the planned width must not fail by the last digit of a float.
        half = round((high - low) / 2, 9)
        is_reached = half <= protocol.margin
        word = "as narrow as planned" if is_reached else "wider than planned"
        said = f"Half of the interval is {half:.3f}; planned was {protocol.margin:g} at most: {word}."
    else:
        is_reached = low >= protocol.margin
        word = "reached" if is_reached else "not reached"
        said = f"The lower limit is {low:.3f}; planned was {protocol.margin:g} at least: {word}."
    caution = f" With caution: {primary['reason']}." if primary["reason"] else ""
    return said + caution, is_reached


def _given(protocol: ReaderStudy) -> list[_Given]:
    cases, names = case_keys(protocol.study), {row.user: row.name for row in progress_of(protocol)}
    rows = Annotation.objects.current().filter(study=protocol.study, annotator__in=names, crop__in=cases)
    columns = ("crop_id", "annotator_id", "answer", "labels__label_class__key", "is_reread")
    return [
        _Given(cases[crop], names[user], answer, label or "", again)
        for crop, user, answer, label, again in rows.order_by("id").values_list(*columns)
    ]


def _table(given: list[_Given]) -> ReadTable:
    """First answers, then second readings: of two reads of one person the table counts the earlier row."""
    told = [row for row in given if row.answer in ABOUT_CLASSES]
    ordered = sorted(told, key=lambda row: row.is_reread)
    first = {(row.crop, row.reader) for row in told if not row.is_reread}
    # A second reading without a first that names a class, or "not sure", must not stand in for it.
    kept = [row for row in ordered if (row.crop, row.reader) in first]
    return from_long([(row.crop, row.reader, row.label or NOT_SURE_LABEL) for row in kept], not_sure=NOT_SURE_LABEL)


def _primary(protocol: ReaderStudy, primary: Mapping[str, Any], verdict: str) -> Table:
    row = (protocol.get_primary_measure_display(), *_estimate(primary), verdict)
    return Table("primary", "Primary measure", ("Measure", *ESTIMATE, "Margin"), (row,))


def _pairs(found: Mapping[str, Any]) -> Table:
    columns = ("Reader", "Other reader", "Cases", "Same answer", "Cohen's κ", "Low", "High", "Remark")
    rows = tuple(
        (pair["a"], pair["b"], pair["n"], pair["agreement"], pair["kappa"], pair["low"], pair["high"], pair["reason"])
        for pair in found["pairwise"]
    )
    return Table("pairs", "Each pair of readers", columns, rows, "“Not sure” counts as a class.")


def _readers(protocol: ReaderStudy, given: list[_Given], table: ReadTable) -> Table:
    agreeing = dict(with_the_others(table))
    columns = ("Reader", "Cases read", "Cases", "Not sure", "Bad or wrong object", "Read again", *SHARE)
    rows = []
    for row in progress_of(protocol):
        own = [one for one in given if one.reader == row.name and not one.is_reread]
        kinds = Counter(one.answer for one in own)
        share = agreeing.get(row.name)
        figure = (share.value, share.low, share.high, share.n, share.reason) if share else (None, None, None, 0, "")
        bad = sum(kinds[kind] for kind in BAD)
        rows.append((row.name, row.read, row.cases, kinds["not_sure"], bad, row.again, *figure))
    note = "Agreement with the others: share of the other readers' answers to the same cases that say the same."
    return Table("readers", "Each reader", columns, tuple(rows), note)


def _classes(protocol: ReaderStudy, found: Mapping[str, Any]) -> Table:
    # Also a class that nobody chose is a finding.
    unused = {"value": None, "low": None, "high": None, "n": 0, "reason": "nobody chose this class", "reads": 0}
    names = {row["key"]: row["name"] for row in protocol.fixed["classes"]} | {NOT_SURE_LABEL: NOT_SURE_LABEL}
    told = {key: found["per_class"].get(key, unused) for key in names}
    rows = tuple((names[key], row["reads"], *_estimate(row)) for key, row in told.items())
    note = "Krippendorff's α of each class against all others."
    return Table("classes", "Each class", ("Class", "Answers", *ESTIMATE), rows, note)


def _not_sure(found: Mapping[str, Any]) -> Table:
    ways = {"as_class": "as a class of its own", "as_missing": "as a missing answer", "sure_unsure": "sure or not"}
    rows = tuple((words, *_estimate(found["not_sure"][name])) for name, words in ways.items())
    n = found["not_sure"]["n"]
    said = "1 answer says" if n == 1 else f"{n} answers say"
    note = f"Krippendorff's α, nominal, three ways; {said} “not sure”."
    return Table("not-sure", "“Not sure” three ways", ("“Not sure” counts", *ESTIMATE), rows, note)


def _again(found: Mapping[str, Any]) -> Table:
    columns = (
        "Reader",
        "Cases read again",
        "Same answer",
        "Low",
        "High",
        "α with oneself",
        "α low",
        "α high",
        "Remark",
    )
    rows = tuple(
        (
            name, row["n"], row["percent"]["value"], row["percent"]["low"], row["percent"]["high"],
            row["alpha"]["value"], row["alpha"]["low"], row["alpha"]["high"],
            row["percent"]["reason"] or row["alpha"]["reason"],
        )
        for name, row in found["intra"].items()
    )  # fmt: skip
    note = "Second readings, blind, after the wash-out." if rows else "Nobody has read a case again."
    return Table("again", "Each reader with themselves", columns, rows, note)


def _deviations(protocol: ReaderStudy) -> Table:
    rows = tuple((row.kind, row.text) for row in deviations(protocol))
    note = "" if rows else "None: the study followed its protocol."
    return Table("deviations", "Deviations from the protocol", ("What", "How"), rows, note)


ESTIMATE = ("Value", "Low", "High", "Cases", "Remark")
SHARE = ("Agreement with the others", "Low", "High", "Shared cases", "Remark")


def _estimate(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    return found["value"], found["low"], found["high"], found["n"], found["reason"]
