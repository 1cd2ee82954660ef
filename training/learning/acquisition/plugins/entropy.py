"""Entropy: crops spread over many classes first."""

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView


def entropy(view: PoolView) -> Scores:
    """Entropy of the class probabilities, in nats (10.1002/j.1538-7305.1948.tb01338.x)."""
    return scores.entropy(view.probabilities)
