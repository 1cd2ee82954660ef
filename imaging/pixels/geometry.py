"""Boxes in full-resolution pixels: pixel i covers the interval from i to i + 1."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned box in full-resolution pixels; x1 and y1 are exclusive, x grows right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Width in pixels; not positive for a degenerate box."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels; not positive for a degenerate box."""
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def is_proper(self) -> bool:
        """Whether all four numbers are finite and the box has an area."""
        finite = all(map(math.isfinite, (self.x0, self.y0, self.x1, self.y1)))
        return finite and self.width > 0 and self.height > 0

    def clipped(self, width: float, height: float) -> "Box":
        """Part of the box inside an image of `width` x `height` pixels; may be degenerate when none is."""
        x0, x1 = (min(max(x, 0.0), float(width)) for x in (self.x0, self.x1))
        y0, y1 = (min(max(y, 0.0), float(height)) for y in (self.y0, self.y1))
        return Box(x0, y0, x1, y1)

    def rounded(self) -> tuple[int, int, int, int]:
        """Corners (x0, y0, x1, y1) on whole pixels; halves go up, so equal boxes keep equal sizes."""
        x0, y0, x1, y1 = (math.floor(v + 0.5) for v in (self.x0, self.y0, self.x1, self.y1))
        return x0, y0, x1, y1

    @classmethod
    def around(cls, x: float, y: float, side: float) -> "Box":
        """Square box of `side` pixels centred on (x, y)."""
        return cls(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
