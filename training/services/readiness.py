"""Whether a study's answers can teach a model: what a training run would say of them, before it is asked for."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.db.models.functions import Coalesce

from labeling.models import Annotation, AnnotationLabel, AnnotationQuerySet, Study
from labeling.models.annotation import is_independent
from training.learning.splits import SplitRules

RULES = SplitRules()
# Both sides of the hardest split hold so many crops of a class.
NEEDED = 2 * RULES.min_per_class


@dataclass(frozen=True, slots=True)
class Stock:
    """What was answered of one open class: `crops` that somebody named it for, from how many `experiments`."""

    name: str
    color: str
    crops: int
    experiments: int

    @property
    def missing(self) -> int:
        """How many labelled crops it lacks to be held out."""
        return max(0, NEEDED - self.crops)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What training has to go by: the open classes in order, and why it would be refused (empty: it may go).

    Crops on which readers differ count for each class that was named, for the run for the more frequent one alone:
    a refusal that is told here is certain, and one that comes all the same is told by the run.
    """

    classes: tuple[Stock, ...]
    refusal: str

    @property
    def lacking(self) -> tuple[Stock, ...]:
        """Classes with too few labelled crops."""
        return tuple(row for row in self.classes if row.missing)

    @property
    def in_one_experiment(self) -> tuple[Stock, ...]:
        """Classes with labels from a single experiment: how they do on another one is not known."""
        return tuple(row for row in self.classes if row.crops and row.experiments == 1)


def readiness_of(study: Study) -> Readiness:
    """What the study's standing answers say of a training run that begins now."""
    # A lead may decide on a class that nobody else named.
    standing = Annotation.objects.counted(with_decisions=True).filter(study=study)
    counts = _counts(standing)
    rows = study.classes.filter(retired_at__isnull=True)
    classes = tuple(Stock(row.name, row.color, *counts.get(row.pk, (0, 0))) for row in rows)
    judged = _counts(standing.filter(is_independent() | Q(source=Annotation.Source.DECISION)))
    return Readiness(classes, _refusal(classes, [row.name for row in rows if row.pk in judged]))


def _counts(answers: AnnotationQuerySet) -> dict[int, tuple[int, int]]:
    """Crops and experiments of each class by its number; a merged class counts for the one it went into."""
    named = AnnotationLabel.objects.filter(annotation__in=answers)
    number = Coalesce("label_class__merged_into", "label_class")
    rows = named.values_list(number).annotate(
        crops=Count("annotation__crop", distinct=True),
        experiments=Count("annotation__crop__image__sample__experiment", distinct=True),
    )
    return {found: (crops, experiments) for found, crops, experiments in rows}


def _refusal(classes: tuple[Stock, ...], judged: list[str]) -> str:
    enough = [row for row in classes if not row.missing]
    if len(enough) < RULES.min_classes:
        have = f"“{enough[0].name}” alone has them" if enough else "no class has them yet"
        lacking = ", ".join(f"“{row.name}” {row.missing}" for row in classes if row.missing)
        return f"It takes two classes with {NEEDED} labelled crops each, and {have}. Still missing: {lacking}."
    if len(judged) < RULES.min_classes:
        named = f"name “{judged[0]}” alone" if judged else "name no class"
        return (
            f"A model is judged on crops that were read one by one, and those {named}: read some of a second class "
            "in the reading room. Answers to many crops at once, accepted suggestions and imported ones do not count."
        )
    return ""
