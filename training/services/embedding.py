"""The embeddings that stand: what a study may choose, what is used now and why, and the rows. No PyTorch."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from numpy.typing import NDArray

from imaging.models import Experiment
from imaging.pixels.digest import mapping_digest
from imaging.pixels.info import RGB_NAMES
from imaging.services.storage import discard, fetch
from labeling.models import Study
from training.learning.bag_of_channels import Columns, equal_blocks
from training.learning.encoder_files import CONFIG
from training.learning.encoder_names import EncoderError, parse_encoder_name
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.shards import DamagedShard, ShardedRows, check_bytes, open_array
from training.models import EmbeddingJob, EmbeddingSet, EmbeddingShard, Status
from training.services.layout import layout_of
from training.services.work import Refused

EMBEDDINGS = "embeddings"
ENCODERS = "encoders"
# The encoder that needs no PyTorch, so that any process computes it where it is missing.
AT_ONCE = "handcrafted"
BUILT_IN = {
    "handcrafted": "handcrafted features: intensity, shape, texture; at once, no PyTorch",
    "untrained": "untrained network: computed by a worker",
}


def encoders_folder() -> Path:
    """The folder for pretrained networks, below the data folder."""
    folder = Path(settings.DATA_FOLDER) / ENCODERS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def encoder_choices() -> Mapping[str, str]:
    """Every encoder that a study can choose now, with what it is: built in, in the folder of encoders, downloaded.

    Any other model of the hub can be named by hand, as hub:OWNER/NAME.
    """
    folder = encoders_folder()
    found = dict(BUILT_IN)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors" or (path / CONFIG).is_file():
            found[f"file:{path.name}"] = f"pretrained network from the file {path.name}: computed by a worker"
    for path in sorted((folder / "hub").glob(f"*/{CONFIG}")):
        owner, _, rest = path.parent.name.partition("--")
        repo = f"{owner}/{rest.removesuffix('@newest')}"
        found[f"hub:{repo}"] = f"pretrained network {repo} from the hub, downloaded: computed by a worker"
    return {name: text for name, text in found.items() if _is_name(name)}


def _is_name(name: str) -> bool:
    try:
        parse_encoder_name(name)
    except EncoderError:
        return False
    return True


def encoder_in_use(study: Study) -> tuple[str, str]:
    """Name of the encoder that ranks the study now, and why it is not the chosen one ("" where it is).

    The chosen one counts once every experiment is embedded by it; until then the handcrafted features do.
    """
    if study.encoder == AT_ONCE:
        return AT_ONCE, ""
    experiments = list(study.experiments.order_by("name"))
    sets = standing_sets(experiments, study.encoder)
    lacking = lacking_sets(experiments, sets)
    if not lacking and len({found.encoder for found in sets.values()}) <= 1:
        return study.encoder, ""
    return AT_ONCE, f"Ranked by handcrafted features. {_why_not(study.encoder, lacking, sets)}"


def _why_not(name: str, lacking: Sequence[Experiment], sets: Mapping[int, EmbeddingSet]) -> str:
    if not lacking:
        return f"The encoder {name} reads some experiments in colour and others by channel: study them apart."
    jobs = {job.experiment_id: job for job in EmbeddingJob.objects.filter(encoder_name=name, experiment__in=lacking)}
    for job in jobs.values():
        if job.status in (Status.REFUSED, Status.FAILED):
            return f"The encoder {name} cannot be used: {job.problem.rstrip('.')}. It is tried again."
        if job.status == Status.CANCELLED:
            return f"Computing the embeddings by {name} was stopped."
    if len(jobs) < len(lacking):
        return f"The embeddings by {name} wait for a worker."
    standing = sum(found.count for number, found in sets.items() if number not in jobs)
    done = standing + sum(int(job.progress * job.crops) for job in jobs.values())
    return f"The embeddings by {name} are being computed: {done} of {standing + _total(jobs)} crops."


def _total(jobs: Mapping[int, EmbeddingJob]) -> int:
    return sum(job.crops for job in jobs.values())


def source_of(experiment: Experiment) -> str:
    """Digest of what embeddings of an experiment are made from: its images, channels and windows.

    Objects that come and go leave crops behind: the revision tells two states of equal objects apart.
    """
    channels = [[row["name"], row["low"], row["high"]] for row in experiment.channels]
    revised = {"revision": experiment.revision} if experiment.revision else {}
    return mapping_digest({"content": experiment.content_digest, "channels": channels} | revised)


def standing_sets(experiments: Sequence[Experiment], encoder_name: str) -> dict[int, EmbeddingSet]:
    """The newest embeddings of each experiment by an encoder of that name, where they are of what it holds now."""
    rows = EmbeddingSet.objects.filter(experiment__in=experiments, encoder_name=encoder_name).order_by("id")
    sources = {experiment.pk: source_of(experiment) for experiment in experiments}
    return {row.experiment_id: row for row in rows if row.source == sources[row.experiment_id]}


def lacking_sets(experiments: Sequence[Experiment], sets: Mapping[int, EmbeddingSet]) -> list[Experiment]:
    """Experiments without embeddings, or with those of older weights than another experiment's of the same kind."""
    newest: dict[bool, EmbeddingSet] = {}
    for experiment in experiments:
        found = sets.get(experiment.pk)
        kind = is_rgb(experiment.channels)
        if found and (kind not in newest or newest[kind].pk < found.pk):
            newest[kind] = found
    return [
        experiment
        for experiment in experiments
        if experiment.pk not in sets or sets[experiment.pk].encoder != newest[is_rgb(experiment.channels)].encoder
    ]


