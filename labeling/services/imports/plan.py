"""What taking a file would change: which labels are new, which are there, which contradict each other."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from labeling.exchange.labels import Problem
from labeling.models import Annotation, LabelImport, Study
from labeling.services.imports.people import ANSWERED, known_people, pseudonym
from labeling.services.imports.reading import Matched, Reading, Upload, read

# Names the answers of imports: the same row of the same file is the same answer, however often it is sent.
NAMESPACE = UUID("5f0c6b0e-3a8e-5d0b-9d0a-6c9f3f0a1e57")
MOST_NAMED = 10_000
NUMBERS = re.compile(r"\d+")
# Number of the user whom a file means by a name.
Identity = dict[str, int]

# Said after a number: "9 too far from any crop".
WORDS = {
    "unreadable": "unreadable",
    "crop": "of a crop that the study does not have",
    "gone": "of a crop whose object is no longer found",
    "image": "of an image that the study does not have, or of several",
    "place": "without a place in their image",
    "far": "too far from any crop",
    "ambiguous": "about equally near to two crops",
    "class": "of a class that the study does not have",
    "time": "with a time that has not come yet",
    "duplicate": "the same as another row",
    "conflict": "against another row of the same annotator",
    "answered": "of a crop that the same annotator has answered here",
    "decision": "decided by a lead, which is no answer of a reader",
    "reread": "read again by the same annotator, which is no answer of its own",
}


@dataclass(slots=True)
class Plan:
    """What a file brings: `new` labels, and every row that is left out, with why; `unnamed` new ones name nobody."""

    upload: Upload
    kind: str
    rows: int
    silent: int
    new: list[tuple[UUID, Matched]] = field(default_factory=list)
    already: int = 0
    problems: list[Problem] = field(default_factory=list)
    new_classes: list[str] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)
    unnamed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are left out, by code, in the order of WORDS."""
        counted = Counter(problem.code for problem in self.problems)
        return {code: counted[code] for code in WORDS if counted[code]}

    def report(self) -> dict[str, Any]:
        """The plan as JSON: counts, people, and the first MOST_NAMED rows that are left out."""
        return {
            "rows": self.rows,
            "taken": len(self.new),
            "already": self.already,
            "silent": self.silent,
            "left_out": self.counts,
            "new_classes": self.new_classes,
            "people": self.people,
            "unnamed": self.unnamed,
            "problems": [
                {"row": problem.row, "code": problem.code, "message": problem.message}
                for problem in self.problems[:MOST_NAMED]
            ],
        }


def plan(study: Study, upload: Upload) -> Plan:
    """What taking the file would store now; FileRefused where it cannot be read at all. Changes nothing."""
    return settle(study, upload, read(study, upload))


def settle(study: Study, upload: Upload, reading: Reading) -> Plan:
    """The plan over a file that was read: what the study holds by now decides."""
    made = Plan(
        upload, upload.kind, reading.rows, reading.silent, problems=list(reading.problems),
        new_classes=reading.new_classes,
    )  # fmt: skip
    people = known_people(study, {item.annotator for item in reading.matched})
    # A file may call one person by two names, such as bob and user:5.
    who: Identity = {name: user.pk for name, user in people.items()}
    before = LabelImport.objects.filter(study=study, sha256=upload.sha256).first()
    times = before.times_taken_back if before else 0
    # Taken once: the digest of a large file takes longer than all the rest of a row. What was taken back before is
    # no answer any more: the file brings it anew, under other ids.
    named = f"{study.pk}:{upload.sha256}" + (f"@{times}" if times else "")
    standing, stored = _standing(study, set(who.values())), _stored(before)
    for item in _consistent(reading.matched, who, made.problems):
        client_id = uuid5(NAMESPACE, f"{named}:{item.label.row}")
        if client_id in stored:
            made.already += 1
        elif (who.get(item.annotator), item.crop) in standing:
            made.problems.append(_problem(item, "answered", f"{item.annotator}{ANSWERED}"))
        elif item.crop in reading.gone:
            made.problems.append(_problem(item, "gone", "the object of this crop is no longer found in its image"))
        else:
            made.new.append((client_id, item))
    made.problems.sort(key=lambda problem: [int(digits) for digits in NUMBERS.findall(problem.row)])
    made.people = _described(made.new, people)
    made.unnamed = sum(not item.is_named for _, item in made.new)
    # A class is added only where a label needs it.
    needed = {item.label.name for _, item in made.new}
    made.new_classes = [name for name in made.new_classes if name in needed]
    return made


def _standing(study: Study, people: set[int]) -> set[tuple[int | None, int]]:
    """(annotator, crop) of what stands."""
    rows = Annotation.objects.current().filter(study=study, annotator__in=people)
    return set(rows.values_list("annotator_id", "crop_id"))


def _stored(before: LabelImport | None) -> set[UUID]:
    """Ids of the answers that the file brought, also of those that were corrected since; none where it is new."""
    if before is None:
        return set()
    imported = Annotation.objects.filter(study=before.study_id, source=Annotation.Source.IMPORT)
    return set(imported.values_list("client_id", flat=True))


def _consistent(matched: list[Matched], who: Identity, problems: list[Problem]) -> list[Matched]:
    """One label per annotator and crop; where two differ, none is taken, as nobody knows which one counts."""
    groups: dict[tuple[int | str, int], list[Matched]] = defaultdict(list)
    for item in matched:
        groups[who.get(item.annotator, item.annotator), item.crop].append(item)
    kept = []
    for items in groups.values():
        first = items[0]
        if len({(item.label.answer, item.key) for item in items}) > 1:
            problems.extend(_problem(item, "conflict", f"contradicts {_others(items, item)}") for item in items)
            continue
        kept.append(first)
        problems.extend(_problem(item, "duplicate", f"says the same as {first.label.row}") for item in items[1:])
    return kept


def _others(items: list[Matched], item: Matched) -> str:
    return ", ".join(other.label.row for other in items if other is not item)[:200]


def _problem(item: Matched, code: str, message: str) -> Problem:
    return Problem(item.label.row, code, message)


def _described(new: list[tuple[UUID, Matched]], people: dict[str, Any]) -> list[dict[str, Any]]:
    """For each annotator of new labels: the name in the file, how many, and the user who will stand for them."""
    counted = Counter(item.annotator for _, item in new)
    return [
        {
            "name": name,
            "labels": labels,
            "user": people[name].username if name in people else pseudonym(name),
            "member": name in people and people[name].is_active,
        }
        for name, labels in counted.most_common()
    ]
