"""Archived studies; imports that can be taken back, which needs each imported answer to name its import."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def name_imports(apps: Any, schema_editor: Any) -> None:
    """The import of each answer that a file brought before: the first one whose event came after it; may run twice.

    All answers of one import were received at one moment, and its event was written right after them, before
    another import of the study could begin.
    """
    annotation_model = apps.get_model("labeling", "Annotation")
    known = set(apps.get_model("labeling", "LabelImport").objects.values_list("pk", flat=True))
    taken: dict[int, list[tuple[Any, int]]] = {}
    events = apps.get_model("audit", "AuditEvent").objects.filter(action="labels.imported").order_by("sequence")
    for at, number, detail in events.values_list("at", "object_id", "detail"):
        if int(number) in known:
            taken.setdefault(detail["study"], []).append((at, int(number)))
    for study, imports in taken.items():
        unnamed = annotation_model.objects.filter(
            study=study, source="import", supersedes__isnull=True, label_import__isnull=True
        )
        for received in unnamed.order_by().values_list("received_at", flat=True).distinct():
            found = next((number for at, number in imports if at >= received), None)
            if found is not None:
                unnamed.filter(received_at=received).update(label_import=found)


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
        ("labeling", "0009_annotation_of_reader"),
    ]

    operations = [
        migrations.AddField(
            model_name="annotation",
            name="label_import",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="answers",
                to="labeling.labelimport",
            ),
        ),
        migrations.AddField(
            model_name="labelimport",
            name="taken_back_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="labelimport",
            name="times_taken_back",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="study",
            name="archived_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="nothing is asked any more; written by `services.archive`",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="annotation",
            index=models.Index(
                condition=models.Q(("label_import__isnull", False)),
                fields=["label_import", "id"],
                name="annotation_of_import",
            ),
        ),
        # Last: PostgreSQL alters no table whose rows were changed in the same transaction.
        migrations.RunPython(name_imports, migrations.RunPython.noop),
    ]
