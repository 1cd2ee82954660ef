"""May this model go into production? Comparisons on the same held-out crops, and rules that explain
themselves."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.learning.metrics import Floats, Indices, balanced_accuracy, confusion_per_unit
from training.learning.unit_intervals import Scope, unit_estimate

MIN_EXPERIMENTS = 5
WORST_DROP = 0.02
PRIOR = "class prior"


def paired_difference(
    a: Floats, b: Floats, truth: Indices, unit: NDArray[Any], level: str = "experiment"
) -> dict[str, Any]:
    """Balanced accuracy of a minus that of b on the same crops, with an interval over units: above 0, a is
    better.

    a, b: probabilities (n, classes). The interval is paired: both models are scored on the same units.
    """
    number = np.unique(unit, return_inverse=True)[1]
    size = a.shape[1]
    parts = np.stack([confusion_per_unit(truth, p.argmax(axis=1), number, size) for p in (a, b)], axis=1)

    def difference(sums: Floats) -> Floats:
        return balanced_accuracy(sums[:, 0]) - balanced_accuracy(sums[:, 1])

    scope = Scope(len(truth), level, lowest=-1.0, is_share=False)
    per_unit = difference(parts)
    return {
        **asdict(unit_estimate(parts, difference, scope)),
        "n_units": len(parts),
        "worst_unit": float(np.nanmin(per_unit)) if np.isfinite(per_unit).any() else None,
    }


def with_comparisons(
    report: Mapping[str, Any],
    model: Floats,
    others: Mapping[str, Floats],
    truth: Indices,
    unit: NDArray[Any],
) -> dict[str, Any]:
    """The evaluation report with `comparisons`: the model against each other model on the same held-out
    crops.

    `others`: held-out probabilities by name; "class prior" and "production" have rules of their own in
    `gate`,
    every other name counts as a simple baseline.
    """
    number = np.unique(unit, return_inverse=True)[1]
    comparisons = {}
    for name, other in others.items():
        confusion = confusion_per_unit(truth, other.argmax(axis=1), number, other.shape[1])
        scope = Scope(len(truth), report["level"])
        comparisons[name] = {
            "balanced_accuracy": asdict(unit_estimate(confusion, balanced_accuracy, scope)),
            "difference": paired_difference(model, other, truth, unit, report["level"]),
        }
    return {**report, "comparisons": comparisons}


def gate(report: Mapping[str, Any]) -> dict[str, Any]:
    """Verdict on a report made by `with_comparisons`: {"passed", "status", "missing_experiments", "rules",
    "text"}.

    status: "validated" when every rule holds on at least 5 held-out experiments, "pilot" when the rules
    hold on
    fewer, "blocked" when a rule does not hold. A model whose `kind` is "handcrafted" is itself the simple
    baseline and has to beat the class prior only. A production model adds a rule on the worst unit.
    """
    comparisons = report.get("comparisons", {})
    rules = [_beats(PRIOR, comparisons.get(PRIOR), PRIOR)]
    if report.get("kind") != "handcrafted":
        rules.append(_beats_best_baseline(comparisons))
    if "production" in comparisons:
        rules.append(_keeps_the_worst(comparisons["production"]["difference"], report["level"]))
    rules.append(_calibrated(report))
    passed = all(rule["passed"] for rule in rules if rule["blocking"])
    held_out = report["n_units"] if report["level"] == "experiment" else 0
    missing = max(0, MIN_EXPERIMENTS - held_out)
    status = "blocked" if not passed else "pilot" if missing else "validated"
    text = _verdict(status, held_out, missing, report)
    return {"passed": passed, "status": status, "missing_experiments": missing, "rules": rules, "text": text}


def _beats_best_baseline(comparisons: Mapping[str, Any]) -> dict[str, Any]:
    simple = {name: entry for name, entry in comparisons.items() if name not in (PRIOR, "production")}
    best = max(simple, key=lambda name: simple[name]["balanced_accuracy"]["value"] or 0.0, default=None)
    if best is None:
        text = "No simple baseline was evaluated on the same crops."
        return _rule("beats the best simple baseline", False, text)
    return _beats("the best simple baseline", simple[best], best)


def _beats(rule: str, comparison: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    title = f"beats {rule}"
    if comparison is None:
        return _rule(title, False, f"The {name} was not evaluated on the same crops.")
    difference = comparison["difference"]
    if difference["low"] is None:
        return _rule(title, False, f"Against {name}: {difference['reason']}.")
    text = (
        f"Balanced accuracy {difference['value']:+.3f} against {name} "
        f"(95 % interval {difference['low']:+.3f} to {difference['high']:+.3f}); "
        "the interval must lie above 0."
    )
    return _rule(title, difference["low"] > 0, text)


def _keeps_the_worst(difference: Mapping[str, Any], level: str) -> dict[str, Any]:
    worst = difference["worst_unit"]
    passed = worst is not None and worst >= -WORST_DROP and difference["value"] >= 0
    change = "not computable" if worst is None else f"{worst:+.3f}"
    text = (
        f"Against the model in production {difference['value']:+.3f} overall; the {level} that loses most "
        f"changes by {change}, allowed is a loss of {WORST_DROP}."
    )
    return _rule("is no step back from production", passed, text)


def _calibrated(report: Mapping[str, Any]) -> dict[str, Any]:
    value, limit = report["ece"]["value"], max(0.05, report["ece_floor"]["p95"])
    text = f"Calibration error {value:.3f}; up to {limit:.3f} is good at n = {report['n']}."
    return {**_rule("is calibrated", value <= limit, text), "blocking": False}


def _rule(rule: str, passed: bool, text: str) -> dict[str, Any]:
    return {"rule": rule, "passed": bool(passed), "blocking": True, "text": text}


def _verdict(status: str, held_out: int, missing: int, report: Mapping[str, Any]) -> str:
    if status == "validated":
        return f"Holds on {held_out} held-out experiments."
    if status == "blocked":
        return "Not better than what is simpler; label more, or look at the classes with the lowest recall."
    where = "" if report["level"] == "experiment" else f" The split was by {report['level']}."
    more = "1 more is" if missing == 1 else f"{missing} more are"
    return f"Pilot: {held_out} held-out experiments, {more} needed to call it validated.{where}"
