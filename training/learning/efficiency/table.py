"""The printed form of a label-efficiency report."""

from collections.abc import Iterator, Mapping
from typing import Any

Report = Mapping[str, Any]
NEVER = "never"


def as_text(report: Report) -> str:
    """The report in lines for people: split, one row per strategy, recall, what is held apart, noise, notes."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    if "source" in report:
        yield f"study '{report['study']}': {report['source']}{', SIMULATED' if report['simulated_study'] else ''}"
    yield f"split: {report['split']['why']}"
    yield f"{report['split']['intervals']}. {report['annotator']['words']}"
    yield ""
    yield from _strategies(report)
    yield ""
    yield from _targets(report)
    yield ""
    yield from _recall(report)
    yield from _apart(report)
    yield from _comparisons(report)
    yield from report["notes"]


def _strategies(report: Report) -> Iterator[str]:
    budget = report["budget"]["measured"]
    yield f"balanced accuracy over {budget} queries; a head with all labels reaches {report['all_labels']:.3f}"
    yield (
        f"{'strategy':<14}{'area':>7}{'log area':>10}{'at the end':>12}   {'area - random':<26}"
        f"{'regret (simultaneous)':<26}{'p (Holm)':>9}{'not sure':>10}"
    )
    for name, row in report["strategies"].items():
        p = "" if row["test"] is None else f"{row['test']['p_holm']:.3f}"
        yield (
            f"{name:<14}{row['area']:7.3f}{row['area_log']:10.3f}{row['curve'][-1][1]:12.3f}   "
            f"{_signed(row['area_difference']):<26}{_signed(row['regret']):<26}{p:>9}{row['not_sure_share']:>10.0%}"
        )


def _targets(report: Report) -> Iterator[str]:
    yield "queries to a target, and their ratio to random's"
    for label, own in report["strategies"]["random"]["targets"].items():
        yield f"  {label} ({own['target']:.3f}): random {own['queries'] or NEVER}"
        for name, row in report["strategies"].items():
            if name != "random":
                found = row["targets"][label]
                yield f"    {name:<14}{found['queries'] or NEVER:>6}   ratio {_ratio(found)}"


def _ratio(found: Report) -> str:
    value = found["ratio"]
    if found["queries"] is None:
        return "none: it is not reached within the budget"
    bound = "at most " if found["queries_random"] is None else ""
    low, high = (NEVER if end is None else f"{end:.2f}" for end in (value["low"], value["high"]))
    return f"{bound}{value['value']:.2f} [{low}, {high}]"


def _recall(report: Report) -> Iterator[str]:
    names = list(report["strategies"])
    yield "recall at the end    " + "".join(f"{name:>22}" for name in names)
    for label in report["classes"]:
        cells = [_share(report["strategies"][name]["recall"][label]) for name in names]
        yield f"  {label:<19}" + "".join(f"{cell:>22}" for cell in cells)


def _share(figure: Report) -> str:
    if figure["value"] is None:
        return "not evaluable"
    if figure["low"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _apart(report: Report) -> Iterator[str]:
    """Parts that are held apart in full; of the others how often a class is absent."""
    for part in report["held_out"]:
        if part["apart"]:
            counts = ", ".join(f"{label} {n}" for label, n in part["per_class"].items() if n)
            yield f"held apart: {part['part']} ({part['crops']} crops: {counts}), recall at the end"
            for name, recall in part["recall"].items():
                seen = ", ".join(f"{label} {value:.3f}" for label, value in recall.items() if value is not None)
                yield f"  {name:<14}{seen}"
            absent = [label for label, n in part["per_class"].items() if not n]
            if absent:
                yield f"  not evaluable in {part['part']}: {', '.join(absent)}"
    within = [part for part in report["held_out"] if not part["apart"]]
    for label in report["classes"]:
        without = [part["part"] for part in within if not part["per_class"][label]]
        if without:
            named = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
            yield f"{label}: not evaluable in {len(without)} of {len(within)} held-out parts ({named})"


def _comparisons(report: Report) -> Iterator[str]:
    noise = report["noise_floor"]
    yield (
        f"noise floor, random against random: area {_signed(noise['area_difference'])}, "
        f"regret {_signed(noise['regret'])}"
    )
    for name, row in report["hedge"].items():
        part = name.removeprefix("default without ")
        yield f"price of the hedge, {part}: area without - area with {_signed(row['area_difference'])}"
    for name, row in report["not_sure_use"].items():
        yield f"{name} against {row['against']}: area {_signed(row['area_difference'])}"


def _signed(figure: Report) -> str:
    if figure["low"] is None:
        return "none" if figure["value"] is None else f"{figure['value']:+.3f}"
    return f"{figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"
