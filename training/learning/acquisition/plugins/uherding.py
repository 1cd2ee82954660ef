"""Uncertainty herding: crops whose neighbourhoods are worth most and not yet covered first."""

import numpy as np

from training.learning.acquisition import scores
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView

HERDING_CURRENCY = 0


def uherding(view: PoolView) -> Scores:
    """Gain in covered utility, candidates above all other crops (10.48550/arXiv.2412.20644).

    Candidates score 1 + gain / largest gain, in [1, 2]; the other crops their utility over the largest, below 1.
    """
    peak = float(view.utility.max(initial=0)) or 1.0
    values = view.utility / np.float32(peak * 1.000001)
    gains = view.herd.gains[0]
    values[view.candidates] = 1 + gains / np.float32(float(gains.max(initial=0)) or 1.0)
    return scores.checked(values)
