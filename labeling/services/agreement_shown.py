"""The agreement report as its page wants it: the matrix of classes, the plot over time, what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from labeling.agreement.intervals import FEW_ITEMS
from labeling.agreement.shape import AgreementData, PerClass, Window
from labeling.services.next_steps import DISPUTED, TOO_FEW_RARE, Step
from labeling.services.progress import NOT_SURE_LABEL

# Steps of the shading, from none to the darkest.
SHADES = 4
# Fewer than this are an accident, not a question about the classes.
WORTH_A_TALK = 3
# Where this share of what either class was called is the other one, nobody tells the two apart.
HARDLY_TOLD_APART = 0.4
WIDTH, HEIGHT = 1000, 360
LOW = 0.667


@dataclass(frozen=True, slots=True)
class Cell:
    """Crops that one reader called the row's class and another one the column's; `shade` from 0 to 4."""

    a: str
    b: str
    count: int
    shade: int
    is_equal: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A class by its name, its cells, and the share of its pairs of reads that name the same class twice."""

    name: str
    cells: list[Cell]
    n: int
    equal: float | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who disagrees about what, over all pairs of readers; it is symmetric. `names` stand above the columns."""

    names: list[str]
    rows: list[MatrixRow]
    pairs: int
    left_out: int


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A window: where it lies in the plot, where its interval ends (None without one), and its row."""

    x: int
    y: int
    low: int | None
    high: int | None
    window: Window


@dataclass(frozen=True, slots=True)
class TimePlot:
    """Alpha over time as coordinates that grow to the right and downwards; `ticks` are (y, text)."""

    basis: str
    points: list[TimePoint]
    ticks: list[tuple[int, str]]
    path: str


def matrix_of(data: AgreementData) -> Matrix | None:
    """The confusions of all pairs together, None where no two readers share a crop."""
    found = data["confusions"]
    counts = _summed(found["pairs"], len(found["labels"]))
    if not any(map(any, counts)):
        return None
    names = [name_of(data["labels"], key) for key in found["labels"]]
    apart = max((count for i, row in enumerate(counts) for j, count in enumerate(row) if i != j), default=0)
    rows = [_row(found["labels"], names, counts, i, apart) for i in range(len(names))]
    return Matrix(names, rows, len(found["pairs"]), found["left_out"])


def _summed(pairs: Sequence[Mapping[str, Any]], size: int) -> list[list[int]]:
    """Counts (labels, labels) over the pairs of readers, in both directions; equal answers once."""
    total = [[0] * size for _ in range(size)]
    for pair in pairs:
        for i, row in enumerate(pair["counts"]):
            for j, count in enumerate(row):
                total[i][j] += count
                if i != j:
                    total[j][i] += count
    return total


