"""What a stage of the pipeline is, and how its parameters are read, checked and digested."""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from audit.chain.canonical import canonical_digest


class PipelineError(ValueError):
    """A request that the pipeline cannot carry out: names the thing, the rule and the way out."""


class ParamsError(PipelineError):
    """A parameter that is unknown, of the wrong type or out of bounds."""


class DataclassInstance(Protocol):
    """Any dataclass instance."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


ParamsT = TypeVar("ParamsT", bound=DataclassInstance)
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Stage(Generic[ValueT, ParamsT]):
    """One step: `run` gives the next state of a field from its state and the step's parameters.

    `version` is raised whenever the same input and parameters may give another output. `reads` and
    `writes` name the parts of the state that go in and come out: the runner digests exactly these.
    """

    name: str
    version: int
    params: type[ParamsT]
    run: Callable[[ValueT, ParamsT], ValueT]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def parse(self, mapping: Mapping[str, object]) -> ParamsT:
        """Parameters of this stage from stored JSON, defaults filled in; ParamsError names the stage."""
        try:
            return params_from_mapping(self.params, mapping)
        except ParamsError as error:
            raise ParamsError(f"{self.name}: {error}") from error


def params_from_mapping(cls: type[ParamsT], mapping: Mapping[str, object]) -> ParamsT:
    """An instance of the parameter class `cls`, defaults filled in.

    An unknown key raises ParamsError naming the nearest known one; a value of another type than
    declared too (a whole number serves as float, a list as tuple).
    """
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]
    for key in mapping:
        if key not in names:
            raise ParamsError(f"the parameter {key!r} is not known; {nearest(key, names)}")
    return cls(**{key: _converted(key, value, hints[key]) for key, value in mapping.items()})


def params_mapping(params: DataclassInstance) -> dict[str, Any]:
    """Every parameter by name, defaults included, ready for JSON."""
    return {name: _plain(value) for name, value in asdict(params).items()}


def params_digest(params: DataclassInstance) -> str:
    """SHA-256 (hex) of all parameters by name."""
    return canonical_digest(params_mapping(params))


def bounded(name: str, value: float, bounds: tuple[float, float], hint: str = "") -> None:
    """Raise ParamsError unless `value` is finite and within `bounds` (inclusive); `hint` is the way out."""
    low, high = bounds
    if not (math.isfinite(value) and low <= value <= high):
        advice = f"; {hint}" if hint else ""
        raise ParamsError(f"{name} = {value!r} is outside {low:g} to {high:g}{advice}")


def nearest(key: str, names: list[str]) -> str:
    """A hint for a misspelt name: the nearest known one, else all of them."""
    close = get_close_matches(key, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names) or 'none'}"


def _converted(key: str, value: object, hint: Any) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        fits, converted = _try(value, option)
        if fits:
            return converted
    expected = " or ".join(_described(option) for option in options)
    raise ParamsError(f"{key} = {value!r} is a {type(value).__name__}; it must be {expected}")


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    return str(getattr(kind, "__name__", kind))


def _try(value: object, kind: Any) -> tuple[bool, Any]:
    if get_origin(kind) is Literal:
        return value in get_args(kind), value
    if get_origin(kind) is tuple:
        return isinstance(value, (list, tuple)), tuple(value) if isinstance(value, (list, tuple)) else None
    # True is an int to Python; as a radius or a channel it is a mistake.
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool, value
    if kind is float and isinstance(value, (int, float)):
        return True, float(value)
    return isinstance(value, kind), value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
