"""Registers the app."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "training"
    default_auto_field = "django.db.models.BigAutoField"
