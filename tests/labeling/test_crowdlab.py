"""The consensus of readers and a model: equal to the authors' program, and what follows from its meaning."""

import numpy as np
import pytest
from cleanlab.multiannotator import get_label_quality_multiannotator

from labeling.agreement.crowdlab import crowdlab, majority


def _readers(seed: int, items: int = 200, readers: int = 5, classes: int = 3, right: float = 0.8):
    """Codes with a third of the reads missing, and a model's probabilities that are mostly right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    codes = np.where(rng.random((items, readers)) < right, truth[:, None], rng.integers(0, classes, (items, readers)))
    codes[rng.random((items, readers)) < 0.33] = -1
    codes[(codes < 0).all(axis=1), 0] = truth[(codes < 0).all(axis=1)]
    logits = rng.normal(size=(items, classes)) + 2 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, codes, probabilities


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_program_of_its_authors(seed):
    _, codes, probabilities = _readers(seed, classes=2 + seed % 3)
    found = crowdlab(codes, probabilities)
    theirs = get_label_quality_multiannotator(
        np.where(codes < 0, np.nan, codes.astype(float)), probabilities, verbose=False, return_weights=True
    )
    table = theirs["label_quality"]
    assert (found.labels == table["consensus_label"].to_numpy()).all()
    np.testing.assert_allclose(found.quality, table["consensus_quality_score"].to_numpy(), atol=1e-9)
    assert found.model_weight == pytest.approx(theirs["model_weight"])
    np.testing.assert_allclose(found.annotator_weights, theirs["annotator_weight"], atol=1e-9)


def test_rows_are_probabilities():
    _, codes, probabilities = _readers(1)
    posterior = crowdlab(codes, probabilities).posterior
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0)
    assert (posterior >= 0).all()


def test_readers_and_model_together_are_nearer_the_truth_than_votes():
    ours, votes = [], []
    for seed in range(20):
        truth, codes, probabilities = _readers(seed, right=0.65)
        ours.append((crowdlab(codes, probabilities).labels == truth).mean())
        even = np.full_like(probabilities, 1 / probabilities.shape[1])
        votes.append((majority(codes, even) == truth).mean())
    assert np.mean(ours) > np.mean(votes) + 0.02


def test_who_guesses_weighs_less_than_who_knows():
    rng = np.random.default_rng(0)
    _, codes, probabilities = _readers(3, items=400)
    codes[:, 4] = rng.integers(0, 3, 400)
    weights = crowdlab(codes, probabilities).annotator_weights
    assert weights[4] < weights[:4].min()


def test_renaming_the_items_changes_nothing():
    _, codes, probabilities = _readers(5)
    order = np.random.default_rng(0).permutation(len(codes))
    np.testing.assert_allclose(
        crowdlab(codes[order], probabilities[order]).posterior, crowdlab(codes, probabilities).posterior[order]
    )


def test_a_tie_goes_to_the_class_that_the_model_finds_likelier_then_to_the_rarer():
    codes = np.array([[0, 1], [0, 1], [0, 0], [0, 0], [1, 1]])
    even, leaning = np.array([0.5, 0.5]), np.array([0.6, 0.4])
    assert list(majority(codes, np.stack([leaning, even, even, even, even]))) == [0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("codes", "classes", "word"),
    [
        (np.array([[0, 1], [-1, -1]]), 2, "every item needs a read"),
        (np.array([[0, -1], [-1, 1]]), 2, "no crop was read by two"),
        (np.array([[0, 2], [1, 1]]), 2, "need probabilities of as many"),
    ],
)
def test_what_cannot_be_weighed_is_refused_with_the_reason(codes, classes, word):
    with pytest.raises(ValueError, match=word):
        crowdlab(codes, np.full((len(codes), classes), 1 / classes))
