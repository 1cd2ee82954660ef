"""Where big arrays live: files named by digest, behind Django's storage API, opened as memory maps."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from imaging.pixels.crops_store import open_shard

CROPS = "crops"


def local_folder(kind: str) -> Path:
    """The local folder where files of this kind are made before they are kept."""
    folder = Path(settings.DATA_FOLDER) / "files" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(kind: str, path: Path) -> None:
    """Hand a finished local file to the storage; on one machine it already lies there."""
    name = f"{kind}/{path.name}"
    if not default_storage.exists(name):
        with path.open("rb") as stream:
            default_storage.save(name, File(stream))


def keep_folder(kind: str, folder: Path) -> None:
    """Hand a folder of finished files to the storage, each under kind/folder/relative name."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = f"{kind}/{folder.name}/{path.relative_to(folder).as_posix()}"
        if not default_storage.exists(name):
            with path.open("rb") as stream:
                default_storage.save(name, File(stream))


def fetch(kind: str, file_name: str) -> Path:
    """A local path of a kept file; with a remote storage it is downloaded once. FileNotFoundError if absent."""
    path = local_folder(kind) / file_name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".part")
    with default_storage.open(f"{kind}/{file_name}") as source, partial.open("wb") as target:
        for chunk in source.chunks():
            target.write(chunk)
    partial.replace(path)
    return path


def discard(kind: str, file_name: str) -> None:
    """Remove a kept file, here and from the storage; one that is gone already is no error."""
    (local_folder(kind) / file_name).unlink(missing_ok=True)
    name = f"{kind}/{file_name}"
    if default_storage.exists(name):
        default_storage.delete(name)


@lru_cache(maxsize=64)
def shard(digest: str) -> NDArray[Any]:
    """The crops of a shard as a memory map, (crop, channel, size, size)."""
    path = fetch(CROPS, f"{digest}.npy")
    return open_shard(path.parent, digest)
