"""Agreement coefficients for any number of annotators and missing reads, vectorised over items.

Every function takes label codes with -1 for a missing read and returns NaN where the figure is not defined.
"""

import numpy as np

from labeling.agreement import figures
from labeling.agreement.counts import Floats, label_counts, patterns
from labeling.agreement.table import Codes
from labeling.agreement.weights import Metric, Weights, agreement_weights


def percent_agreement(codes: Codes) -> float:
    """Share of agreeing pairs of reads in [0, 1], averaged over items with at least two reads."""
    found, frequencies = patterns(label_counts(codes))
    return figures.percent(found).value(frequencies)


def krippendorff_alpha(codes: Codes, metric: Metric = "nominal", values: Floats | None = None) -> float:
    """Krippendorff's alpha: 1 is perfect agreement, 0 is chance; NaN when fewer than two labels are shared.

    `values` are the numbers behind the labels for the interval and ratio metrics (default 1, 2, ...).
    Formula: Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; Zapf et al. 2016,
    doi 10.1186/s12874-016-0200-9.
    """
    found, frequencies = patterns(label_counts(codes))
    return figures.alpha(found, metric, values).value(frequencies)


def alpha_per_class(codes: Codes, n_labels: int) -> list[float]:
    """Nominal alpha of each class against all the others; NaN for a class that nobody used on a shared item."""
    missing = codes < 0
    return [krippendorff_alpha(np.where(missing, -1, codes == k).astype(np.int64)) for k in range(n_labels)]


def fleiss_kappa(codes: Codes) -> float:
    """Fleiss' kappa; NaN unless every item that was read has the same number of reads, two or more.

    Formula: Fleiss 1971, doi 10.1037/h0031619. With missing reads use `generalised_fleiss_kappa` or alpha.
    """
    reads = (codes >= 0).sum(axis=1)
    return generalised_fleiss_kappa(codes) if len(np.unique(reads[reads > 0])) == 1 else float("nan")


def generalised_fleiss_kappa(codes: Codes, weights: Weights | Floats | None = None) -> float:
    """Fleiss' kappa as Gwet generalises it: unequal numbers of reads and weights (Handbook, 2014, chapter 2).

    Items with one read count for how often a label is used, not for how often readers agree.
    """
    found, frequencies = patterns(label_counts(codes))
    return figures.fleiss(found, weights).value(frequencies)


def fleiss_error(codes: Codes) -> float:
    """Standard error of Fleiss' kappa where readers agree by chance alone; NaN with unequal numbers of reads.

    It tests for no agreement and makes no interval. Formula: Fleiss, Nee and Landis 1979,
    doi 10.1037/0033-2909.86.5.974.
    """
    if np.isnan(fleiss_kappa(codes)):
        return float("nan")
    counts = label_counts(codes)
    counts = counts[counts.any(axis=1)]
    items, reads = len(counts), counts[0].sum()
    share = counts.sum(axis=0) / counts.sum()
    mixed = share * (1 - share)
    room = mixed.sum() ** 2 - (mixed * (1 - 2 * share)).sum()
    return float(np.sqrt(2 * room / (items * reads * (reads - 1))) / mixed.sum())


def fleiss_per_class(codes: Codes, n_labels: int) -> list[float]:
    """Generalised Fleiss' kappa of each class against all the others."""
    missing = codes < 0
    return [generalised_fleiss_kappa(np.where(missing, -1, codes == k).astype(np.int64)) for k in range(n_labels)]


def gwet_ac(codes: Codes, weights: Weights | Floats | None = None) -> float:
    """Gwet's AC1, or AC2 with weights: robust where one class dominates; NaN with fewer than two labels.

    Formula: Gwet 2008, doi 10.1348/000711006X126600.
    """
    found, frequencies = patterns(label_counts(codes))
    return figures.gwet(found, weights).value(frequencies)


def brennan_prediger(codes: Codes, weights: Weights | Floats | None = None) -> float:
    """Brennan and Prediger's kappa (1981, doi 10.1177/001316448104100307), also called free-marginal kappa."""
    found, frequencies = patterns(label_counts(codes))
    return figures.brennan_prediger(found, weights).value(frequencies)


def conger_kappa(codes: Codes, weights: Weights | Floats | None = None) -> float:
    """Conger's kappa: Cohen's for more than two annotators, each with their own use of the labels.

    Formula: Conger 1980, doi 10.1037/0033-2909.88.2.322; with missing reads as Gwet gives it. For two annotators
    with all reads it is Cohen's kappa.
    """
    codes = codes[:, (codes >= 0).any(axis=0)] if codes.size else codes
    annotators = codes.shape[1]
    found, frequencies = patterns(label_counts(codes))
    matrix = agreement_weights(found.shape[1], weights)
    if annotators < 2:
        return float("nan")
    use = np.stack([(codes == k).sum(axis=0) for k in range(len(matrix))], axis=1) / (codes >= 0).sum(axis=0)[:, None]
    summed = use.sum(axis=0)
    # Over ordered pairs of different annotators: all pairs less each one with itself.
    chance = float((matrix * (np.outer(summed, summed) - use.T @ use)).sum()) / (annotators * (annotators - 1))
    return (
        (figures.percent(found, weights).value(frequencies) - chance) / (1 - chance) if chance < 1 else float("nan")
    )
