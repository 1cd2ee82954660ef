"""The learning curve as coordinates of a plot: points with intervals, the fitted curve, the forecast."""

import math
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 1000, 560
STEPS = 60


@dataclass(frozen=True, slots=True)
class Point:
    """A size of the training set: where it lies, where its interval ends (None without one)."""

    x: int
    y: int
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its text."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that the template draws; coordinates grow to the right and downwards."""

    points: list[Point]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    fitted: str
    ahead: str
    now: int | None
    gain: Point | None


def plot_of(said: dict[str, Any]) -> Plot | None:
    """The plot of a forecast with its `curve`; None without a point."""
    rows = [row for row in said["curve"] if row["value"] is not None]
    if not rows:
        return None
    law, now = said["law"], said["answers"]
    most = max([row["answers"] for row in rows] + ([now + said["more"]] if law else []))
    least = min(row["value"] if row["low"] is None else row["low"] for row in rows)
    frame = _Frame(_round_up(most), math.floor(10 * least) / 10)
    return Plot(
        points=[Point(frame.x(row["answers"]), *frame.span(row)) for row in rows],
        x_ticks=[Tick(frame.x(at), f"{at:,}") for at in (0, frame.most // 2, frame.most)],
        y_ticks=[
            Tick(frame.y(frame.least + (1 - frame.least) * part), f"{frame.least + (1 - frame.least) * part:.2f}")
            for part in (0, 0.5, 1)
        ],
        fitted=_path(frame, law, rows[0]["answers"], max(now, rows[-1]["answers"])) if law else "",
        ahead=_path(frame, law, now, now + said["more"]) if law else "",
        now=frame.x(now) if law else None,
        gain=_end(frame, said) if law else None,
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    most: int
    least: float

    def x(self, answers: float) -> int:
        return round(WIDTH * answers / self.most)

    def y(self, value: float) -> int:
        return round(HEIGHT * (1 - (min(max(value, self.least), 1) - self.least) / (1 - self.least)))

    def span(self, row: dict[str, Any]) -> tuple[int, int | None, int | None]:
        """Heights of a value and the ends of its interval."""
        if row["low"] is None:
            return self.y(row["value"]), None, None
        return self.y(row["value"]), self.y(row["low"]), self.y(row["high"])


def _end(frame: _Frame, said: dict[str, Any]) -> Point:
    """Where the forecast ends: what the curve reaches now, plus the gain and the ends of its interval."""
    base, gain = _law(said["law"], said["answers"]), said["gain"]
    row = {name: base + gain[name] for name in ("value", "low", "high")}
    return Point(frame.x(said["answers"] + said["more"]), *frame.span(row))


def _law(law: list[float], answers: float) -> float:
    c, a, b = law
    return float(c - a * answers**-b)


def _path(frame: _Frame, law: list[float], start: int, end: int) -> str:
    sizes = [start + (end - start) * step / STEPS for step in range(STEPS + 1)]
    return "M" + "L".join(f"{frame.x(size)} {frame.y(_law(law, size))}" for size in sizes)


def _round_up(value: int) -> int:
    """The next number of one digit and zeros, or half of one, so that ticks are easy to read."""
    step = 10 ** max(1, math.floor(math.log10(max(value, 1)))) // 2
    return max(2, math.ceil(value / step) * step)
