"""Reads a file of labels against a study: which crop and which class each row means, and which rows mean none."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from imaging.models import Crop, Image
from labeling.exchange import formats
from labeling.exchange.labels import LABEL, Label, Parsed, Problem, clean, is_storable
from labeling.exchange.matching import Field, Images, KnownCrop, KnownImage, NoMatch
from labeling.models import LabelClass, LabelImport, Study

# A label may lie this share of a crop's field away from the centre of its crop.
TOLERANCE = 0.25
LONGEST_NAME, LONGEST_KEY = 200, 100
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of labels with what it does not say itself; `annotator` stands for rows that name nobody."""

    name: str
    content: bytes
    format: str = ""
    image: str = ""
    images: bytes = b""
    annotator: str = ""
    adds_classes: bool = False

    @property
    def sha256(self) -> str:
        """Digest of the file's bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def kind(self) -> str:
        """The chosen format, else the one that the file looks like; FileRefused where nothing tells."""
        return self.format or formats.format_of(self.name, self.content)


@dataclass(frozen=True, slots=True)
class Matched:
    """A label with the number of its crop and the key of its class (empty for other answers than a class).

    `is_named`: the row itself names its annotator.
    """

    label: Label
    crop: int
    key: str
    annotator: str
    is_named: bool = True


@dataclass(slots=True)
class Reading:
    """What a file says about the crops of a study; `new_classes` are added when it is taken.

    `gone`: crops whose object is no longer found. A file may name them by their key, and brings nothing new for them.
    """

    rows: int
    silent: int
    matched: list[Matched] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    new_classes: list[str] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)


def read(study: Study, upload: Upload) -> Reading:
    """The file's labels on the study's crops; FileRefused where it cannot be read at all."""
    parsed = _parsed(upload)
    reading = Reading(parsed.rows, parsed.silent, problems=list(parsed.problems))
    classes = _Classes(study, upload.adds_classes)
    nobody = upload.annotator or LabelImport.Format(upload.kind).label
    now = timezone.now()
    for said, crop in zip(parsed.labels, _crops(study, parsed.labels)):
        label = classes.meant(said)
        problem = crop if isinstance(crop, NoMatch) else None
        key = ""
        try:
            _refuse_future(label, now)
            key = classes.key(label.name) if label.answer == LABEL else ""
        except NoMatch as other:
            problem = problem or other
        if problem is None:
            named = clean(label.annotator, 120)
            reading.matched.append(Matched(label, crop, key, named or nobody, bool(named)))
        else:
            reading.problems.append(Problem(label.row, problem.code, clean(str(problem), 300)))
    reading.new_classes = classes.new
    pool = Crop.objects.of_experiments(study.experiments.all())
    reading.gone = set(pool.filter(gone_at__isnull=False).values_list("pk", flat=True))
    return reading


def _refuse_future(label: Label, now: datetime) -> None:
    if label.at is not None and label.at > now:
        raise NoMatch("time", f"its time {label.at:%Y-%m-%d %H:%M} has not come yet")


def _parsed(upload: Upload) -> Parsed:
    kind = upload.kind
    images = formats.cpa.image_names(upload.images) if upload.images else {}
    return formats.parse(kind, upload.name, upload.content, formats.Extra(upload.image, images))


class _Classes:
    """The study's classes by what a file may call them: key, name, or either in other capitals."""

    def __init__(self, study: Study, adds: bool) -> None:
        self.new: list[str] = []
        self._adds = adds
        self._known: dict[str, LabelClass] = {}
        self._folded: dict[str, set[str]] = defaultdict(set)
        rows = list(study.classes.select_related("merged_into").prefetch_related("parts"))
        for row in rows:
            for text in (row.name, row.key):
                self._folded[text.casefold()].add(row.key)
        self._known = {row.name: row for row in rows} | {row.key: row for row in rows}

    def meant(self, label: Label) -> Label:
        """The label, under a class where the study has one of that name: it may be called “unsure”."""
        if label.answer != LABEL and (label.word in self._known or self._only(label.word)):
            return replace(label, answer=LABEL, name=label.word)
        return replace(label, name=label.name.strip())

    def key(self, name: str) -> str:
        """The key of the class; NoMatch where the study has none and none is to be added."""
        row = self._known.get(name) or self._only(name)
        if row is not None and row.retired_at is not None:
            raise NoMatch("class", f"the class “{name}” {_why_closed(row)}")
        if row is not None:
            return row.key
        if not self._adds:
            raise NoMatch("class", f"the study has no class “{name}”")
        return self._added(name)

    def _only(self, name: str) -> LabelClass | None:
        keys = self._folded.get(name.casefold(), set())
        return self._known[next(iter(keys))] if len(keys) == 1 else None

    def _added(self, name: str) -> str:
        if len(name) > LONGEST_NAME or not is_storable(name) or not name.strip():
            raise NoMatch("class", f"“{name[:40]}” can be no class: at most {LONGEST_NAME} characters, on one line")
        if name not in self.new:
            self.new.append(name)
        return key_for(name)


