"""Labels of a study as files that leave the house: for tables, for training elsewhere, for other tools."""

from labeling.services.export.answers import HEADER, answer_rows
from labeling.services.export.files import EXPORTS, Export

__all__ = ["EXPORTS", "HEADER", "Export", "answer_rows"]
