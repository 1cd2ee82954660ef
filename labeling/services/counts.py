"""What the overview of a study counts: anew where that is quick, else as it was kept with the agreement report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from labeling.models import AgreementReport, Annotation, Study
from labeling.services import progress
from labeling.services.ambiguous import ambiguous_crops
from labeling.services.next_steps import disputed_crops
from labeling.services.pace import paces
from labeling.services.quality import Called, called_by_experiment

# Up to so many answers are counted while somebody waits: some 50 ms. A million take seconds.
COUNTED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Crops with an answer, rows by class and by annotator (see `progress`; those with `per_hour`, the
    answers an hour of reading, see `pace`), what was said of the crops themselves,
    and the numbers of crops that are frozen as ambiguous, that readers dispute, and of imported answers."""

    answered: int
    by_class: list[dict[str, Any]]
    by_annotator: list[dict[str, Any]]
    called: list[Called]
    ambiguous: int
    disputed: int
    imported: int

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Counts":
        """What `as_json` made plain."""
        counts = cls(**kept)
        return replace(counts, called=[Called(**row) for row in kept["called"]])


def counts_of(study: Study) -> Counts:
    """The counts of now, or of a large study those that its newest agreement report kept."""
    beyond = Annotation.objects.filter(study=study).order_by("id").values("id")[COUNTED_AT_ONCE : COUNTED_AT_ONCE + 1]
    if beyond.exists():
        kept = AgreementReport.objects.filter(study=study).values_list("counts", flat=True).first()
        if kept:
            return Counts.from_json(kept)
    return count(study)


def count(study: Study) -> Counts:
    """The counts of now."""
    return Counts(
        answered=progress.answered_crops(study),
        by_class=progress.by_class(study),
        by_annotator=_with_pace(study),
        called=called_by_experiment(study),
        ambiguous=len(ambiguous_crops(study)),
        disputed=disputed_crops(study),
        imported=progress.imported_answers(study),
    )


def _with_pace(study: Study) -> list[dict[str, Any]]:
    known = paces(study)
    rows = progress.by_annotator(study)
    return [row | {"per_hour": known[row["user"]].per_hour if row["user"] in known else None} for row in rows]
