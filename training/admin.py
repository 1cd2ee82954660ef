"""Models and runs for administrators: to be read, never changed."""

from django.contrib import admin

from audit.admin import ReadOnlyAdmin
from training.models import (
    EmbeddingJob,
    EmbeddingMap,
    EmbeddingSet,
    EmbeddingShard,
    LabelSnapshot,
    ModelVersion,
    Promotion,
    Ranking,
    StreamReport,
    TrainingRun,
)

admin.site.register(
    [
        EmbeddingJob,
        EmbeddingMap,
        EmbeddingSet,
        EmbeddingShard,
        LabelSnapshot,
        ModelVersion,
        Promotion,
        Ranking,
        StreamReport,
        TrainingRun,
    ],
    ReadOnlyAdmin,
)
