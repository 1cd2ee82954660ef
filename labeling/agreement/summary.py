"""The agreement report of a study, ready for JSON: what the command `agreement` and the agreement page
show."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.agreement.coefficients import (
    PairAgreement,
    alpha_per_class,
    gwet_ac1,
    pairwise,
    shared_items,
)
from labeling.agreement.intervals import Estimate, alpha_interval, percent_interval
from labeling.agreement.table import ReadTable, in_order, sure_or_not, without_label

FIRM = 0.8
TENTATIVE = 0.667


def summarise(
    table: ReadTable, ordered: Sequence[str] | None = None, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Report of agreement in which every undefined figure is None.

    In the headline figures "not sure" counts as a class of its own; `not_sure` holds all three readings of
    it.
    `ordered` lists the labels from low to high when the classes have an order; it adds `alpha_ordinal`.
    """
    alpha = alpha_interval(table, draws, seed)
    percent = percent_interval(table, draws, seed)
    report: dict[str, Any] = {
        "n_items": int((table.codes >= 0).any(axis=1).sum()),
        "n_annotators": int((table.codes >= 0).any(axis=0).sum()),
        "percent_agreement": percent.value,
        "alpha_nominal": _interval(alpha),
        "pairwise": [_pair(pair) for pair in pairwise(table)],
        "n_shared": shared_items(table.codes),
        "word": word(alpha),
        "reason": alpha.reason,
        "percent_agreement_interval": _interval(percent),
        "ac1": _number(gwet_ac1(table.codes)),
        "alpha_per_class": dict(zip(table.labels, map(_number, alpha_per_class(table.codes, len(table.labels))))),
        "repeats": _repeats(table),
        "not_sure": _not_sure(table, draws, seed),
    }
    if ordered is not None:
        report["alpha_ordinal"] = _interval(alpha_interval(in_order(table, tuple(ordered)), draws, seed, "ordinal"))
    return report


def word(alpha: Estimate) -> str:
    """One word for an alpha, judged by the lower end of its interval (Krippendorff's thresholds .667 and
    .800)."""
    if alpha.value is None:
        return "not computable"
    if alpha.low is None or alpha.reason.startswith("too few"):
        return "too few"
    if alpha.low >= FIRM:
        return "firm"
    return "tentative" if alpha.low >= TENTATIVE else "low"


def _not_sure(table: ReadTable, draws: int, seed: int) -> dict[str, Any]:
    code = table.not_sure_code
    if code < 0:
        return {"label": table.not_sure, "n": 0, "share": 0.0 if (table.codes >= 0).any() else None}
    views = {
        "as_class": table,
        "as_missing": without_label(table, table.labels[code]),
        "sure_or_not": sure_or_not(table),
    }
    alphas = {name: alpha_interval(view, draws, seed) for name, view in views.items()}
    return {
        "label": table.not_sure,
        "n": int((table.codes == code).sum()),
        "share": float((table.codes == code).sum() / (table.codes >= 0).sum()),
        "per_annotator": _share_per_annotator(table, code),
        **{name: {**_interval(alpha), "n": alpha.n, "reason": alpha.reason} for name, alpha in alphas.items()},
    }


def _share_per_annotator(table: ReadTable, code: int) -> list[dict[str, Any]]:
    reads = (table.codes >= 0).sum(axis=0)
    unsure = (table.codes == code).sum(axis=0)
    return [
        {"annotator": name, "n": int(n), "share": float(k / n)}
        for name, n, k in zip(table.annotators, reads, unsure)
        if n
    ]


def _repeats(table: ReadTable) -> dict[str, Any]:
    if not table.repeats:
        return {"n": 0, "same": 0, "share_same": None, "text": "no annotator read an item twice"}
    text = (
        f"{table.repeats} repeated reads by the same annotator were set aside; the first read counts. "
        f"{table.repeats_equal} of them say the same as the first."
    )
    share = table.repeats_equal / table.repeats
    return {"n": table.repeats, "same": table.repeats_equal, "share_same": share, "text": text}


def _interval(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _pair(pair: PairAgreement) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "n": pair.n,
        "agreement": _number(pair.agreement),
        "kappa": _number(pair.kappa),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
