"""Listing of a folder by its manifest.csv: bad rows are refused one by one, the rest goes on."""

from imaging.pixels.listing import (
    FieldEntry,
    LabelEntry,
    Listing,
    Refused,
    explain_object_source,
    find_duplicates,
    object_source,
)
from imaging.pixels.manifest_build import read_manifest
from imaging.pixels.manifest_rows import COLUMNS, KINDS
from imaging.pixels.scanning import scan_folder

__all__ = [
    "COLUMNS",
    "KINDS",
    "FieldEntry",
    "LabelEntry",
    "Listing",
    "Refused",
    "explain_object_source",
    "find_duplicates",
    "object_source",
    "read_manifest",
    "scan_folder",
]
