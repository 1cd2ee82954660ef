"""Registers the app."""

from django.apps import AppConfig


class ImagingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "imaging"
    default_auto_field = "django.db.models.BigAutoField"
