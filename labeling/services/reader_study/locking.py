"""Locks a protocol: from then on its text, its digest and its cases are fixed, and reading begins."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.models import Annotation, Lease, ReaderStudy, RequestedCrop, SkippedCrop, Study, Suggestion
from labeling.services.queue import lock
from labeling.services.queueing.cases import case_keys
from labeling.services.reader_study.drafting import protocol_of
from labeling.services.reader_study.protocol import canonical, content_of, digest_of, readers_of
from labeling.services.refusals import StudyRefused

FEWEST_READERS = 2
# More answers than anybody gives: re-reads come after days here, never after so many answers.
NEVER = 2**31 - 1
FIXED_FIELDS = (
    "is_reader_study", "reread_share", "reread_after_days", "reread_after_items", "adjudicates",
    "routes_not_sure_to_seniors",
)  # fmt: skip


def problems_of(draft: ReaderStudy) -> list[str]:
    """What stands in the way of locking the draft, each in a sentence that says what to do; none where it may be."""
    study = draft.study
    readers, cases = len(readers_of(study)), case_keys(study, with_dropped=True)
    problems = []
    if readers < FEWEST_READERS:
        problems.append(f"The study has {readers} annotator(s): add readers until there are two or more.")
    if not cases:
        problems.append("There are no cases: draw or name them.")
    elif dropped := len(cases) - len(case_keys(study)):
        problems.append(f"{dropped} of the cases left the pool since: draw or name them again.")
    if not draft.question.strip():
        problems.append("The protocol asks nothing: write what the study is to find out.")
    if not study.is_blind:
        problems.append("The study is not blind, so readers would see more than the case: its settings change that.")
    if draft.stopping == ReaderStudy.Stopping.DATE and draft.stops_on and draft.stops_on <= timezone.localdate():
        problems.append("The day on which the study stops is no day to come: choose a later one.")
    if Annotation.objects.filter(study=study).exists():
        problems.append("Answers were given in this study: a protocol is fixed before the first. Make a new study.")
    return problems


def draft_digest(draft: ReaderStudy) -> str:
    """The digest that the draft would have if it were locked now."""
    return digest_of(canonical(content_of(draft)))


def lock_protocol(study: Study, lead: Any, *, seen: str) -> ReaderStudy:
    """Fix the protocol; returns it, also where it was locked before: locking twice is locking once.

    `seen` is the digest of the draft that the lead had before them: StudyRefused where it is another one by now, and
    where `problems_of` names anything.
    """
    with transaction.atomic():
        lock(study)
        draft = protocol_of(study)
        if draft is None:
            raise StudyRefused("This study has no protocol yet: save a draft first.")
        if draft.locked_at is not None:
            return draft
        if problems := problems_of(draft):
            raise StudyRefused(f"The protocol is not locked. {' '.join(problems)}")
        draft.protocol = canonical(content_of(draft))
        draft.digest = digest_of(draft.protocol)
        if draft.digest != seen:
            raise StudyRefused("The draft was changed since you looked at it: read it again, then lock it.")
        draft.locked_at, draft.locked_by = timezone.now(), lead
        draft.save()
        _fix(draft)
        detail = {
            "study": study.pk, "digest": draft.digest, "cases": len(draft.fixed["cases"]), "readers": draft.readers,
        }  # fmt: skip
        audit.record("protocol.locked", draft, actor=audit.actor_of(lead), detail=detail)
    study.refresh_from_db()
    return draft


def _fix(protocol: ReaderStudy) -> None:
    """Make the study follow its protocol, and take away what readers hold, asked for or put aside before."""
    study = protocol.study
    study.is_reader_study, study.reread_share = True, protocol.reread_share
    study.reread_after_days, study.reread_after_items = protocol.washout_days, NEVER
    study.adjudicates = study.routes_not_sure_to_seniors = False
    study.save(update_fields=FIXED_FIELDS)
    for model in (Lease, RequestedCrop, SkippedCrop, Suggestion):
        model._default_manager.filter(study=study).delete()
