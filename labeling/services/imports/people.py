"""Who gave the labels of a file: members by their user name or by what our own files call them; everybody else gets a
pseudonym that cannot log in."""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from labeling.models import Annotation, LabelImport, Study

PREFIX = "imported: "
LONGEST = 150
# Said in reports after a name.
ANSWERED = " has answered this crop here already"
# What exports call an annotator.
NUMBERED = re.compile(r"user:([1-9]\d{0,17})")


def pseudonym(name: str) -> str:
    """The user name that stands for somebody whom the study does not know."""
    wanted = f"{PREFIX}{name}"
    if len(wanted) <= LONGEST:
        return wanted
    # Two long names that begin alike stay two people.
    return f"{wanted[: LONGEST - 9]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"


def known_people(study: Study, names: Iterable[str]) -> dict[str, Any]:
    """The users that exist for these names: people of the study, and pseudonyms of an earlier import."""
    names = set(names)
    users = get_user_model().objects
    members = {user.username: user for user in users.filter(studies=study, is_active=True)}
    found = {name: members[name] for name in names if name in members} | _numbered(study, names)
    taken = {pseudonym(name): name for name in names if name not in found}
    for start in range(0, len(taken), 500):
        some = list(taken)[start : start + 500]
        for user in users.filter(username__in=some, is_active=False):
            found[taken[user.username]] = user
    return found


def forget_in_reports(names: set[str], instead: str) -> None:
    """Put `instead` in place of the person with these names in what is told of every import."""
    for row in LabelImport.objects.iterator():
        before = json.dumps(row.report)
        for person in row.report.get("people", ()):
            if person["user"] in names:
                person["name"] = person["user"] = instead
        for problem in row.report.get("problems", ()):
            name, said, _ = problem["message"].partition(ANSWERED)
            if said and names & {name, pseudonym(name)}:
                problem["message"] = f"{instead}{ANSWERED}"
        if json.dumps(row.report) != before:
            row.save(update_fields=["report"])


def _numbered(study: Study, names: Iterable[str]) -> dict[str, Any]:
    """Who is meant by `user:5`: a member, or somebody who answered here and left, or came with an earlier file."""
    numbers = {name: int(match[1]) for name in names if (match := NUMBERED.fullmatch(name))}
    if not numbers:
        return {}
    here = Q(studies=study) | Q(pk__in=Annotation.objects.filter(study=study).values("annotator"))
    people = {user.pk: user for user in get_user_model().objects.filter(here)}
    return {name: people[number] for name, number in numbers.items() if number in people}


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
