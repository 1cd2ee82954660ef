"""Reads the environment, once, for the settings; refuses what it does not understand.

Nothing else in Parfocal looks at environment variables. docs/settings.md lists every name that is read here.
"""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()
PROJECT = Path(__file__).resolve().parent.parent


def read_text(name: str, default: str = "") -> str:
    """Value of the variable as text, or the default."""
    return str(_env.str(name, default=default))


def read_bool(name: str, default: bool) -> bool:
    """True or false; anything but on/off words is refused, so that a typo cannot switch a guard off."""
    text = read_text(name, "true" if default else "false").strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={text!r}: write true or false.")


def read_int(name: str, default: int, low: int, high: int) -> int:
    """A whole number within [low, high]."""
    text = read_text(name, str(default))
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ImproperlyConfigured(f"{name}={text!r}: write a whole number from {low} to {high}.")
    return int(text)


def read_list(name: str) -> list[str]:
    """Values separated by commas, without blanks."""
    return [part.strip() for part in read_text(name).split(",") if part.strip()]


def data_folder() -> Path:
    """The one folder that holds everything Parfocal writes: PARFOCAL_DATA, default `var/` in the project."""
    folder = Path(read_text("PARFOCAL_DATA", str(PROJECT / "var"))).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def embedded_secret(folder: Path) -> str:
    """The secret key of a one-machine site: made at first start, readable by its owner alone (mode 0600)."""
    path = folder / "secret_key"
    if not path.exists():
        handle, fresh = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            # A link appears with its content: two commands that start together read the same, whole key.
            os.link(fresh, path)
        Path(fresh).unlink()
    return path.read_text().strip()


def required_secret(name: str) -> str:
    """A secret that must come from the environment: production keeps none in files."""
    value = read_text(name)
    if len(value) < 40:
        raise ImproperlyConfigured(f"{name} must be set to a random text of 40 characters or more.")
    return value


def database(folder: Path) -> dict[str, Any]:
    """Django's database settings: DATABASE_URL (PostgreSQL), else SQLite in the data folder.

    SQLite: write-ahead log so that readers never wait, immediate transactions so that two writers queue up
    instead of failing half-way, and a busy timeout of 20 s.
    """
    if read_text("DATABASE_URL"):
        settings = dict(_env.db_url("DATABASE_URL"))
        return settings | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "parfocal.sqlite3"),
        # Opening the file and reading its schema costs more than most requests' queries.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def broker_url(folder: Path) -> str:
    """Address of the message broker: PARFOCAL_BROKER_URL, else the embedded one that `manage.py up` started."""
    named = read_text("PARFOCAL_BROKER_URL")
    if named:
        return named
    note = folder / "run" / "broker_url"
    return note.read_text().strip() if note.exists() else "redis+socket:///nonexistent/parfocal.sock"


@cache
def version() -> str:
    """The version of the product: the newest heading of the change log."""
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found.group(1) if found else "0"
