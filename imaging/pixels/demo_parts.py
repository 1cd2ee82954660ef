"""Parts of the built-in demo: objects with their truth, fields, experiments."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imaging.pixels.geometry import Box


@dataclass(frozen=True, slots=True)
class DemoObject:
    """One cell: centroid (x, y) and box in pixels, true class, and how far it is from being another one.

    `boundary_distance` is in standard deviations of what decides the class; near 0 even experts hesitate.
    """

    centroid: tuple[float, float]
    box: Box
    label: str
    value: float
    boundary_distance: float


@dataclass(frozen=True, slots=True)
class DemoField:
    """One field of view, (channel, height, width), with its objects."""

    name: str
    well: str
    pixels: NDArray[Any]
    objects: tuple[DemoObject, ...]


@dataclass(frozen=True, slots=True)
class DemoExperiment:
    """One acquisition; `is_synthetic` tells computed images from real ones, `expected` what quality says."""

    name: str
    description: str
    task: str
    fields: tuple[DemoField, ...]
    channel_names: tuple[str, ...]
    pixel_size_um: float | None = None
    bit_depth: int | None = None
    is_synthetic: bool = False
    expected: str = "use"
