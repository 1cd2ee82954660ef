"""Registers the app."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "labeling"
    default_auto_field = "django.db.models.BigAutoField"
