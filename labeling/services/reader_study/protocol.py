"""The text of a protocol: everything that is fixed before the first answer, in one canonical form."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from labeling.models import Membership, ReaderStudy, Study
from labeling.services.guidelines import current_guideline
from labeling.services.queueing.cases import case_keys

VERSION = 1
# How the figure takes "not sure": ranks have no place for it.
NOT_SURE = {ReaderStudy.Measure.ALPHA_ORDINAL: "as missing"}
SETTINGS = ("question", "primary_measure", "washout_days", "reread_share", "seed")


def content_of(draft: ReaderStudy) -> dict[str, Any]:
    """The protocol of the study as it stands now, with cases and readers in order; ready for JSON."""
    study = draft.study
    return {
        "version": VERSION,
        "study": {"number": study.pk, "name": study.name, "question": study.question},
        **{name: getattr(draft, name) for name in SETTINGS},
        "not_sure": NOT_SURE.get(ReaderStudy.Measure(draft.primary_measure), "as a class"),
        "margin": {"kind": draft.margin_kind, "value": draft.margin},
        "stopping": {
            "kind": draft.stopping,
            "date": draft.stops_on.isoformat() if draft.stops_on else None,
            "rule": draft.stopping_rule,
        },
        "cases": list(case_keys(study, with_dropped=True).values()),
        "classes": [{"key": row.key, "name": row.name} for row in study.classes.filter(retired_at__isnull=True)],
        "guidelines": _guidelines(study),
        "readers": readers_of(study),
    }


def readers_of(study: Study) -> list[dict[str, Any]]:
    """The annotators of the study by number; leads set the protocol and read under none."""
    rows = study.memberships.filter(role=Membership.Role.ANNOTATOR).order_by("user_id")
    return [
        {"reader": user, "is_simulated": simulated} for user, simulated in rows.values_list("user", "is_simulated")
    ]


def canonical(content: Mapping[str, Any]) -> str:
    """The content as JSON with sorted keys and no spaces: the same content is the same text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(text: str) -> str:
    """SHA-256 of the text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _guidelines(study: Study) -> dict[str, Any]:
    version = current_guideline(study)
    return {"version": version.number if version else 0, "sha256": digest_of(version.text if version else "")}
