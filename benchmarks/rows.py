"""What a benchmark hands back: named figures with their target and what was measured beside them."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Beside:
    """Something measured in the same run for comparison: what it is, and its figure in the row's unit."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `target` reads "<= 0.2" or ">= 100" in the row's unit; None where the hardware is not there."""

    name: str
    value: float
    unit: str
    target: str | None = None
    beside: Beside | None = None

    @property
    def ratio(self) -> float | None:
        """Value over the figure beside it; None without one."""
        return self.value / self.beside.value if self.beside and self.beside.value else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else meets(self.value, self.target)

    @property
    def record(self) -> dict[str, Any]:
        """The row as it is written to results.json, figures cut to four digits."""
        against = f"{self.beside.what}: {short(self.beside.value):g} {self.unit}" if self.beside else None
        ratio = None if self.ratio is None else short(self.ratio)
        return asdict(self) | {"value": short(self.value), "against": against, "ratio": ratio}


def meets(value: float, target: str) -> bool:
    """Whether a value meets a target such as "<= 0.2"; ValueError for any other form."""
    sign, _, limit = target.partition(" ")
    if sign == "<=":
        return value <= float(limit)
    if sign == ">=":
        return value >= float(limit)
    raise ValueError(f"the target {target!r} is not of the form '<= 0.2' or '>= 100'")


def short(value: float) -> float:
    """The value with four significant digits: more would be noise."""
    return float(f"{value:.4g}")
