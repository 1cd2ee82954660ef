"""Random order: the arm every other strategy has to beat."""

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView


def random(view: PoolView) -> Scores:
    """Scores in (0, 1]: an order drawn once for the seed; the arm every other strategy has to beat."""
    return scores.random(len(view.open_mask), view.seed)
