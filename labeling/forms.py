"""The forms in which a lead makes a study and changes how it asks, with plain words for each choice."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import slugify

from imaging.models import Experiment
from imaging.services.access import experiments_of
from labeling import registry
from labeling.models import MOST_TEMPERATURE, Membership, Study
from labeling.colors.palette import PALETTE
from labeling.services.studies import NewClass

MOST_NEW_CLASSES = 300
EMPTY_ROWS = 6

HINTS = {
    "question": "What is asked of each crop, as readers see it.",
    "guidelines": "How to decide, also in hard cases. Readers open them with g.",
    "experiments": "The pool: every crop of these experiments whose image quality control did not reject. "
    "All need the same number of channels.",
    "strategy": "How the next crop is chosen. “uherding” is the default, “random” the yardstick.",
    "encoder": "What the ranking sees of a crop: a name on offer, file:NAME for a safetensors file in the folder of "
    "encoders, or hub:OWNER/NAME for one to download. Where it is not available the ranking takes another one and "
    "says so.",
    "coverage_share": "The hedge: crops that are unlike everything labelled, whatever the model thinks of them. It "
    "guards against a model that is sure and wrong. Its price: that share of the answers goes to crops that the "
    "strategy would not have chosen. docs/label-efficiency.md says what it costs on the development sets.",
    "sampling_temperature": "0: of what the strategy asks, the best crop always comes next, and an answer says "
    "“deterministic”. Above 0 that crop is drawn: the better its score, the likelier, at 1 in proportion to the "
    "score, higher nearer to pure chance. Each answer then keeps the probability with which its crop was drawn, so "
    "that it can be weighted in a later analysis. The price: crops that matter less are asked sooner; "
    "how many more answers that takes was not measured.",
    "random_share": "Drawn at random, one experiment after the other, and read twice. Only from these crops can be "
    "said whether the ranking helps; without them nothing can.",
    "overlap_share": "Of all other crops, the share that a second annotator reads, so that agreement is known.",
    "reads_per_crop": "How many annotators read every crop. Bad crops and ambiguous ones are read no further.",
    "is_blind": "Annotators see neither experiment nor reason nor anybody else's answers. Leads do.",
    "stream_in_training": "Decided now, once for the life of the study. On: they train the model too, and are "
    "predicted by models that did not see them. Off: they only test it.",
    "not_sure_as_soft_labels": "Off: “not sure” teaches no class. It goes to a second expert once; a second “not "
    "sure” freezes the crop as ambiguous. On: it counts half for each of the two classes that the model hesitates "
    "between. No benefit of this was measured: compare both on your data first, with “manage.py label_efficiency "
    "--annotator not-sure --soft-not-sure”.",
}
LABELS = {
    "strategy": "Strategy",
    "encoder": "Encoder",
    "coverage_share": "Hedge, % of queries",
    "sampling_temperature": "Temperature of the draws",
    "random_share": "Random stream, % of queries",
    "overlap_share": "Shared crops, %",
    "reads_per_crop": "Reads per crop",
    "is_blind": "Blind",
    "stream_in_training": "Answers of the random stream train the model",
    "not_sure_as_soft_labels": "Use “not sure” as a soft label",
}


def _strategies() -> list[tuple[str, str]]:
    return [(name, f"{name}: {text}") for name, text in registry.strategies.choices().items()]


class StrategyField(forms.ChoiceField):
    """A strategy among those on offer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"choices": _strategies, "initial": registry.DEFAULT_STRATEGY} | options)


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


class SettingsForm(forms.Form):
    """What leads may change of a study at any time."""

    name = forms.CharField(max_length=200)
    question = forms.CharField(max_length=500)
    guidelines = forms.CharField(widget=forms.Textarea(attrs={"rows": 8}), required=False)
    experiments = forms.ModelMultipleChoiceField(Experiment.objects.none(), widget=forms.CheckboxSelectMultiple)
    strategy = StrategyField()
    encoder = EncoderField()
    coverage_share = PercentField(initial=0.2)
    random_share = PercentField(initial=0.1)
    sampling_temperature = forms.FloatField(min_value=0, max_value=MOST_TEMPERATURE, initial=0)
    overlap_share = PercentField(initial=0.2)
    reads_per_crop = forms.IntegerField(min_value=1, max_value=20, initial=1)
    is_blind = forms.BooleanField(required=False, initial=True)
    not_sure_as_soft_labels = forms.BooleanField(required=False)

    def __init__(self, user: Any, *args: Any, study: Study | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        rows = experiments_of(user)
        if study is not None:
            rows = rows | Experiment.objects.filter(studies=study)
            self._keep_choices(study)
        experiments: Any = self.fields["experiments"]
        experiments.queryset = rows.distinct().order_by("name")
        for name, field in self.fields.items():
            field.label = LABELS.get(name, name.capitalize())
            field.help_text = HINTS.get(name, "")
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_hint"

    def _keep_choices(self, study: Study) -> None:
        """Let a choice that is no longer on offer stand: the first of the list would be saved in its place."""
        fields: Any = self.fields
        fields["encoder"].kept = study.encoder
        if study.strategy not in registry.strategies.choices():
            gone = (study.strategy, f"{study.strategy}: no longer on offer")
            fields["strategy"].choices = [*_strategies(), gone]

    @staticmethod
    def of(study: Study) -> dict[str, Any]:
        """What the form shows of a study."""
        values = {name: getattr(study, name) for name in SettingsForm.base_fields if name != "experiments"}
        return values | {"experiments": study.experiments.all()}


class NewStudyForm(SettingsForm):
    """What is decided when a study is made."""

    stream_in_training = forms.BooleanField(required=False, initial=True)


class ClassForm(forms.Form):
    """One class: its name and colour, and its key where it is made."""

    name = forms.CharField(max_length=200, required=False)
    key = forms.SlugField(max_length=100, required=False, allow_unicode=True)
    color = forms.RegexField(r"#[0-9a-fA-F]{6}", widget=forms.TextInput(attrs={"type": "color"}), required=False)

    def clean(self) -> dict[str, Any]:
        """The row; a key without a name is refused, a name without a key gives the key."""
        row = super().clean() or {}
        if row.get("key") and not row.get("name"):
            raise ValidationError("A class with a key needs a name.")
        if row.get("name") and not row.get("key"):
            row["key"] = slugify(row["name"], allow_unicode=True)[:100] or row["name"][:100]
        return row


class _ClassRows(forms.BaseFormSet):
    def add_fields(self, form: ClassForm, index: int | None) -> None:
        """Each row starts with the palette's next colour."""
        super().add_fields(form, index)
        form.fields["color"].initial = PALETTE[(index or 0) % len(PALETTE)]
        form.empty_permitted = True

    def classes(self) -> tuple[NewClass, ...]:
        """The rows that name a class."""
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data.get("name")]
        return tuple(NewClass(row["key"], row["name"], row["color"]) for row in rows)


ClassRows = forms.formset_factory(ClassForm, formset=_ClassRows, extra=EMPTY_ROWS, max_num=MOST_NEW_CLASSES)


class MemberForm(forms.Form):
    """Who takes part, and as what."""

    username = forms.CharField(max_length=150, label="User name")
    role = forms.ChoiceField(choices=Membership.Role.choices)
