"""The random stream crop by crop: its reads, how far each crop is settled, and on which answer.

What is said about whether the model or the ranking helps is said from these crops alone: they were drawn at random,
one experiment after the other, whatever any model thought. Each is read twice without sight of the other read; where
the two differ, a third reader or a lead adjudicates.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from imaging.models import Crop
from labeling.models import Annotation, Study
from labeling.services.ambiguous import is_ambiguous
from labeling.services.reads import (
    ADJUDICATION,
    BAD,
    NOT_SURE,
    STREAM,
    Read,
    decision_of,
    given_reads,
    reads_of,
    reopened_after,
)


class State(StrEnum):
    """How far a crop of the stream is settled. Only AGREE and DECIDED carry a class."""

    ONE_READ = "one read"
    AGREE = "two agree"
    WAITING = "waiting for adjudication"
    DECIDED = "decided"
    AMBIGUOUS = "ambiguous"
    BAD = "bad crop"


@dataclass(frozen=True, slots=True)
class StreamCrop:
    """One crop that the random stream drew.

    `reads`: standing reads in the order of answering, the adjudication last. `state`: see State. `label`: key of the
    settled class, empty unless the state is AGREE or DECIDED. `probability`: with which the crop was drawn when it
    was first asked, None where that is not known.
    """

    crop_id: int
    crop_key: str
    experiment: str
    reads: tuple[Read, ...]
    state: State
    label: str
    probability: float | None

    @property
    def blind_reads(self) -> tuple[Read, ...]:
        """The reads that were given without sight of others and not as an adjudication."""
        return tuple(read for read in self.reads if read.why != ADJUDICATION)

    @property
    def adjudicated(self) -> Read | None:
        """The adjudicator's read, if there is one; a lead's decision in place of it."""
        return next((read for read in reversed(self.reads) if read.why == ADJUDICATION), None)


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What the stream holds. `by_state` counts crops; `first_not_sure` and `first_bad` count first reads.

    Rates are taken over first reads, one per crop: a bad crop is read once and others twice, so that a rate over
    all reads would come out too low.
    """

    crops: int
    reads: int
    by_state: dict[State, int]
    first_not_sure: int
    first_bad: int

    @property
    def settled(self) -> int:
        """Number of crops with a settled class."""
        return self.by_state[State.AGREE] + self.by_state[State.DECIDED]

    @property
    def not_sure_rate(self) -> float | None:
        """Share of first reads that say "not sure", in [0, 1]; n is `crops`; None without crops."""
        return self.first_not_sure / self.crops if self.crops else None

    @property
    def bad_rate(self) -> float | None:
        """Share of first reads that say "bad crop" or "wrong object", in [0, 1]; n is `crops`; None without crops."""
        return self.first_bad / self.crops if self.crops else None


def stream_crops(study: Study) -> list[StreamCrop]:
    """Every crop of the study's random stream that somebody has read, in order of crop number.

    One whose reads all name a class that was split since is out until it is read anew. Answers to many crops at once,
    those that accepted a suggestion, and those out of a file are no reads of a random check.
    """
    drawn = Annotation.objects.counted().independent().filter(study=study, why_asked=STREAM)
    given = reads_of(study, drawn.values("crop"))
    reads = {
        crop: [read for read in found if read.is_independent or read.is_decision] for crop, found in given.items()
    }
    reopened = reopened_after(study)
    asked = drawn.filter(probability_asked__isnull=False).values_list("crop_id", "probability_asked")
    probability = dict(asked.order_by("-id"))
    rows = Crop.objects.filter(pk__in=drawn.values("crop")).order_by("pk")
    return [
        _crop(crop, reads[crop[0]], reopened.get(crop[0]), probability.get(crop[0]))
        for crop in rows.values_list("pk", "key", "image__sample__experiment__name")
    ]


def stream_counts(crops: Sequence[StreamCrop]) -> StreamCounts:
    """Counts over the crops of a stream."""
    first = Counter(crop.reads[0].answer for crop in crops)
    states = Counter(crop.state for crop in crops)
    return StreamCounts(
        crops=len(crops),
        reads=sum(len(given_reads(crop.reads)) for crop in crops),
        by_state={state: states[state] for state in State},
        first_not_sure=first[NOT_SURE],
        first_bad=sum(first[kind] for kind in BAD),
    )


def state_of(reads: Sequence[Read], reopened_at: int | None = None) -> tuple[State, str]:
    """State of a crop of the stream with these reads (at least one), and the key of its settled class or "".

    One bad answer settles the crop. Two that agree settle it too, whatever an adjudicator said before one of them
    was changed; two that differ wait for the adjudicator, whose word stands. A class that is named after a lead
    reopened an ambiguous crop settles it. A lead's decision stands above all of these.
    """
    if (decision := decision_of(reads, reopened_at)) is not None:
        return (State.DECIDED, decision.label) if decision.label else (State.AMBIGUOUS, "")
    if any(read.answer in BAD for read in reads):
        return State.BAD, ""
    if is_ambiguous(list(reads), reopened_at):
        return State.AMBIGUOUS, ""
    if reopened_at is not None and (later := [read for read in reads if read.number > reopened_at and read.label]):
        return State.DECIDED, later[-1].label
    blind = [read for read in reads if read.why != ADJUDICATION]
    third = next((read for read in reads if read.why == ADJUDICATION), blind[2] if len(blind) > 2 else None)
    said = {read.said for read in blind[:2]}
    if len(blind) >= 2 and len(said) == 1:
        return State.AGREE, blind[0].label
    if third is not None:
        return (State.DECIDED, third.label) if third.label else (State.AMBIGUOUS, "")
    return (State.ONE_READ if len(reads) < 2 else State.WAITING), ""


def _crop(
    row: tuple[int, str, str], reads: list[Read], reopened_at: int | None, probability: float | None
) -> StreamCrop:
    state, label = state_of(reads, reopened_at)
    # The adjudicator answered last, also where an earlier read was changed since.
    ordered = sorted(reads, key=lambda read: (read.why == ADJUDICATION, read.is_decision))
    return StreamCrop(*row, tuple(ordered), state, label, probability)
