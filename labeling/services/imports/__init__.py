"""Takes labels of other tools into a study: what a file would bring, and then all of it or nothing."""

from labeling.services.imports.plan import Plan, plan
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take

__all__ = ["Plan", "Upload", "plan", "take"]
