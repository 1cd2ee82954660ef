"""Counts for pages: how far a study is, by class and by annotator."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from audit.statements import Bound, Rows, ask_all
from imaging.models import Crop
from labeling.models import (
    Annotation,
    AnnotationLabel,
    AnnotationQuerySet,
    Ranked,
    ReaderCase,
    Reopening,
    Study,
)
from labeling.services.reads import ADJUDICATION


@dataclass(frozen=True, slots=True)
class Progress:
    """How many crops a person has answered, of how many, how many of them today, and how many a day they mean to."""

    answered: int
    total: int
    today: int
    goal: int | None = None


def pool(study: Study) -> Any:
    """The crops of the study: those of its experiments whose images quality control did not reject."""
    return Crop.objects.of_experiments(study.experiments.all()).usable()


def pool_size(study: Study) -> int:
    """Number of crops in the pool; the newest ranking knows it without counting.

    Of a study of readers: number of its cases.
    """
    if study.is_reader_study:
        return ReaderCase.objects.filter(study=study).count()
    ranked = Ranked.objects.filter(study=study).first()
    return ranked.pool_size if ranked else pool(study).count()


def daily_goal(study: Study, user: Any) -> int | None:
    """How many crops a day the user means to read in the study; None where none is set."""
    return study.memberships.filter(user=user).values_list("daily_goal", flat=True).first()


# Answers that stand, without looking up for each whether another one supersedes it: all answers, less those that
# supersede one, less withdrawals, which nothing supersedes. Of today: an answer that supersedes an older one counts.
# A lead's decisions are no answers of their own, and may supersede those of another lead.
OWN_COUNTS = f"""
SELECT COUNT(*) - COUNT(supersedes_id) - COUNT(CASE WHEN answer = 'withdrawn' THEN 1 END),
  COUNT(CASE WHEN received_at >= %s AND answer <> 'withdrawn' THEN 1 END) - (
    SELECT COUNT(*) FROM {Annotation._meta.db_table} later
    JOIN {Annotation._meta.db_table} earlier ON earlier.id = later.supersedes_id
    WHERE later.study_id = %s AND later.annotator_id = %s AND later.received_at >= %s AND earlier.received_at >= %s
      AND later.source <> 'decision'
  )
FROM {Annotation._meta.db_table} WHERE study_id = %s AND annotator_id = %s AND source <> 'decision'
"""


def own_progress(study: Study, user: Any, total: int | None = None, *, goal: int | None = None) -> Progress:
    """The user's own progress in the study; `total` is the size of the pool where the caller knows it.

    Re-reads count like all other answers: nobody should tell them apart. In a study of readers the second reading
    adds nothing: nobody is to know that there is one. `goal` is passed on.
    """
    size = pool_size(study) if total is None else total
    return progress_in(ask_all(own_counts(study, user))[0], size, goal, is_capped=study.is_reader_study)


def own_counts(study: Study, user: Any) -> Bound:
    """What `progress_in` counts."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    since = connection.ops.adapt_datetimefield_value(midnight)
    return Bound(OWN_COUNTS, [since, study.pk, user.pk, since, since, study.pk, user.pk])


def progress_in(rows: Rows, total: int, goal: int | None, *, is_capped: bool = False) -> Progress:
    """The progress from the rows of `own_counts`; `is_capped`: at most the total is answered."""
    answered, today = rows[0]
    return Progress(min(answered, total) if is_capped else answered, total, today, goal)


def answered_crops(study: Study) -> int:
    """Number of crops with at least one answer that stands and counts."""
    return Annotation.objects.counted().filter(study=study).values("crop").distinct().count()


def by_class(study: Study) -> list[dict[str, Any]]:
    """For each class in order: key, name, colour, how many standing answers count for it, and whether it takes more.

    A merged class is left out: its answers count for the class that it was merged into. So is one that was split:
    its answers count no more.
    """
    standing = Annotation.objects.counted().filter(study=study)
    counts = dict(
        AnnotationLabel.objects.filter(annotation__in=standing)
        .values_list(Coalesce("label_class__merged_into", "label_class"))
        .annotate(number=Count("id"))
    )
    return [
        {
            "key": row.key,
            "name": row.name,
            "color": row.color,
            "count": counts.get(row.pk, 0),
            "is_open": row.retired_at is None,
        }
        for row in study.classes.filter(merged_into__isnull=True, parts__isnull=True)
    ]


