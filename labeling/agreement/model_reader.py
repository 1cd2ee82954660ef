"""A model held against the readers as if it were one of them.

Shown for comparison, never as a verdict: who learnt from many readers can beat each of them on average and still be
wrong where all are, and against one read the best possible agreement is about the mean of the highest class chance.
Predictions must come from a model that never learnt from the crops they are about.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats, label_counts
from labeling.agreement.intervals import Estimate, alpha_interval
from labeling.agreement.pairs import confusion, kappa_interval
from labeling.agreement.suspects import others_say
from labeling.agreement.table import MISSING, Codes, ReadTable, without_label

MODEL = "model"
# What a model may lose against experts and still take the place of one, by the authors of the test; and the error
# rate of the whole test.
MARGIN = 0.2
LEVEL = 0.05
FEWEST_ITEMS = 30
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Against:
    """The model beside one annotator, on the items that both told.

    `kappa` between the two; `model_with_others` and `annotator_with_others` are shares of agreement with what most of
    the other annotators say, over the same `n_others` items. `wins` is how often the model agrees with the others at
    least as well as the annotator does, `holds` the share the other way round, `p` of the test that the model is
    worse by `MARGIN` or more (NaN below 30 items), and `replaces` whether that is refuted.
    """

    annotator: str
    n: int
    kappa: Estimate
    n_others: int
    model_with_others: float
    annotator_with_others: float
    wins: float
    holds: float
    p: float
    replaces: bool


@dataclass(frozen=True, slots=True)
class ModelReader:
    """`without` and `with_model`: alpha of the annotators, and with the model as one more. `winning_rate`: share of
    the tested annotators whose place the model could take, None where none could be tested; `advantage`: mean of
    `wins`; `passes`: at least half. `ceiling`: mean of the highest class chance, None where it is not known."""

    without: Estimate
    with_model: Estimate
    against: tuple[Against, ...]
    winning_rate: float | None
    advantage: float | None
    passes: bool | None
    ceiling: float | None


def model_beside(
    table: ReadTable, predicted: Codes, probabilities: Floats | None = None, margin: float = MARGIN
) -> ModelReader:
    """Compare `predicted` (items), codes into the table's labels or -1, with the table's annotators.

    "Not sure" is no class that a model names, so such reads are missing. The test is that of Calderon, Reichart and
    Dror (2025, "The alternative annotator test", doi 10.48550/arXiv.2501.10970): each annotator against the model by
    agreement with the other annotators, corrected for several tests (Benjamini and Yekutieli 2001).
    """
    if len(predicted) != len(table.items):
        raise ValueError(f"{len(table.items)} items need as many predictions, got {len(predicted)}")
    sure, codes = _sure(table, predicted)
    against = [_against(sure, codes, place, margin) for place in range(len(sure.annotators))]
    against = _tested(against)
    tested = [found for found in against if np.isfinite(found.p)]
    rate = float(np.mean([found.replaces for found in tested])) if tested else None
    return ModelReader(
        alpha_interval(_told(sure, codes)),
        alpha_interval(_with_model(_told(sure, codes), codes)),
        tuple(against),
        rate,
        float(np.mean([found.wins for found in tested])) if tested else None,
        None if rate is None else rate >= HALF,
        None if probabilities is None or not len(probabilities) else float(probabilities.max(axis=1).mean()),
    )


def _sure(table: ReadTable, predicted: Codes) -> tuple[ReadTable, Codes]:
    """The table without "not sure", and the predictions by its codes."""
    sure = without_label(table, table.not_sure)
    places = {label: code for code, label in enumerate(sure.labels)}
    codes = [places.get(table.labels[code], MISSING) if code >= 0 else MISSING for code in predicted]
    return sure, np.array(codes, dtype=np.int64)


def _told(table: ReadTable, predicted: Codes) -> ReadTable:
    """The reads of the items that the model told, each annotator's first."""
    return replace(table, codes=np.where(predicted[:, None] >= 0, table.codes, MISSING))


def _with_model(table: ReadTable, predicted: Codes) -> ReadTable:
    read = (table.codes >= 0).any(axis=1)
    own = np.where(read, predicted, MISSING)
    return replace(
        table, annotators=(*table.annotators, MODEL), codes=np.column_stack([table.codes, own]), sequence=None
    )


def _against(table: ReadTable, predicted: Codes, place: int, margin: float) -> Against:
    own = np.where(predicted >= 0, table.codes[:, place], MISSING)
    cells = confusion(predicted, own, max(len(table.labels), 1))
    most = _told(table, predicted)
    others = others_say(most)[:, place] if len(table.labels) else own
    judged = others >= 0
    wins, holds = _duels(most, predicted, place)
    return Against(
        annotator=table.annotators[place],
        n=int(cells.sum()),
        kappa=kappa_interval(cells),
        n_others=int(judged.sum()),
        model_with_others=_mean((predicted == others)[judged]),
        annotator_with_others=_mean((own == others)[judged]),
        wins=_mean(wins),
        holds=_mean(holds),
        p=_p_of(holds - wins, margin),
        replaces=False,
    )


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _duels(table: ReadTable, predicted: Codes, place: int) -> tuple[Floats, Floats]:
    """For each item that the annotator and another one read: 1.0 where the model does not agree worse with the others
    than the annotator does, and 1.0 where the annotator does not agree worse than the model."""
    own = table.codes[:, place]
    counts = label_counts(table.codes, max(len(table.labels), 1))
    items = np.flatnonzero((own >= 0) & (counts.sum(axis=1) >= 2) & (predicted >= 0))
    by_reader = counts[items, own[items]] - 1
    by_model = counts[items, predicted[items]] - (predicted[items] == own[items])
    return (by_model >= by_reader).astype(float), (by_reader >= by_model).astype(float)


def _p_of(apart: Floats, margin: float) -> float:
    """One-sided p of a paired t test that the annotator is ahead by `margin` or more; NaN below 30 items."""
    from scipy.special import stdtr  # here, as web processes start without SciPy

    if len(apart) < FEWEST_ITEMS:
        return float("nan")
    error = float(apart.std(ddof=1)) / np.sqrt(len(apart))
    if error == 0:
        return 0.0 if apart.mean() < margin else 1.0
    return float(stdtr(len(apart) - 1, (apart.mean() - margin) / error))


def _tested(against: list[Against]) -> list[Against]:
    """With `replaces` by the step-up rule of Benjamini and Yekutieli, which holds whatever the tests share."""
    p: NDArray[np.float64] = np.array([found.p for found in against])
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    limits = LEVEL * ranks / (len(order) * (1.0 / ranks).sum()) if len(order) else ranks
    below = np.flatnonzero(p[order] <= limits)
    kept = set(order[: below.max() + 1].tolist()) if len(below) else set()
    return [replace(found, replaces=place in kept) for place, found in enumerate(against)]
