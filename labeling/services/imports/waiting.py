"""Files of labels between the look at what they bring and the word to take them: a day in the storage."""

import json
from dataclasses import asdict
from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from labeling.models import Study
from labeling.services.imports.reading import Upload

FOLDER = "imports"
KEPT = timedelta(days=1)


def keep(study: Study, upload: Upload) -> None:
    """Put the file aside until a lead has seen what it brings; older ones nobody came back for are removed."""
    _tidy()
    about = {name: value for name, value in asdict(upload).items() if name not in ("content", "images")}
    parts = {"labels": upload.content, "images": upload.images, "about": json.dumps(about).encode()}
    for part, content in parts.items():
        name = _name(study, upload.sha256, part)
        default_storage.delete(name)
        default_storage.save(name, ContentFile(content))


def waiting(study: Study, sha256: str) -> Upload | None:
    """The file that was put aside for this study; None where there is none (any more)."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        return None
    try:
        parts = {part: _read(_name(study, sha256, part)) for part in ("labels", "images", "about")}
    except FileNotFoundError:
        return None
    return Upload(content=parts["labels"], images=parts["images"], **json.loads(parts["about"]))


def forget(study: Study, sha256: str) -> None:
    """Remove the file."""
    for part in ("labels", "images", "about"):
        default_storage.delete(_name(study, sha256, part))


def _name(study: Study, sha256: str, part: str) -> str:
    return f"{FOLDER}/{study.pk}-{sha256}.{part}"


def _read(name: str) -> bytes:
    with default_storage.open(name) as file:
        content: bytes = file.read()
    return content


def _tidy() -> None:
    if not default_storage.exists(FOLDER):
        return
    oldest = timezone.now() - KEPT
    for name in default_storage.listdir(FOLDER)[1]:
        path = f"{FOLDER}/{name}"
        if default_storage.get_modified_time(path) < oldest:
            default_storage.delete(path)
