"""The forms of a study: what is decided when it is made, what may be changed later, and its guidelines."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from imaging.models import Experiment
from imaging.services.access import experiments_of
from labeling import registry
from labeling.forms.fields import EncoderField, LinesField, PercentField, StrategyField, strategies
from labeling.forms.words import HINTS, LABELS, MORE
from labeling.models import MORE_THAN_ALL, MOST_TEMPERATURE, NO_SUGGESTIONS_WHERE_BLIND, Study
from labeling.services.guidelines import LONGEST_CHANGE
from labeling.services.refusals import StudyRefused
from labeling.services.studies import check_experiments, unlike

LONGEST_GUIDELINES = 50_000
# The field with which a lead confirms experiments that differ; it is no setting of the study.
MIXES = "mixes_experiments"

# What stands together on the page; one row of the page for each inner tuple.
GROUPS: tuple[tuple[str, str, str, tuple[tuple[str, ...], ...]], ...] = (
    ("question", "The question", "", (("name", "question"), ("guidelines",), ("experiments",), (MIXES,))),
    (
        "reads",
        "Who reads what",
        "More reads cost more time and tell how far the answers can be trusted.",
        (
            ("reads_per_crop", "overlap_share"),
            ("is_blind", "locks_view"),
            ("shows_suggestions", "adjudicates"),
            ("routes_not_sure_to_seniors",),
            ("reread_share", "reread_after_days", "reread_after_items"),
        ),
    ),
    (
        "asking",
        "What is asked next",
        "Whatever is chosen here, the ranking is made anew after every answer.",
        (("strategy",), ("random_share", "coverage_share")),
    ),
    (
        "advanced",
        "Advanced",
        "What the ranking sees, how it draws, and how time is counted. The defaults fit most studies.",
        (
            ("encoder", "sampling_temperature"),
            ("stream_in_training", "not_sure_as_soft_labels"),
            ("idle_cap_s",),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together: `rows` of bound fields, and whether one of them is wrong."""

    key: str
    title: str
    text: str
    rows: list[list[Any]]
    has_errors: bool


