"""Who gave the labels of a file: members by their user name, everybody else by a pseudonym that cannot log in."""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model

from labeling.models import Study

PREFIX = "imported: "
LONGEST = 150


def pseudonym(name: str) -> str:
    """The user name that stands for somebody whom the study does not know."""
    wanted = f"{PREFIX}{name}"
    if len(wanted) <= LONGEST:
        return wanted
    # Two long names that begin alike stay two people.
    return f"{wanted[: LONGEST - 9]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"


def known_people(study: Study, names: Iterable[str]) -> dict[str, Any]:
    """The users that exist for these names: members of the study, and pseudonyms of an earlier import."""
    names = set(names)
    users = get_user_model().objects
    members = {user.username: user for user in users.filter(studies=study, is_active=True)}
    taken = {pseudonym(name): name for name in names if name not in members}
    found = {name: members[name] for name in names if name in members}
    for start in range(0, len(taken), 500):
        some = list(taken)[start : start + 500]
        for user in users.filter(username__in=some, is_active=False):
            found[taken[user.username]] = user
    return found


def make_people(names: Iterable[str]) -> dict[str, Any]:
    """New users who cannot log in, one for each name; ValueError where somebody bears a pseudonym already."""
    users = get_user_model().objects
    made = {}
    for name in names:
        if users.filter(username=pseudonym(name)).exists():
            raise ValueError(f"There is an active user called “{pseudonym(name)}”: rename them first.")
        # Without a password nobody can log in, and inactive users are turned away besides.
        made[name] = users.create_user(pseudonym(name), password=None, is_active=False)
    return made
