"""How a person has set up the reading room: keys of their own, and what the room looked like."""

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from labeling.models import Preferences

MOST_KEYS = 100
LONGEST = 40
LARGEST_VIEW = 8000


class PreferencesRefused(ValueError):
    """The preferences cannot be kept; the message says why."""


def preferences_of(user: Any) -> Preferences:
    """What the user has set; an unsaved row with nothing in it where they have set nothing."""
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


def change_preferences(user: Any, keys: Mapping[str, str] | None, view: Mapping[str, Any] | None) -> Preferences:
    """Put `keys` in place of the user's own keys, and `view` over what was kept; None leaves a part alone.

    PreferencesRefused where one key would do two things, or where there is too much to keep.
    """
    if keys is None and view is None:
        return preferences_of(user)
    if keys is not None:
        _check_keys(keys)
    with transaction.atomic():
        row, _ = Preferences.objects.select_for_update().get_or_create(user=user)
        if keys is not None:
            row.keys = dict(keys)
        if view is not None:
            row.view = row.view | dict(view)
        if len(json.dumps(row.view)) > LARGEST_VIEW:
            raise PreferencesRefused("The view is too large to be kept.")
        row.save()
    return row


def _check_keys(keys: Mapping[str, str]) -> None:
    if len(keys) > MOST_KEYS:
        raise PreferencesRefused(f"At most {MOST_KEYS} keys can be changed.")
    for action, key in keys.items():
        if not isinstance(key, str) or len(action) > LONGEST or len(key) > LONGEST:
            raise PreferencesRefused(f"'{str(key)[:LONGEST]}' is not the name of a key.")
    taken: dict[str, str] = {}
    for action, key in keys.items():
        if key and key in taken:
            raise PreferencesRefused(f"The key '{key}' would do two things: {taken[key]} and {action}.")
        taken[key] = action
