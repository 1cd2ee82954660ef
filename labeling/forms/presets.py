"""Ready-made settings that fill the form of a new study; every one of them stays in sight and can be changed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for a button, what it is for, and the settings it fills in (shares as shares, not per cent)."""

    key: str
    name: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)


# Each names the same settings, so that one undoes the other.
PRESETS = (
    Preset(
        "quick",
        "Label quickly",
        "One read a crop, a tenth read twice, suggestions on. For a first model, not for a result.",
        {
            "is_blind": False, "shows_suggestions": True, "locks_view": False, "reads_per_crop": 1,
            "overlap_share": 0.1, "adjudicates": True, "reread_share": 0.0, "strategy": "uherding",
            "random_share": 0.1, "coverage_share": 0.2,
        },
    ),
    Preset(
        "careful",
        "Careful",
        "Blind, a fifth read twice, a third reader decides, one in twenty comes back to its reader.",
        {
            "is_blind": True, "shows_suggestions": False, "locks_view": False, "reads_per_crop": 1,
            "overlap_share": 0.2, "adjudicates": True, "reread_share": 0.05, "strategy": "uherding",
            "random_share": 0.1, "coverage_share": 0.2,
        },
    ),
    Preset(
        "readers",
        "Reader study",
        "Three read every crop, blind, in random order and on the same picture; nobody decides between them. "
        "Set “Reads per crop” to the number of your readers.",
        {
            "is_blind": True, "shows_suggestions": False, "locks_view": True, "reads_per_crop": 3,
            "overlap_share": 0.0, "adjudicates": False, "reread_share": 0.1, "strategy": "random",
            "random_share": 0.1, "coverage_share": 0.0,
        },
    ),
)  # fmt: skip


def preset_named(key: str) -> Preset | None:
    """The preset of this key; None where there is none."""
    return next((preset for preset in PRESETS if preset.key == key), None)
