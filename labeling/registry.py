"""Names of the strategies and encoders that a study may choose; the apps above fill them in when they start.

A source is asked at first use, not at start, so that a command that ranks nothing imports nothing for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

DEFAULT_STRATEGY = "uherding"
DEFAULT_ENCODER = "handcrafted"
# An encoder from a local file or from a hub is named by its place: it need not be offered to be chosen.
ENCODER_PREFIXES = ("file:", "hub:")

Source = Callable[[], Mapping[str, str]]


class UnknownName(ValueError):
    """Nobody offers what was named; the message lists what is offered."""


@dataclass(slots=True)
class Registry:
    """Names with what they mean in plain words, from every source that was added."""

    kind: str
    _sources: list[Source] = field(default_factory=list)

    def add(self, source: Source) -> None:
        """Offer the names that `source` returns (name -> description); it is called at each use."""
        self._sources.append(source)

    def choices(self) -> dict[str, str]:
        """Every name that is offered, with its description."""
        return {name: text for source in self._sources for name, text in source().items()}

    def describe(self, name: str) -> str:
        """What the name means; the name itself where nobody offers it any more."""
        return self.choices().get(name, name)


strategies = Registry("strategy")
encoders = Registry("encoder")
# How the names of networks are written: each rule raises ValueError where a name is not.
encoder_rules: list[Callable[[str], None]] = []


def check_strategy(name: str) -> None:
    """Raise UnknownName unless the strategy is offered."""
    _check(strategies, name)


def check_encoder(name: str) -> None:
    """Raise UnknownName unless the encoder is offered or names a file or a place on a hub, as names are written."""
    if not any(name.startswith(prefix) and name != prefix for prefix in ENCODER_PREFIXES):
        _check(encoders, name, " or file:NAME or hub:OWNER/NAME")
        return
    for rule in encoder_rules:
        try:
            rule(name)
        except ValueError as error:
            raise UnknownName(str(error)) from error


def problems(strategy: str, encoder: str) -> dict[str, str]:
    """What is wrong with the names, by "strategy" and "encoder"; empty where both may be chosen."""
    found = {}
    for kind, check, name in (("strategy", check_strategy, strategy), ("encoder", check_encoder, encoder)):
        try:
            check(name)
        except UnknownName as error:
            found[kind] = str(error)
    return found


def _check(registry: Registry, name: str, also: str = "") -> None:
    offered = registry.choices()
    if name not in offered:
        known = ", ".join(offered) or "none"
        raise UnknownName(f"'{name}' is not a known {registry.kind}: choose one of {known}{also}.")
