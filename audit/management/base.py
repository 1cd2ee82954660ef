"""What every command of Parfocal shares: --json, exit codes, progress on stderr, a database that is ready.

Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage.
"""

import fcntl
import json
import math
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Answer = dict[str, Any]


class JsonCommand(BaseCommand):
    """A command that answers with one JSON object, or with a few lines for people."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, nothing else")
        self.add_options(parser)

    def add_options(self, parser: ArgumentParser) -> None:
        """The options of this command."""

    def answer(self, **options: Any) -> Answer:
        """Do the work and return what is printed; raise CommandError to refuse."""
        raise NotImplementedError

    def failed(self, answer: Answer) -> bool:
        """Whether this answer means exit code 1."""
        return False

    def describe(self, answer: Answer) -> str:
        """The answer for people."""
        return json.dumps(plain(answer), indent=2, ensure_ascii=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the database, do the work, print, and set the exit code."""
        try:
            prepare_database()
            answer = self.answer(**options)
        except CommandError as error:
            if options["json"]:
                self._print_json({"error": str(error)})
            raise
        except Exception as error:
            # What nobody foresaw still ends as one JSON object and exit code 1; --traceback shows where it came from.
            if options["json"]:
                self._print_json({"error": f"{type(error).__name__}: {error}"})
            raise CommandError(f"{type(error).__name__}: {error}") from error
        if options["json"]:
            self._print_json(answer)
        else:
            self.stdout.write(self.describe(answer))
        if self.failed(answer):
            sys.exit(1)

    def progress(self, text: str) -> None:
        """Tell on stderr how far the work is."""
        self.stderr.write(text)

    def _print_json(self, answer: Answer) -> None:
        self.stdout.write(json.dumps(plain(answer), ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """The value with NaN and infinities as null and numbers of NumPy as numbers."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def prepare_database() -> None:
    """Create the embedded database's tables where they are missing; a shared database is only looked at."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if connection.vendor != "sqlite":
        raise CommandError("The database lacks migrations: run `manage.py migrate` with the migrations role.")
    with (settings.DATA_FOLDER / "migrate.lock").open("w") as lock:
        # Two commands started together on an empty folder must not both create the tables.
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0)
