"""Names of encoders as people write them: `handcrafted`, `untrained`, `file:NAME`, `hub:OWNER/NAME@REVISION`."""

import re
from dataclasses import dataclass

BUILT_IN = ("handcrafted", "untrained")
KINDS = ("file", "hub")
BF16 = "+bf16"
# As long as the column of a study that holds it.
LONGEST = 200
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,99}")
HUB_ID = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9_.-]{0,95})/([A-Za-z0-9][A-Za-z0-9_.-]{0,95})(?:@([A-Za-z0-9_.-]{1,100}))?"
)


class EncoderError(ValueError):
    """An encoder cannot be used; the message names the file, the rule and the way out."""


@dataclass(frozen=True, slots=True)
class EncoderName:
    """The parts of an encoder's name: `kind` is built-in, file or hub; `revision` is empty for the hub's newest."""

    text: str
    kind: str
    place: str
    revision: str = ""
    precision: str = "fp32"

    @property
    def folder(self) -> str:
        """The folder, below that of all encoders, in which a hub's files are kept."""
        return f"hub/{self.place.replace('/', '--')}@{self.revision or 'newest'}"


def parse_encoder_name(text: str) -> EncoderName:
    """The parts of a name; EncoderError where it is none, saying how names are written."""
    if len(text) > LONGEST:
        raise EncoderError(
            f"the encoder {text[:40]!r}... has a name of {len(text)} characters; at most {LONGEST} are stored: "
            "rename the file, or name a shorter revision"
        )
    if text in BUILT_IN:
        return EncoderName(text, "built-in", text)
    kind, _, place = text.partition(":")
    precision = "bf16" if place.endswith(BF16) else "fp32"
    place = place.removesuffix(BF16)
    if kind == "file" and FILE_NAME.fullmatch(place) and place != "hub":
        return EncoderName(text, kind, place, precision=precision)
    found = HUB_ID.fullmatch(place)
    # No name on the hub holds "--"; it parts owner and name in the folders.
    if kind == "hub" and found and "--" not in f"{found[1]}/{found[2]}":
        return EncoderName(text, kind, f"{found[1]}/{found[2]}", found[3] or "", precision)
    raise EncoderError(
        f"unknown encoder {text!r}; choose one of {', '.join(BUILT_IN)}, file:NAME (a file or folder in the folder "
        "'encoders' of the data folder) or hub:OWNER/NAME, optionally hub:OWNER/NAME@REVISION"
    )
