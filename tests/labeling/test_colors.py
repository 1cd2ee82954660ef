"""Class colours: those that are given are told apart by everybody, and those that are not are named."""

import numpy as np
import pytest

from labeling.colors.palette import PALETTE, color_at
from labeling.colors.vision import TOO_CLOSE, VISIONS, close_pairs, distances, hex_of, linear, oklab


def test_every_two_colours_of_the_palette_are_apart_in_every_vision() -> None:
    assert close_pairs(PALETTE) == []
    for vision in VISIONS:
        apart = distances(PALETTE, vision) + np.eye(len(PALETTE))
        assert apart.min() > TOO_CLOSE, vision


def test_three_hundred_classes_get_as_many_colours() -> None:
    colors = [color_at(place) for place in range(300)]
    assert colors[: len(PALETTE)] == list(PALETTE)
    assert len(set(colors)) > 295
    assert len(linear(colors)) == 300


# Oklab of the primaries as its author tabulates them, to three digits.
@pytest.mark.parametrize(
    ("color", "lab"),
    [
        ("#ffffff", (1.0, 0.0, 0.0)),
        ("#000000", (0.0, 0.0, 0.0)),
        ("#ff0000", (0.628, 0.225, 0.126)),
        ("#00ff00", (0.866, -0.234, 0.179)),
        ("#0000ff", (0.452, -0.032, -0.312)),
    ],
)
def test_the_colour_space_is_oklab(color: str, lab: tuple[float, float, float]) -> None:
    assert oklab(linear([color]))[0] == pytest.approx(lab, abs=1e-3)


@pytest.mark.parametrize("color", PALETTE)
def test_a_colour_comes_back_from_the_colour_space(color: str) -> None:
    assert hex_of(oklab(linear([color]))[0]) == color
    assert hex_of(np.array([0.5, 0.5, 0.0])) is None


def test_a_grey_looks_grey_in_every_vision() -> None:
    greys = linear(["#808080", "#e0e0e0"])
    for vision, matrix in VISIONS.items():
        seen = oklab(np.clip(greys @ matrix.T, 0, 1))
        assert np.abs(seen[:, 1:]).max() < 0.01, vision


@pytest.mark.parametrize(
    ("first", "second", "vision"),
    [
        ("#0072b2", "#0074b4", "everybody"),
        ("#d62728", "#2ca02c", "deutan"),
        ("#9467bd", "#1f77b4", "protan"),
        ("#00a0a0", "#00a040", "tritan"),
    ],
)
def test_colours_that_somebody_confuses_are_named_with_who(first: str, second: str, vision: str) -> None:
    found = close_pairs([first, "#ffffff", second])
    assert [(pair.first, pair.second, pair.vision) for pair in found] == [(0, 2, vision)]
    assert found[0].distance <= distances([first, second], vision)[0, 1] < TOO_CLOSE


def test_the_closest_pair_comes_first_and_few_colours_are_no_pair() -> None:
    found = close_pairs(["#111111", "#111111", "#121212"])
    assert [pair.distance for pair in found] == sorted(pair.distance for pair in found) and found[0].distance == 0
    assert close_pairs([]) == close_pairs(["#111111"]) == []


@pytest.mark.parametrize("color", ["red", "#12345", "#12345g", "url(x)"])
def test_what_is_no_colour_is_refused(color: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        linear([color])
