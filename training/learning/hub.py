"""Fetches a pretrained network from the Hugging Face hub: its config and its safetensors weights, nothing else."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from training.learning.encoder_files import CONFIG, PREPROCESSOR, WEIGHTS
from training.learning.encoder_names import EncoderError, EncoderName

WANTED = (CONFIG, PREPROCESSOR, WEIGHTS)
LARGEST_BYTES = 8 * 2**30
SOURCE = "source.json"
WAY_OUT = "put a safetensors file into the folder 'encoders' of the data folder, or try again later"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a hub says of a model: the commit that a revision names, and the size in bytes of every file."""

    commit: str
    sizes: Mapping[str, int]


class Hub(Protocol):
    """The two questions that are asked of a hub; OSError or EncoderError where it does not answer."""

    def listing(self, repo: str, revision: str) -> Listing:
        """The files of a model at a revision ("" for the newest)."""
        ...

    def fetch(self, repo: str, commit: str, folder: Path) -> None:
        """Write the WANTED files of that commit into the folder."""
        ...


class HuggingFace:
    """The public hub, asked through its own client; a token of the account that runs the worker is used if there is
    one."""

    def listing(self, repo: str, revision: str) -> Listing:
        """The files of a model at a revision ("" for the newest)."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = HfApi().model_info(repo, revision=revision or None, files_metadata=True, timeout=10)
        except GatedRepoError as error:
            raise EncoderError(
                f"{repo} is given out on request only: ask its owner on the hub, or take another"
            ) from error
        except RevisionNotFoundError as error:
            raise EncoderError(f"{repo} has no revision {revision!r} on the hub; name one that is there") from error
        except RepositoryNotFoundError as error:
            raise EncoderError(f"{repo} is not on the hub or not public; check the spelling OWNER/NAME") from error
        return Listing(info.sha or "", {file.rfilename: file.size or 0 for file in info.siblings or []})

    def fetch(self, repo: str, commit: str, folder: Path) -> None:
        """Write the WANTED files of that commit into the folder."""
        from huggingface_hub import snapshot_download

        snapshot_download(repo, revision=commit, allow_patterns=list(WANTED), local_dir=folder)


def ensure_downloaded(name: EncoderName, folder: Path, hub: Hub | None = None) -> Path:
    """The folder below `folder` with the files of a `hub:` encoder, fetched where they are not there yet.

    Once fetched they stay as they are, with the commit in source.json: what is newest on the hub may change, an
    encoder never does. EncoderError where the hub cannot be reached or has no such model as safetensors; then nothing
    is left behind.
    """
    final = folder / name.folder
    if (final / SOURCE).is_file():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".fetching-") as temporary:
        commit = _fetch(hub or HuggingFace(), name, Path(temporary))
        _keep(Path(temporary), final, {"repo": name.place, "revision": name.revision, "commit": commit})
    return final


def _fetch(hub: Hub, name: EncoderName, folder: Path) -> str:
    try:
        listing = hub.listing(name.place, name.revision)
        _check(listing, name)
        hub.fetch(name.place, listing.commit, folder)
    except EncoderError:
        raise
    # The client raises its own errors, those of its HTTP library and those of the system.
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise EncoderError(f"the hub cannot be reached for {name.place}: {said}; {WAY_OUT}") from error
    return listing.commit


def _check(listing: Listing, name: EncoderName) -> None:
    missing = [file for file in (CONFIG, WEIGHTS) if file not in listing.sizes]
    if missing:
        raise EncoderError(
            f"{name.place} has no {' and no '.join(missing)} on the hub; only models in one safetensors file are "
            "read, such as facebook/dinov2-small"
        )
    size = sum(listing.sizes.get(file, 0) for file in WANTED)
    if size > LARGEST_BYTES:
        raise EncoderError(f"{name.place} has {size / 2**30:.0f} GiB; choose a model below {LARGEST_BYTES >> 30} GiB")


def _keep(folder: Path, final: Path, source: Mapping[str, str]) -> None:
    found = [file for file in WANTED if (folder / file).is_file()]
    if WEIGHTS not in found or CONFIG not in found:
        raise EncoderError(f"the download of {source['repo']} is not whole; {WAY_OUT}")
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".keeping-") as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        for file in found:
            shutil.move(folder / file, whole / file)
        (whole / SOURCE).write_text(json.dumps(source, indent=1), "utf-8")
        # Left over by a worker that was killed before source.json was there, or nothing at all.
        shutil.rmtree(final, ignore_errors=True)
        whole.rename(final)
