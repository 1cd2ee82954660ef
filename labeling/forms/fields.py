"""Fields that forms of a study share: a strategy, an encoder, a share in per cent, a text of several lines."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling import registry


def strategies() -> list[tuple[str, str]]:
    return [(name, f"{name}: {text}") for name, text in registry.strategies.choices().items()]


class StrategyField(forms.ChoiceField):
    """A strategy among those on offer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"choices": strategies, "initial": registry.DEFAULT_STRATEGY} | options)


class EncoderField(forms.CharField):
    """An encoder on offer, or the place of one: file:NAME or hub:OWNER/NAME; `kept` is one that stays either way."""

    kept = ""

    def __init__(self, **options: Any) -> None:
        fixed = {"max_length": 200, "widget": SuggestedInput(registry.encoders), "initial": registry.DEFAULT_ENCODER}
        super().__init__(**fixed | options)

    def validate(self, value: str) -> None:
        """Refuse a name that nobody offers."""
        super().validate(value)
        if value == self.kept:
            return
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


class PercentField(forms.FloatField):
    """A share in [0, 1], shown and typed in per cent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=100, **options)

    def prepare_value(self, value: Any) -> Any:
        """Per cent for the page; what was typed is shown as it was typed."""
        return f"{100 * value:.6g}" if isinstance(value, float) else value

    def clean(self, value: Any) -> float:
        """The share."""
        return float(super().clean(value)) / 100


class LinesField(forms.CharField):
    """Text of several lines, with line ends as they are stored; whatever is typed stays text."""

    def __init__(self, rows: int, **options: Any) -> None:
        fixed = {"widget": forms.Textarea(attrs={"rows": rows}), "required": False}
        super().__init__(**fixed | options)

    def to_python(self, value: Any) -> str:
        """The text; browsers send line ends their own way."""
        return str(super().to_python(value)).replace("\r\n", "\n")
