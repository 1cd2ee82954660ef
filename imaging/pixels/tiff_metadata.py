"""Pixel size, bit depth and channel names as microscope software writes them into plain TIFFs."""

from typing import Any

from imaging.pixels.ome import MAX_NAME_LENGTH, OmeImage, size_in_um, trusted_pixel_size

# The attributes of a tifffile.TiffFile depend on the maker, so it is not typed more closely here.
Tiff = Any
CENTIMETRE_UM, INCH_UM = 10_000.0, 25_400.0
# Resolutions that printers and programs write when they know nothing about the microscope.
MEANINGLESS_DPI = (72, 75, 96, 100, 120, 150, 200, 300, 600)


def declared_pixel_size(tif: Tiff) -> float | None:
    """Pixel size in micrometres from MetaMorph, ImageJ or believable resolution tags; else None."""
    for source in (_metamorph_size, _metaseries_size, _imagej_size, _resolution_size):
        size = _quietly(source, tif)
        if size is not None:
            return float(size)
    return None


def declared_bit_depth(tif: Tiff, ome: OmeImage | None) -> int | None:
    """Significant bits of the camera when the file states fewer than its container holds, or OME does."""
    if ome is not None and ome.bit_depth is not None:
        return ome.bit_depth
    page = tif.pages[0]
    container = 8 * page.dtype.itemsize
    if page.bitspersample < container:
        return int(page.bitspersample)
    bits = _quietly(_camera_bits, tif)
    if bits is not None and 1 < float(bits) <= container:
        return int(bits)
    top_bits: int | None = _quietly(_max_sample_bits, tif)
    return top_bits


def declared_channel_names(tif: Tiff) -> tuple[str, ...]:
    """Channel names written by ImageJ or MetaMorph; empty when there are none."""
    names = _quietly(_software_names, tif) or ()
    return tuple(str(name)[:MAX_NAME_LENGTH] for name in names)


def _quietly(read: Any, tif: Tiff) -> Any:
    # Makers' private blocks are optional and often damaged: a broken one only means "not stated".
    try:
        return read(tif)
    except Exception:
        return None


def _metamorph_size(tif: Tiff) -> float | None:
    stk = tif.stk_metadata if tif.is_stk else None
    if not stk or not stk.get("SpatialCalibration"):
        return None
    return size_in_um(stk["XCalibration"], str(stk["CalibrationUnits"]))


def _plane_info(tif: Tiff) -> dict[str, Any]:
    metadata = tif.metaseries_metadata if tif.is_metaseries else None
    return dict((metadata or {}).get("PlaneInfo", {}))


def _metaseries_size(tif: Tiff) -> float | None:
    plane = _plane_info(tif)
    if not plane.get("spatial-calibration-state"):
        return None
    return size_in_um(plane["spatial-calibration-x"], str(plane["spatial-calibration-units"]))


def _imagej_size(tif: Tiff) -> float | None:
    metadata = tif.imagej_metadata if tif.is_imagej else None
    if not metadata or "unit" not in metadata:
        return None
    numerator, denominator = tif.pages[0].tags["XResolution"].value
    return size_in_um(denominator / numerator, str(metadata["unit"]))


def _resolution_size(tif: Tiff) -> float | None:
    tags = tif.pages[0].tags
    numerator, denominator = tags["XResolution"].value
    unit = {2: INCH_UM, 3: CENTIMETRE_UM}.get(int(tags["ResolutionUnit"].value))
    if unit is None or not numerator or not denominator:
        return None
    per_unit = numerator / denominator
    dpi = per_unit * INCH_UM / unit
    if any(abs(dpi - common) < 0.5 for common in MEANINGLESS_DPI):
        return None
    size = trusted_pixel_size(unit / per_unit)
    # Above 20 um a pixel comes from a camera or a printer setting, not from an objective.
    return size if size is not None and size <= 20 else None


def _camera_bits(tif: Tiff) -> float | None:
    if tif.is_stk:
        stated = [p["value"] for p in tif.stk_metadata["PlaneProperty"] if p["name"] == "Camera Bit Depth"]
        return float(stated[0]) if stated else None
    bits = _plane_info(tif).get("Camera Bit Depth")
    return None if bits is None else float(bits)


def _max_sample_bits(tif: Tiff) -> int | None:
    value = tif.pages[0].tags["MaxSampleValue"].value
    top = int(value[0] if isinstance(value, tuple) else value)
    bits = top.bit_length()
    # Some programs write the brightest pixel here; only a full range such as 4095 is a bit depth.
    return bits if top == 2**bits - 1 and 8 <= bits < 8 * tif.pages[0].dtype.itemsize else None


def _software_names(tif: Tiff) -> tuple[str, ...] | None:
    if tif.is_imagej:
        return tuple((tif.imagej_metadata or {}).get("Labels", ()))
    if tif.is_stk:
        return (str(tif.stk_metadata.get("Name", "")),)
    name = str(_plane_info(tif).get("image-name", ""))
    return (name,) if name else None