def _why_closed(row: LabelClass) -> str:
    """What became of a class that takes no labels, and what can be done about it."""
    parts = [f"“{part.name}”" for part in row.parts.all()]
    if parts:
        return f"was split into {_listed(parts)}: name one of them, or undo the split while nobody has used a part"
    if row.merged_into is not None:
        return f"was merged into “{row.merged_into.name}”: name that one, or restore it first"
    return "is retired: restore it first"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def key_for(name: str) -> str:
    """The key of a class that is added under this name."""
    if len(name) <= LONGEST_KEY:
        return name
    # Two long names that begin alike stay two classes.
    return f"{name[: LONGEST_KEY - 9].strip()} {hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _crops(study: Study, labels: Sequence[Label]) -> Iterator[int | NoMatch]:
    """For each label the number of its crop, or why there is none."""
    by_key = _by_key(study, {label.place.key for label in labels if label.place.key})
    unkeyed = [label for label in labels if len(by_key.get(label.place.key, ())) != 1 and label.place.image]
    images = Images(_images(study)) if unkeyed else Images([])
    found = {name: _image(images, name) for name in {label.place.image for label in unkeyed}}
    fields = _fields({number for number in found.values() if isinstance(number, int)})
    for label in labels:
        keyed = by_key.get(label.place.key, [])
        yield keyed[0][0] if len(keyed) == 1 else _placed(label, keyed, found, fields)


def _placed(
    label: Label, keyed: list[tuple[int, int]], found: dict[str, int | NoMatch], fields: dict[int, Field]
) -> int | NoMatch:
    image = found.get(label.place.image, NoMatch("crop", f"no crop has the key “{label.place.key[:64]}”"))
    if isinstance(image, NoMatch):
        # Equal pixels in two samples have equal keys: without the image's name nobody can tell them apart.
        return NoMatch("ambiguous", f"{len(keyed)} crops have the key “{label.place.key[:64]}”") if keyed else image
    of_image = [crop for crop, its_image in keyed if its_image == image]
    if of_image:
        return of_image[0]
    if label.place.key and label.place.point is None:
        return NoMatch("crop", f"no crop has the key “{label.place.key[:64]}”")
    try:
        return fields[image].nearest(label.place)
    except NoMatch as problem:
        return problem


def _image(images: Images, name: str) -> int | NoMatch:
    try:
        return images.find(name)
    except NoMatch as problem:
        return problem


def _by_key(study: Study, keys: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """The (crop, image) of each key."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    pool = Crop.objects.of_experiments(study.experiments.all())
    for some in _chunks(sorted(key for key in keys if len(key) <= 64)):
        for key, crop, image in pool.filter(key__in=some).values_list("key", "pk", "image_id"):
            found[key].append((crop, image))
    return found


def _images(study: Study) -> Iterator[KnownImage]:
    rows = Image.objects.filter(sample__experiment__in=study.experiments.all())
    columns = rows.values_list("pk", "name", "files", "sha256", "sample__experiment__name")
    for number, name, files, sha256, experiment in columns:
        others = (f"{experiment}/{name}", *(str(file.get("name", "")) for file in files))
        yield KnownImage(number, name, others, sha256)


def _fields(images: Iterable[int]) -> dict[int, Field]:
    crops: dict[int, list[KnownCrop]] = {image: [] for image in images}
    for some in _chunks(sorted(crops)):
        # Where an object was found anew, the crop that it had before lies beside it and is nobody's choice.
        rows = Crop.objects.standing().filter(image__in=some)
        rows = rows.values_list("image_id", "pk", "x", "y", "image__crop_field_px")
        for image, number, x, y, side in rows.iterator(chunk_size=2000):
            crops[image].append(KnownCrop(number, x, y, side * TOLERANCE))
    return {image: Field(rows) for image, rows in crops.items()}


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
