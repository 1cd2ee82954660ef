"""What a label is, wherever it comes from: the place of an object, what was said of it, by whom and when."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

LABEL = "label"
NOT_SURE = "not_sure"
BAD_CROP = "bad_crop"
WRONG_OBJECT = "wrong_object"
ANSWERS = (LABEL, NOT_SURE, BAD_CROP, WRONG_OBJECT)
MAX_ROWS = 1_000_000

Row = TypeVar("Row")
Ring = tuple[tuple[float, float], ...]


class FileRefused(ValueError):
    """The whole file cannot be read; the message says which rule and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies: the key of a crop, or an image and a point in full-resolution pixels.

    `box` is x0, y0, x1, y1 and `ring` a closed outline without its repeated last point; both may be unknown.
    """

    key: str = ""
    image: str = ""
    x: float | None = None
    y: float | None = None
    box: tuple[float, float, float, float] | None = None
    ring: Ring | None = None

    @property
    def point(self) -> tuple[float, float] | None:
        """x and y, or None where the place is an image as a whole."""
        return None if self.x is None or self.y is None else (self.x, self.y)


@dataclass(frozen=True, slots=True)
class Label:
    """What one annotator said of one object; `row` names it within its file.

    `name` is the class for the answer "label" and empty otherwise; `seconds` is how long the answer took. `word` is
    what the file says in place of a class, where `answer` was taken from that alone: a class may be called "unsure".
    `is_bulk`: given to many crops at once; `suggested_by`: digest of the model whose suggestion was accepted;
    `is_simulated`: a program gave it.
    """

    row: str
    place: Place
    name: str = ""
    answer: str = LABEL
    annotator: str = ""
    at: datetime | None = None
    seconds: float | None = None
    comment: str = ""
    word: str = ""
    is_bulk: bool = False
    suggested_by: str = ""
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken, with a code to count by and a sentence for people."""

    row: str
    code: str
    message: str


@dataclass(slots=True)
class Parsed:
    """The labels of a file, the rows that could not be read, and how many rows say nothing (skips, no class)."""

    labels: list[Label] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    silent: int = 0

    @property
    def rows(self) -> int:
        """Number of rows of the file, taken or not."""
        return len(self.labels) + len(self.problems) + self.silent

    def fail(self, row: str, message: str, code: str = "unreadable") -> None:
        """Note a row that could not be read."""
        # What a message quotes comes from the file: it is kept short and without control characters.
        self.problems.append(Problem(row, code, clean(message, 300)))


def clean(text: Any, most: int = 200) -> str:
    """Text on one line without control characters, cut to `most` characters; empty for what is no text or number."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return ""
    shown = "".join(" " if character.isspace() else character for character in str(text))
    return "".join(character for character in shown if is_storable(character)).strip()[:most]


def is_storable(text: str) -> bool:
    """Whether a database keeps the text: no control characters, no half of a surrogate pair."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def counted(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows; FileRefused beyond MAX_ROWS, before more of them are kept."""
    for number, row in enumerate(rows):
        if number >= MAX_ROWS:
            raise FileRefused(f"The file has more than {MAX_ROWS:,} rows: split it. Nothing was stored.")
        yield row


def answer_of(text: str) -> tuple[str, str]:
    """(answer, class) of what a file calls the class: "not sure" and its like are answers of their own."""
    plain = " ".join(text.strip("() ").lower().replace("_", " ").replace("-", " ").split())
    answer = WORDS.get(plain)
    return (answer, "") if answer else (LABEL, text)


WORDS = {
    "not sure": NOT_SURE,
    "unsure": NOT_SURE,
    "bad crop": BAD_CROP,
    "wrong object": WRONG_OBJECT,
}
