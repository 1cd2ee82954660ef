"""The report of a label-efficiency comparison: every figure of every strategy beside random, with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.learning.efficiency import figures as fig
from training.learning.efficiency.bench import Bench
from training.learning.efficiency.outcome import Outcome, clusters
from training.learning.efficiency.plan import NO_CHECKS, NO_COVERAGE, RANDOM, RANDOM_AGAIN, SOFT_NOT_SURE
from training.learning.efficiency.resample import Array

MOST_PARTS = 40
FEW_SEEDS = 10
MOST_OF_THE_POOL = 0.6


def make_report(outcome: Outcome, classes: Sequence[str]) -> dict[str, Any]:
    """All figures of a comparison as plain values, the same for any number of processes."""
    bench = Bench(outcome)
    extras = (RANDOM_AGAIN, NO_COVERAGE, NO_CHECKS, SOFT_NOT_SURE)
    strategies = {name: _strategy(bench, outcome, name, classes) for name in bench.names if name not in extras}
    _add_tests(bench, strategies)
    default = outcome.plan.default
    return {
        "strategies": strategies,
        "default": default,
        "split": _split(outcome),
        "classes": list(classes),
        "annotator": _annotator(outcome),
        "budget": {"asked_for": outcome.plan.budget, "measured": outcome.points[-1], "step": outcome.plan.step},
        "all_labels": bench.full,
        "noise_floor": _compared(bench, RANDOM_AGAIN, RANDOM),
        "hedge": {name: _compared(bench, name, default) for name in (NO_COVERAGE, NO_CHECKS) if name in bench.names},
        "not_sure_use": {
            name: _compared(bench, name, default) | {"not_sure_share": outcome.not_sure_share(name)}
            for name in (SOFT_NOT_SURE,)
            if name in bench.names
        },
        "held_out": held_out_parts(outcome, classes),
        "notes": _notes(outcome),
    }


def _strategy(bench: Bench, outcome: Outcome, name: str, classes: Sequence[str]) -> dict[str, Any]:
    curve, band = bench.curve(name), bench.band(name)
    targets = {label: bench.to_target(name, *target) for label, target in bench.targets().items()}
    first = next(iter(targets.values()))
    return {
        "curve": [[n, float(score)] for n, score in zip(bench.points, curve)],
        "difference": [list(map(float, row)) for row in zip(bench.points, band.value, band.low, band.high)],
        "area": float(fig.area(bench.points, curve)),
        "area_log": float(fig.log_area(bench.points, curve)),
        "area_difference": bench.area_difference(name),
        "area_log_difference": bench.area_difference(name, log=True),
        "labels_to_target": first["queries"],
        "ratio_to_random": first["ratio"]["value"],
        "targets": targets,
        "regret": fig.regret(fig.Band(-band.value, -band.high, -band.low)),
        "recall": bench.recall(name, classes),
        "not_sure_share": outcome.not_sure_share(name),
    }


def _compared(bench: Bench, name: str, other: str) -> dict[str, Any]:
    """An arm against another: areas, and how far it falls behind anywhere."""
    band = bench.band(other, minus=name)
    return {
        "against": other,
        "area": float(fig.area(bench.points, bench.curve(name))),
        "area_difference": bench.area_difference(name, minus=other),
        "regret": fig.regret(band),
    }


def _add_tests(bench: Bench, strategies: dict[str, dict[str, Any]]) -> None:
    """Wilcoxon's test of the areas over seeds, adjusted for the number of strategies."""
    names = [name for name in strategies if name != RANDOM]
    per_seed = {name: fig.area(bench.points, bench.tallies[name].by_seed) for name in [RANDOM, *names]}
    p_values = [fig.signed_rank(per_seed[name] - per_seed[RANDOM]) for name in names]
    for name, p, adjusted in zip(names, p_values, fig.holm(p_values)):
        strategies[name]["test"] = {"p": p, "p_holm": adjusted, "seeds": len(per_seed[name])}
    strategies[RANDOM]["test"] = None