def _row(keys: Sequence[str], names: Sequence[str], counts: list[list[int]], at: int, most: int) -> MatrixRow:
    n = sum(counts[at])
    cells = [
        Cell(keys[at], key, count, 0 if at == j or not most else -(-SHADES * count // most), at == j)
        for j, (key, count) in enumerate(zip(keys, counts[at]))
    ]
    return MatrixRow(names[at], cells, n, counts[at][at] / n if n else None)


def name_of(labels: Mapping[str, str], key: str) -> str:
    """What people call the class of this key; the not-sure label has its words."""
    return "not sure" if key == NOT_SURE_LABEL else labels.get(key, key)


def word_of(data: AgreementData) -> str:
    """The headline's word; of too little data it says whether crops are lacking, or answers that are not the most
    common one."""
    head = data["headline"]
    return TOO_FEW_RARE if head["word"] == "too few" and head["alpha"]["n"] >= FEW_ITEMS else head["word"]


def disputed_of(data: AgreementData) -> list[dict[str, Any]]:
    """The disputed crops, newest first, each with its votes in words: "2 × round, 1 × long"."""
    names = data["labels"]
    return [
        {**row, "votes": ", ".join(f"{votes} × {name_of(names, key)}" for key, votes in row["votes"].items())}
        for row in data["consensus"]["disputed"]
    ]


def steps_of(data: AgreementData, matrix: Matrix | None) -> list[Step]:
    """What the figures ask for, the most pressing first: crops to discuss, classes to sharpen, readers to look at."""
    return [*_to_discuss(data, matrix), *_to_sharpen(data), *_to_look_at(data)]


def _to_discuss(data: AgreementData, matrix: Matrix | None) -> list[Step]:
    rows = matrix.rows if matrix else []
    cells = [cell for at, row in enumerate(rows) for cell in row.cells[:at] if NOT_SURE_LABEL not in (cell.a, cell.b)]
    worst = sorted((cell for cell in cells if cell.count >= WORTH_A_TALK), key=lambda cell: -cell.count)[:3]
    return [_talk(data, rows, cell) for cell in worst]


def _talk(data: AgreementData, rows: Sequence[MatrixRow], cell: Cell) -> Step:
    a, b = name_of(data["labels"], cell.a), name_of(data["labels"], cell.b)
    n = {row.cells[0].a: row.n for row in rows}
    hardly = min(cell.count / max(n[key], 1) for key in (cell.a, cell.b)) >= HARDLY_TOLD_APART
    text = (
        f"Discuss {a} against {b}, or merge the two: they are hardly told apart"
        if hardly
        else f"Discuss {a} against {b}"
    )
    why = f"{cell.count:,} pairs of reads say one of the two each."
    return Step(text, why, DISPUTED, f"?{urlencode({'a': cell.a, 'b': cell.b})}")


def _to_sharpen(data: AgreementData) -> list[Step]:
    # Nobody writes a guideline of "not sure".
    classes = [row for row in data["per_class"] if row["key"] != NOT_SURE_LABEL]
    known = [row for row in classes if _is_low(row)]
    # Of two classes each is the rest of the other.
    most = 1 if len(data["per_class"]) == 2 else 2
    lowest = sorted(known, key=lambda row: (row["value"] or 0.0, row["reads"]))[:most]
    return [Step(f"Sharpen the guideline of {row['name']}", _low_words(row), "labeling:guidelines") for row in lowest]


def _low_words(row: PerClass) -> str:
    low, high = row["low"] or 0.0, row["high"] or 0.0
    return f"Against the rest its α is {row['value']:.2f} [{low:.2f} to {high:.2f}], n {row['n']:,}."


def _is_low(row: PerClass) -> bool:
    """Whether the class is surely hard: nothing cautions against its interval, which ends below tentative."""
    return row["high"] is not None and row["high"] < LOW and not row["reason"]


def _to_look_at(data: AgreementData) -> list[Step]:
    numbers = {row["name"]: row["id"] for row in data["readers"]}
    why = "Shown and not punished: who disagrees may be right."
    return [
        Step(found["text"], why, "labeling:reader", reader=numbers[found["annotator"]])
        for found in data["suspects"]
        if found["annotator"] in numbers
    ]


def time_plot(windows: Sequence[Window]) -> TimePlot | None:
    """The windows as points from left to right: those of random crops, else of all; None with fewer than two."""
    known = next((rows for rows in map(partial(_known, windows), ("random", "all")) if len(rows) > 1), None)
    if known is None:
        return None
    least = min(0.0, *(row["value"] or 0.0 for row in known))
    points = [_point(row, at, len(known), least) for at, row in enumerate(known)]
    path = "M" + "L".join(f"{point.x} {point.y}" for point in points)
    ticks = [(_height(value, least), f"{value:g}") for value in (least, (1 + least) / 2, 1.0)]
    return TimePlot(known[0]["basis"], points, ticks, path)


def _known(windows: Sequence[Window], basis: str) -> list[Window]:
    return [row for row in windows if row["basis"] == basis and row["value"] is not None]


def _point(row: Window, at: int, count: int, least: float) -> TimePoint:
    limits = [None if limit is None else _height(max(limit, least), least) for limit in (row["low"], row["high"])]
    return TimePoint(round((at + 0.5) * WIDTH / count), _height(row["value"] or 0.0, least), *limits, row)


def _height(value: float, least: float) -> int:
    return round(HEIGHT * (1.0 - value) / (1.0 - least))
