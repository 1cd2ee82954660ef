"""The guidelines of a study over time: every text that was ever in force, who changed it, and how."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count

from audit import services as audit
from labeling.models import Annotation, GuidelineVersion, Study
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.refusals import StudyRefused

LONGEST_CHANGE = 500
# Lines that share less than this are shown as one that went and one that came, not as one that was changed.
ALIKE_FROM = 0.5
WORD = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison: `kind` is "same", "removed" or "added", `parts` its text in pieces, each with whether
    it differs from the other version. Plain text: who shows it escapes it."""

    kind: str
    parts: tuple[tuple[str, bool], ...]


def current_guideline(study: Study) -> GuidelineVersion | None:
    """The version in force, which every answer names; None where nothing was kept yet."""
    return GuidelineVersion.objects.filter(study=study).order_by("-number").first()


def keep_version(study: Study, by: Any, change: str = "") -> GuidelineVersion:
    """The version that holds the study's guidelines as they stand: a new one where the text is another.

    Called in the transaction that changes the text; may be called twice.
    """
    newest = current_guideline(study)
    if newest is not None and newest.text == study.guidelines:
        return newest
    number = 1 if newest is None else newest.number + 1
    version = GuidelineVersion.objects.create(
        study=study, number=number, text=study.guidelines, change=change.strip()[:LONGEST_CHANGE], by=by
    )
    if newest is not None:
        detail = {"study": study.pk, "number": number, "change": version.change}
        audit.record("guidelines.changed", version, actor=audit.actor_of(by), detail=detail)
    return version


def change_guidelines(study: Study, lead: Any, text: str, change: str = "", *, seen: int | None = None) -> bool:
    """Put the text in force; returns whether it differs from the one before.

    `seen` is the number of the version that the lead had before them: StudyRefused where somebody has saved another
    one meanwhile.
    """
    # Browsers send line ends their own way; a version must not differ in nothing else.
    text = text.replace("\r\n", "\n").strip()
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "the guidelines")
        study.refresh_from_db()
        newest = keep_version(study, lead)
        if seen is not None and seen != newest.number:
            raise StudyRefused(
                f"Version {newest.number} was saved while you wrote. Your text is kept below: compare and save again."
            )
        if text == study.guidelines:
            return False
        study.guidelines = text
        study.save(update_fields=["guidelines"])
        keep_version(study, lead, change)
    return True


def answers_by_version(study: Study) -> dict[int | None, int]:
    """Number of standing answers given under each version, by its primary key; None: before versions were named."""
    rows = Annotation.objects.current().filter(study=study).order_by().values_list("guideline")
    return dict(rows.annotate(number=Count("id")))


def compare(before: str, after: str) -> list[DiffLine]:
    """The two texts line by line; in lines that were changed, word by word."""
    old, new = before.splitlines(), after.splitlines()
    found: list[DiffLine] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [DiffLine("same", ((line, False),)) for line in old[a:b]]
        else:
            for pair in zip(old[a:b], new[c:d]):
                found += _changed(*pair)
            both = min(b - a, d - c)
            found += [DiffLine("removed", ((line, True),)) for line in old[a + both : b]]
            found += [DiffLine("added", ((line, True),)) for line in new[c + both : d]]
    return found


def _changed(before: str, after: str) -> Iterator[DiffLine]:
    old, new = WORD.findall(before), WORD.findall(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < ALIKE_FROM:
        yield DiffLine("removed", ((before, True),))
        yield DiffLine("added", ((after, True),))
        return
    codes = matcher.get_opcodes()
    yield DiffLine("removed", tuple(("".join(old[a:b]), tag != "equal") for tag, a, b, _, _ in codes if a < b))
    yield DiffLine("added", tuple(("".join(new[c:d]), tag != "equal") for tag, _, _, c, d in codes if c < d))
