"""Parameters of stages: defaults filled in, misspellings and unit mistakes named."""

from dataclasses import dataclass
from typing import Literal

import pytest

from inference.pipeline.stage import (
    ParamsError,
    Stage,
    bounded,
    params_digest,
    params_from_mapping,
    params_mapping,
)


@dataclass(frozen=True, slots=True)
class Params:
    radius_um: float = 25.0
    channel: int = 0
    flatten: bool = False
    window: tuple[float, float] = (0.0, 1.0)
    name: str | None = None
    polarity: Literal["dark", "bright"] = "dark"

    def __post_init__(self) -> None:
        bounded("radius_um", self.radius_um, (0.1, 1000.0), "give micrometres")


def test_defaults_are_filled_in_and_recorded():
    assert params_mapping(params_from_mapping(Params, {"channel": 2})) == {
        "radius_um": 25.0,
        "channel": 2,
        "flatten": False,
        "window": [0.0, 1.0],
        "name": None,
        "polarity": "dark",
    }


def test_stored_parameters_are_read_back_as_they_were():
    params = Params(radius_um=3.5, window=(1.0, 2.0), name="DAPI")
    assert params_from_mapping(Params, params_mapping(params)) == params


def test_the_digest_is_that_of_the_values_not_of_how_they_were_given():
    assert params_digest(params_from_mapping(Params, {"radius_um": 25})) == params_digest(Params())
    assert params_digest(Params(channel=1)) != params_digest(Params())


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ParamsError, match="'radius_mu' is not known; did you mean 'radius_um'"):
        params_from_mapping(Params, {"radius_mu": 3.0})


def test_a_key_like_no_other_lists_all():
    with pytest.raises(ParamsError, match="known are radius_um, channel, flatten, window, name, polarity"):
        params_from_mapping(Params, {"zzz": 3.0})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("radius_um", "25", "must be float"),
        ("radius_um", True, "must be float"),
        ("channel", 1.5, "must be int"),
        ("flatten", 1, "must be bool"),
        ("window", 3, "must be tuple"),
        ("polarity", "drak", "must be 'dark' or 'bright'"),
        ("name", 3, "must be str or NoneType"),
    ],
)
def test_a_value_of_another_type_is_refused(key, value, expected):
    with pytest.raises(ParamsError, match=expected):
        params_from_mapping(Params, {key: value})


@pytest.mark.parametrize("value", [0.0, 0.025e-3, 25_000.0, float("nan"), float("inf")])
def test_a_value_out_of_bounds_tells_bounds_and_unit(value):
    with pytest.raises(ParamsError, match=r"radius_um = .* is outside 0.1 to 1000; give micrometres"):
        Params(radius_um=value)


def test_a_stage_puts_its_name_before_the_problem():
    stage = Stage("preprocess", 1, Params, lambda value, params: value, ("raw",), ("pixels",))
    with pytest.raises(ParamsError, match=r"^preprocess: the parameter 'chanel'"):
        stage.parse({"chanel": 1})
