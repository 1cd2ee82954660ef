"""A share with its 95 % interval by Wilson's formula, which holds near 0 and 1 too and needs no SciPy."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n`: value, low and high in [0, 1]; all three None where n is 0."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None


def share(k: int, n: int) -> Share:
    """The share k / n with its interval (Wilson 1927); ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    if n == 0:
        return Share(0, 0, None, None, None)
    rate, weight = k / n, Z**2 / n
    centre = (rate + weight / 2) / (1 + weight)
    reach = Z / (1 + weight) * sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return Share(k, n, rate, max(0.0, centre - reach), min(1.0, centre + reach))
