"""Days as bars, for pages that show what was done day by day."""

from collections.abc import Sequence
from typing import Any

from labeling.services.timing import Day


def bars_of(days: Sequence[Day], goal: int | None = None) -> dict[str, Any]:
    """Bars for a drawing of 100 units a day and 100 high, with the line of the goal."""
    highest = max([row.answers for row in days] + [goal or 1])
    bars = [
        {"day": row, "x": 100 * place + 15, "height": round(100 * row.answers / highest, 1)}
        for place, row in enumerate(days)
    ]
    for bar in bars:
        bar["y"] = round(100 - bar["height"], 1)
    return {"bars": bars, "width": 100 * len(days), "goal_y": round(100 - 100 * goal / highest, 1) if goal else None}
