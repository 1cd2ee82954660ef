"""Figures in words: every verdict has its sentence, its figure with interval and n, and a next step."""

from typing import Any

import pytest

from tests.training.stream_pools import planted_curve
from training.learning.stopping import GO_ON, REFUSED, STOP, UNSURE
from training.services.stream_plot import HEIGHT, WIDTH, plot_of
from training.services.stream_words import differs, duration, queue, shown_of, signed, soft_labels, stopping


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, n: int = 140
) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n, "reason": ""}


def content(**changed: Any) -> dict[str, Any]:
    """A report in which everything is known."""
    curve = planted_curve(0, (0.9, 1.0, 0.5))
    points = [{"answers": int(n), **estimate(v, v - 0.05, v + 0.05)} for n, v in zip(curve.sizes, curve.values)]
    gain = estimate(0.01, 0.002, 0.02)
    forecast = {"advice": GO_ON, "gain": gain, "answers": 400, "more": 100, "half_width": 0.04, "needed": None}
    row = {"size": 56, "queue": 0.8, "stream": 0.7, "difference": estimate(0.1, 0.05, 0.15)}
    soft = {"verdict": "same", "difference": estimate(0.0, -0.02, 0.02), "unsure": 89, "needed": None, "reason": ""}
    figure = estimate(0.8, 0.75, 0.85)
    names = ("balanced", "balanced_unweighted", "share", "share_unweighted")
    return {
        "simulated": False,
        "stream": {"tested": 140},
        "pace": {"seconds": 4.0, "n": 500, "reads_per_label": 1.5, "reads_per_check": 2.5},
        "accuracy": dict.fromkeys(names, figure),
        "queue": {"verdict": "helps", "rows": [row], "needed": None, "reason": ""},
        "forecast": forecast | {"law": (0.9, 1.0, 0.5), "reason": "", "curve": points},
        "soft_labels": soft,
    } | changed


def test_a_verdict_comes_with_its_figure_its_interval_and_n() -> None:
    said = queue(content())
    assert (said.word, said.tone) == ("Yes", "good")
    assert "+10.0 points [+5.0 to +15.0]" in said.text and "140 random checks" in said.text


def test_what_cannot_be_judged_says_how_many_checks_it_takes_and_how_long_they_take_to_read() -> None:
    said = queue(content(queue={"verdict": "open", "rows": [], "needed": 310, "reason": "few"}))
    assert said.word == "Cannot be judged yet" and "before about 310" in said.text
    assert said.next == "170 more random checks, about 28 minutes of reading."


def test_without_a_pace_no_price_is_made_up() -> None:
    unknown = {"seconds": None, "n": 3, "reads_per_label": 1.0, "reads_per_check": 2.0}
    assert "of reading" not in stopping(content(pace=unknown)).text
    assert "about 10 minutes of reading" in stopping(content()).text


@pytest.mark.parametrize(("advice", "word"), [(STOP, "Yes"), (GO_ON, "Not yet"), (UNSURE, "Perhaps")])
def test_every_advice_has_its_word(advice: str, word: str) -> None:
    forecast = content()["forecast"] | {"advice": advice, "needed": 300}
    said = stopping(content(forecast=forecast))
    assert said.word == word and "+1.0 points [+0.2 to +2.0]" in said.text


def test_a_refused_forecast_gives_its_reason() -> None:
    refused = {"advice": REFUSED, "reason": "too few stream answers", "needed": 180}
    said = stopping(content(forecast=content()["forecast"] | refused))
    assert said.text == "Too few stream answers: 140 of about 180." and said.next.startswith("40 more")


def test_before_anything_is_known_every_question_says_so() -> None:
    nothing = content(
        accuracy=None, forecast=None, soft_labels=None,
        queue={"verdict": "open", "rows": [], "needed": 310, "reason": "few"},
    )  # fmt: skip
    shown = shown_of(nothing)
    assert [said.tone for said in shown["questions"]] == ["", "", ""] and shown["plot"] is None


def test_soft_labels_are_said_to_be_measured_on_this_stream() -> None:
    assert soft_labels(content()).text.startswith("Measured on your stream")


def test_the_plot_stays_inside_its_frame_and_grows_to_the_right() -> None:
    plot = plot_of(content()["forecast"])
    assert plot is not None and plot.gain is not None and plot.gain.low is not None
    assert [point.x for point in plot.points] == sorted(point.x for point in plot.points)
    for point in [*plot.points, plot.gain]:
        assert 0 <= point.x <= WIDTH and 0 <= point.high <= point.y <= point.low <= HEIGHT
    assert plot.now is not None and plot.points[-1].x <= plot.now < plot.gain.x


def test_a_plot_without_a_forecast_has_points_alone() -> None:
    plot = plot_of(content()["forecast"] | {"law": None})
    assert plot is not None and plot.points and not plot.fitted and plot.gain is None


def test_small_things_are_said_as_people_say_them() -> None:
    assert [duration(s) for s in (30, 1200, 10800)] == ["about a minute", "about 20 minutes", "about 3 hours"]
    assert signed(estimate(-0.012, -0.05, 0.03)) == "−1.2 points [−5.0 to +3.0]"
    assert differs(estimate(0.80), estimate(0.82)) and not differs(estimate(0.80), estimate(0.803))
