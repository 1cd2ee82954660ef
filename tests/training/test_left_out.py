"""A planted bad reader is found, left out by one command, gone from the next snapshot and ranking, and comes back."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from imaging.models import Crop
from labeling.agreement.suspects import suspects
from labeling.agreement.table import from_long
from labeling.models import Annotation, AnnotationLabel, QueueEntry, Ranked, Study
from labeling.services.exclusions import exclude, put_back
from labeling.services.progress import NOT_SURE_LABEL, reads_table
from labeling.services.reads import STREAM
from tests.commands import call
from tests.factories import KINDS, add_reader, answer, crops_of, kind_of, make_experiment, make_model, make_study
from tests.factories import make_user as user_named
from tests.training.conftest import Bench
from training.models import LabelSnapshot, StreamReport, TrainingRun
from training.services.labels import AnswerBook, standing_answers
from training.services.stream import reports_due, request_report
from training.worker.examples import freeze, load_examples, split_of
from training.worker.left_out import labels_left_out
from training.worker.ranking import RankingWorker

ANSWERS, ALONE = 200, 6
HONEST = ("ann", "ben", "cleo", "dan")


@dataclass(frozen=True, slots=True)
class Planted:
    """Four honest readers who err on 6 % of 200 crops, and Zoe, who flips 20 % and reads six more crops alone."""

    study: Study
    lead: Any
    bad: Any
    crops: list[Crop]


def give(study: Study, user: Any, crops: list[Crop], labels: list[str]) -> None:
    """Simulated answers, all at once."""
    classes = {row.key: row for row in study.classes.all()}
    now = timezone.now()
    rows = Annotation.objects.bulk_create(
        Annotation(
            study=study, crop=crop, annotator=user, answer="label", source="simulated", client_id=uuid4(),
            answered_at=now,
        )
        for crop in crops
    )  # fmt: skip
    AnnotationLabel.objects.bulk_create(
        AnnotationLabel(annotation=row, label_class=classes[label]) for row, label in zip(rows, labels, strict=True)
    )


def said(rng: np.random.Generator, crops: list[Crop], error: float) -> list[str]:
    slips = rng.random(len(crops)) < error
    return [KINDS[KINDS.index(kind_of(crop)) ^ int(slip)] for crop, slip in zip(crops, slips, strict=True)]


@pytest.fixture
def planted(db: None, data_folder: Path, tmp_path: Path) -> Planted:
    experiments = [make_experiment(tmp_path, f"plate {number}", crops=108, seed=number) for number in (1, 2)]
    lead = user_named("lead")
    study = make_study(lead, *experiments)
    rng = np.random.default_rng(4)
    crops = [crop for experiment in experiments for crop in crops_of(experiment)]
    crops = [crops[place] for place in rng.permutation(len(crops))]
    for name in HONEST:
        give(study, add_reader(study, name), crops[:ANSWERS], said(rng, crops[:ANSWERS], 0.06))
    bad = add_reader(study, "zoe")
    give(study, bad, crops[: ANSWERS + ALONE], said(rng, crops[: ANSWERS + ALONE], 0.2))
    return Planted(study, lead, bad, crops)


def snapshot(study: Study) -> LabelSnapshot:
    examples = load_examples(study)
    return freeze(study, examples, split_of(study, examples))


def shares_without(study: Study, reader: Any) -> dict[str, list[float]]:
    """Vote shares of each crop by a plain count of all rows but the reader's."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for key, label in Annotation.objects.exclude(annotator=reader).values_list(
        "crop__key", "labels__label_class__key"
    ):
        votes[key][label] += 1
    return {key: [round(count[kind] / count.total(), 6) for kind in KINDS] for key, count in votes.items()}


def test_a_reader_who_flips_one_in_five_is_found_and_one_command_takes_exactly_their_answers_out(
    planted: Planted,
) -> None:
    table = from_long(reads_table(planted.study), not_sure=NOT_SURE_LABEL, in_turn=True)
    assert {found.annotator for found in suspects(table)} == {"zoe"}
    first = snapshot(planted.study)
    assert len(first.content) == ANSWERS + ALONE
    code, told = call("exclude_reader", "nuclei", "zoe", "--reason", "flips one in five")
    assert (code, told["changed"], told["answers"], told["run"]) == (0, True, ANSWERS + ALONE, None)
    second = snapshot(planted.study)
    assert second.digest != first.digest
    assert {row[0]: row[2] for row in second.content} == shares_without(planted.study, planted.bad)
    code, told = call("exclude_reader", "nuclei", "zoe", "--undo", "--reason", "a wrong filter, mended")
    assert (code, told["changed"]) == (0, True)
    assert snapshot(planted.study).digest == first.digest


