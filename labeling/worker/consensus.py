"""Keeps the table of consensus in step with the answers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db import transaction

from labeling.agreement.votes import Verdicts
from labeling.models import Consensus, LabelClass, Study
from labeling.worker.agreement_rows import Gathered

# Answers that come meanwhile wait for one piece, not for a whole study.
PIECE = 500
FIELDS = ("label_class_id", "reads", "share", "votes", "posterior", "is_disputed")
WRITTEN = ["label_class", *FIELDS[1:]]
DIGITS = 4


def write_consensus(study: Study, gathered: Gathered, verdicts: Verdicts) -> int:
    """Write the verdicts that changed and drop those of crops without a read; returns the number of rows touched."""
    kept = {row[0]: row for row in Consensus.objects.filter(study=study).values_list("crop_id", "pk", *FIELDS)}
    changed: list[Consensus] = []
    for crop, fields in _rows(study, gathered, verdicts):
        old = kept.pop(crop, None)
        if old is None or tuple(fields.values()) != old[2:]:
            changed.append(Consensus(study=study, crop_id=crop, **fields))
    for start in range(0, len(changed), PIECE):
        Consensus.objects.bulk_create(
            changed[start : start + PIECE],
            update_conflicts=True,
            unique_fields=["study", "crop"],
            update_fields=WRITTEN,
        )
    gone = [row[1] for row in kept.values()]
    for start in range(0, len(gone), PIECE):
        with transaction.atomic():
            Consensus.objects.filter(pk__in=gone[start : start + PIECE]).delete()
    return len(changed) + len(gone)


def _rows(study: Study, gathered: Gathered, verdicts: Verdicts) -> Iterator[tuple[int, dict[str, Any]]]:
    """The crop and the fields of each verdict, in the order of FIELDS."""
    keys = dict(LabelClass.objects.filter(study=study).values_list("key", "pk"))
    labels = gathered.columns.names.labels
    reads = verdicts.votes.sum(axis=1)
    for item, crop in enumerate(gathered.known.crops.tolist()):
        n, label = int(reads[item]), int(verdicts.label[item])
        # Re-reads alone are no reads.
        if n:
            votes, posterior = verdicts.votes[item], verdicts.posterior[item]
            yield (
                crop,
                {
                    "label_class_id": keys.get(verdicts.names[label]) if label >= 0 else None,
                    "reads": n,
                    # A class that was decided on may be one that no reader named.
                    "share": round(float(votes[label]) / n, DIGITS) if 0 <= label < len(votes) else 0.0,
                    "votes": {name: round(float(k) / n, DIGITS) for name, k in zip(labels, votes) if k},
                    "posterior": {
                        name: round(float(p), DIGITS) for name, p in zip(labels, posterior) if np.isfinite(p)
                    },
                    "is_disputed": bool(verdicts.disputed[item]),
                },
            )
