"""How a model is trained: every setting with its default and its bounds, refused by name when it is wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self, get_args, get_type_hints

MODELS = ("network", "handcrafted")
BOUNDS: dict[str, tuple[float, float]] = {
    "epochs": (1, 1000),
    "min_steps": (0, 100_000),
    "batch_size": (2, 1024),
    "learning_rate": (1e-6, 1.0),
    "weight_decay": (0.0, 1.0),
    "width": (4, 256),
    "crop_px": (16, 256),
    "class_balance": (0.0, 1.0),
    "seed": (0, 2**31 - 1),
    "time_budget_s": (1.0, 7 * 24 * 3600.0),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one training run; the same recipe, labels and machine give the same weights.

    `class_balance` is the power b of the class weight (1 / n)^b: 0 none, 1 full. `augment_intensity`
    belongs off
    when brightness is what tells the classes apart. On small sets epochs are repeated until `min_steps`.
    With a
    `time_budget_s` training ends in time, but the weights then depend on the speed of the machine.
    """

    model: str = "network"
    epochs: int = 12
    min_steps: int = 150
    batch_size: int = 32
    learning_rate: float = 0.004
    weight_decay: float = 0.01
    width: int = 16
    crop_px: int = 48
    class_balance: float = 0.5
    augment_dihedral: bool = True
    augment_intensity: bool = True
    seed: int = 0
    time_budget_s: float | None = None

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            _check(name, getattr(self, name), kind)
        if self.model not in MODELS:
            raise ValueError(f"model {self.model!r} is unknown; choose one of {', '.join(MODELS)}")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Recipe with the defaults for everything not given; ValueError for an unknown name, a wrong type
        or value."""
        known = [f.name for f in fields(cls)]
        for name in settings:
            if name not in known:
                near = get_close_matches(str(name), known, n=1, cutoff=0.0)
                raise ValueError(f"unknown training setting {name!r}; did you mean {near[0]!r}?")
        return cls(**settings)

    def as_mapping(self) -> dict[str, Any]:
        """All settings with the defaults filled in, ready for JSON and for `from_mapping`."""
        return asdict(self)


def _check(name: str, value: object, kind: Any) -> None:
    allowed = get_args(kind) or (kind,)
    if value is None and type(None) in allowed:
        return
    # An integer is a fine float, but True is not a fine 1.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = (float in allowed and is_number) or type(value) in allowed
    if not fits:
        wanted = " or ".join(t.__name__ for t in allowed if t is not type(None))
        raise ValueError(f"training setting {name!r} must be {wanted}, got {value!r}")
    low, high = BOUNDS.get(name, (None, None))
    if low is not None and high is not None and isinstance(value, int | float) and not low <= value <= high:
        raise ValueError(f"training setting {name!r} must be between {low:g} and {high:g}, got {value!r}")
