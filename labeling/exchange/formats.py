"""Which format a file of labels is in, and its labels."""

from dataclasses import dataclass, field

from labeling.exchange import cpa, csv_table, label_studio, qupath
from labeling.exchange.labels import FileRefused, Parsed

CSV, LABEL_STUDIO, QUPATH, CPA = "csv", "label_studio", "qupath", "cpa"
MAX_BYTES = 256 * 2**20
ENDINGS = (".geojson", ".json", ".txt", ".csv")


@dataclass(frozen=True, slots=True)
class Extra:
    """What a file does not say itself: the image of a GeoJSON file, the images of a training set."""

    image: str = ""
    images: dict[str, str] = field(default_factory=dict)


def format_of(name: str, content: bytes) -> str:
    """The format, by the name of the file and its first characters; FileRefused where neither tells."""
    head = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith(b"{") or name.lower().endswith(".geojson"):
        return QUPATH
    if head.startswith(b"["):
        return QUPATH if b'"Feature"' in head else LABEL_STUDIO
    if head.startswith((b"label ", b"# Training set")):
        return CPA
    if name.lower().endswith((".csv", ".tsv", ".txt")):
        return CSV
    raise FileRefused(
        f"It cannot be told what “{name[:80]}” is: CSV, Label Studio JSON, QuPath GeoJSON or a training set of "
        "CellProfiler Analyst? Choose the format."
    )


def parse(kind: str, name: str, content: bytes, extra: Extra) -> Parsed:
    """The labels of the file; FileRefused where it cannot be read as this format."""
    if not content.strip():
        raise FileRefused("The file is empty.")
    if kind == CSV:
        return csv_table.parse(content)
    if kind == LABEL_STUDIO:
        return label_studio.parse(content)
    if kind == CPA:
        return cpa.parse(content, extra.images)
    return qupath.parse(content, extra.image or image_of(name))


def image_of(name: str) -> str:
    """The image that a file is named after: `field.tif` for `field.tif.geojson`."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    ending = next((end for end in ENDINGS if base.lower().endswith(end)), "")
    return base[: len(base) - len(ending)]
