"""Names for files and folders made of what people typed: they stay in their folder, on every system."""

import re
from collections.abc import Iterable

UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]')
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
LONGEST = 80


def safe_name(text: str) -> str:
    """One path component that reads like the text: no separators, no "..", no names that Windows keeps for itself."""
    plain = UNSAFE.sub("_", text).strip(" .")
    # Names of more bytes than this do not fit into a file system.
    plain = plain.encode()[:LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{plain}" if RESERVED.match(plain) else plain


def unique_names(texts: Iterable[str]) -> dict[str, str]:
    """A safe name for each different text; where two would share one (also on Windows), the later gets a number."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for text in texts:
        if text in names:
            continue
        name = base = safe_name(text)
        number = 2
        while name.casefold() in taken:
            name, number = f"{base} ({number})", number + 1
        taken.add(name.casefold())
        names[text] = name
    return names
