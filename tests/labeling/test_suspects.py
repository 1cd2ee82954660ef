import numpy as np
import pytest

from labeling.agreement.suspects import others_say, suspects
from labeling.agreement.table import ReadTable, from_codes, from_long


def crowd(rng, items: int, readers: int, labels: int, skill=(0.82, 0.95), hard: float = 0.1, missing: float = 0.2):
    """Codes of honest readers of different skill; some items are hard for everybody."""
    truth = rng.integers(0, labels, (items, 1))
    ability = np.where(rng.random((items, 1)) < hard, 0.6, rng.uniform(*skill, readers))
    wrong = (truth + rng.integers(1, labels, (items, readers))) % labels
    codes = np.where(rng.random((items, readers)) < ability, truth, wrong)
    codes[rng.random((items, readers)) < missing] = -1
    return codes


def in_turn(codes: np.ndarray) -> ReadTable:
    """The table of readers who read the items one after another."""
    rows = [(str(i), str(a), "abcdef"[k]) for i, row in enumerate(codes) for a, k in enumerate(row) if k >= 0]
    return from_long(rows)


def kinds(codes: np.ndarray) -> list[tuple[str, str]]:
    return [(found.annotator, found.kind) for found in suspects(in_turn(codes))]


def flipped(rng, column: np.ndarray, share: float) -> np.ndarray:
    """The answers of a reader who takes the first two classes for one another now and then."""
    chosen = (rng.random(len(column)) < share) & (column < 2)
    return np.where(chosen, 1 - column, column)


@pytest.mark.parametrize(("items", "readers", "labels"), [(200, 3, 2), (250, 5, 4), (600, 6, 3)])
def test_among_honest_readers_at_most_one_in_twenty_is_flagged(items, readers, labels):
    rng = np.random.default_rng(items)
    studies = 400 // readers
    flagged = [{name for name, _ in kinds(crowd(rng, items, readers, labels))} for _ in range(studies)]
    assert sum(map(len, flagged)) / (studies * readers) <= 0.05


@pytest.mark.parametrize(("readers", "labels"), [(4, 2), (5, 2), (5, 4)])
def test_a_reader_who_flips_one_answer_in_five_is_flagged_within_200_answers(readers, labels):
    rng = np.random.default_rng(readers)
    hits = 0
    for _ in range(40):
        codes = crowd(rng, 200, readers, labels, skill=(0.88, 0.92), hard=0.0, missing=0.0)
        codes[:, 1] = flipped(rng, codes[:, 1], 0.2)
        hits += "1" in {name for name, _ in kinds(codes)}
    assert hits / 40 >= 0.9


def test_the_two_classes_that_are_mixed_up_are_named():
    rng = np.random.default_rng(0)
    codes = crowd(rng, 300, 5, 4, missing=0.0)
    codes[:, 2] = flipped(rng, codes[:, 2], 0.5)
    (found,) = suspects(in_turn(codes))
    assert (found.annotator, found.kind, found.classes) == ("2", "flip", ("a", "b"))
    assert found.rate > 0.4 > 0.2 > found.others
    assert "takes a and b for one another" in found.text


@pytest.mark.parametrize("answers", ["random", "constant"])
def test_answers_that_do_not_depend_on_the_item_are_spam(answers):
    rng = np.random.default_rng(1)
    codes = crowd(rng, 300, 5, 3, missing=0.0)
    codes[:, 4] = rng.integers(0, 3, 300) if answers == "random" else 1
    assert kinds(codes) == [("4", "spam")]


def test_a_reader_who_gets_worse_is_told_from_items_that_get_harder():
    rng = np.random.default_rng(2)
    codes = crowd(rng, 500, 5, 3, missing=0.0)
    tired = rng.random(500) < np.linspace(0, 0.7, 500)
    own = codes.copy()
    own[tired, 0] = rng.integers(0, 3, tired.sum())
    assert ("0", "drift") in kinds(own)
    all_tired = np.where(tired[:, None], rng.integers(0, 3, codes.shape), codes)
    assert "drift" not in [kind for _, kind in kinds(all_tired)]


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
    codes = crowd(rng, 200, 4, 2, missing=0.0)
    codes[rng.random(200) < 0.5, 0] = 2
    rows = [(str(i), str(a), str(names[k])) for i, row in enumerate(codes) for a, k in enumerate(row)]
    assert suspects(from_long(rows, not_sure="unsure")) == []
