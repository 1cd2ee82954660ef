"""Explanations of the head: parts that add up to the whole, neighbours in a fixed order, channels taken away."""

import numpy as np
import pytest

from training.learning import explain
from training.learning.explain import ExplainedHead, Labelled
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.head import HeadSettings, logits, probabilities, standardise
from training.learning.similar import nearest_first, standardised_distance


def labelled(n: int = 80, d: int = 20, classes: int = 4, seed: int = 0, soft: bool = False) -> Labelled:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)).astype(np.float32) * 3 + 7
    names = (rows[:, :classes] + rng.gumbel(size=(n, classes))).argmax(axis=1)
    targets = rng.dirichlet(np.ones(classes), n) if soft else np.eye(classes)[names]
    return Labelled(np.arange(n) * 3 + 100, rows, targets)


def fitted(data: Labelled, settings: HeadSettings | None = None) -> ExplainedHead:
    return explain.fit_to_explain(data, standardise(data.X), settings)


QUERY = np.random.default_rng(9).normal(size=20).astype(np.float32) * 3 + 7


@pytest.mark.parametrize("n", [1, 6, 80, 400])
@pytest.mark.parametrize("settings", [HeadSettings(), HeadSettings(ridge=2.0, balanced=False, tolerance=1e-4)])
@pytest.mark.parametrize("soft", [False, True])
def test_contributions_and_bias_add_up_to_the_difference_of_the_logits(n, settings, soft):
    data = labelled(n, soft=soft)
    explained = fitted(data, settings)
    found = explain.contrast(explained, QUERY)
    raw = np.sort(logits(explained.head, QUERY[None])[0])
    assert found.difference == pytest.approx(raw[-1] - raw[-2], rel=1e-12)
    scale = np.abs(found.contribution).sum() + abs(found.bias)
    assert abs(found.contribution.sum() + found.bias - found.difference) <= 1e-6 * scale


def test_the_parts_add_up_for_every_class_and_crop():
    data = labelled(300)
    explained = fitted(data)
    head = explained.head
    phi = explain.design(data.X, head.mean, head.scale)[:, :-1]
    whole = phi @ phi.T @ explained.alpha + explained.alpha.sum(axis=0) * explained.bias_share
    np.testing.assert_allclose(whole, logits(head, data.X), rtol=1e-6, atol=1e-6)


def test_the_explained_head_says_what_the_plain_head_says():
    data = labelled(300)
    plain = explain.fit_head(data.X, data.targets, settings=HeadSettings(tolerance=1e-9))
    np.testing.assert_allclose(probabilities(fitted(data).head, data.X), probabilities(plain, data.X), atol=1e-4)


def test_a_copy_of_a_class_speaks_for_it():
    data = labelled()
    explained = fitted(data)
    for place in range(5):
        found = explain.contrast(explained, data.X[place])
        if data.targets[place, found.first]:
            assert found.contribution[place] > 0


def test_the_order_of_the_labelled_crops_does_not_matter():
    data = labelled()
    order = np.random.default_rng(1).permutation(len(data.X))
    shuffled = Labelled(data.crop_ids[order], data.X[order], data.targets[order])
    norm = standardise(data.X)
    first, second = explain.fit_to_explain(data, norm), explain.fit_to_explain(shuffled, norm)
    np.testing.assert_allclose(
        explain.contrast(first, QUERY).contribution[order], explain.contrast(second, QUERY).contribution, atol=1e-6
    )
    for (a, _), (b, _) in zip(explain.nearest_labelled(first, QUERY), explain.nearest_labelled(second, QUERY)):
        assert data.crop_ids[a].tolist() == shuffled.crop_ids[b].tolist()


def test_the_nearest_labelled_crops_equal_a_plain_search():
    data = labelled(200)
    explained = fitted(data)
    z = (data.X.astype(np.float64) - QUERY) / explained.head.scale
    distance = np.sqrt((z**2).mean(axis=1))
    for k, (places, found) in enumerate(explain.nearest_labelled(explained, QUERY)):
        of_class = np.flatnonzero(data.targets[:, k])
        expected = of_class[np.argsort(distance[of_class])[:5]]
        assert places.tolist() == expected.tolist()
        np.testing.assert_allclose(found, distance[expected], rtol=1e-5)


def test_ties_are_told_apart_by_crop_id_and_the_crop_itself_is_left_out():
    rows = np.ones((6, 3), dtype=np.float32)
    data = Labelled(np.array([50, 10, 40, 20, 30, 60]), rows, np.eye(2)[[0, 0, 0, 0, 0, 1]])
    (first, distance), (second, _) = explain.nearest_labelled(fitted(data), rows[0], leave_out=[60], per_class=3)
    assert data.crop_ids[first].tolist() == [10, 20, 30]
    assert distance.tolist() == [0, 0, 0]
    assert second.tolist() == []