def _split(outcome: Outcome) -> dict[str, Any]:
    partition = outcome.partition
    return {
        "level": partition.level,
        "why": partition.why,
        "not_evaluable": [{"experiment": row.experiment, "reason": row.reason} for row in partition.not_evaluable],
        "folds": len(partition.folds),
        "test_share": partition.test_share,
        "smallest_pool": partition.smallest_pool,
        "apart": sorted(set(partition.unit[partition.apart].tolist())),
        "seeds": len(outcome.plan.seeds),
        "intervals": f"95 % intervals resample {len(outcome.plan.seeds)} seeds and {clusters(partition).words}",
    }


def _annotator(outcome: Outcome) -> dict[str, Any]:
    person = outcome.plan.annotator
    simulated = person.not_sure_rate_near_boundary > 0 or person.error_rate > 0
    words = "Answers are the labels as they stand."
    if simulated:
        words = (
            f"SIMULATED annotator: wrong in {person.error_rate:.0%} of answers, not sure in "
            f"{person.not_sure_rate_near_boundary:.0%} on the class boundary and less away from it. "
            "Every query costs 1, whatever the answer."
        )
    return {"name": person.name, "simulated": simulated, "words": words}


def held_out_parts(outcome: Outcome, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Recall per class of random and the default at the full budget in every held-out part; None where a class is
    absent from the part ("not evaluable")."""
    partition, labels = outcome.partition, outcome.data.labels
    tested = np.zeros(len(labels), dtype=bool)
    tested[np.concatenate([test for _, test in partition.folds])] = True
    apart = np.zeros(len(labels), dtype=bool)
    apart[partition.apart] = True
    units = np.unique(partition.unit[tested])
    parts = [(str(unit), tested & (partition.unit == unit)) for unit in units]
    if partition.level == "crop" or len(units) > MOST_PARTS:
        parts = [
            (f"fold {k + 1}", np.isin(np.arange(len(labels)), fold[1])) for k, fold in enumerate(partition.folds)
        ]
    parts += [(str(unit), apart & (partition.unit == unit)) for unit in np.unique(partition.unit[apart])]
    shown = list(dict.fromkeys((RANDOM, outcome.plan.default, *outcome.plan.strategies)))
    return [
        {
            "part": name,
            "apart": bool(apart[rows].all()),
            "crops": int(rows.sum()),
            "per_class": {label: int(np.sum(labels[rows] == k)) for k, label in enumerate(classes)},
            "recall": {arm: _by_class(outcome.recall_in(arm, rows), classes) for arm in shown},
        }
        for name, rows in parts
    ]


def _by_class(values: Array, classes: Sequence[str]) -> dict[str, float | None]:
    return {label: float(value) if np.isfinite(value) else None for label, value in zip(classes, values)}


def _notes(outcome: Outcome) -> list[str]:
    plan, partition = outcome.plan, outcome.partition
    notes = []
    if plan.budget > outcome.points[-1]:
        notes.append(
            f"The budget of {plan.budget} was cut to {outcome.points[-1]}: the smallest pool holds "
            f"{partition.smallest_pool} crops."
        )
    if outcome.points[-1] > MOST_OF_THE_POOL * partition.smallest_pool:
        notes.append(
            f"{outcome.points[-1]} queries are most of the smallest pool ({partition.smallest_pool} crops): near the "
            "end every strategy has asked almost everything, so curves meet. Read the first half."
        )
    if len(plan.seeds) < FEW_SEEDS:
        notes.append(f"{len(plan.seeds)} seeds are few: use at least {FEW_SEEDS} before believing a difference.")
    if clusters(partition).by_fold:
        notes.append("Fewer than 5 units are held out: the intervals are over seeds and folds only.")
    elif partition.level != "experiment":
        notes.append(f"The intervals hold for further {partition.level}s of the same experiments, not for a new one.")
    return notes
