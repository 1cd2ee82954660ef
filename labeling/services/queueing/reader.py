"""Who asks for crops: everything about a reader that serving depends on, read with one query in the ordinary case."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from audit.statements import Bound, Rows
from labeling.models import Membership, Reopening, RequestedCrop, Sitting, SkippedCrop, Study
from labeling.services.reads import Read, reopened_after


@dataclass(frozen=True, slots=True)
class Wish:
    """How the reader wants to be served for now; the columns of `Sitting`, the defaults where there is none."""

    stay_on: str = ""
    stay_for: int = 20
    stay_at: int | None = None
    stay_left: int = 0
    not_sure_ceiling: float | None = None
    easy_share: float = 0.0
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks for crops of which study, and when.

    `decides`: a senior or a lead. `seniors`: numbers of the study's seniors. `reopened` as `reads.reopened_after`
    tells it. `skipped`: crops that they put aside. `has_wishes`: they asked for crops. `goal`: crops a day.
    `top`: the first entries of the queue, where they were read already.
    """

    study: Study
    user: Any
    now: datetime
    wish: Wish = field(default_factory=Wish)
    decides: bool = True
    seniors: frozenset[int] = frozenset()
    reopened: Mapping[int, int] = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()
    has_wishes: bool = False
    goal: int | None = None
    top: Rows = field(default_factory=list)

    def leaves_to_seniors(self, reads: Iterable[Read]) -> bool:
        """Whether a senior who has not read the crop should rather have it."""
        return not self.decides and bool(self.seniors.difference(read.annotator for read in reads))


# Written out: composing the joins and subqueries takes longer than asking them, at every answer.
FACTS = f"""
SELECT member.role, member.is_senior, member.daily_goal, sitting.stay_on, sitting.stay_for, sitting.stay_at,
  sitting.stay_left, sitting.not_sure_ceiling, sitting.easy_share, sitting.paused_at IS NOT NULL,
  EXISTS (SELECT 1 FROM {RequestedCrop._meta.db_table} WHERE study_id = study.id AND user_id = %s),
  EXISTS (SELECT 1 FROM {Reopening._meta.db_table} WHERE study_id = study.id),
  EXISTS (SELECT 1 FROM {SkippedCrop._meta.db_table} WHERE study_id = study.id AND user_id = %s),
  EXISTS (SELECT 1 FROM {Membership._meta.db_table} WHERE study_id = study.id AND is_senior)
FROM {Study._meta.db_table} study
LEFT JOIN {Membership._meta.db_table} member ON member.study_id = study.id AND member.user_id = %s
LEFT JOIN {Sitting._meta.db_table} sitting ON sitting.study_id = study.id AND sitting.user_id = %s
WHERE study.id = %s
"""


def facts_of(study: Study, user: Any) -> Bound:
    """What `reader_of` wants to know."""
    return Bound(FACTS, [user.pk] * 4 + [study.pk])


def reader_of(study: Study, user: Any, now: datetime, facts: Rows) -> Reader:
    """The reader as the rows of `facts_of` say; what a study does not use is not asked for."""
    if not facts:
        return Reader(study, user, now)
    role, is_senior, goal, *chosen, has_wishes, has_reopened, has_skipped, has_seniors = facts[0]
    return Reader(
        study,
        user,
        now,
        wish=_wish(study, role, chosen),
        # Who is no member is an administrator: they lead every study.
        decides=bool(is_senior) or role != Membership.Role.ANNOTATOR,
        seniors=_seniors(study) if has_seniors else frozenset(),
        reopened=reopened_after(study) if has_reopened else {},
        skipped=_skipped(study, user) if has_skipped else frozenset(),
        has_wishes=bool(has_wishes),
        goal=goal,
    )


def _wish(study: Study, role: str | None, chosen: Sequence[Any]) -> Wish:
    stay_on, *rest, is_paused = chosen
    if stay_on is None:
        return Wish()
    wish = Wish(stay_on, *rest, is_paused=bool(is_paused))
    # What was chosen before the study became blind would still tell what the model expects of a crop.
    hears_nothing = study.is_blind and role == Membership.Role.ANNOTATOR
    return replace(wish, not_sure_ceiling=None, easy_share=0.0) if hears_nothing else wish


def _seniors(study: Study) -> frozenset[int]:
    return frozenset(study.memberships.filter(is_senior=True).values_list("user_id", flat=True))


def _skipped(study: Study, user: Any) -> frozenset[int]:
    return frozenset(SkippedCrop.objects.filter(study=study, user=user).values_list("crop_id", flat=True))
