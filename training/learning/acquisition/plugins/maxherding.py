"""MaxHerding: crops whose neighbourhoods cover most of the pool first."""

import numpy as np

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView

HERDING_CURRENCY = 1


def maxherding(view: PoolView) -> Scores:
    """Gain in covered pool for the candidates, 0 elsewhere (10.48550/arXiv.2407.12212)."""
    values = np.zeros(len(view.utility), dtype=np.float32)
    values[view.candidates] = view.herd.gains[1]
    return scores.checked(values)
