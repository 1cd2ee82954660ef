"""One way to write a value as bytes, so that equal content always gives an equal digest."""

import hashlib
import json
import math
from collections.abc import Mapping

# 1: sorted keys, no spaces, UTF-8, whole-numbered floats written as integers.
VERSION = 1
VERSION_BYTE = bytes([VERSION])

_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode
# Deeper nesting than any record has; stops a hostile value before Python's own recursion limit.
MAX_DEPTH = 32
_PLAIN = frozenset((str, int, bool, type(None)))


class CanonicalError(ValueError):
    """A value that has no canonical form; the message names the place and the rule."""


def canonical_json(value: object) -> bytes:
    """UTF-8 bytes of `value` as JSON with sorted keys and no spaces.

    Whole-numbered floats are written as integers, because a database may hand 2.0 back as 2.
    Accepts dict, list, tuple, str, int, float, bool and None; anything else, NaN, infinities and
    keys that are not text raise CanonicalError naming the place.
    """
    try:
        return _encode(_plain(value, "$", 0)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CanonicalError(
            "text with a lone surrogate has no UTF-8 form; decode the text before recording it"
        ) from error


def canonical_digest(value: object) -> str:
    """SHA-256 (64 hexadecimal digits) of the version byte followed by the canonical JSON of `value`."""
    return hashlib.sha256(VERSION_BYTE + canonical_json(value)).hexdigest()


def _plain(value: object, place: str, depth: int) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return _number(float(value), place)
    if depth >= MAX_DEPTH:
        raise CanonicalError(f"{place} is nested deeper than {MAX_DEPTH} levels; record a flatter value")
    if isinstance(value, Mapping):
        return {
            _key(name, place): item if type(item) in _PLAIN else _plain(item, f"{place}.{name}", depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, place, depth + 1) for item in value]
    return _subclass(value, place)


def _subclass(value: object, place: str) -> object:
    # Enumerations of text or numbers (Django's choices) are recorded by their value.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise CanonicalError(
        f"{place} is a {type(value).__name__}, which has no canonical form; "
        "record text, a number, true, false, null, a list or a mapping"
    )


def _number(value: float, place: str) -> float | int:
    if not math.isfinite(value):
        raise CanonicalError(f"{place} is {value}; only finite numbers can be recorded, use null for none")
    return int(value) if value.is_integer() else value


def _key(name: object, place: str) -> str:
    if not isinstance(name, str):
        raise CanonicalError(f"{place} has the key {name!r}; keys must be text")
    return name
