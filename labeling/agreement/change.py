"""Whether agreement is another one after something was done about it, as far as intervals can tell."""

from labeling.agreement.intervals import FEW_ITEMS, Estimate

TOO_FEW = f"too few: both need {FEW_ITEMS} crops that two read, and enough of them of each class"
BETTER = "told apart better than before"
WORSE = "told apart worse than before"
NO_TELLING = "the intervals overlap: no change can be told"


def change_in_words(before: Estimate, after: Estimate) -> str:
    """What two figures of different items say of a change: nothing where either has no interval that holds.

    Intervals that lie apart are a stricter test than the two figures need; who sees them sees why.
    """
    lows, highs = (before.low, after.low), (before.high, after.high)
    if None in lows or None in highs or any(row.reason.startswith("too few") for row in (before, after)):
        return TOO_FEW
    if lows[1] > highs[0]:  # type: ignore[operator]
        return BETTER
    return WORSE if highs[1] < lows[0] else NO_TELLING  # type: ignore[operator]
