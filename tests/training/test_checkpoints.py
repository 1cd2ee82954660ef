import io
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from training.learning.checkpoints import CheckpointError, load_model, model_digest, read_meta, save_model
from training.learning.network import Network
from training.learning.predict import HandcraftedPredictor, NetworkPredictor

CLASSES = ("a", "b", "c")
WINDOWS = [(0, 255)]
CROPS = np.random.default_rng(0).integers(0, 255, (20, 1, 32, 32)).astype(np.uint8)


def network_model() -> NetworkPredictor:
    return NetworkPredictor(Network(1, 3, width=4, crop_px=32).eval(), CLASSES, 1.7)


def handcrafted_model() -> HandcraftedPredictor:
    blank = HandcraftedPredictor(np.zeros(0), np.zeros(0), np.zeros(0), CLASSES, 1)
    d, rng = blank.encoder.dimension, np.random.default_rng(1)
    arrays = rng.standard_normal((d + 1, 3)), rng.standard_normal(d), 1 + rng.random(d)
    return HandcraftedPredictor(*arrays, CLASSES, 1, 2.5, blank.encoder.digest)


def changed(path, header=None, **arrays) -> None:
    """Write the file again with other header entries or arrays."""
    meta = read_meta(path) | (header or {})
    path.write_bytes(save({**load(path.read_bytes()), **arrays}, metadata={"parfocal": json.dumps(meta)}))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, network_model(), {})
    return path


@pytest.mark.parametrize("model", [network_model, handcrafted_model])
def test_a_saved_model_predicts_the_same_bytes_after_loading(tmp_path, model):
    first, path = model(), tmp_path / "model.safetensors"
    digest = save_model(path, first, {"recipe": {"epochs": 3}, "windows": WINDOWS})
    loaded = load_model(path)
    assert loaded.predictor.predict(CROPS, WINDOWS).tobytes() == first.predict(CROPS, WINDOWS).tobytes()
    assert (loaded.predictor.classes, loaded.predictor.temperature) == (CLASSES, first.temperature)
    assert loaded.meta["recipe"] == {"epochs": 3} and loaded.meta["kind"] == first.kind
    assert loaded.digest == digest == model_digest(path)


def test_the_same_model_gives_the_same_file(tmp_path):
    model = network_model()
    digests = {save_model(tmp_path / f"{i}.safetensors", model, {"b": 1, "a": 2}) for i in range(3)}
    assert len(digests) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{i}.safetensors" for i in range(3)]


def test_pickles_and_torch_archives_are_refused_unread(tmp_path):
    archive = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, archive)
    for number, content in enumerate((pickle.dumps(print), archive.getvalue())):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="can run code when opened"):
            load_model(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        load_model(saved)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": "other"}, "not written by this application"),
        ({"format_version": 99}, "format version 99"),
        ({"kind": "oracle"}, "unknown kind 'oracle'"),
        ({"width": 100000}, "head.weight has shape"),
        ({"classes": ["a"]}, "head.weight has shape"),
        ({"channels": 3}, "mean has shape"),
        ({"crop_px": 100000}, "crop_px 100000"),
        ({"temperature": 0}, "temperature"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(saved, header, message):
    changed(saved, header)
    with pytest.raises(CheckpointError, match=message):
        load_model(saved)


def test_weights_of_another_shape_or_with_nan_are_refused(saved):
    changed(saved, **{"stem.weight": np.zeros((4, 1, 3, 3), np.float32)})
    with pytest.raises(CheckpointError, match=r"stem\.weight"):
        load_model(saved)
    changed(saved, **{"stem.weight": np.full((4, 1, 5, 5), np.nan, np.float32)})
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        load_model(saved)


def test_a_model_with_broken_weights_is_not_saved(tmp_path):
    model = network_model()
    model.network.mean.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN or infinite weights in mean"):
        save_model(tmp_path / "model.safetensors", model, {})
    assert not list(tmp_path.iterdir())


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"w": np.zeros(3)}))
    with pytest.raises(CheckpointError, match="not written by this application"):
        load_model(path)
