"""What leads may change of a study while it runs: its words, its experiments, how it asks, and its people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from audit import services as audit
from imaging.models import Experiment
from labeling.models import STREAM_IS_FIXED, Annotation, Membership, RequestedCrop, Study
from labeling.services.access import join, withdraw_sight, withdraw_sight_of
from labeling.services.guidelines import keep_version
from labeling.services.invitations import withdraw_links_of
from labeling.services.queue import forget_outside, lock, release
from labeling.services.reader_study.guard import refuse_locked, refuse_reader_change
from labeling.services.refusals import StudyRefused
from labeling.services.studies import check_choices, check_experiments, check_rules

EDITABLE = (
    "name", "question", "guidelines", "reads_per_crop", "overlap_share", "random_share", "coverage_share", "strategy",
    "encoder", "is_blind", "not_sure_as_soft_labels", "sampling_temperature", "reread_share", "reread_after_days",
    "reread_after_items", "adjudicates", "routes_not_sure_to_seniors", "shows_suggestions", "locks_view",
    "idle_cap_s",
)  # fmt: skip


def change_study(study: Study, lead: Any, changes: Mapping[str, Any]) -> list[str]:
    """Change what the mapping names (any of EDITABLE, and `experiments`); returns the names that changed.

    One event tells what was before and after. StudyRefused where a value breaks a rule, and for whether stream
    answers train, which is decided once, at creation.
    """
    if changes.get("stream_in_training", study.stream_in_training) != study.stream_in_training:
        raise StudyRefused(STREAM_IS_FIXED)
    unknown = set(changes) - {*EDITABLE, "experiments", "stream_in_training"}
    if unknown:
        raise StudyRefused(f"A study has no setting '{min(unknown)}' that could be changed.")
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "the settings")
        study.refresh_from_db()
        before = {name: getattr(study, name) for name in EDITABLE if name in changes}
        after = {name: changes[name] for name in before if changes[name] != before[name]}
        _store(study, after)
        keep_version(study, lead)
        told = _set_experiments(study, lead, changes["experiments"]) if "experiments" in changes else {}
        _follow_sight(study, was_blind=bool(before.get("is_blind", study.is_blind)))
        changed = [*after, *told]
        if changed:
            detail = {name: [before[name], value] for name, value in after.items()} | told
            audit.record("study.changed", study, actor=audit.actor_of(lead), detail=detail)
    return changed


def set_member(study: Study, lead: Any, username: str, role: str) -> Membership:
    """Make the account a member with that role, or give it another one; StudyRefused says what is wrong."""
    if role not in Membership.Role.values:
        raise StudyRefused(f"'{role}' is not a role: choose annotator or lead.")
    user = get_user_model().objects.filter(username=username.strip()).first()
    if user is None:
        raise StudyRefused(
            f"There is no account '{username}'. Make a link under “Invite by link” and send it: whoever opens it "
            "makes an account and joins."
        )
    with transaction.atomic():
        lock(study)
        member = study.memberships.filter(user=user).first() or Membership(study=study, user=user)
        member.role = role
        return store_member(member, lead)


def store_member(member: Membership, lead: Any) -> Membership:
    """Store a membership that is new or was changed: what it lets the person see, and hand on, follows its role."""
    study, user = member.study, member.user
    with transaction.atomic():
        lock(study)
        known = study.memberships.filter(user=user).first()
        if known is not None and known.role != member.role:
            refuse_reader_change(study, user)
        if known is not None and member.role != Membership.Role.LEAD:
            _refuse_last_lead(known)
        member.save()
        join(study, user, member.role, is_simulated=member.is_simulated)
        # Who led a blind study saw its experiments; as one of its annotators they see crops only.
        if known is not None and known.role == Membership.Role.LEAD != member.role:
            withdraw_links_of(study, user)
            if study.is_blind:
                withdraw_sight(study, user)
        audit.record(
            "member.set", member, actor=audit.actor_of(lead), detail={"study": study.pk, "role": member.role}
        )
    return member


def remove_member(member: Membership, lead: Any) -> None:
    """End the membership: what it let the person see and hold goes with it, their answers stay."""
    study, user = member.study, member.user
    with transaction.atomic():
        lock(study)
        refuse_reader_change(study, user)
        _refuse_last_lead(member)
        audit.record("member.removed", member, actor=audit.actor_of(lead), detail={"study": study.pk})
        member.delete()
        withdraw_links_of(study, user)
        withdraw_sight(study, user)
        release(study, user)
        RequestedCrop.objects.filter(study=study, user=user).delete()


def _store(study: Study, after: Mapping[str, Any]) -> None:
    for name, value in after.items():
        setattr(study, name, value)
    check_rules(study)
    # A study keeps a choice that is no longer on offer until somebody changes it.
    if {"strategy", "encoder"} & set(after):
        check_choices(study.strategy, study.encoder)
    try:
        # Not `clean`: it refuses a choice that is no longer on offer, changed or not.
        study.clean_fields(exclude=["strategy", "encoder", "seed"])
        study.validate_unique()
        study.validate_constraints()
    except ValidationError as error:
        raise StudyRefused(" ".join(error.messages)) from error
    if after:
        study.save(update_fields=list(after))


def _set_experiments(study: Study, lead: Any, experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Put the experiments in place of the old ones; returns what the event tells of it, nothing without a change."""
    before, after = set(study.experiments.all()), set(experiments)
    if before == after:
        return {}
    check_experiments(sorted(after, key=lambda row: row.name))
    gone = refuse_answered(study, after)
    study.experiments.set(after)
    forget_outside(study)
    for member in study.memberships.select_related("user"):
        # Leads may have brought the experiment themselves, and could not put it back if they lost sight of it.
        if member.role != Membership.Role.LEAD:
            withdraw_sight_of(gone, study, member.user)
        join(study, member.user, member.role, is_simulated=member.is_simulated)
    return {"experiments": [sorted(row.name for row in before), sorted(row.name for row in after)]}


def refuse_answered(study: Study, kept: Iterable[Experiment]) -> QuerySet[Experiment]:
    """The study's experiments that are not `kept`; StudyRefused where one of them holds answers of the study."""
    gone = study.experiments.exclude(pk__in=[row.pk for row in kept])
    gone = Experiment.objects.filter(pk__in=list(gone.values_list("pk", flat=True)))
    answers = Annotation.objects.filter(study=study, crop__image__sample__experiment__in=gone)
    held = answers.values_list("crop__image__sample__experiment__name", flat=True).first()
    if held is not None:
        raise StudyRefused(f"Experiment '{held}' holds answers of this study: it stays.")
    return gone


def _follow_sight(study: Study, *, was_blind: bool) -> None:
    """Annotators of a study that became blind lose sight of its experiments; of one that was opened they gain it."""
    if study.is_blind == was_blind:
        return
    for member in study.memberships.filter(role=Membership.Role.ANNOTATOR).select_related("user"):
        if study.is_blind:
            withdraw_sight(study, member.user)
        else:
            join(study, member.user, member.role, is_simulated=member.is_simulated)


def _refuse_last_lead(member: Membership) -> None:
    others = member.study.memberships.filter(role=Membership.Role.LEAD).exclude(pk=member.pk)
    if member.role == Membership.Role.LEAD and not others.exists():
        raise StudyRefused("A study needs a lead: make somebody else its lead first.")
