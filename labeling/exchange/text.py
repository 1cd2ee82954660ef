"""Bytes and text of other tools' files: encodings, JSON, numbers, times, and cells that a spreadsheet would run."""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from labeling.exchange.labels import FileRefused

FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAX_DEPTH = 60
LARGEST = 10_000_000.0


def decoded(content: bytes) -> str:
    """The file as text; FileRefused where it is not UTF-8 (with or without BOM) or holds NUL."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileRefused(
            f"The file is not UTF-8 text (byte {error.start:,}): save it again as “CSV UTF-8” or as UTF-8. "
            "Nothing was stored."
        ) from error
    if "\0" in text:
        raise FileRefused("The file holds NUL bytes: it is no text file. Nothing was stored.")
    return text


def json_of(content: bytes) -> Any:
    """The JSON document; FileRefused where it is none, is nested too deeply, or holds NaN or Infinity."""
    text = decoded(content)
    _refuse_depth(text)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileRefused):
            raise
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise FileRefused(f"The file is not JSON{where}: export it again. Nothing was stored.") from error


def _refuse_constant(text: str) -> Any:
    raise FileRefused(f"The file holds {text}, which is no number in JSON: export it again. Nothing was stored.")


def _refuse_depth(text: str) -> None:
    """Brackets inside of strings count too: that only ever refuses a file that no tool writes."""
    depth = 0
    for match in BRACKETS.finditer(text):
        depth += 1 if match[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise FileRefused(f"The file is nested deeper than {MAX_DEPTH} levels: no tool writes that.")


BRACKETS = re.compile(r"[\[\]{}]")


def coordinate(value: Any) -> float:
    """A coordinate or a duration; ValueError for anything that is no finite number of sensible size."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"“{str(value)[:40]}” is no number")
    read = float(value)
    if not math.isfinite(read) or abs(read) > LARGEST:
        raise ValueError(f"“{str(value)[:40]}” is no usable number")
    return read


def moment(text: Any) -> datetime | None:
    """A time from ISO 8601 text, UTC where it names no zone; None where empty; ValueError for anything else."""
    if text is None or text == "":
        return None
    read = datetime.fromisoformat(str(text).strip())
    try:
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"“{str(text)[:40]}” lies outside of the calendar") from error


def duration(value: Any) -> float | None:
    """Seconds from a number or its text; None where empty; ValueError where negative or no number."""
    if value is None or value == "":
        return None
    seconds = coordinate(value)
    if seconds < 0:
        raise ValueError("it took less than no time")
    return seconds


def mark(value: Any) -> bool:
    """Yes or no; False where empty; ValueError for anything else."""
    plain = "" if value is None else str(value).strip().lower()
    if plain not in MARKS:
        raise ValueError(f"“{plain[:40]}” is neither true nor false")
    return MARKS[plain]


MARKS = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}


def digest(value: Any) -> str:
    """The digest of a model or a ranking; "" where empty; ValueError for anything else."""
    plain = "" if value is None else str(value).strip()
    if not DIGEST.fullmatch(plain):
        raise ValueError(f"“{plain[:40]}” is no digest")
    return plain


DIGEST = re.compile(r"[0-9a-f]{0,64}")


def guarded(text: str) -> str:
    """The text as a cell: an apostrophe keeps a spreadsheet from running what begins like a formula.

    Text that begins with an apostrophe gets another one, so that `unguarded` gives back what was written.
    """
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if text[:1] == "'" and text[1:].startswith((*FORMULA, "'")) else text
