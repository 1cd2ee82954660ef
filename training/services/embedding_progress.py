"""How far the embeddings of a study are, for its lead: which encoder was chosen, which one ranks now, and why."""

from dataclasses import dataclass

from imaging.models import Crop
from labeling.models import Study
from training.models import EmbeddingJob, Status
from training.services.embedding import AT_ONCE, encoder_in_use, lacking_sets, standing_sets

ENDED = (Status.REFUSED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class EmbeddingState:
    """The chosen encoder, the one that ranks now and why it is another one; `done` of `total` crops are embedded.

    stage: what the work that runs says of itself. is_waiting: work that no worker has begun, is_stopping: work that
    ends at its next beat. ended: how work that may be tried again came to its end, "" where there is none.
    """

    chosen: str
    ranking: str
    note: str
    done: int
    total: int
    stage: str = ""
    is_running: bool = False
    is_waiting: bool = False
    is_stopping: bool = False
    ended: str = ""

    @property
    def status(self) -> str:
        """One word for all of it; "" where nobody has begun."""
        if self.is_running:
            return "stopping" if self.is_stopping else "running"
        return "waiting" if self.is_waiting else self.ended

    @property
    def may_stop(self) -> bool:
        """Whether work waits or runs that nobody asked to end."""
        return (self.is_running or self.is_waiting) and not self.is_stopping


def embedding_state(study: Study) -> EmbeddingState | None:
    """How far the study's embeddings are; None where its own encoder ranks and nothing is computed."""
    ranking, note = encoder_in_use(study)
    if study.encoder == AT_ONCE:
        return None
    experiments = list(study.experiments.order_by("name"))
    sets = standing_sets(experiments, study.encoder)
    lacking = {experiment.pk for experiment in lacking_sets(experiments, sets)}
    jobs = EmbeddingJob.objects.filter(experiment__in=experiments, encoder_name=study.encoder)
    due = [job for job in jobs if job.experiment_id in lacking or not job.is_final]
    if ranking == study.encoder and not due:
        return None
    running = [job for job in due if job.status == Status.RUNNING]
    under_way = {job.experiment_id: int(job.progress * job.crops) for job in due if job.status != Status.DONE}
    whole = {number: found.count for number, found in sets.items() if number not in lacking}
    return EmbeddingState(
        chosen=study.encoder,
        ranking=ranking,
        note=note,
        done=sum((under_way | whole).values()),
        total=Crop.objects.filter(image__sample__experiment__in=experiments).count(),
        stage=next((job.stage for job in running), ""),
        is_running=bool(running),
        is_waiting=any(job.status == Status.QUEUED for job in due),
        is_stopping=any(job.cancel_requested for job in running),
        ended=next((str(job.status) for job in due if job.status in ENDED), ""),
    )
