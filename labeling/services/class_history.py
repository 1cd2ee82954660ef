"""What was ever changed of the classes of a study, read from the audit trail."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model

from audit.models import AuditEvent
from labeling.models import LabelClass, Study

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a class: when, the user name of who made it, the key of the class, and what was done."""

    at: datetime
    by: str
    key: str
    text: str


def history_of(study: Study) -> list[Change]:
    """The newest changes of all classes of the study, newest first."""
    events = AuditEvent.objects.filter(action__startswith="class.", detail__study=study.pk)
    return _changes(events.order_by("-sequence")[:MOST_SHOWN])


def history_of_class(row: LabelClass) -> list[Change]:
    """The newest changes of one class, newest first."""
    events = AuditEvent.objects.filter(object_type=row._meta.label_lower, object_id=str(row.pk))
    return _changes(events.order_by("-sequence")[:MOST_SHOWN])


def _changes(events: Iterable[AuditEvent]) -> list[Change]:
    rows = list(events)
    numbers = {int(row.actor.removeprefix("user:")) for row in rows if row.actor.removeprefix("user:").isdigit()}
    names = dict(get_user_model().objects.filter(pk__in=numbers).values_list("pk", "username"))
    return [
        Change(row.at, _name(row.actor, names), row.detail.get("key", ""), _text(row.action, row.detail))
        for row in rows
    ]


def _name(actor: str, names: dict[int, str]) -> str:
    number = actor.removeprefix("user:")
    return names.get(int(number), actor) if number.isdigit() else actor


def _text(action: str, detail: dict[str, Any]) -> str:
    """The event in plain words; an event that is not known here is named."""
    kind = action.removeprefix("class.")
    if kind == "changed":
        return _changed(detail)
    words = {
        "added": "added",
        "retired": "retired",
        "restored": "restored",
        "merged": f"merged into {detail.get('into', '')}",
        "split": f"split into {', '.join(detail.get('into', []))}",
        "split_undone": f"split undone, {', '.join(detail.get('parts', []))} removed",
        "moved": f"moved from place {detail.get('from', '?')} to {detail.get('to', '?')}",
        "example_set": f"example crop {detail.get('crop', '')} shown",
        "example_removed": f"example crop {detail.get('crop', '')} removed",
    }
    return words.get(kind, kind)


def _changed(detail: dict[str, Any]) -> str:
    before, after = detail.get("before", {}), detail.get("after", {})
    said = []
    if before.get("name") != after.get("name"):
        said.append(f"renamed from “{before.get('name', '')}” to “{after.get('name', '')}”")
    if before.get("color") != after.get("color"):
        said.append(f"coloured {after.get('color', '')} instead of {before.get('color', '')}")
    if before.get("description", "") != after.get("description", before.get("description", "")):
        said.append("described anew")
    return "; ".join(said) or "changed"
