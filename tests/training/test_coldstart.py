"""Cold start: different regions, every experiment, the same crops for the same seed."""

import numpy as np
import pytest

from training.learning.coldstart import cold_start, cold_start_size, spherical_kmeans, unit_rows


def blobs(per_blob: int = 30, count: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, 16)) * 3
    member = np.repeat(np.arange(count), per_blob)
    return unit_rows(centres[member] + rng.normal(size=(len(member), 16)) * 0.3), member


def test_two_per_class_and_at_least_twenty():
    assert [cold_start_size(k) for k in (2, 10, 300)] == [20, 20, 600]


def test_clear_groups_are_found_and_every_one_is_asked():
    features, member = blobs()
    chosen = cold_start(features, np.zeros(len(member), int), 16, seed=0)
    assert set(member[chosen]) == set(range(8))
    assert len(set(chosen)) == 16


def test_the_first_crops_are_already_spread_over_the_groups():
    features, member = blobs()
    first = cold_start(features, np.zeros(len(member), int), 24, seed=0)[:8]
    assert len(set(member[first])) == 8


@pytest.mark.parametrize("experiments", [3, 10, 40])
def test_every_experiment_is_represented_even_with_more_experiments_than_crops(experiments):
    features, member = blobs()
    experiment = np.arange(len(member)) % experiments
    experiment[experiment == 1] = 0
    experiment[7] = 1
    chosen = cold_start(features, experiment, 20, seed=1)
    assert set(experiment[chosen]) == set(experiment)
    assert len(set(chosen)) == len(chosen) == max(20, len(set(experiment)))


def test_the_seed_decides_and_repeats():
    features, member = blobs()
    first, again, other = (cold_start(features, member, 20, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_a_small_pool_is_asked_completely():
    features, member = blobs(2, 4)
    np.testing.assert_array_equal(cold_start(features, member, 20, seed=0), np.arange(8))


def test_each_row_belongs_to_its_nearest_centre():
    features, _ = blobs(seed=2)
    centres, member = spherical_kmeans(features, 8, seed=0)
    np.testing.assert_array_equal(member, np.argmax(features @ centres.T, axis=1))
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)


def test_equal_crops_can_be_clustered():
    chosen = cold_start(unit_rows(np.ones((50, 3))), np.zeros(50, int), 20, seed=0)
    assert len(set(chosen)) == 20


def test_more_clusters_than_crops_are_refused():
    with pytest.raises(ValueError, match="5 clusters of 3"):
        spherical_kmeans(unit_rows(np.eye(3)), 5, seed=0)
