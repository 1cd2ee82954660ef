"""Registers the app and offers its strategies and encoders to studies."""

import re
from collections.abc import Mapping

from django.apps import AppConfig

# In a lead's words; a plug-in without a line here is described by its docstring.
PLAIN = {
    "uherding": "crops that are hard to tell and stand for many others (default)",
    "random": "drawn at random: the yardstick of all others",
    "margin": "crops whose two likeliest classes are close",
    "entropy": "crops whose classes are all likely",
    "bald": "crops on which models that fit the answers disagree",
    "typiclust": "typical crops of groups without an answer",
    "maxherding": "crops that cover the pool, whatever the model thinks of them",
}


class TrainingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer what a study may choose; nothing heavy is imported before somebody asks."""
        from labeling import registry

        registry.strategies.add(strategies)
        registry.encoders.add(encoders)
        registry.encoder_rules.append(well_written)


def strategies() -> Mapping[str, str]:
    """Every strategy with what it asks for, in plain words."""
    from training.learning.acquisition.strategies import STRATEGIES

    lines = {name: (score.__doc__ or name).strip().splitlines()[0] for name, score in STRATEGIES.items()}
    cited = re.compile(r"\s*\(10\.[^)]*\)")
    return {name: PLAIN.get(name) or cited.sub("", line).rstrip(".") for name, line in lines.items()}


def encoders() -> Mapping[str, str]:
    """Every encoder that is built in, lies in the folder of encoders or was downloaded, with what it is."""
    from training.services.embedding import encoder_choices

    return encoder_choices()


def well_written(name: str) -> None:
    """Nothing where the name of a network is written as such names are; ValueError says how."""
    from training.learning.encoder_names import parse_encoder_name

    parse_encoder_name(name)
