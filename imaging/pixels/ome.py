"""OME-XML and the makers' metadata: sizes, channel names and pixel size, and what must be refused."""

import math
import re
from dataclasses import dataclass
from xml.etree import ElementTree

from imaging.pixels.errors import UnreadableImage

MAX_XML_BYTES = 16 * 1024 * 1024
MAX_NAME_LENGTH = 200
SINGLE_FILE = "Export it as one OME-TIFF file"
UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "\\u00b5m", "\\u00B5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer"), 1e-3),
    **dict.fromkeys(("mm", "millimeter"), 1e3),
    **dict.fromkeys(("pm", "picometer"), 1e-6),
    **dict.fromkeys(("cm", "centimeter"), 1e4),
    **dict.fromkeys(("m", "meter"), 1e6),
    **dict.fromkeys(("Å", "angstrom"), 1e-4),
    **dict.fromkeys(("in", "inch"), 25_400.0),
}


@dataclass(frozen=True, slots=True)
class OmeImage:
    """What the OME-XML of a file says about its (only, or first) image."""

    planes: int
    sizes: dict[str, int]
    channel_names: tuple[str, ...]
    samples: tuple[int, ...]
    pixel_size_um: float | None
    bit_depth: int | None


def trusted_pixel_size(size_um: float) -> float | None:
    """The size in micrometres if a light microscope can have it (0.005 to 100 um), else None."""
    return size_um if math.isfinite(size_um) and 0.005 <= size_um <= 100 else None


def size_in_um(value: object, unit: str) -> float | None:
    """Pixel size in micrometres from a number and its unit; None for unknown units or absurd sizes."""
    factor = UM_PER_UNIT.get(unit.strip()) or UM_PER_UNIT.get(unit.strip().lower())
    try:
        return None if factor is None else trusted_pixel_size(float(str(value)) * factor)
    except ValueError:
        return None


def refuse_unsafe_xml(text: str, name: str) -> None:
    """Raise UnreadableImage for a document type, an entity definition or an enormous document."""
    if len(text) > MAX_XML_BYTES:
        raise UnreadableImage(name, "its metadata is larger than 16 MiB", "Export it again")
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        rule = "its XML metadata declares a DOCTYPE or ENTITY, which is never processed"
        raise UnreadableImage(name, rule, "Export it again with another program")


def parse_ome(text: str, name: str) -> OmeImage:
    """Facts of the first image in OME-XML; raises UnreadableImage for what is unsafe or not supported."""
    refuse_unsafe_xml(text, name)
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableImage(name, "its OME-XML cannot be parsed", "Export it again") from error
    images = [pixels for pixels in root.iter() if _tag(pixels) == "Pixels"]
    if not images:
        raise UnreadableImage(name, "its OME-XML describes no image", SINGLE_FILE)
    _refuse_other_files(root, name)
    _refuse_positions(images, name)
    return _describe(images[0], name)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _refuse_other_files(root: ElementTree.Element, name: str) -> None:
    """Several file names mean that a part of the image lies elsewhere; one is just a renamed file."""
    own = (root.get("UUID") or "").strip().lower()
    blocks = [element for element in root.iter() if _tag(element) == "TiffData"]
    if any(_tag(element) == "BinaryOnly" for element in root.iter()):
        raise UnreadableImage(name, "its metadata lies in another file, which is never opened", SINGLE_FILE)
    identities = set()
    for block in blocks:
        uuid = next((child for child in block if _tag(child) == "UUID"), None)
        text = "" if uuid is None else (uuid.text or "").strip().lower()
        is_own = uuid is None or (own and text == own)
        identities.add("" if is_own or uuid is None else (uuid.get("FileName") or text))
    if len(identities) > 1 or any("/" in other or "\\" in other for other in identities):
        rule = "its OME-XML refers to other files, which are never opened"
        raise UnreadableImage(name, rule, SINGLE_FILE)


def _refuse_positions(images: list[ElementTree.Element], name: str) -> None:
    first = (images[0].get("SizeX"), images[0].get("SizeY"))
    if any((other.get("SizeX"), other.get("SizeY")) == first for other in images[1:]):
        rule = f"it holds {len(images)} images (positions or series); one per file is read"
        raise UnreadableImage(name, rule, "Export one file per position")


def _describe(pixels: ElementTree.Element, name: str) -> OmeImage:
    sizes = {axis: _size(pixels, axis, name) for axis in "XYZCT"}
    channels = [child for child in pixels if _tag(child) == "Channel"]
    bits = pixels.get("SignificantBits", "")
    return OmeImage(
        planes=sizes["Z"] * sizes["C"] * sizes["T"],
        sizes=sizes,
        channel_names=tuple((channel.get("Name") or "")[:MAX_NAME_LENGTH] for channel in channels),
        samples=tuple(_samples(channel) for channel in channels),
        pixel_size_um=size_in_um(pixels.get("PhysicalSizeX", ""), pixels.get("PhysicalSizeXUnit", "µm")),
        bit_depth=int(bits) if bits.isdecimal() and 0 < int(bits) <= 32 else None,
    )


def _samples(channel: ElementTree.Element) -> int:
    text = channel.get("SamplesPerPixel") or "1"
    return int(text) if text.isdecimal() and len(text) < 4 else 1


def _size(pixels: ElementTree.Element, axis: str, name: str) -> int:
    text = pixels.get(f"Size{axis}", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise UnreadableImage(name, f"its OME-XML gives Size{axis}={text[:20]!r}", "Export it again")
    return int(text)
