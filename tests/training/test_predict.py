import numpy as np
import pytest
import torch

from training.learning.head import fit_head
from training.learning.network import Network
from training.learning.predict import HandcraftedPredictor, NetworkPredictor, with_temperature

WINDOWS = [(0, 1000), (0, 1000)]
CLASSES = ("a", "b", "c")


def crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, (n, 2, 32, 32)).astype(np.uint16)


def network_model() -> NetworkPredictor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NetworkPredictor(Network(2, 3, width=8, crop_px=24).eval(), CLASSES)


def handcrafted_model() -> HandcraftedPredictor:
    unfitted = HandcraftedPredictor(np.zeros(0), np.zeros(0), np.zeros(0), CLASSES, 2)
    embeddings = unfitted.encoder.encode(crops(30, seed=9), WINDOWS)
    return HandcraftedPredictor.from_head(fit_head(embeddings, np.eye(3)[np.arange(30) % 3]), CLASSES, 2)


MODELS = pytest.mark.parametrize("model", [network_model, handcrafted_model])


@MODELS
def test_the_bytes_do_not_depend_on_how_a_request_is_batched(model):
    predictor, pixels = model(), crops(70)
    together = predictor.predict(pixels, WINDOWS)
    for cut in (1, 7, 16, 64, 69):
        parts = [predictor.predict(part, WINDOWS) for part in np.split(pixels, [cut])]
        assert np.concatenate(parts).tobytes() == together.tobytes()


@MODELS
def test_the_order_of_crops_changes_only_the_order_of_rows(model):
    predictor, pixels = model(), crops(40)
    mixed = np.random.default_rng(1).permutation(40)
    assert np.array_equal(predictor.predict(pixels[mixed], WINDOWS), predictor.predict(pixels, WINDOWS)[mixed])


@MODELS
def test_probabilities_sum_to_one_and_a_temperature_softens_them(model):
    predictor, pixels = model(), crops(20)
    p, soft = predictor.predict(pixels, WINDOWS), with_temperature(predictor, 5.0).predict(pixels, WINDOWS)
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert (soft.max(axis=1) <= p.max(axis=1)).all()
    assert np.array_equal(soft.argmax(axis=1), p.argmax(axis=1))


@MODELS
def test_no_crops_give_no_rows(model):
    assert model().predict(crops(0), WINDOWS).shape == (0, 3)


@MODELS
def test_crops_that_do_not_fit_are_refused(model):
    with pytest.raises(ValueError, match="2, height"):
        model().predict(crops(2)[:, :1], WINDOWS[:1])
    with pytest.raises(ValueError, match="NaN"):
        model().predict(np.full((1, 2, 32, 32), np.nan), WINDOWS)


def test_features_are_the_layer_below_the_logits():
    predictor, pixels = network_model(), crops(20)
    head = predictor.network.head
    expected = predictor.features(pixels, WINDOWS) @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert predictor.logits(pixels, WINDOWS) == pytest.approx(expected, abs=1e-5)


def test_cached_embeddings_give_the_same_logits_as_crops():
    predictor, pixels = handcrafted_model(), crops(20)
    embeddings = predictor.encoder.encode(pixels, WINDOWS)
    assert np.array_equal(predictor.logits_of_embeddings(embeddings), predictor.logits(pixels, WINDOWS))


def test_weights_of_other_features_are_refused():
    predictor = HandcraftedPredictor(np.zeros(0), np.zeros(0), np.zeros(0), CLASSES, 2, encoder_digest="old")
    with pytest.raises(ValueError, match="another version of the handcrafted features"):
        predictor.predict(crops(1), WINDOWS)
