"""Registers the app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The app's name and the type of its row numbers."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"
