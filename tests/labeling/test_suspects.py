import numpy as np
import pytest

from benchmarks.agreement_suspects import Crowd, false_alarms, flipped, found, in_turn
from labeling.agreement.suspects import others_say, suspects
from labeling.agreement.table import from_codes, from_long


def kinds(codes: np.ndarray) -> list[tuple[str, str]]:
    return [(suspect.annotator, suspect.kind) for suspect in suspects(in_turn(codes))]


@pytest.mark.parametrize(("items", "readers", "labels"), [(200, 3, 2), (250, 5, 4), (600, 6, 3)])
def test_among_honest_readers_at_most_one_in_twenty_is_flagged(items, readers, labels):
    assert false_alarms(Crowd(items, readers, labels), 400 // readers) <= 0.05


@pytest.mark.parametrize(("readers", "labels"), [(4, 2), (5, 2), (5, 4)])
def test_a_reader_who_flips_one_answer_in_five_is_flagged_within_200_answers(readers, labels):
    peers = Crowd(200, readers, labels, skill=(0.88, 0.92), hard=0.0, missing=0.0)
    assert found(peers, 60, "alters") >= 0.9


def test_the_two_classes_that_are_mixed_up_are_named():
    rng = np.random.default_rng(0)
    codes = Crowd(300, 5, 4, missing=0.0).codes(rng)
    codes[:, 2] = flipped(rng, codes[:, 2], 0.5)
    (suspect,) = suspects(in_turn(codes))
    assert (suspect.annotator, suspect.kind, suspect.classes) == ("2", "flip", ("a", "b"))
    assert suspect.rate > 0.4 > 0.2 > suspect.others
    assert "takes a and b for one another" in suspect.text


@pytest.mark.parametrize("answers", ["random", "constant"])
def test_answers_that_do_not_depend_on_the_item_are_spam(answers):
    rng = np.random.default_rng(1)
    codes = Crowd(300, 5, 3, missing=0.0).codes(rng)
    codes[:, 4] = rng.integers(0, 3, 300) if answers == "random" else 1
    assert kinds(codes) == [("4", "spam")]


def test_a_reader_who_gets_worse_is_told_from_items_that_get_harder():
    rng = np.random.default_rng(2)
    codes = Crowd(500, 5, 3, missing=0.0).codes(rng)
    tired = rng.random(500) < np.linspace(0, 0.7, 500)
    own = codes.copy()
    own[tired, 0] = rng.integers(0, 3, tired.sum())
    assert ("0", "drift") in kinds(own)
    all_tired = np.where(tired[:, None], rng.integers(0, 3, codes.shape), codes)
    assert "drift" not in [kind for _, kind in kinds(all_tired)]


def test_without_the_order_of_reading_no_drift_is_told():
    # Sorted tables put what is agreed on first: their order is not the order of reading.
    rows = [(str(i), a, "x" if i < 100 or a != "0" else "y") for i in range(140) for a in "0123"]
    rows += [(f"more {i}", a, "y") for i in range(60) for a in "0123"]
    assert "drift" in [suspect.kind for suspect in suspects(from_long(rows[:560], in_turn=True))]
    assert "drift" not in [suspect.kind for suspect in suspects(from_long(rows))]


def test_what_the_others_say_leaves_the_own_answer_and_ties_out():
    codes = np.array([[0, 0, 1], [0, 1, -1], [1, 1, 1], [0, -1, -1]])
    assert others_say(from_codes(codes, "xy")).tolist() == [[-1, -1, 0], [-1, -1, -1], [1, 1, 1], [-1, -1, -1]]


@pytest.mark.parametrize(
    "codes", [np.zeros((50, 2), int), np.zeros((50, 3), int), np.full((50, 3), -1), np.eye(3, dtype=int)]
)
def test_without_enough_to_go_by_nobody_is_suspected(codes):
    assert kinds(codes) == []


def test_not_sure_is_neither_a_flip_nor_spam():
    rng = np.random.default_rng(3)
    names = np.array([*"ab", "unsure"])
    codes = Crowd(200, 4, 2, missing=0.0).codes(rng)
    codes[rng.random(200) < 0.5, 0] = 2
    rows = [(str(i), str(a), str(names[k])) for i, row in enumerate(codes) for a, k in enumerate(row)]
    assert suspects(from_long(rows, not_sure="unsure")) == []
