"""Stores the labels of a file: answers, their classes, the import and its event in one transaction."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.exchange.labels import LABEL, Label
from labeling.models import Annotation, AnnotationLabel, LabelClass, LabelImport, Membership, Study
from labeling.services.access import join
from labeling.services.classes import add_class
from labeling.services.imports.people import known_people, make_people
from labeling.services.imports.plan import Plan, settle
from labeling.services.imports.reading import Upload, key_for, read
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked

BATCH = 2000


def take(study: Study, upload: Upload, by: Any) -> Plan:
    """Store what the file brings, all of it or nothing; the same file again brings only what it lacked before.
    `by` is the lead, or None for the command line.

    FileRefused where it cannot be read, StudyRefused where a class cannot be added,
    and where the protocol of a study of readers is locked.
    """
    # Reading takes longest: it holds nobody up.
    reading = read(study, upload)
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "its answers, which its readers give one by one,")
        made = settle(study, upload, reading)
        for name in made.new_classes:
            add_class(study, by, key_for(name), name)
        people = known_people(study, {row["name"] for row in made.people})
        fresh = make_people(row["name"] for row in made.people if row["name"] not in people)
        people |= fresh
        _mark_simulated(study, made, people)
        row = _import(study, made, by)
        _store(row, made, people)
        _write_event(row, made, by)
    return made


def _import(study: Study, made: Plan, by: Any) -> LabelImport:
    """The row of the file, which stands (again) from now on."""
    about = {"name": made.upload.name[:300], "format": made.kind, "report": made.report(), "by": by}
    row, _ = LabelImport.objects.update_or_create(
        study=study, sha256=made.upload.sha256, defaults=about | {"taken_back_at": None}
    )
    return row


def _mark_simulated(study: Study, made: Plan, people: dict[str, Any]) -> None:
    """Programs stay known as such: they are members of the study that cannot log in.

    Also those whom another study knows by an earlier file; somebody who can log in is what their lead says they are.
    """
    for name in {item.annotator for _, item in made.new if item.label.is_simulated}:
        if not people[name].is_active:
            join(study, people[name], Membership.Role.ANNOTATOR, is_simulated=True)


def _store(row: LabelImport, made: Plan, people: dict[str, Any]) -> None:
    study = row.study
    classes = {row.key: row for row in study.classes.all()}
    now = timezone.now()
    for start in range(0, len(made.new), BATCH):
        some = made.new[start : start + BATCH]
        rows = [
            Annotation(
                study=study,
                crop_id=item.crop,
                annotator=people[item.annotator],
                answer=item.label.answer,
                reason=item.label.comment[:200],
                is_bulk=item.label.is_bulk,
                suggested_by=item.label.suggested_by,
                source=Annotation.Source.IMPORT,
                label_import=row,
                client_id=client_id,
                answered_at=item.label.at or now,
                active_ms=_active_ms(study, item.label),
                received_at=now,
            )
            for client_id, item in some
        ]
        Annotation.objects.bulk_create(rows)
        _store_classes(zip(rows, (item.key for _, item in some)), classes)


def _active_ms(study: Study, label: Label) -> int | None:
    # Other tools count pauses too: the study's cap on them holds here as well.
    return None if label.seconds is None else round(min(label.seconds, study.idle_cap_s) * 1000)


def _store_classes(rows: Any, classes: dict[str, LabelClass]) -> None:
    AnnotationLabel.objects.bulk_create(
        AnnotationLabel(annotation=row, label_class=classes[key]) for row, key in rows if row.answer == LABEL
    )


def _write_event(row: LabelImport, made: Plan, by: Any) -> None:
    detail = {
        "study": row.study_id,
        "file": row.name,
        "sha256": row.sha256,
        "format": row.format,
        "rows": made.rows,
        "taken": len(made.new),
        "left_out": made.counts,
        "classes": made.new_classes,
    }
    actor = audit.actor_of(by) if by else "process:import_labels"
    audit.record("labels.imported", row, actor=actor, detail=detail)
