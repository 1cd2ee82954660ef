"""A study that is hard to lay out: twelve classes, one with the longest name there may be, and eight readers."""

from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from imaging.models import Crop, Image
from labeling.colors.palette import color_at
from labeling.models import (
    Annotation,
    AnnotationLabel,
    Comment,
    DisagreementSession,
    LabelClass,
    ReaderExclusion,
    ReaderStudy,
    Study,
)
from labeling.services.comments import add_comment
from labeling.services.discussion import confusion
from labeling.services.exclusions import exclude
from labeling.services.progress import NOT_SURE_LABEL
from labeling.services.reader_study.closing import close_protocol
from labeling.services.reader_study.drafting import change_draft, draw_cases
from labeling.services.reader_study.locking import draft_digest, lock_protocol
from labeling.services.reads import READER_STUDY, STREAM
from labeling.services.sessions import Outcome, close_session, start_session
from labeling.worker.agreement import make_report
from tests.factories import add_reader

LONGEST = "nuclei that touch their neighbours and whose outline is therefore a guess, " * 3
CLASSES = (
    "prophase", "metaphase", "anaphase", "telophase", "binucleate", "micronucleus", "apoptotic", "debris",
    LONGEST[:200],
)  # fmt: skip
NAMES = ("ann", "bob", "carol", "dora", "eve", "frank", "g" * 150, "heinrich.von.und.zu@pathology.example.org")
AGREE, UNSURE = 0.75, 0.08
PER_IMAGE = 16


def grown(study: Study, crops: int = 0) -> Study:
    """The study with twelve classes, and with copies of its crops until it has that many."""
    first = study.classes.count()
    LabelClass.objects.bulk_create(
        LabelClass(study=study, key=f"more-{at}", name=name, color=color_at(at), position=at)
        for at, name in enumerate(CLASSES, first)
    )
    for number in range(Crop.objects.count(), crops, PER_IMAGE):
        _copy_crops(number)
    return study


def _copy_crops(number: int) -> None:
    """The crops of the first image once more, under an image of their own: they look the same."""
    first = Image.objects.order_by("id").first()
    assert first is not None
    rows = list(first.crops.order_by("id"))
    image = copy(first)
    image.pk, image.name, image.sha256 = None, f"copy {number}", f"{number:064x}"
    image.save()
    for row in rows:
        row.pk, row.image, row.key = None, image, f"{row.key}-{number}"
    Crop.objects.bulk_create(rows)


def crowded(study: Study, crops: int = 0) -> Study:
    """A grown study that eight readers have read, with its report of agreement."""
    grown(study, crops)
    readers = [add_reader(study, name) for name in NAMES]
    read(study, readers, list(Crop.objects.order_by("id").values_list("pk", flat=True)), STREAM)
    assert make_report(study.pk)
    return study


def read(study: Study, readers: Sequence[Any], crops: Sequence[int], why: str) -> None:
    """Every reader names a class for nearly every crop, the same in three of four, at times "not sure"."""
    rng = np.random.default_rng(0)
    classes = list(study.classes.order_by("position"))
    truth = rng.integers(0, len(classes), len(crops))
    start = timezone.now() - timedelta(days=4)
    rows, named = [], []
    for at, crop in enumerate(crops):
        for place, reader in enumerate(readers):
            luck = rng.random()
            code = truth[at] if luck < AGREE else (truth[at] + 1 + int(4 * rng.random())) % len(classes)
            is_sure = luck < 1 - UNSURE
            number = at * len(readers) + place
            rows.append(_answer(study, crop, reader, why, start + timedelta(seconds=4 * number), is_sure=is_sure))
            named.append(classes[code] if is_sure else None)
    kept = Annotation.objects.bulk_create(rows)
    AnnotationLabel.objects.bulk_create(
        AnnotationLabel(annotation=row, label_class=label) for row, label in zip(kept, named, strict=True) if label
    )


def _answer(study: Study, crop: int, reader: Any, why: str, at: datetime, *, is_sure: bool) -> Annotation:
    return Annotation(
        study=study, crop_id=crop, annotator=reader, why_asked=why, probability_asked=1.0, source="room",
        answer="label" if is_sure else "not_sure", client_id=UUID(int=crop * 10_000 + reader.pk),
        shown_at=at - timedelta(seconds=2), active_ms=2000, answered_at=at, received_at=at,
    )  # fmt: skip


def mixed_up(study: Study) -> tuple[str, str]:
    """Keys of the two classes that most crops are disputed between."""
    cells = [cell for cell in confusion(study) if cell.a != cell.b and NOT_SURE_LABEL not in (cell.a, cell.b)]
    worst = max(cells, key=lambda cell: cell.items)
    return worst.a, worst.b


def worst_cell(study: Study) -> str:
    """The query that chooses the crops of these two."""
    a, b = mixed_up(study)
    return f"?a={a}&b={b}"


def talked_over(study: Study) -> DisagreementSession:
    """An open session on the two."""
    return start_session(study, lead_of(study), *study.classes.filter(key__in=mixed_up(study)))


def agreed_on(study: Study) -> DisagreementSession:
    """A session that is closed with a new rule."""
    session = talked_over(study)
    close_session(session, lead_of(study), Outcome("Small is debris.", "Small is debris.", "size decides"))
    return session


def lead_of(study: Study) -> Any:
    """Who leads it."""
    return study.members.get(username="reader")


def left_out(study: Study) -> ReaderExclusion:
    """The reader with the longest name, who is left out of a crowded study."""
    assert exclude(study, study.members.get(username=NAMES[6]), lead_of(study), "x" * 500)
    return ReaderExclusion.objects.get(study=study)


def commented(study: Study) -> list[Comment]:
    """Two comments, one as long as comments may be and without a space."""
    texts = ("The rim is open, so I called it long.", "x" * 2000)
    return [add_comment(study, lead_of(study), crop, text) for crop, text in zip(Crop.objects.order_by("id"), texts)]


def drafted(study: Study) -> ReaderStudy:
    """The draft of a protocol with six cases and all eight readers."""
    Study.objects.filter(pk=study.pk).update(is_blind=True)
    study.refresh_from_db()
    lead = lead_of(study)
    grown(study)
    for name in NAMES:
        add_reader(study, name)
    change_draft(study, lead, {"question": "How far do eight agree on " + "touching nuclei? " * 12, "seed": 7})
    draw_cases(study, lead, 6)
    return ReaderStudy.objects.get(study=study)


def locked(study: Study) -> ReaderStudy:
    """The protocol, locked before anybody has read."""
    lead = lead_of(study)
    return lock_protocol(study, lead, seen=draft_digest(drafted(study)))


def closed(study: Study) -> ReaderStudy:
    """The protocol after all have read all cases, closed."""
    locked(study)
    readers = [row.user for row in study.memberships.filter(role="annotator").select_related("user")]
    read(study, readers, list(study.reader_cases.values_list("crop_id", flat=True)), READER_STUDY)
    return close_protocol(study, lead_of(study))
