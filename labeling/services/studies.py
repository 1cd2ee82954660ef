"""Makes studies: a question, its classes, its experiments and its people, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import transaction

from audit import services as audit
from imaging.models import Experiment
from labeling import registry
from labeling.colors.palette import color_at
from labeling.colors.vision import HEX
from labeling.models import (
    MORE_THAN_ALL,
    MOST_TEMPERATURE,
    NO_SUGGESTIONS_WHERE_BLIND,
    LabelClass,
    Membership,
    Study,
)
from labeling.services.access import join, withdraw_sight
from labeling.services.guidelines import keep_version
from labeling.services.queue import forget_outside
from labeling.services.refusals import StudyRefused

SHORTEST_CAP_S = 1
# Pixel sizes so many times apart show objects in another size.
APART = 1.05


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class to be made: its key for files and models, its name for people, its colour (empty: the palette's)."""

    key: str
    name: str
    color: str = ""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a lead decides before the first answer; a class is given by its name, which is then its key too."""

    name: str
    question: str
    classes: tuple[str | NewClass, ...]
    experiments: tuple[Experiment, ...]
    guidelines: str = ""
    reads_per_crop: int = 1
    overlap_share: float = 0.2
    random_share: float = 0.1
    coverage_share: float = 0.2
    sampling_temperature: float = 0.0
    strategy: str = registry.DEFAULT_STRATEGY
    encoder: str = registry.DEFAULT_ENCODER
    stream_in_training: bool = True
    not_sure_as_soft_labels: bool = False
    is_blind: bool = True
    reread_share: float = 0.0
    reread_after_days: int = 7
    reread_after_items: int = 200
    adjudicates: bool = True
    routes_not_sure_to_seniors: bool = False
    shows_suggestions: bool = False
    locks_view: bool = False
    idle_cap_s: int = 60
    is_simulated: bool = False
    seed: int = 0


def create_study(plan: StudyPlan, lead: Any) -> Study:
    """The new study with its classes and its lead; StudyRefused names the rule that is broken."""
    classes = [row if isinstance(row, NewClass) else NewClass(row[:100], row) for row in plan.classes]
    _check(plan, classes)
    columns = {field.name for field in fields(plan)} - {"classes", "experiments"}
    with transaction.atomic():
        study = Study.objects.create(**{name: getattr(plan, name) for name in columns})
        study.experiments.set(plan.experiments)
        LabelClass.objects.bulk_create(
            LabelClass(
                study=study,
                key=row.key,
                name=row.name[:200],
                color=row.color or color_at(place),
                position=place,
            )
            for place, row in enumerate(classes)
        )
        join(study, lead, Membership.Role.LEAD)
        keep_version(study, lead)
        audit.record(
            "study.created",
            study,
            actor=audit.actor_of(lead),
            detail={
                "classes": [row.key for row in classes],
                "experiments": [row.name for row in plan.experiments],
                "stream_in_training": plan.stream_in_training,
            },
        )
    return study


def study_saved(study: Study, by: Any, *, created: bool) -> None:
    """Complete a study that was edited in Admin: members see what they may, and it has its event."""
    with transaction.atomic():
        for membership in study.memberships.select_related("user"):
            if study.is_blind and membership.role != Membership.Role.LEAD:
                withdraw_sight(study, membership.user)
            else:
                join(study, membership.user, membership.role, is_simulated=membership.is_simulated)
        forget_outside(study)
        keep_version(study, by)
        audit.record(
            "study.created" if created else "study.changed",
            study,
            actor=audit.actor_of(by),
            detail={
                "classes": list(study.classes.values_list("key", flat=True)),
                "experiments": list(study.experiments.values_list("name", flat=True)),
            },
        )


def set_ranking_problem(study: Study, problem: str) -> None:
    """Keep why the study has no newer ranking, for its pages; the empty text once it was ranked again."""
    Study.objects.filter(pk=study.pk).exclude(ranking_problem=problem).update(ranking_problem=problem)


def check_experiments(experiments: Sequence[Experiment]) -> None:
    """Raise StudyRefused unless there are experiments and all have the same number of channels."""
    if not experiments:
        raise StudyRefused("A study needs at least one experiment: ingest one first.")
    if len({len(row.channels) for row in experiments}) > 1:
        named = ", ".join(f"{row.name} has {len(row.channels)}" for row in experiments)
        raise StudyRefused(f"All experiments of a study need the same number of channels: {named}.")


def unlike(experiments: Sequence[Experiment]) -> list[str]:
    """In what experiments differ that one study seldom holds together, a phrase each; empty where they are alike.

    Pixel sizes differ from a twentieth on; one that is unknown differs from none.
    """
    rows = list(experiments)
    sizes = [row.pixel_size_um for row in rows if row.pixel_size_um]
    told = {
        "modality": {row.name: row.get_modality_display() for row in rows},
        "channels": {row.name: ", ".join(str(channel["name"]) for channel in row.channels) for row in rows},
    }
    if sizes and max(sizes) > APART * min(sizes):
        told["pixel size"] = {row.name: f"{row.pixel_size_um:g} µm" for row in rows if row.pixel_size_um}
    return [
        f"{what} ({'; '.join(f'{name}: {value}' for name, value in values.items())})"
        for what, values in told.items()
        if len(set(values.values())) > 1
    ]


def check_rules(settings: "StudyPlan | Study") -> None:
    """Raise StudyRefused where the settings of a study, made or to be made, break a rule."""
    shares = ("random_share", "coverage_share", "overlap_share", "reread_share")
    check_shares(**{name: getattr(settings, name) for name in shares})
    check_temperature(settings.sampling_temperature)
    if settings.is_blind and settings.shows_suggestions:
        raise StudyRefused(NO_SUGGESTIONS_WHERE_BLIND)
    if settings.idle_cap_s < SHORTEST_CAP_S:
        raise StudyRefused(f"idle_cap_s is {settings.idle_cap_s}: a pause counts as one second or more.")


def check_choices(strategy: str, encoder: str) -> None:
    """Raise StudyRefused where nobody offers the strategy or the encoder."""
    try:
        registry.check_strategy(strategy)
        registry.check_encoder(encoder)
    except registry.UnknownName as error:
        raise StudyRefused(str(error)) from error


def check_shares(**shares: float) -> None:
    """Raise StudyRefused unless each share lies in [0, 1] and the two that fill the queue leave room for others."""
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise StudyRefused(f"{name} is {value}: a share lies between 0 and 1.")
    if shares["random_share"] + shares["coverage_share"] > 1:
        raise StudyRefused(MORE_THAN_ALL)


def check_temperature(temperature: float) -> None:
    """Raise StudyRefused unless draws at this temperature follow the scores; 0 draws nothing."""
    if not 0 <= temperature <= MOST_TEMPERATURE:
        raise StudyRefused(
            f"sampling_temperature is {temperature:g}: it lies between 0, the best crops first, and "
            f"{MOST_TEMPERATURE:g}, nearly at random."
        )


def _check(plan: StudyPlan, classes: Sequence[NewClass]) -> None:
    names = [row.name.strip() for row in classes]
    if len(names) < 2 or not all(names):
        raise StudyRefused(f"Study '{plan.name}' needs two or more named classes, it has {len(names)}.")
    if len(set(names)) != len(names):
        raise StudyRefused(f"Study '{plan.name}' names a class twice: each name may stand once.")
    if len({row.key for row in classes}) != len(classes):
        raise StudyRefused(f"Study '{plan.name}' gives two classes the same key: each key may stand once.")
    for row in classes:
        if row.color and not HEX.fullmatch(row.color):
            raise StudyRefused(f"'{row.color}' is not a colour: give six hexadecimal digits, such as #0072b2.")
    if not plan.name.strip():
        raise StudyRefused("A study needs a name.")
    if Study.objects.filter(name=plan.name).exists():
        raise StudyRefused(f"A study named '{plan.name}' exists: choose another name.")
    check_rules(plan)
    check_choices(plan.strategy, plan.encoder)
    check_experiments(plan.experiments)


def study_named(name_or_number: str) -> Study:
    """The study of this name or number; StudyRefused lists the known ones."""
    study = Study.objects.filter(name=name_or_number).first()
    if study is None and name_or_number.isascii() and name_or_number.isdigit():
        study = Study.objects.filter(pk=int(name_or_number[:18])).first()
    if study is None:
        known = ", ".join(Study.objects.values_list("name", flat=True)[:10]) or "none yet"
        raise StudyRefused(f"There is no study '{name_or_number}'. Known: {known}.")
    return study
