"""`manage.py up`: the whole site on one machine; Ctrl-C stops all of it."""

import signal
import socket
import threading
import time
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config.broker import EmbeddedBroker
from config.site import children
from config.supervisor import Supervisor, print_line

ANSWER_WITHIN_S = 120


class Command(BaseCommand):
    """Start web server, worker, beat, ranking worker and embedded broker; restart what dies."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--address", default="127.0.0.1", help="address to listen on (default: this machine only)"
        )
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--until-answer", action="store_true", help="stop as soon as the site has answered")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_free(options["address"], options["port"])
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        broker = EmbeddedBroker.prepare(settings.DATA_FOLDER)
        note = _write_note(settings.DATA_FOLDER, broker.url)
        supervisor = Supervisor(children(broker, options["address"], options["port"]), print_line)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, supervisor.stop)
        site = f"http://{options['address']}:{options['port']}/"
        print_line(f"      up | Parfocal starts at {site} (data in {settings.DATA_FOLDER}); Ctrl-C stops it")
        answered = threading.Event()
        watch = threading.Thread(
            target=_watch, args=(supervisor, site, answered, options["until_answer"]), daemon=True
        )
        watch.start()
        try:
            supervisor.run()
        finally:
            note.unlink(missing_ok=True)
            broker.remove_socket()
        if options["until_answer"] and not answered.is_set():
            raise CommandError(f"{site} did not answer within {ANSWER_WITHIN_S} s; its log stands above.")


def _write_note(data: Path, url: str) -> Path:
    # Commands run in another shell find the broker of the running site by this note.
    note = data / "run" / "broker_url"
    note.parent.mkdir(exist_ok=True)
    note.write_text(url)
    return note


def _check_free(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise CommandError(
                f"{address}:{port} cannot be used ({error.strerror}): choose another --port."
            ) from error


def _watch(supervisor: Supervisor, site: str, answered: threading.Event, then_stop: bool) -> None:
    """Say when the site answers, and where to log in; stop it then, or when it never does, if that is wanted."""
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while time.monotonic() < deadline and not supervisor.stopping.wait(0.3):
        try:
            with urllib.request.urlopen(f"{site}health/live", timeout=5) as reply:
                answered.set()
                print_line(f"      up | {site} answered ({reply.status}); open it in a browser")
                break
        except OSError:
            continue
    password = settings.DATA_FOLDER / "demo_password"
    if password.exists():
        print_line(f"      up | log in as admin, lead or reader with the password {password.read_text().strip()}")
    if then_stop:
        supervisor.stop()
