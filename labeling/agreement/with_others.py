"""One annotator against all the others: how often the other reads of the same items say the same."""

import numpy as np

from labeling.agreement.counts import Floats, label_counts
from labeling.agreement.figures import Figure
from labeling.agreement.intervals import Estimate, Sample, interval
from labeling.agreement.table import ReadTable


def with_the_others(table: ReadTable) -> list[tuple[str, Estimate]]:
    """For each annotator, in the table's order: the share in [0, 1] of the other reads that agree with theirs.

    The mean over items that somebody else read too, with its interval over these items; no figure without any.
    """
    counts = label_counts(table.codes, len(table.labels))
    return [(name, _with_others(table.codes[:, place], counts)) for place, name in enumerate(table.annotators)]


def _with_others(codes: np.ndarray[tuple[int], np.dtype[np.int64]], counts: Floats) -> Estimate:
    own = codes >= 0
    same = counts[own, codes[own]] - 1
    others = counts[own].sum(axis=1) - 1
    shared = others > 0
    same, others = same[shared], others[shared]
    if not len(others):
        return Estimate(None, None, None, 0, "nobody else read the items of this annotator")
    # Their own read agrees with itself: so each pattern has the reads of its item, and differs where somebody did.
    sample = Sample(np.stack([same + 1, others - same], axis=1), np.ones(len(others)))
    features = np.stack([same / others, np.ones(len(others))], axis=1)
    return interval(Figure(features, _mean), sample, by_chance=False)


def _mean(sums: Floats) -> Floats:
    """NaN where the jackknife has left out the only item."""
    nothing = np.full(len(sums), np.nan)
    return np.asarray(np.divide(sums[:, 0], sums[:, 1], out=nothing, where=sums[:, 1] > 0))
