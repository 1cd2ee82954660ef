"""CROWDLAB (Goh, Tkachenko and Mueller 2022, doi 10.48550/arXiv.2210.06812): a model's probabilities and the readers'
answers weighed against each other, so that a crop with one read has a consensus too.

The probabilities must be those of a model that never learnt from the crop they are about.
"""

from dataclasses import dataclass

import numpy as np

from labeling.agreement.counts import Floats, label_counts
from labeling.agreement.table import Codes

# No reader and no model weighs nothing: what the authors' program clips at.
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Weighed:
    """`posterior[i, k]` over classes, `labels[i]` the consensus, `quality[i]` its probability in [0, 1];
    `model_weight` and `annotator_weights[a]` say what counted how much."""

    posterior: Floats
    labels: Codes
    quality: Floats
    model_weight: float
    annotator_weights: Floats


def crowdlab(codes: Codes, probabilities: Floats) -> Weighed:
    """Consensus of reads `codes` (items, annotators), -1 for none, and `probabilities` (items, classes).

    Raises ValueError where an item has no read, where no item has two, or where a code is no class.
    """
    if not len(codes) or (codes < 0).all(axis=1).any():
        raise ValueError("every item needs a read; leave the others out")
    if not ((codes >= 0).sum(axis=1) >= 2).any():
        raise ValueError("no crop was read by two, so nothing tells how far to trust them")
    if codes.max() >= probabilities.shape[1] or len(codes) != len(probabilities):
        raise ValueError(f"reads of {codes.max() + 1} classes need probabilities of as many, for the same items")
    posterior, *_ = _weighed(codes, probabilities, majority(codes, probabilities))
    labels = posterior.argmax(axis=1)
    posterior, model, annotators = _weighed(codes, probabilities, labels)
    return Weighed(posterior, labels, posterior[np.arange(len(codes)), labels], model, annotators)


def majority(codes: Codes, probabilities: Floats) -> Codes:
    """The label that most reads gave; ties go to the model's likelier class, then to the rarer one."""
    counts = label_counts(codes, probabilities.shape[1])
    tied = counts == counts.max(axis=1, keepdims=True)
    likelihood = np.where(tied, probabilities, -1.0)
    tied &= likelihood == likelihood.max(axis=1, keepdims=True)
    return np.asarray(np.where(tied, -counts.sum(axis=0), -np.inf).argmax(axis=1))


def _weighed(codes: Codes, probabilities: Floats, labels: Codes) -> tuple[Floats, float, Floats]:
    """The posterior, and the weights of model and annotators where `labels` is the consensus."""
    n_classes = probabilities.shape[1]
    reads = codes >= 0
    shared = reads.sum(axis=1) >= 2
    trust = float((((codes == labels[:, None]) & reads).sum(axis=1) / reads.sum(axis=1))[shared].mean())
    # How often one is wrong who always names the most common class.
    base = max(1.0 - np.bincount(labels[shared]).max() / shared.sum(), LEAST)
    model_error = float((probabilities.argmax(axis=1) != labels)[shared].mean())
    model = max(1.0 - model_error / base, LEAST) * float(np.sqrt(reads.sum(axis=1).mean()))
    annotators = np.maximum(1.0 - (1.0 - _with_others(codes, n_classes)) / base, LEAST)
    return _posterior(codes, probabilities, (model, annotators), trust), model, annotators


def _posterior(codes: Codes, probabilities: Floats, weights: tuple[float, Floats], trust: float) -> Floats:
    model, annotators = weights
    n_classes = probabilities.shape[1]
    items, readers = np.nonzero(codes >= 0)
    cells = items * n_classes + codes[items, readers]
    named = np.bincount(cells, annotators[readers], minlength=probabilities.size).reshape(probabilities.shape)
    total = named.sum(axis=1, keepdims=True)
    otherwise = (1.0 - trust) / max(n_classes - 1, 1)
    return np.asarray((model * probabilities + named * trust + (total - named) * otherwise) / (model + total))


def _with_others(codes: Codes, n_classes: int) -> Floats:
    """Share of the other reads of the same items that each annotator agrees with; the mean of all where none is."""
    counts = label_counts(codes, n_classes)
    others = (codes >= 0) * (counts.sum(axis=1, keepdims=True) - 1)
    given = np.take_along_axis(counts, np.maximum(codes, 0), axis=1) - 1
    total = others.sum(axis=0)
    found = np.divide(
        np.where(codes >= 0, given, 0).sum(axis=0), total, out=np.full(codes.shape[1], np.nan), where=total > 0
    )
    return np.asarray(np.where(np.isfinite(found), found, np.nanmean(found)))
