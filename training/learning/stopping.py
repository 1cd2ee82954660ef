"""When to stop: the learning curve on the random stream, and the gain of more answers with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeling.agreement.intervals import Estimate
from training.learning.stream import (
    Array,
    Index,
    StreamData,
    StreamPlan,
    available,
    cross_fitted,
    folds_of,
    mean_recall,
    per_unit,
    training_order,
)

STOP, GO_ON, UNSURE, REFUSED = "stop", "go on", "unsure", "refused"
MORE = 100
SIZES = 10
FEWEST_SIZES = 5
FEWEST_ANSWERS = 40
FEWEST_TESTED = 40
# An accuracy known less well than this carries no forecast, and less well than the second no advice to stop.
FORECAST_HALF_WIDTH = 0.10
STOP_HALF_WIDTH = 0.05
# Before any accuracy is seen: eight in ten are right.
PLANNED = math.ceil((1.96 / FORECAST_HALF_WIDTH) ** 2 * 0.8 * 0.2 / 10) * 10
# A curve whose points leave the fitted one by more than this (root mean square) is no curve.
STEADY = 0.05
DRAWS = 1000
SLOWEST, FASTEST, SLOPES = 0.05, 2.0, 60


@dataclass(frozen=True, slots=True)
class Curve:
    """Balanced accuracy on the stream after the first `sizes` (g,) answers, in [0, 1].

    parts (units, K, g + 1): sums of each tested crop's hits at each size, and of its truth.
    """

    sizes: Index
    parts: Array

    @property
    def values(self) -> Array:
        """Balanced accuracy (g,) at each size."""
        return np.asarray(self.redrawn(np.ones((1, len(self.parts))))[0])

    def redrawn(self, weights: Array) -> Array:
        """Balanced accuracy (draws, g) with every unit counted `weights` (draws, units) times."""
        return self.of_sums(np.tensordot(weights, self.parts, axes=1))

    @staticmethod
    def of_sums(sums: Array) -> Array:
        """Balanced accuracy (draws, g) from sums (draws, K, g + 1) of `parts`."""
        pairs = np.stack(np.broadcast_arrays(sums[..., :-1], sums[..., -1:]), axis=-1)
        return mean_recall(np.moveaxis(pairs, 2, 1))


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Curves c - a n^-b; each field (draws,): c in [0, 1] what is reached in the end, a >= 0, b > 0."""

    c: Array
    a: Array
    b: Array

    def at(self, n: float | Array | Index) -> Array:
        """Accuracy (draws,) or (draws, sizes) after n answers."""
        powers = np.power.outer(np.asarray(n, dtype=np.float64), -self.b)
        return np.asarray((self.c - self.a * powers).T)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `more` answers would add to the `answers` there are, and whether to go on.

    advice: STOP, GO_ON, UNSURE (little to gain, but the accuracy is not known well enough to stop) or REFUSED, then
    with a reason. gain: in points of balanced accuracy / 100. half_width: of the present accuracy's interval.
    needed: tested stream crops that it takes, where more of them would help. law: c, a, b of the fitted curve.
    """

    advice: str
    gain: Estimate
    answers: int
    more: int
    half_width: float | None
    needed: int | None
    law: tuple[float, float, float] | None
    reason: str = ""


def learning_curve(data: StreamData, plan: StreamPlan | None = None) -> Curve:
    """Curve of the heads that the study had, from the first answers in their order; sizes grow geometrically."""
    plan = plan or StreamPlan()
    fold, order = folds_of(data, plan), training_order(data)
    most = available(order, fold, plan)
    fewest = max(10, 2 * data.truth.shape[1])
    sizes = np.unique(np.geomspace(fewest, most, SIZES).astype(np.int64)) if most > fewest else np.array([most])
    unit = np.arange(len(data.truth), dtype=np.int64)
    sums = [per_unit(data, cross_fitted(data, order, int(size), plan, fold), unit) for size in sizes]
    parts = np.concatenate([np.stack([part[..., 0] for part in sums], axis=-1), sums[0][..., 1:]], axis=-1)
    return Curve(sizes, parts)


def fit_power_laws(sizes: Sequence[int] | Index, values: Array, weights: Array) -> PowerLaw:
    """The power law nearest to each row of values (draws, g) by weighted squares (weights (g,)), b in [0.05, 2].

    For a fixed b the best c and a are known in closed form, with their bounds; b is searched on a grid, so the
    optimum is the global one.
    """
    slopes = np.geomspace(SLOWEST, FASTEST, SLOPES)
    powers = np.asarray(sizes, dtype=np.float64)[None] ** -slopes[:, None]
    share = weights / weights.sum()
    centred = powers - (powers @ share)[:, None]
    spread = (centred**2) @ share
    mean = values @ share
    a = np.maximum(-((values - mean[:, None]) * share) @ centred.T / spread, 0)
    c = mean[:, None] + a * (powers @ share)
    over = c > 1
    # Held at the ceiling, a alone is fitted to what is missing to 1.
    held = ((1 - values) * share) @ powers.T / ((powers**2) @ share)
    a, c = np.where(over, np.maximum(held, 0), a), np.minimum(c, 1)
    misfit = (((c[..., None] - a[..., None] * powers) - values[:, None, :]) ** 2) @ share
    best = misfit.argmin(axis=1)
    rows = np.arange(len(values))
    return PowerLaw(c[rows, best], a[rows, best], slopes[best])


def forecast(curve: Curve, present: Estimate, answers: int, more: int = MORE, seed: int = 0) -> Forecast:
    """Gain of `more` answers after the `answers` given, with its 95 % interval over stream crops.

    present: the present head's balanced accuracy. Draws resample the tested crops and add the scatter of the points
    about the fitted curve, which other answers would have changed.
    """
    half = None if present.low is None or present.high is None else (present.high - present.low) / 2
    refusal, needed = _refusal(curve, half, answers)
    if refusal:
        return _refused(refusal, (answers, more, half, needed), present.n)
    # Heads from few answers differ more from one another: their points count less.
    weights = curve.sizes.astype(np.float64)
    fitted = fit_power_laws(curve.sizes, curve.values[None], weights)
    left = curve.values - fitted.at(curve.sizes)[0]
    scatter = math.sqrt(float(np.average(left**2, weights=weights)) * len(left) / (len(left) - 3))
    if scatter > STEADY:
        reason = f"no steady curve: points leave it by {scatter:.0%} of accuracy"
        return _refused(reason, (answers, more, half, None), present.n)
    gains = _gains(curve, scatter * np.sqrt(weights.mean() / weights), (answers, more), seed)
    low, high = np.quantile(gains, [0.025, 0.975])
    value = float((fitted.at(answers + more) - fitted.at(answers))[0])
    gain = Estimate(value, min(float(low), value), max(float(high), value), present.n)
    law = (float(fitted.c[0]), float(fitted.a[0]), float(fitted.b[0]))
    advice, needed = _advice(gain, half, present.n)
    return Forecast(advice, gain, answers, more, half, needed, law)


def _gains(curve: Curve, scatter: Array, answers: tuple[int, int], seed: int) -> Array:
    """Gain (draws,) in resamples of the tested crops; scatter (g,): standard deviation of a point."""
    rng = np.random.default_rng([seed, 3])
    units = len(curve.parts)
    weights = rng.multinomial(units, np.full(units, 1 / units), size=DRAWS).astype(np.float64)
    values = curve.redrawn(weights)
    values = values[np.isfinite(values).all(axis=1)]
    values = values + rng.normal(size=values.shape) * scatter
    laws = fit_power_laws(curve.sizes, values, curve.sizes.astype(np.float64))
    now, more = answers
    return np.asarray(laws.at(now + more) - laws.at(now))


def _refusal(curve: Curve, half: float | None, answers: int) -> tuple[str, int | None]:
    """Why nothing can be forecast, or ""; and how many tested stream crops it takes."""
    n = len(curve.parts)
    if n < FEWEST_TESTED or half is None:
        return "too few stream answers", PLANNED
    if half > FORECAST_HALF_WIDTH:
        return "too few stream answers", math.ceil(n * (half / FORECAST_HALF_WIDTH) ** 2 / 10) * 10
    if answers < FEWEST_ANSWERS or len(curve.sizes) < FEWEST_SIZES:
        return f"too few answers to see a curve: {answers} of about {FEWEST_ANSWERS}", None
    return "", None


def _refused(reason: str, facts: tuple[int, int, float | None, int | None], n: int) -> Forecast:
    answers, more, half, needed = facts
    return Forecast(REFUSED, Estimate(None, None, None, n, reason), answers, more, half, needed, None, reason)


def _advice(gain: Estimate, half: float | None, n: int) -> tuple[str, int | None]:
    """Stop when even the upper end of the gain is less than what the accuracy is uncertain by."""
    if half is None or gain.high is None or gain.high >= half:
        return GO_ON, None
    if half > STOP_HALF_WIDTH:
        return UNSURE, math.ceil(n * (half / STOP_HALF_WIDTH) ** 2 / 10) * 10
    return STOP, None
