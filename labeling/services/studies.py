"""Makes studies: a question, its classes, its experiments and its people, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit import services as audit
from imaging.models import Experiment
from labeling import registry
from labeling.models import LabelClass, Membership, Study
from labeling.services.access import join

# Okabe and Ito's palette, readable with every common form of colour blindness, then its lighter companions.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442",
    "#6a51a3", "#8c6d31", "#74c476", "#9ecae1", "#fdae6b",
)  # fmt: skip


class StudyRefused(ValueError):
    """The study cannot be made so; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a lead decides before the first answer."""

    name: str
    question: str
    classes: tuple[str, ...]
    experiments: tuple[Experiment, ...]
    guidelines: str = ""
    overlap_share: float = 0.2
    random_share: float = 0.1
    coverage_share: float = 0.2
    strategy: str = registry.DEFAULT_STRATEGY
    encoder: str = registry.DEFAULT_ENCODER
    stream_in_training: bool = True
    is_blind: bool = True
    is_simulated: bool = False
    seed: int = 0


def create_study(plan: StudyPlan, lead: Any) -> Study:
    """The new study with its classes and its lead; StudyRefused names the rule that is broken."""
    _check(plan)
    with transaction.atomic():
        study = Study.objects.create(
            name=plan.name,
            question=plan.question,
            guidelines=plan.guidelines,
            overlap_share=plan.overlap_share,
            random_share=plan.random_share,
            coverage_share=plan.coverage_share,
            strategy=plan.strategy,
            encoder=plan.encoder,
            stream_in_training=plan.stream_in_training,
            is_blind=plan.is_blind,
            is_simulated=plan.is_simulated,
            seed=plan.seed,
        )
        study.experiments.set(plan.experiments)
        LabelClass.objects.bulk_create(
            LabelClass(
                study=study,
                key=name[:100],
                name=name[:200],
                color=PALETTE[place % len(PALETTE)],
                position=place,
            )
            for place, name in enumerate(plan.classes)
        )
        join(study, lead, Membership.Role.LEAD)
        audit.record(
            "study.created",
            study,
            actor=audit.actor_of(lead),
            detail={"classes": list(plan.classes), "experiments": [row.name for row in plan.experiments]},
        )
    return study


def study_saved(study: Study, by: Any, *, created: bool) -> None:
    """Complete a study that was edited in Admin: members see its experiments, and the change has its event."""
    with transaction.atomic():
        for membership in study.memberships.select_related("user"):
            join(study, membership.user, membership.role, is_simulated=membership.is_simulated)
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


def _check(plan: StudyPlan) -> None:
    names: Sequence[str] = [name.strip() for name in plan.classes]
    if len(names) < 2 or not all(names):
        raise StudyRefused(f"Study '{plan.name}' needs two or more named classes, it has {len(names)}.")
    if len(set(names)) != len(names):
        raise StudyRefused(f"Study '{plan.name}' names a class twice: each name may stand once.")
    if not plan.experiments:
        raise StudyRefused(f"Study '{plan.name}' needs at least one experiment: ingest one first.")
    if Study.objects.filter(name=plan.name).exists():
        raise StudyRefused(f"A study named '{plan.name}' exists: choose another name.")
    for check, name in ((registry.check_strategy, plan.strategy), (registry.check_encoder, plan.encoder)):
        try:
            check(name)
        except registry.UnknownName as error:
            raise StudyRefused(f"Study '{plan.name}': {error}") from error
    layouts = {tuple(channel["name"] for channel in row.channels) for row in plan.experiments}
    if len({len(layout) for layout in layouts}) > 1:
        named = ", ".join(f"{row.name} has {len(row.channels)}" for row in plan.experiments)
        raise StudyRefused(f"All experiments of a study need the same number of channels: {named}.")


def study_named(name_or_number: str) -> Study:
    """The study of this name or number; StudyRefused lists the known ones."""
    study = Study.objects.filter(name=name_or_number).first()
    if study is None and name_or_number.isascii() and name_or_number.isdigit():
        study = Study.objects.filter(pk=int(name_or_number[:18])).first()
    if study is None:
        known = ", ".join(Study.objects.values_list("name", flat=True)[:10]) or "none yet"
        raise StudyRefused(f"There is no study '{name_or_number}'. Known: {known}.")
    return study
