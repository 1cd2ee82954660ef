"""Margin: crops between two classes first."""

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView


def margin(view: PoolView) -> Scores:
    """One minus the lead of the likeliest class (10.1007/3-540-44816-0_31)."""
    return scores.margin(view.probabilities)
