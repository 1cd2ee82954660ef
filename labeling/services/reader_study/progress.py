"""How far the readers of a locked protocol are: counts alone, which tell nothing of what they answered."""

from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.auth import get_user_model
from django.utils import timezone

from labeling.models import ReaderStudy
from labeling.services.queueing.cases import again_cases, again_from, case_keys, reads_by


@dataclass(frozen=True, slots=True)
class ReaderProgress:
    """How far one reader is: `read` of `cases`, and `again` of `again_planned` read a second time.

    `again_from` is when the second reading begins, None before all are read and where none is planned; `is_member`
    whether they still take part in the study.
    """

    user: int
    name: str
    is_simulated: bool
    is_member: bool
    read: int
    cases: int
    again: int
    again_planned: int
    again_from: datetime | None

    @property
    def is_done(self) -> bool:
        """Whether they have read all that the protocol asks of them."""
        return self.read >= self.cases and self.again >= self.again_planned


def progress_of(protocol: ReaderStudy) -> list[ReaderProgress]:
    """Everybody whom the locked protocol names, in its order; cases that left the pool count no more."""
    names = dict(get_user_model().objects.filter(pk__in=protocol.readers).values_list("pk", "username"))
    members = set(protocol.study.memberships.values_list("user", flat=True))
    keys = case_keys(protocol.study)
    found = []
    for row in protocol.fixed["readers"]:
        user = row["reader"]
        first, again = reads_by(protocol.study, user, keys)
        planned = again_cases(protocol, user, keys)
        is_through = planned and len(first) == len(keys)
        found.append(
            ReaderProgress(
                user=user,
                name=names.get(user, f"user:{user}"),
                is_simulated=row["is_simulated"],
                is_member=user in members,
                read=len(first),
                cases=len(keys),
                again=len(again & planned),
                again_planned=len(planned),
                again_from=again_from(protocol, first.values()) if is_through else None,
            )
        )
    return found


def is_met(protocol: ReaderStudy, today: date | None = None) -> bool:
    """Whether the stopping rule of the locked protocol is met: its date is here, or all have read everything."""
    if protocol.stopping == ReaderStudy.Stopping.DATE:
        return protocol.stops_on is not None and (today or timezone.localdate()) >= protocol.stops_on
    return all(row.is_done for row in progress_of(protocol))
