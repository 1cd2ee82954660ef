"""TypiClust: the most typical crop of each region without an answer first."""

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView


def typiclust(view: PoolView) -> Scores:
    """The most typical crop of the largest cluster without an answer first, in [0, 1] (10.48550/arXiv.2202.02794)."""
    return scores.checked(view.clusters().scores(view.open_mask))
