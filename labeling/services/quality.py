"""What annotators say about the crops themselves: bad crops and wrong objects, per image and per experiment.

Such an answer names no class and teaches none; it tells quality control where images or segmentation fail.
"""

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet

from imaging.models import Experiment
from labeling.models import Annotation, AnnotationQuerySet, Study

_CROP = "crop"


@dataclass(frozen=True, slots=True)
class Called:
    """How many crops of a place were read, and how many of them somebody called bad or a wrong object."""

    place: int
    name: str
    read: int
    bad: int
    wrong: int

    @property
    def faulty(self) -> int:
        """Number of crops that one reader or more called bad or a wrong object."""
        return self.bad + self.wrong

    @property
    def share(self) -> float:
        """Share of the read crops that are faulty, in [0, 1]; n is `read`."""
        return self.faulty / self.read


def called_by_experiment(study: Study) -> list[Called]:
    """Counts for each experiment of the study with a crop that was read, the worst first."""
    return _called(Annotation.objects.filter(study=study), "crop__image__sample__experiment")


def called_by_image(experiment: Experiment, studies: QuerySet[Study]) -> list[Called]:
    """Counts over the studies for each image of the experiment with a crop that was read, the worst first."""
    rows = Annotation.objects.filter(crop__image__sample__experiment=experiment, study__in=studies)
    return _called(rows, "crop__image")


def _called(answers: AnnotationQuerySet, place: str) -> list[Called]:
    standing = answers.reads().included()
    bad, wrong = Q(answer=Annotation.Answer.BAD_CROP), Q(answer=Annotation.Answer.WRONG_OBJECT)
    rows = (
        standing.order_by()
        .values(place=F(place), name=F(f"{place}__name"))
        .annotate(
            read=Count(_CROP, distinct=True),
            bad=Count(_CROP, distinct=True, filter=bad),
            faulty=Count(_CROP, distinct=True, filter=bad | wrong),
        )
    )
    # A crop that is called both counts once, as a bad crop.
    called = [Called(row["place"], row["name"], row["read"], row["bad"], row["faulty"] - row["bad"]) for row in rows]
    return sorted(called, key=lambda row: (-row.share, row.name))