class SettingsForm(forms.Form):
    """What leads may change of a study at any time."""

    name = forms.CharField(max_length=200)
    question = forms.CharField(max_length=500)
    experiments = forms.ModelMultipleChoiceField(Experiment.objects.none(), widget=forms.CheckboxSelectMultiple)
    mixes_experiments = forms.BooleanField(required=False)
    strategy = StrategyField()
    encoder = EncoderField()
    coverage_share = PercentField(initial=0.2)
    random_share = PercentField(initial=0.1)
    sampling_temperature = forms.FloatField(min_value=0, max_value=MOST_TEMPERATURE, initial=0)
    overlap_share = PercentField(initial=0.2)
    reads_per_crop = forms.IntegerField(min_value=1, max_value=20, initial=1)
    reread_share = PercentField(initial=0.0)
    reread_after_days = forms.IntegerField(min_value=0, max_value=3650, initial=7)
    reread_after_items = forms.IntegerField(min_value=0, max_value=1_000_000, initial=200)
    adjudicates = forms.BooleanField(required=False, initial=True)
    routes_not_sure_to_seniors = forms.BooleanField(required=False)
    is_blind = forms.BooleanField(required=False, initial=True)
    shows_suggestions = forms.BooleanField(required=False)
    locks_view = forms.BooleanField(required=False)
    idle_cap_s = forms.IntegerField(min_value=1, max_value=3600, initial=60)
    not_sure_as_soft_labels = forms.BooleanField(required=False)

    def __init__(self, user: Any, *args: Any, study: Study | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.study = study
        self.unlike: list[str] = []
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

    def full_clean(self) -> None:
        """The check; what is wrong with a field describes it from then on, beside what it means."""
        super().full_clean()
        for name in self.errors:
            if name in self.fields:
                described = self.fields[name].widget.attrs.get("aria-describedby", "")
                self.fields[name].widget.attrs["aria-describedby"] = f"{described} id_{name}_error".strip()

    def wrong_fields(self) -> list[Any]:
        """The fields that are wrong, in the order of the page."""
        return [field for group in self.groups() for row in group.rows for field in row if field.errors]

    def clean_name(self) -> str:
        """A name that no other study has."""
        name = str(self.cleaned_data["name"])
        if Study.objects.filter(name=name).exclude(pk=self.study.pk if self.study else None).exists():
            raise ValidationError(f"A study named '{name}' exists: choose another name.")
        return name

    def clean_experiments(self) -> Any:
        """Experiments whose crops can be asked about together."""
        chosen = self.cleaned_data["experiments"]
        # What a study has, it keeps.
        if self.study is not None and set(chosen) == set(self.study.experiments.all()):
            return chosen
        try:
            check_experiments(list(chosen))
        except StudyRefused as error:
            raise ValidationError(str(error)) from error
        return chosen

    def clean(self) -> dict[str, Any]:
        """The settings; too large shares, and suggestions in a blind study, are refused in words."""
        given = super().clean() or {}
        self._ask_about_unlike(given.get("experiments") or (), is_confirmed=bool(given.pop(MIXES, False)))
        shares = given.get("random_share", 0) + given.get("coverage_share", 0)
        if shares > 1:
            self.add_error("random_share", MORE_THAN_ALL)
        if given.get("is_blind") and given.get("shows_suggestions"):
            self.add_error("shows_suggestions", NO_SUGGESTIONS_WHERE_BLIND)
        return given

    def _ask_about_unlike(self, chosen: Any, *, is_confirmed: bool) -> None:
        """Experiments that differ in kind are taken once the lead says that they belong together."""
        if self.study is not None and set(chosen) == set(self.study.experiments.all()):
            return
        self.unlike = unlike(list(chosen))
        if self.unlike and not is_confirmed:
            self.add_error(
                "experiments",
                f"These experiments differ in {' and in '.join(self.unlike)}. A ranking over both compares what is "
                "not alike. Choose again, or say below that they belong together; nothing was stored yet.",
            )

    def groups(self) -> list[Group]:
        """The fields as they stand on the page."""
        found = []
        for key, title, text, rows in GROUPS:
            bound = [[self._told(name) for name in row if self._is_shown(name)] for row in rows]
            wrong = any(field.errors for row in bound for field in row)
            found.append(Group(key, title, text, [row for row in bound if row], wrong))
        return found

    def _is_shown(self, name: str) -> bool:
        return name in self.fields and (name != MIXES or bool(self.unlike))

    def _told(self, name: str) -> Any:
        field: Any = self[name]
        field.more = MORE.get(name, "")
        return field

    def _keep_choices(self, study: Study) -> None:
        """Let a choice that is no longer on offer stand: the first of the list would be saved in its place."""
        fields: Any = self.fields
        fields["encoder"].kept = study.encoder
        if study.strategy not in registry.strategies.choices():
            gone = (study.strategy, f"{study.strategy}: no longer on offer")
            fields["strategy"].choices = [*strategies(), gone]

    @staticmethod
    def of(study: Study) -> dict[str, Any]:
        """What the form shows of a study."""
        values = {
            name: getattr(study, name) for name in SettingsForm.base_fields if name not in ("experiments", MIXES)
        }
        return values | {"experiments": study.experiments.all()}


class NewStudyForm(SettingsForm):
    """What is decided when a study is made."""

    guidelines = LinesField(6, max_length=LONGEST_GUIDELINES)
    stream_in_training = forms.BooleanField(required=False, initial=True)


class GuidelinesForm(forms.Form):
    """A new text of the guidelines; `seen` is the number of the version that it started from."""

    text = LinesField(16, max_length=LONGEST_GUIDELINES, label="Text", help_text=HINTS["guidelines"])
    change = forms.CharField(
        max_length=LONGEST_CHANGE,
        required=False,
        label="What is new",
        help_text="One sentence, for readers who know the version before.",
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
