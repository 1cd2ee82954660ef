"""The forms in which a lead makes a study and changes it, with plain words for each choice."""

from labeling.forms.classes import ClassDetailsForm, ClassRows, PartRows
from labeling.forms.fields import EncoderField, StrategyField
from labeling.forms.people import DutiesForm, InvitationForm, MemberForm
from labeling.forms.presets import PRESETS, Preset, preset_named
from labeling.forms.study import GuidelinesForm, NewStudyForm, SettingsForm

__all__ = [
    "PRESETS",
    "ClassDetailsForm",
    "ClassRows",
    "DutiesForm",
    "EncoderField",
    "GuidelinesForm",
    "InvitationForm",
    "MemberForm",
    "NewStudyForm",
    "PartRows",
    "Preset",
    "SettingsForm",
    "StrategyField",
    "preset_named",
]
