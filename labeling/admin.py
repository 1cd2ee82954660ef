"""Studies for administrators; answers are to be read, never changed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from audit.admin import ReadOnlyAdmin
from labeling.forms.fields import EncoderField, StrategyField
from labeling.models import (
    Annotation,
    ClassExample,
    Comment,
    Consensus,
    GuidelineVersion,
    Invitation,
    LabelClass,
    LabelImport,
    Lease,
    Membership,
    Preferences,
    QueueEntry,
    Ranked,
    Reopening,
    RequestedCrop,
    Sitting,
    SkippedCrop,
    Study,
    Suggestion,
)
from labeling.services.access import withdraw_sight
from labeling.services.studies import study_saved


class LabelClassInline(admin.TabularInline):
    """Classes of a study."""

    model = LabelClass
    extra = 0
    raw_id_fields = ("example", "parent")
    # Merging and splitting follow rules that a form of rows cannot keep: the study's settings page does it.
    readonly_fields = ("merged_into", "split_from")


class MembershipInline(admin.TabularInline):
    """People of a study."""

    model = Membership
    extra = 0


class StudyForm(forms.ModelForm):
    """A study whose strategy and encoder are chosen among those on offer."""

    strategy = StrategyField()
    encoder = EncoderField()


@admin.register(Study)
class StudyAdmin(admin.ModelAdmin):
    """A study with its classes and people."""

    form = StudyForm
    list_display = ("name", "question", "strategy", "is_blind", "is_simulated")
    filter_horizontal = ("experiments",)
    inlines = (LabelClassInline, MembershipInline)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Store classes and people the way the application does: with their event and sight of the experiments."""
        super().save_related(request, form, formsets, change)
        for formset in formsets:
            for row in formset.deleted_objects:
                if isinstance(row, Membership):
                    withdraw_sight(form.instance, row.user)
        study_saved(form.instance, request.user, created=not change)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Decided once: changing it later would spoil the unbiased stream.
        return ("stream_in_training", "seed") if obj else ()


@admin.register(Annotation)
class AnnotationAdmin(ReadOnlyAdmin):
    """Answers, newest first."""

    list_display = ("id", "study", "annotator", "answer", "source", "why_asked", "answered_at")
    list_filter = ("study", "answer", "source")
    ordering = ("-id",)


admin.site.register([QueueEntry, Lease, Ranked, RequestedCrop, Reopening, Suggestion, Consensus], ReadOnlyAdmin)
admin.site.register([GuidelineVersion, ClassExample, LabelImport, Invitation, Comment], ReadOnlyAdmin)
admin.site.register([Sitting, SkippedCrop, Preferences], ReadOnlyAdmin)
