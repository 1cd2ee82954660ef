"""Registers the app and offers its strategies and encoders to studies."""

import re
from collections.abc import Mapping

from django.apps import AppConfig

ENCODERS = {
    "handcrafted": "handcrafted features: intensity, shape, texture; at once, no PyTorch",
    "untrained": "untrained network: computed by a worker",
}


class TrainingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer what a study may choose; nothing heavy is imported before somebody asks."""
        from labeling import registry

        registry.strategies.add(strategies)
        registry.encoders.add(lambda: ENCODERS)


def strategies() -> Mapping[str, str]:
    """Every strategy with the first line of its docstring, without the source that it cites."""
    from training.learning.acquisition.strategies import STRATEGIES

    lines = {name: (score.__doc__ or name).strip().splitlines()[0] for name, score in STRATEGIES.items()}
    return {name: re.sub(r"\s*\(10\.[^)]*\)", "", line).rstrip(".") for name, line in lines.items()}
