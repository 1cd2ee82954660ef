"""Registers the app."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "inference"
    default_auto_field = "django.db.models.BigAutoField"
