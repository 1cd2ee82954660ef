"""The random stream as a test set: nothing is trained on that is tested, and figures hold for the pool."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from tests.training.stream_pools import stream_study
from training.learning.stream import (
    StreamPlan,
    accuracy,
    accuracy_by_experiment,
    balanced_accuracy,
    cross_fitted,
    folds_of,
    present_hits,
    training_order,
    units_of,
)

PLAN = StreamPlan()


def test_crops_of_a_field_share_a_fold_and_every_fold_is_used() -> None:
    data = stream_study(0)
    fold = folds_of(data, PLAN)
    tested = data.group[data.tested]
    for group in np.unique(tested):
        assert len(set(fold[data.group == group])) == 1
    assert set(fold[data.tested]) == set(range(PLAN.folds))
    assert (fold[~np.isin(data.group, tested)] == -1).all()


def test_a_tested_crop_and_its_field_never_train() -> None:
    """Wrong labels for all other crops of its field change nothing for a tested crop."""
    data = stream_study(1)
    fold = folds_of(data, PLAN)
    before = present_hits(data, PLAN)
    inside = fold == 2
    spoilt = replace(data, targets=np.where(inside[:, None], np.roll(data.targets, 1, axis=1), data.targets))
    after = present_hits(spoilt, PLAN)
    assert (before[inside] == after[inside]).all()
    assert (before[~inside] != after[~inside]).any()


def test_with_few_fields_crops_are_held_out_one_by_one() -> None:
    data = stream_study(2)
    fold = folds_of(replace(data, group=np.zeros_like(data.group)), PLAN)
    assert set(fold[data.tested]) == set(range(PLAN.folds)) and (fold[~data.tested] == -1).all()


def test_a_stream_that_does_not_train_leaves_no_trace_in_the_head() -> None:
    data = stream_study(3, stream_trains=False)
    assert not data.in_stream[training_order(data)].any()
    assert data.in_stream[training_order(replace(data, stream_trains=True))].any()


def test_the_first_answers_are_those_that_were_given_first() -> None:
    data = stream_study(4)
    fold, order = folds_of(data, PLAN), training_order(data)
    kept = replace(data, targets=np.where(np.arange(len(order))[:, None] < 250, data.targets, 0))
    early = cross_fitted(data, order, 50, PLAN, fold)
    assert (early == cross_fitted(kept, training_order(kept), 50, PLAN, fold)).all()


def test_figures_equal_those_of_sklearn() -> None:
    data = stream_study(5, stream=200)
    found = present_hits(data, PLAN)
    truth, right = data.truth[data.tested].argmax(axis=1), found[data.tested].sum(axis=1) > 0
    named = np.where(right, truth, -1)
    with pytest.warns(UserWarning, match="not in y_true"):
        expected = balanced_accuracy_score(truth, named)
    assert balanced_accuracy(data, found).value == pytest.approx(expected)
    assert accuracy(data, found).value == pytest.approx(right.mean())


def test_weights_give_the_figure_of_the_pool_where_experiments_differ_in_size() -> None:
    """Both experiments are checked equally often; the model is right in one and wrong in the other, the bigger."""
    data = stream_study(6, stream=200)
    first = data.experiment == 0
    found = np.where(first[:, None], data.truth, 0.0)
    weighted = replace(data, weight=np.where(first, 1.0, 9.0))
    share = first[data.tested].mean()
    assert accuracy(data, found).value == pytest.approx(share)
    assert accuracy(weighted, found).value == pytest.approx(share / (share + 9 * (1 - share)))
    by = accuracy_by_experiment(data, found)
    assert (by[0].value, by[1].value) == (1.0, 0.0) and by[0].n + by[1].n == 200


def test_experiments_are_resampled_from_five_on() -> None:
    assert units_of(stream_study(7, experiments=4))[1] == "crop"
    assert units_of(stream_study(7, experiments=5, stream=100))[1] == "experiment"


def test_classes_that_are_too_rare_are_left_out() -> None:
    data = stream_study(8, prior=(0.6, 0.39, 0.01), stream=60)
    assert data.judged_classes.tolist() == [True, True, False]
    figure = balanced_accuracy(data, np.where([False, False, True], 0.0, data.truth))
    assert figure.value == 1.0


def test_embeddings_that_are_not_finite_and_weights_of_nothing_are_refused() -> None:
    data = stream_study(9)
    with pytest.raises(ValueError, match="encode the crops again"):
        replace(data, phi=np.full_like(data.phi, np.nan))
    with pytest.raises(ValueError, match="above 0"):
        replace(data, weight=np.zeros(len(data.weight)))
