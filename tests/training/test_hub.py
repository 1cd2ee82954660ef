"""Fetching a network from a hub: only what is wanted, whole or not at all, and plain words where it cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.networks import save_network
from training.learning.encoder_names import EncoderError, parse_encoder_name
from training.learning.encoders import EncoderOptions, make_encoder
from training.learning.hub import LARGEST_BYTES, Listing, ensure_downloaded

NAME = parse_encoder_name("hub:lab/cells@v1")
SIZES = {"config.json": 100, "model.safetensors": 1000, "pytorch_model.bin": 10**12}


class LocalHub:
    """Answers from a folder instead of the network."""

    def __init__(self, source: Path, sizes: dict[str, int] | None = None) -> None:
        self.source, self.sizes, self.asked = source, SIZES if sizes is None else sizes, []

    def listing(self, repo: str, revision: str) -> Listing:
        self.asked.append((repo, revision))
        return Listing("c0ffee", self.sizes)

    def fetch(self, repo: str, commit: str, folder: Path) -> None:
        for path in self.source.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())


class Away:
    """A hub without a network."""

    def listing(self, repo: str, revision: str) -> Listing:
        raise OSError("[Errno -2] Name or service not known")

    def fetch(self, repo: str, commit: str, folder: Path) -> None:
        raise AssertionError


def test_a_network_is_fetched_once_and_used_without_the_hub(tmp_path):
    hub = LocalHub(save_network(tmp_path / "hub side"))
    (tmp_path / "hub side" / "evil.py").write_text("raise SystemExit")
    place = ensure_downloaded(NAME, tmp_path / "encoders", hub)
    assert ensure_downloaded(NAME, tmp_path / "encoders", Away()) == place
    assert hub.asked == [("lab/cells", "v1")]
    assert {path.name for path in place.iterdir()} == {"config.json", "model.safetensors", "source.json"}
    assert json.loads((place / "source.json").read_text())["commit"] == "c0ffee"
    encoder = make_encoder(NAME.text, 2, options=EncoderOptions(folder=tmp_path / "encoders"))
    assert encoder.encode(np.zeros((1, 2, 8, 8)), [(0, 1)] * 2).shape == (1, encoder.dimension)


def test_without_a_network_the_reason_and_the_way_out_are_said_and_nothing_is_left(tmp_path):
    with pytest.raises(EncoderError, match=r"the hub cannot be reached for lab/cells: .*put a safetensors file into"):
        ensure_downloaded(NAME, tmp_path, Away())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"config.json": 1, "pytorch_model.bin": 1}, "has no model.safetensors on the hub"),
        ({"model.safetensors": 1}, "has no config.json"),
        ({"config.json": 1, "model.safetensors": LARGEST_BYTES}, "choose a model below 8 GiB"),
    ],
)
def test_models_in_another_form_or_too_large_are_refused_before_anything_is_fetched(tmp_path, sizes, said):
    with pytest.raises(EncoderError, match=said):
        ensure_downloaded(NAME, tmp_path, LocalHub(tmp_path / "nowhere", sizes))


def test_a_download_that_is_not_whole_is_not_kept(tmp_path):
    source = save_network(tmp_path / "source")
    (source / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="not whole"):
        ensure_downloaded(NAME, tmp_path / "encoders", LocalHub(source))
    assert not (tmp_path / "encoders" / NAME.folder).exists()


def test_what_a_killed_worker_left_is_replaced(tmp_path):
    half = tmp_path / "encoders" / NAME.folder
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    place = ensure_downloaded(NAME, tmp_path / "encoders", LocalHub(save_network(tmp_path / "source")))
    assert (place / "model.safetensors").stat().st_size > 1000
