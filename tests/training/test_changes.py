"""Whatever a ranking depends on makes the next step rank again, and looking costs a handful of queries."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imaging.models import Image
from labeling.models import Membership, Reopening, Study
from labeling.services.answers import undo
from labeling.services.exclusions import exclude
from tests.factories import add_reader, answer, make_experiment, make_study
from tests.training.conftest import Bench
from training.worker.changes import Lookout
from training.worker.ranking import RankingWorker


def verdict(bench: Bench) -> None:
    Image.objects.filter(pk=bench.crops[0].image_id).update(verdict="reject")


def another_verdict(bench: Bench) -> None:
    """As many images are rejected as before, but other ones."""
    Image.objects.filter(pk=bench.crops[-1].image_id).update(verdict="reject")
    Image.objects.filter(pk=bench.crops[0].image_id).update(verdict="use")


def retired_class(bench: Bench) -> None:
    bench.study.classes.filter(key="ring").update(retired_at=timezone.now())


def merged_class(bench: Bench) -> None:
    disc = bench.study.classes.get(key="disc")
    bench.study.classes.filter(key="ring").update(retired_at=timezone.now(), merged_into=disc)


def new_class(bench: Bench) -> None:
    bench.study.classes.create(key="blob", name="blob", color="#000000", position=7)


def member(bench: Bench) -> None:
    add_reader(bench.study, "carol")


def role(bench: Bench) -> None:
    bench.study.memberships.filter(user=bench.bob).update(role=Membership.Role.LEAD)


def fewer_experiments(bench: Bench) -> None:
    bench.study.experiments.remove(bench.study.experiments.order_by("name").last())


def reopened(bench: Bench) -> None:
    Reopening.objects.create(study=bench.study, crop=bench.crops[0], by=bench.alice, last_annotation=0)


def left_out(bench: Bench) -> None:
    exclude(bench.study, bench.bob, bench.alice, "hasty")


def withdrawn(bench: Bench) -> None:
    undo(bench.study, bench.bob, uuid4())


def setting(**change: object) -> Callable[[Bench], None]:
    return lambda bench: Study.objects.filter(pk=bench.study.pk).update(**change) and None


SETTINGS = (
    {"strategy": "margin"}, {"coverage_share": 0.5}, {"random_share": 0.5}, {"seed": 9}, {"reads_per_crop": 2},
    {"overlap_share": 0.9}, {"stream_in_training": False}, {"not_sure_as_soft_labels": True},
    {"sampling_temperature": 1.0}, {"shows_suggestions": True}, {"is_blind": True},
)  # fmt: skip
CHANGES = [
    another_verdict, retired_class, merged_class, new_class, member, role, fewer_experiments, reopened, withdrawn,
    left_out,
    *(setting(**change) for change in SETTINGS),
]  # fmt: skip
NAMES = [getattr(change, "__name__", "") for change in CHANGES[:10]] + [next(iter(change)) for change in SETTINGS]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_change_is_seen_once_and_by_its_own_study_only(bench: Bench, change: Callable[[Bench], None]) -> None:
    other = make_study(bench.alice, *bench.study.experiments.all(), name="other")
    verdict(bench)
    answer(bench.study, bench.bob, bench.crops[30])
    lookout = Lookout()
    before = lookout.look()
    change(bench)
    after = lookout.look()
    changed = {pk for pk in before if before[pk] != after[pk]}
    assert changed == ({bench.study.pk, other.pk} if change is another_verdict else {bench.study.pk})
    assert lookout.look() == after


@pytest.mark.parametrize("change", [verdict, retired_class, member])
def test_a_change_is_ranked_at_the_next_step_and_only_then(bench: Bench, change: Callable[[Bench], None]) -> None:
    worker = RankingWorker()
    worker.step()
    change(bench)
    assert [worker.step() for _ in range(2)] == [1, 0]


def test_a_rejected_image_takes_its_crops_out_of_the_queue_at_once(bench: Bench) -> None:
    worker = RankingWorker()
    worker.step()
    verdict(bench)
    worker.step()
    rejected = {crop.pk for crop in bench.crops if crop.image_id == bench.crops[0].image_id}
    assert rejected and not bench.study.queue.filter(crop__in=rejected).exists()
    Image.objects.update(verdict="use")
    worker.step()
    assert bench.study.queue.filter(crop__in=rejected).exists()


def test_only_an_answer_since_the_last_look_is_news(bench: Bench) -> None:
    lookout = Lookout()
    lookout.look()
    assert not lookout.has_news()
    answer(bench.study, bench.bob, bench.crops[0])
    assert lookout.has_news()
    with CaptureQueriesContext(connection) as found:
        lookout.has_news()
    assert len(found) == 1
    lookout.look()
    assert not lookout.has_news()


def test_looking_takes_as_many_queries_for_six_studies_as_for_one(bench: Bench) -> None:
    def queries() -> int:
        lookout = Lookout()
        lookout.look()
        with CaptureQueriesContext(connection) as found:
            lookout.look()
        return len(found)

    alone = queries()
    for number in range(5):
        make_study(bench.alice, *bench.study.experiments.all(), name=f"study {number}")
    assert queries() == alone <= 6


def test_a_new_experiment_is_asked_from_at_the_next_step(bench: Bench, tmp_path: object) -> None:
    worker = RankingWorker()
    worker.step()
    experiment = make_experiment(tmp_path, "plate 3", seed=3)
    bench.study.experiments.add(experiment)
    assert worker.step() == 1
    assert bench.study.queue.filter(crop__image__sample__experiment=experiment).exists()
