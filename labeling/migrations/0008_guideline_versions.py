"""Version 1 of the guidelines of every study that was made before guidelines had versions."""

from typing import Any

from django.db import migrations


def keep_first_versions(apps: Any, schema_editor: Any) -> None:
    """The text in force as version 1, where a study has no version; may run twice."""
    study_model = apps.get_model("labeling", "Study")
    version_model = apps.get_model("labeling", "GuidelineVersion")
    for study in study_model.objects.filter(guideline_versions__isnull=True):
        version_model.objects.create(study=study, number=1, text=study.guidelines)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0007_answer_reasons")]

    operations = [migrations.RunPython(keep_first_versions, migrations.RunPython.noop)]
