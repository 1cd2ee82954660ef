import pytest

from training.learning.recipe import Recipe


def test_an_empty_mapping_gives_the_defaults_and_survives_a_round_trip():
    assert Recipe.from_mapping({}) == Recipe()
    recipe = Recipe.from_mapping({"epochs": 3, "time_budget_s": 60})
    assert Recipe.from_mapping(recipe.as_mapping()) == recipe


@pytest.mark.parametrize(("wrong", "near"), [("epoch", "epochs"), ("learningrate", "learning_rate"), ("zzz", "")])
def test_an_unknown_setting_is_refused_with_the_nearest_known_one(wrong, near):
    with pytest.raises(ValueError, match=f"unknown training setting '{wrong}'; did you mean '{near}"):
        Recipe.from_mapping({wrong: 1})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "between 1 and 1000"),
        ({"epochs": 2.5}, "must be int"),
        ({"epochs": True}, "must be int"),
        ({"epochs": "12"}, "must be int"),
        ({"learning_rate": float("nan")}, "between"),
        ({"seed": None}, "must be int"),
        ({"augment_dihedral": 1}, "must be bool"),
        ({"model": "transformer"}, "choose one of network, handcrafted"),
    ],
)
def test_a_wrong_value_is_refused_with_the_rule(setting, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_mapping(setting)
