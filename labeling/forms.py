"""Fields in which a lead chooses how a study asks."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling import registry


class StrategyField(forms.ChoiceField):
    """A strategy among those on offer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"choices": _strategies, "initial": registry.DEFAULT_STRATEGY} | options)


class EncoderField(forms.CharField):
    """An encoder on offer, or the place of one: file:NAME or hub:OWNER/NAME."""

    def __init__(self, **options: Any) -> None:
        fixed = {"max_length": 200, "widget": SuggestedInput(registry.encoders), "initial": registry.DEFAULT_ENCODER}
        super().__init__(**fixed | options)

    def validate(self, value: str) -> None:
        """Refuse a name that nobody offers."""
        super().validate(value)
        try:
            registry.check_encoder(value)
        except registry.UnknownName as error:
            raise ValidationError(str(error)) from error


class SuggestedInput(forms.TextInput):
    """A line of text with the names of a registry as suggestions."""

    def __init__(self, offered: registry.Registry, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.offered = offered

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The input and its list of suggestions."""
        suggestions = f"{name}-suggestions"
        line = super().render(name, value, {**(attrs or {}), "list": suggestions}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.offered.choices().items())
        return format_html('{}<datalist id="{}">{}</datalist>', line, suggestions, options)


def _strategies() -> list[tuple[str, str]]:
    return [(name, f"{name}: {text}") for name, text in registry.strategies.choices().items()]
