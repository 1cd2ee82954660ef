"""Archives that are sent while they are made, so that neither memory nor disk holds them whole."""

import zipfile
from collections.abc import Iterable, Iterator

# The same content gives the same bytes: no file of an archive says when it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)


class _Pipe:
    """A file that cannot go back: what is written waits until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep the bytes until `taken`."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zipped(files: Iterable[tuple[str, bytes]], *, compress: bool = True) -> Iterator[bytes]:
    """The bytes of a ZIP archive over (path, content)."""
    pipe = _Pipe()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for path, content in files:
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.compress_type = method
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
            yield pipe.taken()
    yield pipe.taken()
