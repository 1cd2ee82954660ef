"""The record of a run: everything that its results depend on, and what differs between two runs."""

import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from typing import Any

from audit.chain.canonical import canonical_digest, canonical_json
from inference.pipeline.stage import PipelineError

RECORD_VERSION = 1
LIBRARIES = ("numpy", "scipy", "scikit-image", "pyarrow", "tifffile", "pillow", "openslide-python", "torch")
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a run was computed: versions of the code and of libraries, device, threads, machine type."""

    code_version: str
    libraries: Mapping[str, str]
    device: str = "cpu"
    threads: int = 1
    python: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What went in, what was done with what, and what came out; no times, so equal runs are equal.

    `inputs` and `outputs` map relative file names to SHA-256, `results` field names to the digest of
    their result, `pipeline` is the content of `pipeline_content`, `model` names at least its digest.
    """

    inputs: Mapping[str, str]
    pipeline: Sequence[Mapping[str, Any]]
    model: Mapping[str, Any]
    environment: Environment
    seeds: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    version: int = RECORD_VERSION

    @property
    def pipeline_digest(self) -> str:
        """SHA-256 (hex) of stages, versions and parameters."""
        return canonical_digest(self.pipeline)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the whole record."""
        return canonical_digest(asdict(self))

    def to_json(self) -> str:
        """Canonical JSON of the record: equal records give equal text."""
        return canonical_json(asdict(self)).decode("utf-8")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two records differ, such as `environment.libraries.numpy`."""

    path: str
    first: Any
    second: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.first} in the first run, {self.second} in the second"


def current_environment(code_version: str, device: str = "cpu", threads: int = 1) -> Environment:
    """The environment of this process; a library that is not installed is left out."""
    return Environment(
        code_version=code_version,
        libraries=dict(_versions()),
        device=device,
        threads=threads,
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
    )


def record_from_json(text: str) -> RunRecord:
    """The record back from its JSON; a text of another kind or version raises PipelineError."""
    try:
        content = json.loads(text)
        version = content["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError("this is not a run record; use the JSON that a run stored") from error
    if version != RECORD_VERSION:
        raise PipelineError(f"run record of version {version}; this code reads {RECORD_VERSION}, use its code")
    names = {item.name for item in fields(RunRecord)}
    if set(content) != names:
        raise PipelineError(f"the run record has other parts than {', '.join(sorted(names))}")
    return RunRecord(**{**content, "environment": Environment(**content["environment"])})


def compare(first: RunRecord, second: RunRecord) -> list[Difference]:
    """Every place where two records differ, ordered by path; an empty list means an identical replay."""
    left, right = dict(_leaves("", asdict(first))), dict(_leaves("", asdict(second)))
    return [
        Difference(path, left.get(path, ABSENT), right.get(path, ABSENT))
        for path in sorted(left.keys() | right.keys())
        if left.get(path, ABSENT) != right.get(path, ABSENT)
    ]


def same_results(first: RunRecord, second: RunRecord) -> bool:
    """Whether two runs gave the same results and files, whatever they ran on."""
    return (first.results, first.outputs) == (second.results, second.outputs)


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    items: Iterator[tuple[str, Any]] | None = None
    if isinstance(value, Mapping):
        items = ((_step(path, name), item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        items = ((_step(path, _label(item, position)), item) for position, item in enumerate(value))
    if items is None or not value:
        yield path, value
        return
    for step, item in items:
        yield from _leaves(step, item)


def _label(item: Any, position: int) -> str:
    # A stage is found by its name, so that one stage more does not make all later ones differ.
    return item["name"] if isinstance(item, Mapping) and "name" in item else f"#{position + 1}"


def _step(path: str, name: str) -> str:
    if re.fullmatch(r"[A-Za-z_]\w*", name):
        return f"{path}.{name}" if path else name
    return f"{path}[{name}]"
