"""What other readers of the same kind would change: alpha with an interval over readers and items together.

The usual interval takes the readers as fixed. This one draws readers and items anew, each with replacement, and asks
how far alpha moves; a reader drawn twice is not held against themselves. It needs five readers.
"""

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.intervals import LEVEL, Estimate, alpha_interval
from labeling.agreement.table import Codes, ReadTable

FEWEST_READERS = 5
# A spread needs far fewer draws than percentiles do: with very many reads it rests on as few as this.
DRAWS, FEWEST_DRAWS = 2000, 200
WORK = 2_000_000_000
# Draws are made in blocks so that draws x items x labels never holds more than this many numbers.
BLOCK = 4_000_000


def alpha_over_readers(table: ReadTable, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Nominal alpha; its interval is about further readers and further items, n counts the items.

    The limits lie on the logarithm of the disagreement, with the spread of the draws and Student's t for readers - 1
    degrees of freedom: with few readers the percentiles of the draws are too narrow (docs/agreement.md).
    """
    found = alpha_interval(table)
    readers = int((table.codes >= 0).any(axis=0).sum()) if table.codes.size else 0
    if found.value is None:
        return found
    if readers < FEWEST_READERS:
        reason = f"{readers} readers say little about others like them, at least {FEWEST_READERS} are needed"
        return Estimate(found.value, None, None, found.n, reason)
    drawn = alphas_drawn(table, draws, seed)
    drawn = drawn[np.isfinite(drawn) & (drawn < 1.0)]
    if found.value >= 1.0 or len(drawn) < FEWEST_DRAWS / 2:
        return Estimate(found.value, found.low, found.high, found.n, "too little disagreement to draw from")
    return _around(found, drawn, readers)


def _around(found: Estimate, drawn: Floats, readers: int) -> Estimate:
    from scipy.special import stdtrit  # here, as web processes start without SciPy

    value = found.value or 0.0
    reach = float(stdtrit(readers - 1, (1 + LEVEL) / 2) * np.log1p(-drawn).std(ddof=1))
    factor = float(np.exp(min(reach, 50.0)))
    low, high = 1 - (1 - value) * factor, 1 - (1 - value) / factor
    # More may change than further items alone would.
    low = min(low, found.low if found.low is not None else low)
    high = max(high, found.high if found.high is not None else high)
    return Estimate(value, max(low, min(value, -1.0)), high, found.n, found.reason)


def alphas_drawn(table: ReadTable, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Alpha of each draw of as many readers and as many items, NaN where a draw leaves it undefined.

    Up to `draws` of them; fewer, 200 at least, where there are very many reads.
    """
    codes = table.codes[(table.codes >= 0).sum(axis=1) >= 2]
    codes = codes[:, (codes >= 0).any(axis=0)]
    # Items of which the same readers said the same are one row, drawn as often as there are of them.
    codes, frequencies = np.unique(codes, axis=0, return_counts=True)
    n_items, n_readers = codes.shape
    n_labels = max(len(table.labels), 1)
    said = (codes[:, None, :] == np.arange(n_labels)[None, :, None]).reshape(n_items * n_labels, n_readers)
    said = said.astype(np.float64)
    rng = np.random.default_rng(seed)
    size = max(1, BLOCK // max(len(said), 1))
    draws = min(draws, max(FEWEST_DRAWS, WORK // max(said.size, 1)))
    blocks = [min(size, draws - start) for start in range(0, draws, size)]
    return np.concatenate([_block(said.reshape(n_items, n_labels, -1), frequencies, rows, rng) for rows in blocks])


def _block(said: Floats, frequencies: Codes, draws: int, rng: np.random.Generator) -> Floats:
    """Alpha of so many draws from reads `said` (patterns, labels, readers), with how often each pattern was seen."""
    n_items, n_labels, readers = said.shape
    flat, n = said.reshape(-1, readers), int(frequencies.sum())
    readers_drawn = rng.multinomial(readers, np.full(readers, 1 / readers), size=draws).T.astype(float)
    items_drawn = rng.multinomial(n, frequencies / n, size=draws).T.astype(float)
    summed = (flat @ readers_drawn).reshape(n_items, n_labels, draws)
    squared = (flat @ readers_drawn**2).reshape(n_items, n_labels, draws)
    return _alphas(summed, squared, items_drawn)


def _alphas(summed: Floats, squared: Floats, items: Floats) -> Floats:
    """Alpha per draw from the reads per item and label (items, labels, draws) and the sums of squared weights.

    Pairs of reads by the same reader are left out; else the weights are those of `figures.alpha`: an item counts for
    as many reads as it has.
    """
    reads = summed.sum(axis=1)
    pairs = reads**2 - squared.sum(axis=1)
    shared = pairs > 0
    agreeing = np.divide((summed**2 - squared).sum(axis=1), pairs, out=np.ones_like(reads), where=shared)
    weights = items * shared
    observed = (weights * reads * (1 - agreeing)).sum(axis=0)
    margins = np.einsum("id,ikd->dk", weights, summed)
    total = margins.sum(axis=1)
    expected = total**2 - (margins**2).sum(axis=1)
    safe = np.where(expected > 0, expected, np.nan)
    return np.asarray(1.0 - (total - 1.0) * observed / safe)


def alpha_of_pairs(table: ReadTable) -> float:
    """Alpha by the same sums where every reader and item stands once: equal to Krippendorff's alpha."""
    codes = table.codes[(table.codes >= 0).sum(axis=1) >= 2]
    labels = np.arange(max(len(table.labels), 1))
    summed = (codes[:, None, :] == labels[None, :, None]).sum(axis=2).astype(float)[:, :, None]
    return float(_alphas(summed, summed, np.ones((len(codes), 1)))[0])
