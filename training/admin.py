"""Models and runs for administrators: to be read, never changed."""

from django.contrib import admin

from audit.admin import ReadOnlyAdmin
from training.models import EmbeddingSet, LabelSnapshot, ModelVersion, Promotion, Ranking, TrainingRun

admin.site.register([EmbeddingSet, LabelSnapshot, ModelVersion, Promotion, Ranking, TrainingRun], ReadOnlyAdmin)
