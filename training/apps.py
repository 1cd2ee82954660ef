"""Registers the app and offers its strategies and encoders to studies."""

import re
from collections.abc import Mapping

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer what a study may choose; nothing heavy is imported before somebody asks."""
        from labeling import registry

        registry.strategies.add(strategies)
        registry.encoders.add(encoders)


def strategies() -> Mapping[str, str]:
    """Every strategy with the first line of its docstring, without the source that it cites."""
    from training.learning.acquisition.strategies import STRATEGIES

    lines = {name: (score.__doc__ or name).strip().splitlines()[0] for name, score in STRATEGIES.items()}
    return {name: re.sub(r"\s*\(10\.[^)]*\)", "", line).rstrip(".") for name, line in lines.items()}


def encoders() -> Mapping[str, str]:
    """Every encoder that is built in, lies in the folder of encoders or was downloaded, with what it is."""
    from training.services.embedding import encoder_choices

    return encoder_choices()