def is_rgb(channels: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the channels are the three of a colour picture, which a network may read together."""
    return tuple(row["name"] for row in channels) == RGB_NAMES


def rows_of(standing: EmbeddingSet, *, thorough: bool = False) -> ShardedRows:
    """Embeddings (crops, dimension) of an experiment's crops in order of id; they stay in their files.

    `thorough` reads every byte once per process and compares digests. Where a file is missing, cut or altered, it is
    forgotten so that a worker computes it again, and this is Refused.
    """
    try:
        places = _opened(standing.places_digest, (standing.count,), "<i8", thorough)
        parts = [_opened(digest, (count, standing.dimension), "<f4", thorough) for digest, count in standing.shards]
    except DamagedShard as error:
        forget(standing)
        raise Refused(
            f"The embeddings of '{standing.experiment}' by {standing.encoder_name} are damaged ({error}): they are "
            "computed again."
        ) from error
    order = np.asarray(places)
    is_whole = len(order) == sum(count for _, count in standing.shards) and bool((np.diff(order) == 1).all())
    return ShardedRows(parts, None if is_whole else order, standing.dimension)


def forget(standing: EmbeddingSet) -> None:
    """Drop a set of embeddings with those of its shards that are damaged."""
    shards = dict(standing.shards)
    for row in EmbeddingShard.objects.filter(encoder=standing.encoder, rows_digest__in=shards):
        try:
            _opened(row.rows_digest, (row.count, row.dimension), "<f4", thorough=True)
        except DamagedShard:
            forget_shard(row)
    with transaction.atomic():
        EmbeddingSet.objects.filter(pk=standing.pk).delete()


def forget_shard(row: EmbeddingShard) -> None:
    """Drop a shard, and those of its files that hold the keys or rows of no other: it is computed again when it is
    needed. Crops have the same keys under every encoder."""
    with transaction.atomic():
        EmbeddingShard.objects.filter(pk=row.pk).delete()
        shared = {
            digest
            for names in EmbeddingShard.objects.filter(
                Q(rows_digest=row.rows_digest) | Q(keys_digest=row.keys_digest)
            ).values_list("rows_digest", "keys_digest")
            for digest in names
        }
    for digest in {row.rows_digest, row.keys_digest} - shared:
        discard(EMBEDDINGS, f"{digest}.npy")


def open_shard_files(row: EmbeddingShard) -> tuple[NDArray[np.bytes_], NDArray[np.float32]]:
    """Keys (count,) and rows (count, dimension) of a shard, every byte compared; DamagedShard where they differ."""
    keys = _opened(row.keys_digest, (row.count,), "|S", thorough=True)
    return keys, _opened(row.rows_digest, (row.count, row.dimension), "<f4", thorough=True)


def _opened(digest: str, shape: tuple[int, ...], dtype: str, thorough: bool) -> NDArray[Any]:
    try:
        path = fetch(EMBEDDINGS, f"{digest}.npy")
        stat = path.stat()
    except OSError as error:
        raise DamagedShard(f"{digest[:12]}.npy is missing") from error
    if thorough:
        _check_once(path, digest, stat.st_mtime_ns, stat.st_size)
    found = open_array(path, shape)
    if not found.dtype.str.startswith(dtype):
        raise DamagedShard(f"{path.name} holds {found.dtype}")
    return found


@lru_cache(maxsize=65536)
def _check_once(path: Path, digest: str, changed_ns: int, size: int) -> None:
    """Compare the bytes of a file with its digest, once per process while its time and size stay the same."""
    check_bytes(path, digest)


def channel_columns(standing: EmbeddingSet) -> Columns | None:
    """Columns of the embeddings that depend on each channel, in the order of `layout_of`; None where columns mix
    channels. Setting those of one channel to their mean shows what the channel adds."""
    if standing.blocks:
        return equal_blocks(standing.blocks, standing.dimension)
    if standing.encoder_name != AT_ONCE:
        return None
    encoder = HandcraftedEncoder(len(layout_of(standing.experiment)))
    return encoder.channel_columns if encoder.digest == standing.encoder else None
