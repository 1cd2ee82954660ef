"""Finds the crop that a label means: by its key, else the nearest one in the named image. Never guesses."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labeling.exchange.labels import Place

SHORTEST_DIGEST = 8
# A second crop this much farther than the nearest one, plus a pixel, leaves no doubt.
CLEARLY_FARTHER = 2.0


class NoMatch(ValueError):
    """No crop can be named; `code` says why, for counting."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image of the pool: its number, its relative name, the names of its files, its SHA-256."""

    number: int
    name: str
    files: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class KnownCrop:
    """A crop of the pool: its number, its centre in full-resolution pixels, and how far off a label may lie."""

    number: int
    x: float
    y: float
    tolerance: float


class Images:
    """Images by any name that a file may give them."""

    def __init__(self, images: Iterable[KnownImage]) -> None:
        """Index the images by whole name, by the last part of it, and by that without its ending."""
        self._all = list(images)
        self._by_name: list[dict[str, set[int]]] = [defaultdict(set) for _ in range(3)]
        for image in self._all:
            for name in (image.name, *image.files):
                for level, form in enumerate(_forms(name)):
                    self._by_name[level][form].add(image.number)

    def find(self, name: str) -> int:
        """The number of the image; NoMatch where none or several bear the name."""
        for level, form in enumerate(_forms(name)):
            found = self._by_name[level].get(form, set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise NoMatch("image", f"{len(found)} images are called “{form[:80]}”")
        found = {image.number for image in self._all if _is_digest(name) and image.sha256.startswith(name.lower())}
        if len(found) != 1:
            raise NoMatch("image", f"no image is called “{name[:80]}”")
        return found.pop()


def _forms(name: str) -> tuple[str, str, str]:
    whole = name.replace("\\", "/")
    base = whole.rsplit("/", 1)[-1]
    return whole, base, base.rsplit(".", 1)[0] if "." in base[1:] else base


def _is_digest(name: str) -> bool:
    return SHORTEST_DIGEST <= len(name) <= 64 and all(letter in "0123456789abcdefABCDEF" for letter in name)


class Field:
    """The crops of one image, found by place."""

    def __init__(self, crops: Sequence[KnownCrop]) -> None:
        """Sort the crops into squares as wide as the largest tolerance."""
        self._crops = crops
        self._side = max((crop.tolerance for crop in crops), default=1.0)
        self._squares: Mapping[tuple[int, int], list[KnownCrop]] = defaultdict(list)
        for crop in crops:
            self._squares[self._square(crop.x, crop.y)].append(crop)

    def nearest(self, place: Place) -> int:
        """The number of the crop at the place; NoMatch where none is near, or two are about equally near."""
        if place.point is None:
            if len(self._crops) == 1:
                return self._crops[0].number
            raise NoMatch("place", f"it names no place, and the image has {len(self._crops)} crops")
        x, y = place.point
        near = sorted((math.hypot(crop.x - x, crop.y - y), crop.number) for crop in self._around(x, y))
        if not near:
            raise NoMatch("far", f"no crop lies near ({x:.0f}, {y:.0f})")
        if len(near) > 1 and near[1][0] <= CLEARLY_FARTHER * near[0][0] + 1:
            raise NoMatch("ambiguous", f"two crops lie about equally near to ({x:.0f}, {y:.0f})")
        return near[0][1]

    def _around(self, x: float, y: float) -> list[KnownCrop]:
        column, row = self._square(x, y)
        squares = [(column + right, row + down) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        around = [crop for square in squares for crop in self._squares.get(square, ())]
        return [crop for crop in around if math.hypot(crop.x - x, crop.y - y) <= crop.tolerance]

    def _square(self, x: float, y: float) -> tuple[int, int]:
        return math.floor(x / self._side), math.floor(y / self._side)
