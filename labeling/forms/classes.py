"""Forms for the classes of a study: rows of new ones, one that is changed, and the parts of one that is split."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify

from labeling.colors.palette import color_at
from labeling.forms.fields import LinesField
from labeling.services.studies import NewClass

MOST_NEW_CLASSES = 300
EMPTY_ROWS = 6
PART_ROWS = 3


class ClassForm(forms.Form):
    """One class: its name and colour, and its key where it is made."""

    name = forms.CharField(max_length=200, required=False)
    key = forms.SlugField(max_length=100, required=False, allow_unicode=True)
    color = forms.RegexField(r"#[0-9a-fA-F]{6}", widget=forms.TextInput(attrs={"type": "color"}), required=False)

    def clean(self) -> dict[str, Any]:
        """The row; a key without a name is refused, a name without a key gives the key."""
        row = super().clean() or {}
        if row.get("key") and not row.get("name"):
            raise ValidationError({"name": "A class with a key needs a name."})
        if row.get("name") and not row.get("key"):
            row["key"] = slugify(row["name"], allow_unicode=True)[:100] or row["name"][:100]
        return row


class _ClassRows(forms.BaseFormSet):
    # Place of the first row among the classes that the study has already.
    first_place = 0

    def add_fields(self, form: ClassForm, index: int | None) -> None:
        """Each row starts with the palette's next colour."""
        super().add_fields(form, index)
        form.fields["color"].initial = color_at(self.first_place + (index or 0))
        form.empty_permitted = True

    def classes(self) -> tuple[NewClass, ...]:
        """The rows that name a class."""
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data.get("name")]
        return tuple(NewClass(row["key"], row["name"], row["color"]) for row in rows)


class _NewClassRows(_ClassRows):
    def clean(self) -> None:
        """Two or more classes, each name and each key once."""
        if not self.management_form.is_valid():
            return
        named = [form.cleaned_data for form in self.forms if form.is_valid() and form.cleaned_data.get("name")]
        if len(named) < 2:
            raise ValidationError(f"A study needs two or more named classes, this one has {len(named)}.")
        for what in ("name", "key"):
            if len({row[what] for row in named}) < len(named):
                raise ValidationError(f"You gave two classes the same {what}: each {what} may stand once.")

    def typed(self) -> list[dict[str, str]]:
        """What stands in the rows, right or wrong, to be shown in a longer table."""
        return [{name: form[name].value() or "" for name in form.fields} for form in self.forms]


ClassRows = forms.formset_factory(ClassForm, formset=_NewClassRows, extra=EMPTY_ROWS, max_num=MOST_NEW_CLASSES)
PartRows = forms.formset_factory(ClassForm, formset=_ClassRows, extra=PART_ROWS, max_num=MOST_NEW_CLASSES)


class ClassDetailsForm(forms.Form):
    """What may be changed of a class that exists."""

    name = forms.CharField(max_length=200)
    color = forms.RegexField(r"#[0-9a-fA-F]{6}", widget=forms.TextInput(attrs={"type": "color"}))
    description = LinesField(4, max_length=4000)
