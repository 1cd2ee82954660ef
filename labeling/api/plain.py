"""What may be kept of JSON that a page sends in a form of its own: the same on every database."""

import json
from math import isfinite
from typing import Any

from rest_framework.exceptions import ValidationError

# The display of 64 channels, told with many decimals, takes a third of it.
LARGEST = 32_000


def plain_json(value: Any) -> None:
    """A validator: refuses NUL, halves of surrogate pairs, numbers that are none, and more than is kept."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            _check_text(one)
        elif isinstance(one, float) and not isfinite(one):
            raise ValidationError("Infinity and NaN are no numbers that can be kept.")
    if len(json.dumps(value, default=str)) > LARGEST:
        raise ValidationError(f"This is too large to be kept: at most {LARGEST:,} characters.")


def _check_text(text: str) -> None:
    # PostgreSQL keeps neither, and no file could be written with them.
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text if not sign.isascii()):
        raise ValidationError("Text with NUL or half a surrogate pair cannot be kept.")