def test_a_crop_with_tied_votes_stands_under_each_class():
    data = Labelled(np.array([1, 2]), np.eye(2, dtype=np.float32), np.array([[0.5, 0.5, 0], [0.2, 0.8, 0]]))
    found = explain.nearest_labelled(fitted(data), np.zeros(2, np.float32))
    assert [sorted(data.crop_ids[places]) for places, _ in found] == [[1], [1, 2], []]


def test_without_answers_nothing_contributes_and_nothing_is_near():
    data = Labelled(np.empty(0, np.int64), np.empty((0, 20), np.float32), np.empty((0, 3)))
    explained = fitted(data)
    found = explain.contrast(explained, QUERY)
    assert (found.difference, found.bias, len(found.contribution)) == (0, 0, 0)
    assert all(len(places) == 0 for places, _ in explain.nearest_labelled(explained, QUERY))


def test_one_class_only_makes_its_own_crops_speak_for_it():
    data = Labelled(np.arange(5), labelled(5).X, np.eye(2)[[1] * 5])
    found = explain.contrast(fitted(data), data.X[0])
    assert found.first == 1 and found.contribution[0] > 0


def test_a_head_of_one_class_has_no_contrast():
    data = Labelled(np.arange(5), labelled(5).X, np.ones((5, 1)))
    with pytest.raises(ValueError, match="two classes"):
        explain.contrast(fitted(data), data.X[0])


def test_constant_embeddings_give_finite_parts():
    data = Labelled(np.arange(4), np.full((4, 3), 7, np.float32), np.eye(2)[[0, 0, 1, 1]])
    found = explain.contrast(fitted(data), np.full(3, 7, np.float32))
    assert np.isfinite(found.contribution).all() and found.difference == pytest.approx(0, abs=1e-9)


def test_embeddings_that_are_not_finite_are_refused():
    data = labelled()
    with pytest.raises(ValueError, match="NaN"):
        fitted(Labelled(data.crop_ids, np.full_like(data.X, np.nan), data.targets))


def crop_of(channels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    crop = rng.integers(200, 300, (channels, 24, 24)).astype(np.uint16)
    crop[:, 8:16, 8:16] += 2000
    return crop


@pytest.mark.parametrize("channels", [1, 3, 12])
def test_each_copy_lacks_one_channel_and_nothing_else(channels):
    crop = crop_of(channels)
    copies = explain.background_planes(crop)
    assert copies.shape == (channels, *crop.shape) and copies.dtype == crop.dtype
    for channel in range(channels):
        assert len(np.unique(copies[channel, channel])) == 1
        assert 200 <= copies[channel, channel, 0, 0] < 300
        kept = np.arange(channels) != channel
        np.testing.assert_array_equal(copies[channel, kept], crop[kept])


def test_the_probability_falls_only_without_the_channel_that_tells_the_classes_apart():
    encoder, windows = HandcraftedEncoder(2), [(200.0, 3000.0)] * 2
    crops = np.stack([crop_of(2, seed) for seed in range(40)])
    crops[::2, 0, 8:16, 8:16] -= 2000
    data = Labelled(np.arange(40), encoder.encode(crops, windows), np.eye(2)[np.arange(40) % 2])
    head = fitted(data).head
    without = encoder.encode(explain.background_planes(crops[1]), windows)
    first, p, left = explain.knock_out(head, data.X[1], without)
    assert first == 1 and p > 0.8
    assert left[0] < p - 0.3 < left[1]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_distances_do_not_depend_on_the_chunk(chunk):
    data = labelled(50)
    norm = standardise(data.X)
    expected = np.sqrt((((data.X - QUERY) / norm.scale) ** 2).mean(axis=1))
    np.testing.assert_allclose(standardised_distance(data.X, QUERY, norm, chunk), expected, rtol=1e-5)


def test_the_distance_to_oneself_is_zero_and_far_columns_do_not_cancel():
    rows = (labelled(30).X + 1e4).astype(np.float32)
    assert standardised_distance(rows, rows[3], standardise(rows))[3] == 0


def test_rows_of_another_encoder_and_rows_that_are_not_finite_are_refused():
    norm = standardise(np.ones((2, 3)))
    with pytest.raises(ValueError, match="one encoder"):
        standardised_distance(np.ones((2, 3)), np.ones(4), norm)
    with pytest.raises(ValueError, match="NaN"):
        standardised_distance(np.array([[np.inf, 0, 0]]), np.ones(3), norm)


def test_the_nearest_come_first_with_ties_by_id_also_at_the_cut():
    distance = np.array([1.0, 0.5, 1.0, 1.0, 0.2])
    ids = np.array([9, 5, 3, 4, 7])
    assert ids[nearest_first(distance, ids, 3)].tolist() == [7, 5, 3]
    assert ids[nearest_first(distance, ids, 9)].tolist() == [7, 5, 3, 4, 9]
    assert ids[nearest_first(distance, ids, 2, ids != 7)].tolist() == [5, 3]
    assert nearest_first(distance, ids, 0).tolist() == []
