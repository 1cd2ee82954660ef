"""The classes of a study over time: added, changed, moved, retired, merged, split; answers stay as given."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit import services as audit
from labeling.colors.palette import color_at
from labeling.colors.vision import HEX
from labeling.models import AnnotationLabel, LabelClass, Study
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.refusals import StudyRefused
from labeling.services.studies import NewClass

FEWEST_OPEN = 2
FEWEST_PARTS = 2
# Places are exchanged by way of numbers that no class has: two classes never share one, not for a moment.
ASIDE = 10_000


def add_class(study: Study, lead: Any, key: str, name: str, color: str = "") -> LabelClass:
    """The new class, last on the keyboard; StudyRefused where its key is taken or its colour is none."""
    key, name = key.strip(), name.strip()
    with transaction.atomic():
        _gate(study)
        row = _new_class(study, NewClass(key, name, color))
        _write_event("class.added", row, lead, {"name": row.name})
    return row


def change_class(row: LabelClass, lead: Any, name: str, color: str, description: str | None = None) -> None:
    """Give the class another name, colour or description; its key, which exports and models use, stays."""
    described = row.description if description is None else description.replace("\r\n", "\n").strip()
    after = {"name": name.strip(), "color": _color(color), "description": described}
    before = {"name": row.name, "color": row.color, "description": row.description}
    if after == before:
        return
    if not after["name"]:
        raise StudyRefused(f"The class '{row.key}' needs a name.")
    with transaction.atomic():
        _gate(row.study)
        _refuse_same_name(row.study.classes.exclude(pk=row.pk), after["name"])
        row.name, row.color, row.description = after["name"], after["color"], after["description"]
        row.save(update_fields=["name", "color", "description"])
        _write_event("class.changed", row, lead, {"before": before, "after": after})


def retire_class(row: LabelClass, lead: Any, into: LabelClass | None = None) -> None:
    """Take the class off the keyboard; with `into`, its answers count for that class from now on.

    StudyRefused where fewer than two classes would stay open, and where `into` is not another open class of the
    study.
    """
    with transaction.atomic():
        _gate(row.study)
        row.refresh_from_db()
        if row.retired_at is not None:
            raise StudyRefused(f"The class '{row.name}' is retired already.")
        others = row.study.classes.filter(retired_at__isnull=True).exclude(pk=row.pk)
        if others.count() < FEWEST_OPEN:
            raise StudyRefused("A study needs two open classes: add another one first.")
        if into is not None and not others.filter(pk=into.pk).exists():
            raise StudyRefused(f"'{row.name}' can be merged only into another open class of this study.")
        row.retired_at, row.merged_into = timezone.now(), into
        row.save(update_fields=["retired_at", "merged_into"])
        # What was merged into this class before goes on with it, so that one step always leads to the open class.
        if into is not None:
            row.merged.update(merged_into=into)
        action = "class.retired" if into is None else "class.merged"
        _write_event(action, row, lead, {} if into is None else {"into": into.key})


def restore_class(row: LabelClass, lead: Any) -> None:
    """Put a retired class back on the keyboard; its own answers count for it again."""
    with transaction.atomic():
        _gate(row.study)
        if row.retired_at is None:
            raise StudyRefused(f"The class '{row.name}' is open.")
        if row.parts.exists():
            raise StudyRefused(f"'{row.name}' was split: undo the split, or merge its parts.")
        row.retired_at, row.merged_into = None, None
        row.save(update_fields=["retired_at", "merged_into"])
        _write_event("class.restored", row, lead, {})


def move_class(row: LabelClass, lead: Any, place: int) -> None:
    """Put an open class in this place of the keyboard, from 1; the others keep their order. Changes their keys."""
    with transaction.atomic():
        _gate(row.study)
        classes = list(row.study.classes.order_by("position"))
        open_ones = [one for one in classes if one.retired_at is None]
        if row not in open_ones:
            raise StudyRefused(f"'{row.name}' is retired: it has no place on the keyboard.")
        before = [one.key for one in open_ones]
        moved = [one for one in open_ones if one != row]
        moved.insert(max(1, min(place, len(open_ones))) - 1, row)
        if moved == open_ones:
            return
        _renumber(row.study, [*moved, *(one for one in classes if one.retired_at is not None)])
        after = [one.key for one in moved]
        detail = {"from": before.index(row.key) + 1, "to": after.index(row.key) + 1, "order": after}
        _write_event("class.moved", row, lead, detail)


def split_class(row: LabelClass, lead: Any, parts: Sequence[NewClass]) -> list[LabelClass]:
    """Retire the class and put two or more new ones in its place.

    Answers that name it stay in the history and count no more: their crops are open again, also for those who gave
    them. StudyRefused where the class is retired, where there are fewer than two parts, and where a part's key, name
    or colour cannot be.
    """
    with transaction.atomic():
        _gate(row.study)
        row.refresh_from_db()
        if row.retired_at is not None:
            raise StudyRefused(f"The class '{row.name}' is retired: restore it first.")
        if len(parts) < FEWEST_PARTS:
            raise StudyRefused("A class is split into two or more: name each of them.")
        before = [one for one in row.study.classes.order_by("position") if one != row]
        made = [_new_class(row.study, part, row) for part in parts]
        row.retired_at = timezone.now()
        row.save(update_fields=["retired_at"])
        earlier = sum(one.position < row.position for one in before)
        _renumber(row.study, [*before[:earlier], *made, *before[earlier:], row])
        _write_event("class.split", row, lead, {"into": [part.key for part in made]})
    return made


def undo_split(row: LabelClass, lead: Any) -> None:
    """Take the parts of a split class away again and put it back on the keyboard; its answers count again.

    StudyRefused once somebody has answered with one of the parts, or where a part holds other classes.
    """
    with transaction.atomic():
        _gate(row.study)
        row.refresh_from_db()
        parts = row.parts.all()
        if not parts:
            raise StudyRefused(f"The class '{row.name}' was not split.")
        _refuse_parts_in_use(row, parts)
        keys = [part.key for part in parts]
        place = min(part.position for part in parts)
        parts.delete()
        row.retired_at = None
        row.save(update_fields=["retired_at"])
        others = [one for one in row.study.classes.order_by("position") if one != row]
        earlier = sum(one.position < place for one in others)
        _renumber(row.study, [*others[:earlier], row, *others[earlier:]])
        _write_event("class.split_undone", row, lead, {"parts": keys})


def _refuse_parts_in_use(row: LabelClass, parts: QuerySet[LabelClass]) -> None:
    if AnnotationLabel.objects.filter(label_class__in=parts).exists():
        raise StudyRefused(
            f"Somebody has answered with a part of '{row.name}' since: merge the parts into one instead."
        )
    if LabelClass.objects.filter(merged_into__in=parts).exists() or parts.filter(parts__isnull=False).exists():
        raise StudyRefused(f"A part of '{row.name}' was split or holds merged classes: undo that first.")
    if row.study.classes.filter(retired_at__isnull=True).exclude(pk__in=parts).count() + 1 < FEWEST_OPEN:
        raise StudyRefused("A study needs two open classes: add or restore another one first.")


def _new_class(study: Study, new: NewClass, split_from: LabelClass | None = None) -> LabelClass:
    """A class in the last place of the study."""
    key, name = new.key.strip(), new.name.strip()
    if not key or not name:
        raise StudyRefused("A class needs a key and a name.")
    if study.classes.filter(key=key).exists():
        raise StudyRefused(f"This study has a class with the key '{key}': choose another key.")
    _refuse_same_name(study.classes.all(), name)
    last = study.classes.order_by("-position").values_list("position", flat=True).first()
    position = 0 if last is None else last + 1
    color = _color(new.color or color_at(position))
    return LabelClass.objects.create(
        study=study, key=key, name=name, color=color, position=position, split_from=split_from
    )


def _gate(study: Study) -> None:
    """One writer at a time, and none once the study's protocol is locked."""
    lock(study)
    refuse_locked(study, "the classes")


def _renumber(study: Study, order: Sequence[LabelClass]) -> None:
    study.classes.update(position=F("position") + ASIDE)
    for place, row in enumerate(order):
        row.position = place
    LabelClass.objects.bulk_update(order, ["position"])


def _refuse_same_name(others: QuerySet[LabelClass], name: str) -> None:
    if others.filter(name=name).exists():
        raise StudyRefused(f"This study has a class named '{name}': readers could not tell the two apart.")


def _color(text: str) -> str:
    if not HEX.fullmatch(text):
        raise StudyRefused(f"'{text}' is not a colour: give six hexadecimal digits, such as #0072b2.")
    return text.lower()


def _write_event(action: str, row: LabelClass, lead: Any, detail: dict[str, Any]) -> None:
    about = {"study": row.study_id, "key": row.key}
    audit.record(action, row, actor=audit.actor_of(lead), detail=about | detail)
