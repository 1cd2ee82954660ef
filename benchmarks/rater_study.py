"""A study that holds the answers of a table of reads, over computed crops: the table's items have no pixels here."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np

from benchmarks.computed_study import make_study
from labeling.agreement.table import ReadTable

AT_ONCE = 5_000
STREAM = "random check"
SECONDS_EACH = 4


def study_of(table: ReadTable) -> Any:
    """The study, led by `lead`; all crops count as drawn at random, since whoever made the table read all of them."""
    from django.contrib.auth import get_user_model

    from labeling.models import LabelClass, Membership

    users = get_user_model().objects
    readers = [users.create_user(name) for name in table.annotators]
    made = make_study(len(table.items), readers, dimension=8)
    made.study.memberships.create(user=users.create_user("lead"), role=Membership.Role.LEAD)
    made.study.classes.all().delete()
    colors = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")
    classes = [
        LabelClass.objects.create(study=made.study, key=name, name=name, color=colors[at % 8], position=at)
        for at, name in enumerate(table.labels)
    ]
    answer(made.study, list(made.truth), readers, classes, table)
    return made.study


def answer(study: Any, crops: list[int], readers: list[Any], classes: list[Any], table: ReadTable) -> None:
    """Store every first read of the table as an answer, crop by crop, some seconds apart."""
    from django.utils import timezone

    from labeling.models import Annotation

    items, places = np.nonzero(table.codes >= 0)
    started = timezone.now() - timedelta(seconds=SECONDS_EACH * len(items))
    for first in range(0, len(items), AT_ONCE):
        part = range(first, min(first + AT_ONCE, len(items)))
        rows = Annotation.objects.bulk_create(
            Annotation(
                study=study,
                crop_id=crops[items[at]],
                annotator=readers[places[at]],
                answer=Annotation.Answer.LABEL,
                why_asked=STREAM,
                probability_asked=1.0,
                source=Annotation.Source.ROOM,
                client_id=uuid4(),
                answered_at=started + timedelta(seconds=SECONDS_EACH * int(at)),
                received_at=started + timedelta(seconds=SECONDS_EACH * int(at)),
            )
            for at in part
        )
        codes = [int(table.codes[items[at], places[at]]) for at in part]
        _name(rows, [classes[code] for code in codes])


def _name(rows: list[Any], classes: list[Any]) -> None:
    from labeling.models import AnnotationLabel

    AnnotationLabel.objects.bulk_create(
        AnnotationLabel(annotation=row, label_class=named) for row, named in zip(rows, classes, strict=True)
    )
