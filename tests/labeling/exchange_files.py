"""Files of labels as other tools write them, and studies to take them into."""

import io
import json
import zipfile
from typing import Any

from imaging.models import Crop
from labeling.models import Annotation, Study
from labeling.services.export.files import EXPORTS
from labeling.services.imports.plan import Plan
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.studies import NewClass, StudyPlan, create_study

ODD_NAMES = ('G1, "late"', "=1+1", "prophase 🔬 👩‍🔬", "<script>alert(1)</script>", "a;b\\c", "'quoted")


def exported(study: Study, kind: str) -> bytes:
    """The whole file."""
    return b"".join(EXPORTS[kind].pieces(study))


def unzipped(content: bytes) -> dict[str, bytes]:
    """Every file of an archive, each path once."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def csv_upload(*lines: str, **more: Any) -> Upload:
    """A CSV file of these lines."""
    return Upload(name="labels.csv", content="\n".join(lines).encode(), **more)


def json_upload(document: Any, name: str = "labels.json", **more: Any) -> Upload:
    """A JSON file."""
    return Upload(name=name, content=json.dumps(document).encode(), **more)


def twin(study: Study, lead: Any, name: str = "twin") -> Study:
    """A study with the same crops and classes, and no answer."""
    classes = tuple(NewClass(row.key, row.name, row.color) for row in study.classes.all())
    return create_study(
        StudyPlan(name, "The same?", classes, tuple(study.experiments.all()), overlap_share=0.0, is_blind=False), lead
    )


def taken(study: Study, upload: Upload, by: Any = None) -> Plan:
    """What was stored; every row must have been."""
    made = take(study, upload, by)
    assert not made.problems, made.problems
    return made


def said(study: Study) -> dict[str, list[tuple[str, str]]]:
    """(answer, class) of each crop's standing reads, by key, in any order."""
    rows = Annotation.objects.current().filter(study=study)
    found: dict[str, list[tuple[str, str]]] = {}
    for key, answer, label in rows.values_list("crop__key", "answer", "labels__label_class__key"):
        found.setdefault(key, []).append((answer, label or ""))
    return {key: sorted(items) for key, items in found.items()}


def outline(crop: Crop) -> list[list[float]]:
    """A pentagon around the crop's centre, closed, as segmentation would store it."""
    around = [(-6, -5), (6, -5), (8, 1), (0, 7), (-7, 2), (-6, -5)]
    return [[crop.x + right, crop.y + down] for right, down in around]