def test_the_command_twice_is_once_and_trains_once(planted: Planted) -> None:
    TrainingRun.objects.create(study=planted.study, recipe={"model": "handcrafted"})
    given = ("exclude_reader", "nuclei", str(planted.bad.pk), "--retrain", "--reason", "flips")
    first, again = call(*given)[1], call(*given)[1]
    assert (first["changed"], again["changed"], again["run"]) == (True, False, None)
    run = TrainingRun.objects.get(pk=first["run"])
    assert (run.status, run.recipe) == ("queued", {"model": "handcrafted"})
    assert planted.study.exclusions.count() == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nuclei", "nobody", "--reason", "x"), "'nobody' has given no answer"),
        (("nuclei", "zoe", "--reason", " "), "Say why"),
        (("nowhere", "zoe", "--reason", "x"), "There is no study"),
    ],
)
def test_the_command_says_what_is_wrong_and_changes_nothing(planted: Planted, words: Any, text: str) -> None:
    code, told = call("exclude_reader", *words)
    assert code == 1 and text in told["error"]
    assert not planted.study.exclusions.exists()


def test_the_next_report_counts_the_labels_both_ways_and_names_nobody(planted: Planted) -> None:
    assert labels_left_out(planted.study) == {}
    before = snapshot(planted.study)
    exclude(planted.study, planted.bad, planted.lead, "flips")
    after = snapshot(planted.study)
    model = make_model(planted.study, planted.lead)
    told = model.report["left_out"]
    assert [(row["reader"], row["answers"]) for row in told["readers"]] == [(planted.bad.pk, ANSWERS + ALONE)]
    for kind, content in (("before", before.content), ("after", after.content)):
        count = Counter(KINDS[row[1]] for row in content)
        assert told[kind] == {"crops": len(content), "per_class": {key: count[key] for key in KINDS}}
    kept, given = {row[0]: row for row in after.content}, {row[0]: row for row in before.content}
    assert (told["lost"], told["gained"]) == (ALONE, 0)
    assert sorted(told["lost_crops"]) == sorted(given.keys() - kept.keys())
    other = {key for key in kept if kept[key][1] != given[key][1]}
    assert {row["crop"] for row in told["changed_crops"]} == other and told["changed"] == len(other)
    assert told["shifted"] == sum(kept[key][2] != given[key][2] for key in kept) - len(other)
    assert "zoe" not in str(model.report)
    client = Client()
    client.force_login(planted.lead)
    page = client.get(reverse("training:report", args=[model.pk])).content.decode()
    assert "zoe" in page and f"{ANSWERS + ALONE} answers" in page
    client.force_login(planted.study.members.get(username="ann"))
    assert "zoe" not in client.get(reverse("training:report", args=[model.pk])).content.decode()


def test_the_ranking_is_made_anew_and_their_own_crops_are_asked_again(planted: Planted) -> None:
    worker = RankingWorker()
    assert worker.step() == 1
    first = Ranked.objects.get().digest
    alone = {crop.pk for crop in planted.crops[ANSWERS : ANSWERS + ALONE]}
    assert not QueueEntry.objects.filter(crop__in=alone).exists()
    exclude(planted.study, planted.bad, planted.lead, "flips")
    assert [worker.step() for _ in range(2)] == [1, 0]
    assert Ranked.objects.get().digest != first
    assert set(QueueEntry.objects.filter(crop__in=alone).values_list("crop_id", flat=True)) == alone
    put_back(planted.study, planted.bad, planted.lead, "fine")
    assert worker.step() == 1
    assert Ranked.objects.get().digest == first


def test_a_random_check_that_only_they_have_read_stays_one(bench: Bench) -> None:
    crop = bench.crops[0]
    given = answer(bench.study, bench.bob, crop, "disc")
    Annotation.objects.filter(pk=given.pk).update(why_asked=STREAM)
    answer(bench.study, bench.bob, bench.crops[1], "disc")
    exclude(bench.study, bench.bob, bench.alice, "hasty")
    standing = standing_answers(bench.study)
    assert standing.crop_ids.tolist() == [crop.pk]
    assert (standing.in_stream.tolist(), standing.reads.tolist(), standing.votes.sum()) == ([True], [0], 0)


def test_the_book_with_everybody_is_the_one_from_before(bench: Bench) -> None:
    for crop in bench.crops[:6]:
        answer(bench.study, bench.bob, crop, kind_of(crop))
    before = AnswerBook(bench.study).read()
    exclude(bench.study, bench.bob, bench.alice, "hasty")
    assert AnswerBook(bench.study).read().crop_ids.tolist() == []
    everybody = AnswerBook(bench.study, with_excluded=True).read()
    assert everybody.crop_ids.tolist() == before.crop_ids.tolist()
    assert np.array_equal(everybody.votes, before.votes)


def test_a_report_of_the_random_stream_is_due_again_and_only_once(bench: Bench) -> None:
    answer(bench.study, bench.bob, bench.crops[0])
    report = request_report(bench.study)
    StreamReport.objects.filter(pk=report.pk).update(status="done")
    assert reports_due() == []
    exclude(bench.study, bench.bob, bench.alice, "hasty")
    (due,) = reports_due()
    assert due != report.pk
    StreamReport.objects.filter(pk=due).update(status="done")
    assert reports_due() == []
