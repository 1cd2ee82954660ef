"""The card of a study's embeddings: who sees it, when it is hidden, and what its buttons do."""

from typing import Any
from unittest.mock import Mock

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from labeling.models import Study
from tests.factories import make_user
from tests.training.conftest import Bench
from training.models import EmbeddingJob, Status
from training.services.embedding import encoders_folder
from training.services.embedding_jobs import due_jobs
from training.services.embedding_progress import embedding_state
from training.services.work import claim
from training.worker import embedding
from training.worker.embedding import embed_study, left_text

NETWORK = "file:absent"


@pytest.fixture
def study(bench: Bench) -> Study:
    """The bench's study with a network that is not there."""
    Study.objects.filter(pk=bench.study.pk).update(encoder=NETWORK)
    bench.study.refresh_from_db()
    return bench.study


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Stands where a worker would be called."""
    bell = Mock()
    monkeypatch.setattr("training.tasks.embed_task.delay", bell)
    return bell


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def card(study: Study, user: Any) -> str:
    reply = client_of(user).get(reverse("training:embedding", args=[study.pk]), headers={"hx-request": "true"})
    assert reply.status_code == 200
    return reply.content.decode()


@pytest.mark.parametrize(("name", "method"), [("embedding", "get"), ("embed-again", "post"), ("embed-stop", "post")])
def test_leads_only_and_nothing_changes_for_others(bench: Bench, study: Study, name: str, method: str) -> None:
    job = due_jobs(study)[0]
    address = reverse(f"training:{name}", args=[study.pk])
    assert getattr(client_of(bench.bob), method)(address).status_code == 403
    assert getattr(client_of(make_user("mallory")), method)(address).status_code == 404
    job.refresh_from_db()
    assert job.status == Status.QUEUED and not job.cancel_requested


@pytest.mark.parametrize("name", ["embed-again", "embed-stop"])
def test_a_link_that_is_followed_stops_and_starts_nothing(bench: Bench, study: Study, name: str) -> None:
    assert client_of(bench.alice).get(reverse(f"training:{name}", args=[study.pk])).status_code == 405


def test_it_is_hidden_where_the_own_encoder_ranks_and_nothing_runs(bench: Bench) -> None:
    assert card(bench.study, bench.alice) == ""
    Study.objects.filter(pk=bench.study.pk).update(encoder="untrained")
    bench.study.refresh_from_db()
    assert "Chosen" in card(bench.study, bench.alice)
    embed_study(bench.study.pk)
    assert card(bench.study, bench.alice) == ""
    page = client_of(bench.alice).get(reverse("training:embedding", args=[bench.study.pk])).content.decode()
    assert "nothing is being computed" in page


def test_it_names_the_chosen_encoder_the_ranking_one_and_the_reason(bench: Bench, study: Study) -> None:
    embed_study(study.pk)
    text = card(study, bench.alice)
    assert NETWORK in text and '<strong class="break">handcrafted</strong>' in text
    assert "cannot be used" in text and str(encoders_folder()) not in text
    assert "Try again" in text and "Stop</button>" not in text and "refused" in text


def test_progress_counts_the_crops_of_all_experiments(bench: Bench, study: Study) -> None:
    first = due_jobs(study)[0]
    EmbeddingJob.objects.filter(pk=claim(EmbeddingJob, first.pk).pk).update(progress=0.5, stage="embedding")
    state = embedding_state(study)
    assert (state.done, state.total, state.is_running, state.is_waiting) == (12, 48, True, True)
    text = card(study, bench.alice)
    assert "12 of 48 crops; embedding." in text and 'hx-trigger="every 5s"' in text


def test_stop_ends_what_waits_at_once_and_says_so_of_what_runs(bench: Bench, study: Study) -> None:
    first, second = due_jobs(study)
    claim(EmbeddingJob, first.pk)
    assert client_of(bench.alice).post(reverse("training:embed-stop", args=[study.pk])).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.cancel_requested, second.status) == (Status.RUNNING, True, Status.CANCELLED)
    text = card(study, bench.alice)
    assert "it ends within seconds" in text and "Stop</button>" not in text
    events = AuditEvent.objects.filter(action="embeddingjob.cancel_requested")
    assert [event.actor for event in events] == [f"user:{bench.alice.pk}"] * 2


def test_try_again_queues_what_ended_rings_and_is_audited(
    bench: Bench, study: Study, rung: Mock, django_capture_on_commit_callbacks: Any
) -> None:
    embed_study(study.pk)
    with django_capture_on_commit_callbacks(execute=True):
        client_of(bench.alice).post(reverse("training:embed-again", args=[study.pk]))
    rung.assert_called_once_with(study.pk)
    assert set(EmbeddingJob.objects.values_list("status", flat=True)) == {Status.QUEUED}
    assert AuditEvent.objects.filter(action="embedding.asked_again", actor=f"user:{bench.alice.pk}").count() == 1
    text = card(study, bench.alice)
    assert "Stop</button>" in text and "Try again" not in text


def test_the_name_of_an_encoder_is_text(bench: Bench, study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(encoder="file:<b>net</b>")
    assert "<b>net" not in card(study, bench.alice)


def test_what_is_left_is_told_from_the_speed_since_the_work_was_taken_up(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claim(EmbeddingJob, due_jobs(study)[0].pk)
    monkeypatch.setattr(embedding, "time", Mock(monotonic=Mock(side_effect=[100.0, 110.0])))
    beats = embedding._Beats(job, ends=1e9)
    stages = []
    for share in (0.5, 0.6):
        beats(share, "embedding")
        stages.append(EmbeddingJob.objects.get(pk=job.pk).stage)
    assert stages == ["embedding", "about 40 s left for this experiment, embedding"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (119, "119 s"), (121, "2 min"), (7199, "120 min"), (9000, "2.5 h")]
)
def test_time_is_told_in_a_unit_that_reads_well(seconds: float, said: str) -> None:
    assert left_text(seconds) == f"about {said} left"
