"""Shares with their intervals."""

from math import sqrt
from statistics import NormalDist

from labeling.agreement.intervals import LEVEL, Estimate

NORMAL = NormalDist().inv_cdf((1 + LEVEL) / 2)


def share(hits: int, n: int, nothing: str = "no read to take it from") -> Estimate:
    """The share of hits among n with Wilson's interval (doi 10.1080/01621459.1927.10502953); `nothing` without n."""
    if not n:
        return Estimate(None, None, None, 0, nothing)
    value, z = hits / n, NORMAL
    centre, scale = value + z**2 / (2 * n), 1 + z**2 / n
    half = z * sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    # Rounding must not put an end beyond the share itself.
    low, high = max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
    return Estimate(value, min(low, value), max(high, value), n)
