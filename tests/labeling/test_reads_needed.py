"""How many reads a crop needs, whatever was answered: what always holds."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from labeling.models import Annotation, Study
from labeling.services.reads import (
    ADJUDICATION,
    BAD,
    NOT_SURE,
    STREAM,
    Cause,
    Read,
    awaits_adjudication,
    cause_of,
    reads_needed,
    situation_of,
)

LABEL = Annotation.Answer.LABEL
KINDS = st.sampled_from([(LABEL, "a"), (LABEL, "b"), (LABEL, "c"), (NOT_SURE, ""), (Annotation.Answer.BAD_CROP, "")])
STUDIES = st.builds(
    Study,
    pk=st.just(3),
    seed=st.integers(0, 9),
    reads_per_crop=st.integers(1, 4),
    overlap_share=st.sampled_from([0.0, 0.3, 1.0]),
    adjudicates=st.booleans(),
)
WHY = st.sampled_from(["", STREAM])
# On a busy machine drawing is slow, which says nothing about the rules.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def reads(said: list[tuple[str, str]], why: str = "", dependent: int = 0) -> list[Read]:
    """Standing reads, the first so many of them given to many crops at once."""
    return [
        Read(number, number, kind, label, why, is_independent=number > dependent)
        for number, (kind, label) in enumerate(said, 1)
    ]


def needed(study: Study, given_reads: list[Read], per_crop: int | None = None) -> int:
    answers = [read.answer for read in given_reads]
    return reads_needed(study, "key", answers, situation_of(given_reads), per_crop)


@CALM
@given(STUDIES, st.lists(KINDS, max_size=6), WHY)
def test_at_least_the_planned_reads_unless_nothing_more_can_be_learned(
    study: Study, said: list[tuple[str, str]], why: str
) -> None:
    kinds = [kind for kind, _ in said]
    found = needed(study, reads(said, why))
    if BAD & set(kinds) or kinds.count(NOT_SURE) >= 2:
        assert found == len(said)
    else:
        assert found >= study.reads_per_crop


@CALM
@given(STUDIES, st.lists(KINDS, max_size=6), WHY)
def test_never_more_than_one_read_beyond_what_was_planned_or_given(
    study: Study, said: list[tuple[str, str]], why: str
) -> None:
    assert needed(study, reads(said, why)) <= max(study.reads_per_crop, 3, len(said) + 1)


@CALM
@given(STUDIES, st.lists(KINDS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(study: Study, said: list[tuple[str, str]], random: object) -> None:
    mixed = list(said)
    random.shuffle(mixed)
    assert needed(study, reads(mixed)) == needed(study, reads(said))


@CALM
@given(STUDIES, st.lists(KINDS, max_size=6), WHY)
def test_reading_ends(study: Study, said: list[tuple[str, str]], why: str) -> None:
    """Whoever is asked while a read is needed, and whatever they say: after the last planned read and a decision,
    nobody is asked any more."""
    given_reads: list[Read] = []
    answers = iter([*said, *[(LABEL, "a"), (LABEL, "b"), (LABEL, "c"), (LABEL, "d")] * 3])
    while len(given_reads) < needed(study, given_reads):
        kind, label = next(answers)
        number = len(given_reads) + 1
        decides = number > max(2, study.reads_per_crop)
        given_reads.append(Read(number, number, kind, label, ADJUDICATION if decides else why))
    assert len(given_reads) <= max(study.reads_per_crop, 2) + 1


@CALM
@given(STUDIES, st.lists(KINDS, max_size=6), WHY, st.integers(0, 3))
def test_a_cause_is_given_exactly_where_a_read_is_needed(
    study: Study, said: list[tuple[str, str]], why: str, held: int
) -> None:
    rows = reads(said, why)
    cause = cause_of(study, "key", [read.answer for read in rows], situation_of(rows), held)
    spoken_for = len(rows) + held
    assert (cause == Cause.NONE) == (spoken_for >= needed(study, rows))
    assert (cause == Cause.FIRST) == (spoken_for == 0)
    if cause == Cause.PLANNED:
        assert study.reads_per_crop > 1 and needed(study, rows, per_crop=1) <= spoken_for


@CALM
@given(STUDIES, st.lists(st.just((LABEL, "a")), max_size=6), WHY, st.integers(0, 6))
def test_a_crop_that_is_read_twice_to_compare_is_read_twice_by_itself(
    study: Study, said: list[tuple[str, str]], why: str, dependent: int
) -> None:
    """An answer to many crops at once is a read, but neither of the two that are compared."""
    study.overlap_share = 0.0 if why == STREAM else 1.0
    rows = reads(said, why, dependent)
    at = situation_of(rows, drawn=why == STREAM)
    wanted = reads_needed(study, "key", [read.answer for read in rows], at)
    assert wanted == max(study.reads_per_crop, 2 + min(dependent, len(said)))


@CALM
@given(STUDIES, st.lists(KINDS, min_size=1, max_size=6), st.integers(1, 6))
def test_what_is_neither_shared_nor_drawn_needs_no_more_reads_for_a_bulk_answer(
    study: Study, said: list[tuple[str, str]], dependent: int
) -> None:
    study.overlap_share = 0.0
    assert needed(study, reads(said, "", dependent)) == needed(study, reads(said))


def test_a_random_check_is_adjudicated_where_two_reads_of_their_own_differ() -> None:
    study = Study(pk=3, reads_per_crop=1, overlap_share=0.0)
    rows = reads([(LABEL, "a"), (LABEL, "b")], STREAM, dependent=1)
    assert not awaits_adjudication(study, rows) and needed(study, rows) == 3
    rows = reads([(LABEL, "a"), (LABEL, "b"), (LABEL, "a")], STREAM, dependent=1)
    assert awaits_adjudication(study, rows) and needed(study, rows) == 4


@CALM
@given(STUDIES, st.lists(KINDS, max_size=4), st.floats(0, 1))
def test_a_larger_share_of_shared_crops_never_takes_a_read_away(
    study: Study, said: list[tuple[str, str]], share: float
) -> None:
    less = needed(study, reads(said))
    study.overlap_share = max(study.overlap_share, share)
    assert needed(study, reads(said)) >= less