def by_annotator(study: Study) -> list[dict[str, Any]]:
    """For each annotator: number, name, answers, "not sure", bad crops, and whether simulated.

    `excluded`: they are left out; their answers are shown and count for nothing.
    """
    rows = (
        Annotation.objects.reads()
        .filter(study=study)
        .values("annotator__pk", "annotator__username")
        .annotate(
            n=Count("id"),
            not_sure=Count("id", filter=Q(answer=Annotation.Answer.NOT_SURE)),
            bad=Count("id", filter=Q(answer=Annotation.Answer.BAD_CROP)),
        )
        .order_by("annotator__username")
    )
    simulated = set(study.memberships.filter(is_simulated=True).values_list("user_id", flat=True))
    left_out = set(study.exclusions.filter(lifted_at__isnull=True).values_list("user_id", flat=True))
    return [
        {
            "user": row["annotator__pk"],
            "name": row["annotator__username"],
            "n": row["n"],
            "not_sure": row["not_sure"],
            "bad": row["bad"],
            "simulated": row["annotator__pk"] in simulated,
            "excluded": row["annotator__pk"] in left_out,
        }
        for row in rows
    ]


def imported_answers(study: Study) -> int:
    """Number of standing answers that came from a file."""
    return Annotation.objects.current().filter(study=study, source=Annotation.Source.IMPORT).count()


def reads_table(
    study: Study,
    *,
    with_imported: bool = False,
    with_excluded: bool = False,
    with_rereads: bool = False,
    blind: bool = False,
) -> list[tuple[str, str, str]]:
    """Long table (crop, annotator, answer) of every standing read, in the order of reading; labels by class key.

    An answer that names a merged class stands for the class that it was merged into; one that names a split class
    counts no more.

    "Not sure" stands as NOT_SURE; bad crops and wrong objects say nothing about classes and are left out. So are
    answers to many crops at once and accepted suggestions, which are no independent readings, and imported answers,
    unless asked for: nobody knows whether they were given blind. Readers who are left out are out of it too, unless
    `with_excluded`. `with_rereads`: blind re-reads follow behind all first reads, each where its first read is there.
    `blind`: only what the report of agreement calls so, without adjudications and reads that a lead asked for by
    reopening a crop.
    """
    rows = independent_reads(study, with_imported=with_imported, with_excluded=with_excluded)
    rows = _blind(rows) if blind else rows
    table = _long(rows)
    if with_rereads:
        again = _independent_rereads(study, with_excluded=with_excluded)
        first = {(crop, annotator) for crop, annotator, _ in table}
        table += [row for row in _long(again) if row[:2] in first]
    return table


def _blind(rows: AnnotationQuerySet) -> AnnotationQuerySet:
    before = Reopening.objects.filter(
        study=OuterRef("study"), crop=OuterRef("crop"), last_annotation__lt=OuterRef("pk")
    )
    return rows.exclude(why_asked=ADJUDICATION).exclude(Exists(before))


def _long(rows: AnnotationQuerySet) -> list[tuple[str, str, str]]:
    told = rows.values_list("crop__key", "annotator__username", COUNTS_FOR)
    return [(crop, annotator, label or NOT_SURE_LABEL) for crop, annotator, label in told]


def independent_reads(
    study: Study, *, with_imported: bool = False, with_excluded: bool = False
) -> AnnotationQuerySet:
    """Standing answers about classes that may be held against each other, in the order of reading."""
    counted = Annotation.objects.counted(with_excluded=with_excluded).independent(with_imported=with_imported)
    return counted.filter(study=study, answer__in=ABOUT_CLASSES).order_by("id")


def _independent_rereads(study: Study, *, with_excluded: bool) -> AnnotationQuerySet:
    """Standing blind re-reads about classes that are not split, in the order of reading."""
    rows = Annotation.objects.current().filter(is_reread=True).unsplit().independent()
    rows = rows if with_excluded else rows.included()
    return rows.filter(study=study, answer__in=ABOUT_CLASSES).order_by("id")


def left_out_of_agreement(study: Study) -> int:
    """How many standing answers about classes agreement leaves out as bulk answers or accepted suggestions.

    Imported answers are told apart from these: see `imported_answers`.
    """
    about = Annotation.objects.current().included().filter(study=study, answer__in=ABOUT_CLASSES)
    return about.exclude(pk__in=about.independent(with_imported=True).values("pk")).count()


NOT_SURE_LABEL = "(not sure)"
# Key of the class that an answer counts for.
COUNTS_FOR = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
ABOUT_CLASSES = (Annotation.Answer.LABEL, Annotation.Answer.NOT_SURE)
