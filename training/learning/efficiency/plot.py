"""Draws a label-efficiency report: the curves, and below them each difference to random with its band."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's colours, each with a dash and a marker of its own, so that grey print keeps them apart.
STYLES = (
    ("#000000", (0, (4, 2)), "o"),
    ("#0072b2", "solid", "s"),
    ("#d55e00", (0, (1, 1)), "^"),
    ("#009e73", "dashdot", "D"),
    ("#cc79a7", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#e69f00", (0, (3, 1)), "P"),
    ("#56b4e9", (0, (6, 3)), "X"),
    ("#6a51a3", (0, (2, 2)), "*"),
)
INCHES = (9.0, 7.0)


def draw(report: Mapping[str, Any], kind: str) -> bytes:
    """The plot as a file of this kind, "svg" or "png"; the same report gives the same bytes."""
    # Names are text: a dollar sign in one begins no formula.
    with mpl.rc_context({"svg.hashsalt": "parfocal", "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=INCHES, layout="constrained")
        curves, differences = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        styles = {name: STYLES[n % len(STYLES)] for n, name in enumerate(report["strategies"])}
        _draw_curves(curves, report, styles)
        _draw_differences(differences, report, styles)
        figure.suptitle(_title(report), fontsize=10, x=0.01, ha="left")
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return stream.getvalue()


def _title(report: Mapping[str, Any]) -> str:
    split = report["split"]
    words = f"{report.get('task') or 'labels'}: {report['budget']['measured']} queries, {split['seeds']} seeds"
    words += f", {split['folds']} folds by {split['level']}"
    if report["annotator"]["simulated"]:
        words += "\nSIMULATED annotator, who is sometimes wrong or not sure"
    return words


def _draw_curves(axes: Axes, report: Mapping[str, Any], styles: Mapping[str, Any]) -> None:
    """Mean balanced accuracy of each strategy, named at its end; what all labels give as a dotted line."""
    ends = []
    for name, row in report["strategies"].items():
        x, y = np.array(row["curve"]).T
        _line(axes, x, y, styles[name])
        ends.append((float(y[-1]), name, styles[name][0]))
    axes.axhline(report["all_labels"], color="#666666", linewidth=0.8, linestyle=(0, (1, 3)))
    ends.append((report["all_labels"], "all labels", "#666666"))
    axes.set_ylabel("balanced accuracy")
    _name_ends(axes, ends)


def _draw_differences(axes: Axes, report: Mapping[str, Any], styles: Mapping[str, Any]) -> None:
    """Difference of each strategy to random with its simultaneous 95 % band."""
    axes.axhline(0, color="#000000", linewidth=0.8)
    ends = []
    for name, row in report["strategies"].items():
        if name == "random":
            continue
        x, y, low, high = np.array(row["difference"]).T
        axes.fill_between(x, low, high, color=styles[name][0], alpha=0.15, linewidth=0)
        for edge in (low, high):
            axes.plot(x, edge, color=styles[name][0], linewidth=0.5)
        _line(axes, x, y, styles[name])
        ends.append((float(y[-1]), name, styles[name][0]))
    axes.set_ylabel("difference to random,\nsimultaneous 95 % band")
    axes.set_xlabel("queries (answers asked for, whatever was said)")
    _name_ends(axes, ends)


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], style: tuple[str, Any, str]) -> None:
    color, dash, marker = style
    every = max(len(x) // 8, 1)
    axes.plot(x, y, color=color, linestyle=dash, linewidth=1.8, marker=marker, markersize=5, markevery=every)


def _name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names beside the ends of the lines, pushed apart where they would overlap."""
    axes.spines[["top", "right"]].set_visible(False)
    low, high = axes.get_ylim()
    rising = sorted(ends)
    places = spaced(np.array([y for y, _, _ in rising]), (high - low) * 0.07, high)
    for place, (_, name, color) in zip(places, rising):
        axes.annotate(
            name,
            xy=(1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            color=color,
            va="center",
        )


def spaced(rising: NDArray[np.float64], gap: float, highest: float) -> NDArray[np.float64]:
    """Places (n,) near the rising values, at least a gap apart and, where there is room, none above the highest."""
    steps = gap * np.arange(len(rising))
    pushed = np.maximum.accumulate(rising - steps) + steps
    ceiling = highest - steps[::-1]
    return np.asarray(np.minimum(pushed, ceiling))
