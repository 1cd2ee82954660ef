"""What the head says of one crop, and what that rests on: labelled neighbours, their parts, each channel's part."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop
from imaging.services.pixels import crop_pixels
from labeling.models import Study
from labeling.registry import DEFAULT_ENCODER
from training.learning import explain
from training.learning.bag_of_channels import without_channel
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.head import probabilities, variance
from training.models import EmbeddingSet
from training.services.embedding import channel_columns
from training.services.layout import layout_of, windows_of
from training.services.work import Refused
from training.worker.study_head import StudyHead, study_head

Embedding = NDArray[np.floating[Any]]
Index = NDArray[np.int64]

SHOWN_PARTS = 5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A labelled crop and its distance, in standard deviations of the pool per column."""

    crop_id: int
    distance: float


@dataclass(frozen=True, slots=True)
class ClassOpinion:
    """A class: its probability (None before two classes were answered), its labelled crops, the nearest of them."""

    key: str
    name: str
    color: str
    probability: float | None
    answered: int
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What one labelled crop adds to the difference of two logits; label, the class that most readers gave to it."""

    crop_id: int
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Logit of the likeliest class less that of the second: bias, strongest parts either way, and the rest."""

    first: str
    second: str
    value: float
    bias: float
    speaks_for: tuple[Part, ...]
    speaks_against: tuple[Part, ...]
    rest: float
    rest_count: int


@dataclass(frozen=True, slots=True)
class ChannelPart:
    """A channel and the probability of the likeliest class without it."""

    name: str
    color: str
    without: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a crop; `missing` says in plain words what is not, empty where nothing is missing.

    margin: the two highest probabilities apart, in [0, 1]. sparser_than: share of `sample` crops of the pool that
    have more labelled crops near them, in [0, 1]. channels: the likeliest class's probability without each, or
    `channels_missing` says why not.
    """

    missing: str = ""
    encoder: str = ""
    answered: int = 0
    includes_itself: bool = False
    classes: tuple[ClassOpinion, ...] = ()
    margin: float | None = None
    sparser_than: float | None = None
    sample: int = 0
    difference: Difference | None = None
    channels: tuple[ChannelPart, ...] = ()
    channels_missing: str = ""


def explanation_of(study: Study, crop: Crop, hidden: Collection[int] = ()) -> Explanation:
    """All that the head has to say of the crop; never raises for a study that is not far enough.

    `hidden`: crops that are not named among the labelled ones, such as random checks that the viewer will read; they
    count in what has no names.
    """
    try:
        head = study_head(study)
    except Refused as error:
        return Explanation(missing=str(error))
    place = int(head.known.pool.rows_of([crop.pk])[0])
    if place < 0:
        text = "This crop is not in the pool: quality control rejected its image, or it has no embedding yet."
        return Explanation(missing=text, encoder=head.known.encoder)
    query = head.known.pool.features[place]
    labelled = head.explained.labelled
    found = Explanation(
        missing=_what_is_missing(head),
        encoder=head.known.encoder,
        answered=len(labelled.crop_ids),
        includes_itself=bool((labelled.crop_ids == crop.pk).any()),
        classes=_opinions(head, query, {crop.pk, *hidden}),
    )
    if found.missing:
        return found
    return replace(_with_prediction(found, head, query, crop), difference=_difference(head, query, hidden))


def _what_is_missing(head: StudyHead) -> str:
    answered = np.flatnonzero(head.answered_per_class)
    if not len(answered):
        return "Nobody has named a class yet: predictions start with answers of two classes."
    if len(answered) == 1:
        return f"Only “{head.classes[answered[0]].name}” was answered so far: predictions start with a second class."
    return ""


def _opinions(head: StudyHead, query: Embedding, leave_out: Collection[int]) -> tuple[ClassOpinion, ...]:
    near = explain.nearest_labelled(head.explained, query, leave_out=leave_out)
    counts = head.answered_per_class
    known = probabilities(head.explained.head, query[None])[0] if np.count_nonzero(counts) > 1 else None
    ids = head.explained.labelled.crop_ids
    return tuple(
        ClassOpinion(
            row.key,
            row.name,
            row.color,
            None if known is None else float(known[k]),
            int(counts[k]),
            tuple(Neighbour(int(ids[place]), float(apart)) for place, apart in zip(*near[k])),
        )
        for k, row in enumerate(head.classes)
    )


def _with_prediction(found: Explanation, head: StudyHead, query: Embedding, crop: Crop) -> Explanation:
    p = sorted((row.probability or 0.0 for row in found.classes), reverse=True)
    own = float(variance(head.explained.head, query[None])[0])
    sample = head.sample_variance
    channels, why_not = _channel_parts(head, query, crop)
    return replace(
        found,
        margin=p[0] - p[1],
        sparser_than=float(np.searchsorted(sample, own) / max(len(sample), 1)),
        sample=len(sample),
        channels=channels,
        channels_missing=why_not,
    )


def _difference(head: StudyHead, query: Embedding, hidden: Collection[int]) -> Difference:
    found = explain.contrast(head.explained, query)
    ids = head.explained.labelled.crop_ids
    order = np.lexsort((ids, -found.contribution))
    order = order[~np.isin(ids[order], list(hidden))]
    value = found.contribution[order]
    most = order[value > 0][:SHOWN_PARTS]
    least = order[::-1][(value < 0)[::-1]][:SHOWN_PARTS]
    shown = np.concatenate([most, least])

    def parts(places: Index) -> tuple[Part, ...]:
        given = head.explained.labelled.targets[places].argmax(axis=1)
        return tuple(
            Part(int(ids[place]), float(found.contribution[place]), head.classes[k].name)
            for place, k in zip(places, given)
        )

    return Difference(
        first=head.classes[found.first].name,
        second=head.classes[found.second].name,
        value=found.difference,
        bias=found.bias,
        speaks_for=parts(most),
        speaks_against=parts(least),
        rest=float(found.contribution.sum() - found.contribution[shown].sum()),
        rest_count=len(ids) - len(shown),
    )


def _channel_parts(head: StudyHead, query: Embedding, crop: Crop) -> tuple[tuple[ChannelPart, ...], str]:
    """Each channel's part, or why it cannot be told."""
    layout = layout_of(crop.image.sample.experiment)
    without = _embedded_without(head, query, crop, layout)
    if without is None:
        return (), f"Not available for the {head.known.encoder} encoder: it mixes the channels of a crop."
    _, _, left = explain.knock_out(head.explained.head, query, without)
    return tuple(ChannelPart(row["name"], row["color"], float(p)) for row, p in zip(layout, left)), ""


def _embedded_without(
    head: StudyHead, query: Embedding, crop: Crop, layout: list[dict[str, Any]]
) -> Embedding | None:
    """Embeddings (channels, d) of the crop with one channel taken away each; None where columns mix the channels.

    Handcrafted features are measured anew with the channel flat at its background. Where an encoder reads each
    channel alone, the channel's columns become the pool's mean.
    """
    encoder = HandcraftedEncoder(len(layout))
    if head.known.encoder == DEFAULT_ENCODER and encoder.dimension == head.known.pool.features.shape[1]:
        shown = [crop.image.channels.index(row["name"]) for row in layout]
        return encoder.encode(explain.background_planes(crop_pixels(crop)[shown]), windows_of(layout))
    experiment = crop.image.sample.experiment
    columns = channel_columns(EmbeddingSet.objects.get(experiment=experiment, pk__in=head.known.sets))
    if columns is None:
        return None
    mean = head.known.norm.mean.astype(np.float32)
    return np.concatenate([without_channel(query[None], columns, at, mean) for at in range(len(columns))])
