"""What is due now, as (task name, number of the row). Level, not edge: a lost message heals at the next look."""

from inference.models import InferenceRun
from labeling import loop as labeling_loop
from training.models import EmbeddingMap, TrainingRun
from training.services.embedding_jobs import studies_without_embeddings
from training.services.stream import reports_due
from training.services.work import bury_the_silent

TRAIN = "training.tasks.train_task"
RUN = "inference.tasks.run_task"
EMBED = "training.tasks.embed_task"
STREAM = "training.tasks.stream_task"
MAP = "training.tasks.map_task"


def what_is_due() -> list[tuple[str, int]]:
    """Old reports, missing embeddings, work that waits or whose worker went silent; doing it twice is harmless."""
    return [
        *labeling_loop.what_is_due(),
        *((EMBED, pk) for pk in studies_without_embeddings()),
        *((TRAIN, pk) for pk in bury_the_silent(TrainingRun)),
        *((STREAM, pk) for pk in reports_due()),
        *((MAP, pk) for pk in bury_the_silent(EmbeddingMap)),
        *((RUN, pk) for pk in bury_the_silent(InferenceRun)),
    ]
