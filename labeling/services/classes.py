"""The classes of a study over time: added, renamed, retired, merged; answers stay as they were given."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit import services as audit
from labeling.models import LabelClass, Study
from labeling.services.queue import lock
from labeling.services.studies import COLOR, PALETTE, StudyRefused

FEWEST_OPEN = 2


def add_class(study: Study, lead: Any, key: str, name: str, color: str = "") -> LabelClass:
    """The new class, last on the keyboard; StudyRefused where its key is taken or its colour is none."""
    key, name = key.strip(), name.strip()
    with transaction.atomic():
        lock(study)
        if not key or not name:
            raise StudyRefused("A class needs a key and a name.")
        if study.classes.filter(key=key).exists():
            raise StudyRefused(f"This study has a class with the key '{key}': choose another key.")
        _refuse_same_name(study.classes.all(), name)
        last = study.classes.order_by("-position").values_list("position", flat=True).first()
        position = 0 if last is None else last + 1
        color = _color(color or PALETTE[position % len(PALETTE)])
        row = LabelClass.objects.create(study=study, key=key, name=name, color=color, position=position)
        _write_event("class.added", row, lead, {"name": row.name})
    return row


def change_class(row: LabelClass, lead: Any, name: str, color: str) -> None:
    """Give the class another name or colour; its key, which exports and models use, stays."""
    after = {"name": name.strip(), "color": _color(color)}
    before = {"name": row.name, "color": row.color}
    if after == before:
        return
    if not after["name"]:
        raise StudyRefused(f"The class '{row.key}' needs a name.")
    with transaction.atomic():
        lock(row.study)
        _refuse_same_name(row.study.classes.exclude(pk=row.pk), after["name"])
        row.name, row.color = after["name"], after["color"]
        row.save(update_fields=["name", "color"])
        _write_event("class.changed", row, lead, {"before": before, "after": after})


def retire_class(row: LabelClass, lead: Any, into: LabelClass | None = None) -> None:
    """Take the class off the keyboard; with `into`, its answers count for that class from now on.

    StudyRefused where fewer than two classes would stay open, and where `into` is not another open class of the
    study.
    """
    with transaction.atomic():
        lock(row.study)
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
        lock(row.study)
        if row.retired_at is None:
            raise StudyRefused(f"The class '{row.name}' is open.")
        row.retired_at, row.merged_into = None, None
        row.save(update_fields=["retired_at", "merged_into"])
        _write_event("class.restored", row, lead, {})


def _refuse_same_name(others: QuerySet[LabelClass], name: str) -> None:
    if others.filter(name=name).exists():
        raise StudyRefused(f"This study has a class named '{name}': readers could not tell the two apart.")


def _color(text: str) -> str:
    if not COLOR.fullmatch(text):
        raise StudyRefused(f"'{text}' is not a colour: give six hexadecimal digits, such as #0072b2.")
    return text.lower()


def _write_event(action: str, row: LabelClass, lead: Any, detail: dict[str, Any]) -> None:
    about = {"study": row.study_id, "key": row.key}
    audit.record(action, row, actor=audit.actor_of(lead), detail=about | detail)
