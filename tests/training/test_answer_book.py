"""Reading only what is new gives the same as reading everything."""

from collections.abc import Callable
from dataclasses import fields
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imaging.models import Crop
from labeling.models import Annotation, AnnotationLabel
from labeling.services.ambiguous import reopen
from labeling.services.answers import undo
from labeling.services.reads import ADJUDICATION, SECOND_READ, STREAM
from tests.factories import add_reader, answer, answer_all, fill_queue, kind_of
from tests.training.conftest import Bench
from training.services import labels
from training.services.labels import FURTHER_READS, AnswerBook, Standing, standing_answers


def same(one: Standing, other: Standing) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Standing))


def waits_for(standing: Standing, crop: Crop) -> str:
    return FURTHER_READS[standing.further_read[list(standing.crop_ids).index(crop.pk)]]


def test_after_every_change_the_book_says_what_a_fresh_reading_says(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    carol = add_reader(bench.study, "carol")
    book = AnswerBook(bench.study)
    for _ in range(60):
        reader = (bench.bob, carol)[rng.integers(2)]
        action, crop = rng.integers(4), bench.crops[rng.integers(len(bench.crops))]
        if action == 0 and Annotation.objects.current().filter(annotator=reader).exists():
            undo(bench.study, reader, uuid4())
        else:
            answer(bench.study, reader, crop, ("disc", "ring", "")[rng.integers(3)])
        assert same(book.read(), standing_answers(bench.study))


def test_a_reading_without_news_makes_one_query(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:6])
    book = AnswerBook(bench.study)
    book.read()
    with CaptureQueriesContext(connection) as queries:
        book.read()
    assert len(queries) == 1


def test_one_new_answer_reads_one_crop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:6])
    book = AnswerBook(bench.study)
    book.read()
    asked: list[object] = []
    reads_of = labels.reads_of
    monkeypatch.setattr(
        labels, "reads_of", lambda study, crops, **how: (asked.append(crops), reads_of(study, crops, **how))[1]
    )
    answer(bench.study, bench.bob, bench.crops[9])
    book.read()
    assert asked == [{bench.crops[9].pk}]


def removed(bench: Bench) -> None:
    first = Annotation.objects.order_by("id").first()
    assert first is not None
    AnnotationLabel.objects.filter(annotation=first).delete()
    Annotation.objects.filter(pk=first.pk).delete()


def many_at_once(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[10:])


@pytest.mark.parametrize("change", [removed, many_at_once])
def test_rows_that_vanish_and_answers_by_the_hundred_are_read_with_all_others(
    bench: Bench, change: Callable[[Bench], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MOST_TOUCHED", 5)
    answer_all(bench.study, bench.bob, bench.crops[:6])
    book = AnswerBook(bench.study)
    book.read()
    change(bench)
    assert same(book.read(), standing_answers(bench.study))


def test_what_was_changed_in_place_shows_after_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "READ_ALL_EVERY", 3)
    answer_all(bench.study, bench.bob, bench.crops[:6])
    book = AnswerBook(bench.study)
    book.read()
    Annotation.objects.filter(crop=bench.crops[0]).update(answer=Annotation.Answer.BAD_CROP)
    readings = [book.read() for _ in range(3)]
    assert same(readings[-1], standing_answers(bench.study))


def test_a_crop_that_two_readers_could_not_tell_is_frozen_until_a_lead_reopens_it(bench: Bench) -> None:
    crop = bench.crops[0]
    answer(bench.study, bench.bob, crop, "")
    assert waits_for(standing_answers(bench.study), crop) == SECOND_READ
    answer(bench.study, add_reader(bench.study, "carol"), crop, "")
    standing = standing_answers(bench.study)
    assert standing.ambiguous.all() and waits_for(standing, crop) == "" and standing.not_sure.tolist() == [2]
    reopen(bench.study, bench.alice, crop)
    assert waits_for(standing_answers(bench.study), crop) == SECOND_READ


def test_a_class_named_beside_two_who_cannot_tell_teaches_nothing(bench: Bench) -> None:
    readers = [bench.bob, add_reader(bench.study, "carol"), add_reader(bench.study, "dan")]
    for reader, label in zip(readers, ("disc", "", ""), strict=True):
        answer(bench.study, reader, bench.crops[0], label)
    standing = standing_answers(bench.study)
    assert standing.votes.sum() == 1 and not standing.labelled().any()


def test_two_reads_of_the_stream_that_differ_wait_for_a_third(bench: Bench) -> None:
    crop = bench.crops[0]
    fill_queue(bench.study, [crop], why=STREAM)
    answer(bench.study, bench.bob, crop, kind_of(crop))
    assert waits_for(standing_answers(bench.study), crop) == STREAM
    answer(bench.study, add_reader(bench.study, "carol"), crop, "")
    assert waits_for(standing_answers(bench.study), crop) == ADJUDICATION
