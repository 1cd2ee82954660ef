"""Which studies wait for embeddings that only a worker with PyTorch can compute."""

from labeling.models import Study
from labeling.registry import DEFAULT_ENCODER
from training.models import EmbeddingSet


def studies_without_embeddings() -> list[int]:
    """Numbers of the studies whose encoder lacks the embeddings of one of their experiments."""
    return [study.pk for study in Study.objects.exclude(encoder=DEFAULT_ENCODER) if _lacks(study)]


def _lacks(study: Study) -> bool:
    done = EmbeddingSet.objects.filter(encoder_name=study.encoder).values("experiment")
    return study.experiments.exclude(pk__in=done).exists()
