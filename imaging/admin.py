"""Experiments for administrators; pixels and verdicts are to be read, never changed."""

from django.contrib import admin

from audit.admin import ReadOnlyAdmin
from imaging.models import Crop, CropMove, Experiment, Image, QualityReport, Revision, Sample


@admin.register(Experiment)
class ExperimentAdmin(admin.ModelAdmin):
    """An experiment; what it was read from does not change."""

    list_display = ("name", "modality", "pixel_size_um", "bit_depth", "is_simulated", "created_at")
    search_fields = ("name",)
    readonly_fields = ("source", "content_digest", "created_at")
    filter_horizontal = ("viewers",)


@admin.register(Sample)
class SampleAdmin(admin.ModelAdmin):
    """A well or slide: condition, control, subject and site may be filled in."""

    list_display = ("name", "experiment", "condition", "is_control", "subject", "site")
    list_filter = ("experiment",)
    readonly_fields = ("experiment", "name")


admin.site.register([Image, QualityReport, Crop, Revision, CropMove], ReadOnlyAdmin)
