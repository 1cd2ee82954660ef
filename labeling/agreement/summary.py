"""The agreement of a study's readers, ready for JSON: what the overview and the command `agreement` show."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.agreement import figures
from labeling.agreement.coefficients import conger_kappa, fleiss_error
from labeling.agreement.counts import Floats, patterns
from labeling.agreement.intervals import (
    Estimate,
    Sample,
    alpha_interval,
    explained,
    interval,
    percent_interval,
    sample_of,
    undefined,
)
from labeling.agreement.intra import all_equal, repeated_counts
from labeling.agreement.pairs import PairAgreement, pairwise
from labeling.agreement.table import ReadTable, in_order, sure_or_not, without_label
from labeling.agreement.weights import Metric

FIRM = 0.8
TENTATIVE = 0.667
NO_ORDER = "the classes have no declared order; name them from low to high"
NOTHING_SHARED = "the two read no item in common"
ONE_LABEL = "the two used one label only on the items they share"
NO_NUMBERS = "the labels are not numbers"


def summarise(table: ReadTable, ordered: Sequence[str] | None = None) -> dict[str, Any]:
    """Report of agreement in which every undefined figure is None with its reason.

    In the headline figures "not sure" counts as a class of its own; `not_sure` holds all three readings of it.
    `ordered` lists the labels from low to high when the classes have an order; numbers have theirs.
    """
    sample, ranked = sample_of(table), _ranked(table, ordered)
    alpha, percent = alpha_interval(table), percent_interval(table)
    per_class = _per_class(table, sample)
    ac1 = explained(table, interval(figures.gwet(sample.patterns), sample))
    return {
        "n_items": int((table.codes >= 0).any(axis=1).sum()),
        "n_annotators": int((table.codes >= 0).any(axis=0).sum()),
        "n_shared": sample.n_shared,
        "percent_agreement": percent.value,
        "percent_agreement_interval": _interval(percent),
        "alpha_nominal": _interval(alpha),
        "word": word(alpha),
        "reason": alpha.reason,
        **_by_order(table, ranked),
        "fleiss_kappa": _fleiss(table, sample),
        "gwet_ac1": _interval(ac1),
        "ac1": ac1.value,
        "conger_kappa": _conger(table, sample),
        "brennan_prediger": _interval(explained(table, interval(figures.brennan_prediger(sample.patterns), sample))),
        "pairwise": [_pair(pair) for pair in pairwise(table)],
        "per_class": per_class,
        "alpha_per_class": {label: found["value"] for label, found in per_class.items()},
        **_again(table, ranked),
        "not_sure": _not_sure(table, alpha),
    }


def with_themselves(table: ReadTable, ordered: Sequence[str] | None = None) -> dict[str, Any]:
    """The part of `summarise` that rests on repeated reads: `repeats` and `intra`."""
    return _again(table, _ranked(table, ordered))


def word(alpha: Estimate) -> str:
    """One word for an alpha, judged by the lower end of its interval (Krippendorff's thresholds .667 and .800)."""
    if alpha.value is None:
        return "not computable"
    if alpha.low is None or alpha.reason.startswith("too few"):
        return "too few"
    if alpha.low >= FIRM:
        return "firm"
    return "tentative" if alpha.low >= TENTATIVE else "low"


def _ranked(table: ReadTable, ordered: Sequence[str] | None) -> ReadTable | None:
    """The table with its labels in their order, declared or that of numbers; None where they have none."""
    numbers = _values(table)
    order = tuple(ordered) if ordered is not None else tuple(sorted(numbers, key=numbers.__getitem__))
    return in_order(table, order) if order else None


def _by_order(table: ReadTable, ranked: ReadTable | None) -> dict[str, Any]:
    """Alpha for ordered labels and for numbers. A not-sure read has no place on a scale, so it is missing."""
    numbers = _values(table)
    return {
        "alpha_ordinal": _interval(_none(NO_ORDER) if ranked is None else alpha_interval(ranked, "ordinal")),
        "alpha_interval": _interval(_of_numbers(table, numbers, "interval")),
        "alpha_ratio": _interval(_of_numbers(table, numbers, "ratio")),
    }


def _of_numbers(table: ReadTable, numbers: dict[str, float], metric: Metric) -> Estimate:
    if not numbers:
        return _none(NO_NUMBERS)
    if metric == "ratio" and min(numbers.values()) < 0:
        return _none("a ratio needs numbers of zero or more")
    sure = in_order(table, tuple(numbers))
    return alpha_interval(sure, metric, np.array(list(numbers.values())))


def _values(table: ReadTable) -> dict[str, float]:
    """The labels as numbers, the not-sure label aside; empty unless each is one."""
    try:
        found = {label: float(label) for label in table.labels if label != table.not_sure}
    except ValueError:
        return {}
    return found if all(map(np.isfinite, found.values())) else {}


def _fleiss(table: ReadTable, sample: Sample) -> dict[str, Any]:
    """Fleiss' kappa, with what it is called where the items have unequal numbers of reads."""
    equal = len(np.unique(sample.patterns.sum(axis=1))) <= 1
    found = explained(table, interval(figures.fleiss(sample.patterns), sample))
    form = "Fleiss 1971" if equal else "unequal numbers of reads, Gwet 2014"
    return _interval(found) | {"form": form, "error_without_agreement": _number(fleiss_error(table.codes))}


def _conger(table: ReadTable, sample: Sample) -> dict[str, Any]:
    """Conger's kappa, without an interval: it looks at who read what, so that items are no longer alike."""
    value = conger_kappa(table.codes) if sample.n_shared else float("nan")
    if np.isfinite(value):
        return _interval(Estimate(value, None, None, sample.n_shared, "no interval is computed for this coefficient"))
    return _interval(explained(table, undefined(sample.n_shared)))


def _per_class(table: ReadTable, sample: Sample) -> dict[str, Any]:
    """Alpha of each class against all the others, with the number of its reads on shared items."""
    found = {}
    for code, label in enumerate(table.labels):
        single = sample.one_class(code)
        estimate = explained(table, interval(figures.alpha(single.patterns), single))
        found[label] = _interval(estimate) | {"reads": int(sample.margins[code])}
    return found


def _not_sure(table: ReadTable, as_class: Estimate) -> dict[str, Any]:
    """The not-sure answers: how many, whose, and alpha with them as a class, as missing, and against all classes."""
    code, reads = table.not_sure_code, int((table.codes >= 0).sum())
    n = int((table.codes == code).sum()) if code >= 0 else 0
    unused = _none("nobody said not sure")
    views = {
        "as_class": as_class,
        "as_missing": alpha_interval(without_label(table, table.labels[code])) if n else as_class,
        "sure_unsure": alpha_interval(sure_or_not(table)) if n else unused,
    }
    found: dict[str, Any] = {"label": table.not_sure, "n": n, "share": n / reads if reads else None}
    found |= {"per_annotator": _share_per_annotator(table, code) if n else []}
    found |= {name: _interval(alpha) for name, alpha in views.items()}
    return found | {"sure_or_not": found["sure_unsure"]}


def _share_per_annotator(table: ReadTable, code: int) -> list[dict[str, Any]]:
    reads = (table.codes >= 0).sum(axis=0)
    unsure = (table.codes == code).sum(axis=0)
    return [
        {"annotator": name, "n": int(n), "share": float(k / n)}
        for name, n, k in zip(table.annotators, reads, unsure)
        if n
    ]


def _again(table: ReadTable, ranked: ReadTable | None) -> dict[str, Any]:
    return {"repeats": _repeats(table), "intra": _intra(table, ranked)}


def _repeats(table: ReadTable) -> dict[str, Any]:
    if not table.repeats:
        return {"n": 0, "same": 0, "share_same": None, "text": "no annotator read an item twice"}
    text = (
        f"{table.repeats} repeated reads by the same annotator were set aside; between annotators the first counts. "
        f"{table.repeats_equal} of them say the same as the first."
    )
    share = table.repeats_equal / table.repeats
    return {"n": table.repeats, "same": table.repeats_equal, "share_same": share, "text": text}


def _intra(table: ReadTable, ranked: ReadTable | None) -> dict[str, Any]:
    """How far each annotator who read items again agrees with themselves: no model can be steadier than that."""
    found = {}
    in_ranks = dict(repeated_counts(ranked)) if ranked is not None else {}
    for name, counts in repeated_counts(table):
        sample = Sample(*patterns(counts))
        found[name] = {
            "n": sample.n_shared,
            "reads": int(counts.sum()),
            "percent": _interval(_own(figures.percent(sample.patterns), sample, by_chance=False)),
            "alpha": _interval(_own(figures.alpha(sample.patterns), sample)),
            "alpha_ordinal": _interval(_own_ordinal(in_ranks.get(name))),
            "all_equal": _number(all_equal(counts)),
        }
    return found


def _own_ordinal(counts: Floats | None) -> Estimate:
    if counts is None:
        return _none(NO_ORDER)
    sample = Sample(*patterns(counts))
    return _own(figures.alpha(sample.patterns, "ordinal"), sample)


def _own(figure: figures.Figure, sample: Sample, *, by_chance: bool = True) -> Estimate:
    """The estimate over an annotator's own reads, its reason put for one annotator."""
    found = interval(figure, sample, by_chance=by_chance)
    if found.value is None and found.n:
        return Estimate(None, None, None, found.n, "this annotator gave one label to all items read again")
    return found


def _interval(estimate: Estimate) -> dict[str, Any]:
    found = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return found | {"n": estimate.n, "reason": estimate.reason}


def _none(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, reason)


def _pair(pair: PairAgreement) -> dict[str, Any]:
    kappa = pair.kappa
    return {
        "a": pair.a,
        "b": pair.b,
        "n": pair.n,
        "agreement": _number(pair.agreement),
        "kappa": kappa.value,
        "low": kappa.low,
        "high": kappa.high,
        "reason": kappa.reason if kappa.value is not None else ONE_LABEL if pair.n else NOTHING_SHARED,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
