"""How often honest and planted readers are suspected: `python -m benchmarks.agreement_suspects` prints a table.

Honest readers are right on 82 to 95 % of the items, each in their own measure, and on 60 % of those that are hard for
everybody, one in ten; a fifth of their reads is missing. A planted reader answers 200 items.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.suspects import suspects
from labeling.agreement.table import ReadTable, from_long

STUDIES, ANSWERS, LETTERS = 300, 200, "abcdef"


@dataclass(frozen=True, slots=True)
class Crowd:
    """Readers of a study; `skill` is the range of how often they are right, `hard` the share of hard items."""

    items: int
    readers: int
    labels: int
    skill: tuple[float, float] = (0.82, 0.95)
    hard: float = 0.1
    missing: float = 0.2

    def codes(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """What the readers say, -1 where they do not."""
        shape = (self.items, self.readers)
        truth = rng.integers(0, self.labels, (self.items, 1))
        ability = np.where(rng.random((self.items, 1)) < self.hard, 0.6, rng.uniform(*self.skill, self.readers))
        wrong = (truth + rng.integers(1, self.labels, shape)) % self.labels
        codes = np.where(rng.random(shape) < ability, truth, wrong)
        return np.where(rng.random(shape) < self.missing, -1, codes)


def in_turn(codes: NDArray[np.int64]) -> ReadTable:
    """The table of readers who read the items one after another."""
    rows = [(str(i), str(a), LETTERS[k]) for i, row in enumerate(codes) for a, k in enumerate(row) if k >= 0]
    return from_long(rows, in_turn=True)


def flipped(rng: np.random.Generator, column: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """The answers of a reader who takes the first two classes for one another now and then."""
    chosen = (rng.random(len(column)) < share) & (column >= 0) & (column < 2)
    return np.where(chosen, 1 - column, column)


def altered(rng: np.random.Generator, column: NDArray[np.int64], share: float, labels: int) -> NDArray[np.int64]:
    """The answers of a reader who gives any other class now and then."""
    other = (column + rng.integers(1, labels, len(column))) % labels
    return np.where((rng.random(len(column)) < share) & (column >= 0), other, column)


def named(codes: NDArray[np.int64]) -> set[str]:
    """Who is suspected of anything."""
    return {found.annotator for found in suspects(in_turn(codes))}


def false_alarms(crowd: Crowd, studies: int, seed: int = 0) -> float:
    """Share of honest readers who are suspected."""
    rng = np.random.default_rng(seed)
    return sum(len(named(crowd.codes(rng))) for _ in range(studies)) / (studies * crowd.readers)


def found(crowd: Crowd, studies: int, kind: str, share: float = 0.2, seed: int = 0) -> float:
    """Share of studies in which reader 0 is found, who flips two classes, alters or guesses that share of answers."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(studies):
        codes = crowd.codes(rng)
        if kind == "guesses":
            codes[:, 0] = rng.integers(0, crowd.labels, crowd.items)
        elif kind == "alters":
            codes[:, 0] = altered(rng, codes[:, 0], share, crowd.labels)
        else:
            codes[:, 0] = flipped(rng, codes[:, 0], share)
        hits += "0" in named(codes)
    return hits / studies


def lines(studies: int) -> Iterator[str]:
    """The table in Markdown, a line at a time."""
    head = ["readers, classes", "honest, suspected", "flips two classes, skills alike", "alters, skills alike"]
    head += ["alters, skills differ", "guesses all"]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for readers, labels in ((3, 2), (4, 2), (5, 2), (3, 4), (5, 4), (8, 4)):
        honest = Crowd(ANSWERS * 5 // 4, readers, labels)
        alike = Crowd(ANSWERS, readers, labels, (0.9, 0.9), 0.0, 0.0)
        differ = Crowd(ANSWERS, readers, labels, missing=0.0)
        rates = [false_alarms(honest, studies), found(alike, studies, "flips"), found(alike, studies, "alters")]
        rates += [found(differ, studies, "alters"), found(differ, studies, "guesses")]
        yield "| " + " | ".join([f"{readers}, {labels}", *(f"{100 * rate:.1f} %" for rate in rates)]) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement_suspects", description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES)
    for line in lines(parser.parse_args().studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
