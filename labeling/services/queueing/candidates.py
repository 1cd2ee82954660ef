"""Crops on their way to a reader."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crop that may be shown, and why it is asked."""

    crop_id: int
    why: str
    probability: float | None
    ranking: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A crop that might be shown, with the key that decides on shared reads."""

    crop_id: int
    crop_key: str
    why: str
    probability: float | None = None
    ranking: str = ""
