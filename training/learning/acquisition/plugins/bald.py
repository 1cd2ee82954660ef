"""BALD: crops on which plausible heads disagree first."""

import numpy as np

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView, top_open

SHORTLIST = 5000


def bald(view: PoolView) -> Scores:
    """Mutual information of class and weights on a shortlist by utility, 0 elsewhere (10.48550/arXiv.1112.5745)."""
    chosen = top_open(view.utility, view.open_mask, SHORTLIST)
    values = np.zeros(len(view.utility), dtype=np.float32)
    values[chosen] = scores.bald(view.logits(chosen), view.variance[chosen], view.seed)
    return values
