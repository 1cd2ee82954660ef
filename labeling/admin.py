"""Studies for administrators; answers are to be read, never changed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from audit.admin import ReadOnlyAdmin
from labeling.forms.fields import EncoderField, StrategyField
from labeling.models import (
    AgreementReport,
    Annotation,
    ClassExample,
    Comment,
    Consensus,
    DisagreementSession,
    GuidelineVersion,
    Invitation,
    LabelClass,
    LabelImport,
    Lease,
    Membership,
    Preferences,
    QueueEntry,
    Ranked,
    ReaderCase,
    ReaderExclusion,
    ReaderStudy,
    Reopening,
    RequestedCrop,
    Sitting,
    SkippedCrop,
    Study,
    Suggestion,
)
from labeling.services.people import ForgetRefused, forget_person, pseudonym_of
from labeling.services.queue import lock
from labeling.services.refusals import StudyRefused
from labeling.services.settings import refuse_answered, remove_member, store_member
from labeling.services.studies import study_saved


class LabelClassInline(admin.TabularInline):
    """Classes of a study."""

    model = LabelClass
    extra = 0
    raw_id_fields = ("example", "parent")
    # Merging and splitting follow rules that a form of rows cannot keep: the study's settings page does it.
    readonly_fields = ("merged_into", "split_from")


class MembershipForm(forms.ModelForm):
    """A membership; whose it is stays as it is: another person's is another membership."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["user"].disabled = True


class MembershipFormSet(forms.BaseInlineFormSet):
    """The people of a study, among whom a lead stays."""

    def clean(self) -> None:
        """Refuse to take the last lead away."""
        super().clean()
        leads = [form for form in self.initial_forms if form.initial.get("role") == Membership.Role.LEAD]
        kept = [form for form in self.forms if form not in self.deleted_forms and hasattr(form, "cleaned_data")]
        if leads and not any(form.cleaned_data.get("role") == Membership.Role.LEAD for form in kept):
            raise forms.ValidationError("A study needs a lead: make somebody else its lead first.")


class MembershipInline(admin.TabularInline):
    """People of a study."""

    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    extra = 0


class StudyForm(forms.ModelForm):
    """A study whose strategy and encoder are chosen among those on offer."""

    strategy = StrategyField()
    encoder = EncoderField()

    def clean_experiments(self) -> Any:
        """The experiments, unless one with answers of the study is missing."""
        chosen = self.cleaned_data["experiments"]
        try:
            if self.instance.pk:
                refuse_answered(self.instance, chosen)
        except StudyRefused as error:
            raise forms.ValidationError(str(error)) from error
        return chosen


@admin.register(Study)
class StudyAdmin(admin.ModelAdmin):
    """A study with its classes and people."""

    form = StudyForm
    list_display = ("name", "question", "strategy", "is_blind", "is_simulated", "archived_at")
    filter_horizontal = ("experiments",)
    inlines = (LabelClassInline, MembershipInline)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not once the study's protocol is locked: its own page says what can be done then."""
        return super().has_change_permission(request, obj) and not (obj is not None and obj.is_reader_study)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The same: a locked protocol stays with what was read under it."""
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_reader_study)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Store classes and people the way the application does: with their event and sight of the experiments."""
        lock(form.instance)
        super().save_related(request, form, formsets, change)
        study_saved(form.instance, request.user, created=not change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Store the rows; people come, change their role and go as on the study's own page."""
        if not isinstance(formset, MembershipFormSet):
            super().save_formset(request, form, formset, change)
            return
        rows = formset.save(commit=False)
        # Who becomes lead comes first: another one may go then.
        for member in sorted(rows, key=lambda row: row.role != Membership.Role.LEAD):
            store_member(member, request.user)
        for member in formset.deleted_objects:
            remove_member(member, request.user)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Decided once: changing it later would spoil the unbiased stream.
        return ("stream_in_training", "seed") if obj else ()


@admin.register(Annotation)
class AnnotationAdmin(ReadOnlyAdmin):
    """Answers, newest first."""

    list_display = ("id", "study", "annotator", "answer", "source", "why_asked", "answered_at")
    list_filter = ("study", "answer", "source")
    ordering = ("-id",)


admin.site.register([QueueEntry, Lease, Ranked, RequestedCrop, ReaderExclusion, Reopening, Suggestion], ReadOnlyAdmin)
admin.site.register([GuidelineVersion, ClassExample, LabelImport, Invitation, Comment], ReadOnlyAdmin)
admin.site.register([Sitting, SkippedCrop, Preferences, DisagreementSession, ReaderStudy, ReaderCase], ReadOnlyAdmin)
admin.site.register([Consensus, AgreementReport], ReadOnlyAdmin)

admin.site.unregister(get_user_model())


@admin.register(get_user_model())
class PersonAdmin(UserAdmin):
    """People; instead of deleting one, Admin forgets them: their answers stay under a pseudonym."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The list's actions; people are forgotten one at a time, after a look at what that means."""
        return {name: act for name, act in super().get_actions(request).items() if name != "delete_selected"}

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[Any], Any, set[str], list[Any]]:
        """What the confirmation lists: nothing is deleted, so nothing stands in the way."""
        told = [f"{user} becomes “{pseudonym_of(user)}”; {user.annotations.count()} answers stay" for user in objs]
        return told, {}, set(), []

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing: Admin's log would keep the name, and the audit trail has the event."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Forget the person, and say so or why not."""
        name = str(obj)
        try:
            forget_person(obj, request.user)
            self.message_user(request, f"{name} is “{pseudonym_of(obj)}” now; the answers stay.", messages.SUCCESS)
        except ForgetRefused as error:
            self.message_user(request, f"{name} is as before. {error}", messages.ERROR)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Back to the list; what happened is said there."""
        return redirect("admin:auth_user_changelist")
