"""Pretrained networks: any channel count, byte-identical in any batching, and every unusable file told apart."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from labeling.models import Study
from tests.training.networks import KINDS, SIZES, save_network
from training.learning.encoder_names import LONGEST, EncoderError, parse_encoder_name
from training.learning.encoders import Encoder, EncoderOptions, make_encoder

WINDOW = (0.0, 3000.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of encoders with one network of each kind."""
    found = tmp_path_factory.mktemp("encoders")
    for kind in KINDS:
        save_network(found / kind, kind)
    return found


def made(folder: Path, name: str, channels: int = 3, **options: object) -> Encoder:
    return make_encoder(name, channels, options=EncoderOptions(folder=folder, device="cpu", **options))


def crops(n: int, channels: int = 3, size: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 300, (n, channels, size, size)).astype(np.uint16)


def encoded(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    return encoder.encode(pixels, [WINDOW] * pixels.shape[1])


@pytest.mark.parametrize("precision", ["", "+bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_known_architecture_gives_finite_rows_that_tell_crops_apart(folder, kind, precision):
    encoder = made(folder, f"file:{kind}{precision}", 2)
    rows = encoded(encoder, crops(3, 2))
    assert rows.shape == (3, encoder.dimension) == (3, 32)
    assert rows.dtype == np.float32 and np.isfinite(rows).all()
    assert len(np.unique(rows, axis=0)) == 3


@pytest.mark.parametrize(("channels", "colour"), [(1, False), (12, False), (3, True)])
def test_bytes_do_not_depend_on_any_of_100_batchings(folder, channels, colour):
    encoder = made(folder, "file:resnet", channels, is_rgb=colour, batch=64 if channels < 12 else 16)
    pixels, rng = crops(80, channels, 16), np.random.default_rng(1)
    whole = encoded(encoder, pixels)
    for _ in range(100):
        order = rng.permutation(80)[: rng.integers(2, 81)]
        parts = np.split(order, [rng.integers(1, len(order))])
        found = np.concatenate([encoded(encoder, pixels[part]) for part in parts])
        assert found.tobytes() == whole[order].tobytes()


def test_bf16_is_byte_identical_too_near_fp32_and_another_encoder(folder):
    half, full = made(folder, "file:dinov2+bf16"), made(folder, "file:dinov2")
    pixels = crops(70)
    rows = encoded(half, pixels)
    assert encoded(half, pixels[65:]).tobytes() == rows[65:].tobytes()
    np.testing.assert_allclose(rows, encoded(full, pixels), atol=0.1)
    assert half.digest != full.digest


def test_a_bag_of_channels_is_each_channel_encoded_alone_in_order(folder):
    pixels = crops(5, 12)
    whole = made(folder, "file:vit", 12)
    alone = made(folder, "file:vit", 1)
    parts = [encoded(alone, pixels[:, [channel]]) for channel in range(12)]
    rows = encoded(whole, pixels)
    assert rows.tobytes() == np.concatenate(parts, axis=1).tobytes()
    for columns, part in zip(whole.channel_columns, parts):
        assert rows[:, columns].tobytes() == part.tobytes()


def test_a_grey_channel_is_what_the_network_sees_as_a_grey_colour_picture(folder):
    pixels = crops(4, 1)
    grey = encoded(made(folder, "file:resnet", 1), pixels)
    colour = encoded(made(folder, "file:resnet", 3, is_rgb=True), np.repeat(pixels, 3, axis=1))
    assert grey.tobytes() == colour.tobytes()


def test_colours_are_read_together_only_where_there_are_three(folder):
    together, bag = made(folder, "file:resnet", 3, is_rgb=True), made(folder, "file:resnet", 3)
    assert (together.dimension, bag.dimension) == (16, 48)
    assert together.channel_columns is None
    assert together.digest != bag.digest
    assert made(folder, "file:resnet", 2, is_rgb=True).dimension == 32


def test_the_plain_network_gives_the_same_numbers(folder):
    """Folding normalisation into convolutions and the fixed batch change nothing but the last bits."""
    import transformers

    reference = transformers.ResNetModel.from_pretrained(folder / "resnet").eval()
    pixels = crops(3, 3, 64)
    x = torch.from_numpy(np.clip(pixels / 3000, 0, 1).astype(np.float32))
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        wanted = reference((x - mean) / std).pooler_output.flatten(1).numpy()
    np.testing.assert_allclose(
        encoded(made(folder, "file:resnet", is_rgb=True), pixels), wanted, rtol=1e-4, atol=1e-5
    )


def test_weights_with_the_names_of_torchvision_in_a_lone_file_are_read(folder, tmp_path):
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 2, 1, 1]}
    saved = save_network(tmp_path / "as-transformers", **sizes)
    weights = {_torchvision_name(name): value for name, value in load_file(saved / "model.safetensors").items()}
    assert "layer2.0.downsample.0.weight" in weights and "layer2.1.conv2.weight" in weights
    save_file(weights | {"fc.weight": torch.zeros(5, 16), "fc.bias": torch.zeros(5)}, tmp_path / "r.safetensors")
    pixels = crops(3)
    lone, known = (encoded(made(tmp_path, f"file:{name}"), pixels) for name in ("r.safetensors", "as-transformers"))
    assert lone.tobytes() == known.tobytes()
    assert encoded(made(tmp_path, "file:r"), pixels).tobytes() == known.tobytes()


def test_a_resnet_as_timm_saves_it_is_read_with_its_own_normalisation(tmp_path):
    saved = save_network(tmp_path / "net", hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1])
    weights = {_torchvision_name(name): value for name, value in load_file(saved / "model.safetensors").items()}
    save_file(weights, saved / "model.safetensors")
    rows = []
    for mean in (0.485, 0.5):
        config = {"architecture": "resnet18", "pretrained_cfg": {"mean": [mean] * 3, "std": [0.5] * 3}}
        (saved / "config.json").write_text(json.dumps(config))
        rows.append(encoded(made(tmp_path, "file:net"), crops(2)))
    assert not np.array_equal(*rows)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "dinov2_with_registers"])
def test_checkpoints_with_the_names_of_older_versions_are_read(folder, tmp_path, kind):
    """What is on the hub was saved years ago: query, key and value had other names then."""
    new = load_file(folder / kind / "model.safetensors")
    old = {_older_name(name): value for name, value in new.items()}
    assert any("attention.attention.query" in name for name in old)
    (tmp_path / "net").mkdir()
    save_file(old, tmp_path / "net" / "model.safetensors")
    (tmp_path / "net" / "config.json").write_text((folder / kind / "config.json").read_text())
    pixels = crops(2)
    wanted = encoded(made(folder, f"file:{kind}"), pixels)
    assert encoded(made(tmp_path, "file:net"), pixels).tobytes() == wanted.tobytes()


def _older_name(name: str) -> str:
    for new, old in (("q", "query"), ("k", "key"), ("v", "value")):
        name = name.replace(f"attention.{new}_proj", f"attention.attention.{old}")
    return name.replace("attention.o_proj", "attention.output.dense")


def test_a_head_for_classes_and_a_prefix_of_the_model_change_nothing(folder, tmp_path):
    weights = load_file(folder / "dinov2" / "model.safetensors")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text((folder / "dinov2" / "config.json").read_text())
    head = {"classifier.weight": torch.zeros(5, 32), "classifier.bias": torch.zeros(5)}
    named = {f"dinov2.{name}": value for name, value in weights.items()} | head
    save_file(named, tmp_path / "net" / "model.safetensors")
    pixels = crops(2)
    wanted = encoded(made(folder, "file:dinov2"), pixels)
    assert encoded(made(tmp_path, "file:net"), pixels).tobytes() == wanted.tobytes()


def _torchvision_name(name: str) -> str:
    parts = name.split(".")
    kinds = {"convolution": ("conv", "0"), "normalization": ("bn", "1")}
    if parts[0] == "embedder":
        return f"{kinds[parts[2]][0]}1.{parts[-1]}"
    stage, block = int(parts[2]) + 1, parts[4]
    if parts[5] == "shortcut":
        return f"layer{stage}.{block}.downsample.{kinds[parts[6]][1]}.{parts[-1]}"
    return f"layer{stage}.{block}.{kinds[parts[7]][0]}{int(parts[6]) + 1}.{parts[-1]}"


def test_a_lone_file_may_carry_its_config_in_its_header_or_beside_it(folder, tmp_path):
    weights = load_file(folder / "vit" / "model.safetensors")
    config = (folder / "vit" / "config.json").read_text()
    save_file(weights, tmp_path / "header.safetensors", metadata={"config": config})
    save_file(weights, tmp_path / "beside.safetensors")
    (tmp_path / "beside.json").write_text(config)
    pixels = crops(2)
    wanted = encoded(made(folder, "file:vit"), pixels)
    for name in ("header", "beside"):
        assert encoded(made(tmp_path, f"file:{name}.safetensors"), pixels).tobytes() == wanted.tobytes()


def test_the_digest_follows_weights_architecture_normalisation_batch_and_channels(folder, tmp_path):
    save_network(tmp_path / "same")
    save_network(tmp_path / "other", seed=1)
    save_network(tmp_path / "normalised")
    given = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "normalised" / "preprocessor_config.json").write_text(json.dumps(given))
    same = made(folder, "file:resnet").digest
    assert made(tmp_path, "file:same").digest == same
    others = {
        made(tmp_path, "file:other").digest,
        made(tmp_path, "file:normalised").digest,
        made(folder, "file:resnet", 4).digest,
        made(folder, "file:resnet", batch=32).digest,
        made(folder, "file:vit").digest,
    }
    assert len(others - {same}) == 5


@pytest.mark.parametrize("value", [0, 700, 65535])
def test_constant_crops_and_no_crops_are_encoded(folder, value):
    encoder = made(folder, "file:convnext", 12)
    assert np.isfinite(encoded(encoder, np.full((2, 12, 30, 30), value, np.uint16))).all()
    assert encoded(encoder, crops(0, 12)).shape == (0, encoder.dimension)


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": [1.0]}))


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _noise(path: Path) -> None:
    path.write_bytes((20).to_bytes(8, "little") + b"this is no header at all")


def _change(**more: torch.Tensor | None):
    def change(path: Path) -> None:
        weights = {**load_file(path), **more}
        save_file({name: value for name, value in weights.items() if value is not None}, path)

    return change


STEM = "embedder.embedder.convolution.weight"
BROKEN = {
    "pickle": (_pickle, "model.safetensors is a pickle"),
    "archive": (_archive, "model.safetensors is a pickle"),
    "cut": (_cut, r"is cut: \d+ of \d+ bytes; copy it again"),
    "cut in its header": (_cut_header, "is cut or not a safetensors file"),
    "empty": (_empty, r"is cut or not a safetensors file \(0 bytes\)"),
    "no header": (_noise, "has no safetensors header"),
    "wrong shape": (_change(**{STEM: torch.zeros(8, 3, 9, 9)}), r"of shape \(8, 3, 9, 9\), its config needs"),
    "without a tensor": (
        _change(**{STEM: None, "spare": torch.zeros(9000)}), "lacks 1 tensors that its config needs, such as"
    ),
    "another network": (
        _change(**{"layer1.0.se.fc1.weight": torch.zeros(2)}), "has 1 tensors that its config does not know"
    ),
    "not finite": (_change(**{STEM: torch.full((8, 3, 7, 7), torch.nan)}), "weights that are not finite"),
    "no weights": (lambda path: save_file({}, path), "holds no weights"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_weights_are_refused_by_name_rule_and_way_out(tmp_path, kind):
    breaks, said = BROKEN[kind]
    breaks(save_network(tmp_path / "net") / "model.safetensors")
    with pytest.raises(EncoderError, match=said):
        made(tmp_path, "file:net")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bert"}, "names the architecture 'bert'; known are dinov2"),
        ({"model_type": "vit", "hidden_size": 64, "num_hidden_layers": 12}, "its config needs"),
        ({"model_type": "resnet"} | SIZES["resnet"] | {"hidden_sizes": [8], "depths": [1]}, "does not know, such as"),
        ({"model_type": "resnet", "depths": [10**9]}, "asks for 1000000000 layers"),
        ({"model_type": "resnet", "depths": "many"}, "no numbers"),
        ({"model_type": "resnet", "num_channels": 7}, "reads 7 channels"),
        ({"model_type": "vit", "patch_size": 0}, "cuts patches of 0 px"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "without a config that names its architecture"),
        ([1, 2], "holds no JSON object"),
        ({"model_type": ["resnet"]}, r"names the architecture \['resnet'\]"),
        ({"model_type": "vit", "hidden_size": float("inf")}, "no numbers"),
        ({"model_type": "vit", "hidden_act": 5}, "makes no network"),
        ({"model_type": "resnet", "pretrained_cfg": "timm"}, "'pretrained_cfg' that is no JSON object"),
        ({"model_type": "resnet", "quantization_config": {"quant_method": "fp8"}}, "are quantised"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path, config, said):
    save_network(tmp_path / "net")
    (tmp_path / "net" / "config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match=said):
        made(tmp_path, "file:net")


@pytest.mark.parametrize("kind", ["resnet", "vit"])
@pytest.mark.parametrize(
    "more",
    [
        # The library would fetch this from the hub and run it.
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation": "evil/kernel"},
        {"auto_map": {"AutoModel": "evil--code.Model"}},
        {"num_labels": 10**6},
        {"pretrained_cfg": None},
    ],
)
def test_what_a_config_says_beside_its_architecture_is_left_aside(folder, tmp_path, kind, more):
    path = save_network(tmp_path / "net", kind) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    found = made(tmp_path, "file:net")
    assert len(found._network.config.id2label) < 10**6
    assert np.array_equal(encoded(found, crops(2)), encoded(made(folder, f"file:{kind}"), crops(2)))


@pytest.mark.parametrize("given", [{"image_std": [0, 1, 1]}, {"image_mean": ["a"]}, {"image_mean": [0.5]}])
def test_a_preprocessor_that_does_not_fit_is_refused(tmp_path, given):
    save_network(tmp_path / "net")
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(given))
    with pytest.raises(EncoderError, match="no usable image_"):
        made(tmp_path, "file:net")


def test_missing_files_and_links_that_lead_outside_are_refused(tmp_path, folder):
    with pytest.raises(EncoderError, match="absent is not in the folder 'encoders'"):
        made(tmp_path, "file:absent")
    (tmp_path / "link").symlink_to(folder / "resnet")
    with pytest.raises(EncoderError, match="lies outside the folder"):
        made(tmp_path, "file:link")
    for file in ("model.safetensors", "config.json"):
        inner = save_network(tmp_path / "inner") / file
        inner.unlink()
        inner.symlink_to(folder / "resnet" / file)
        with pytest.raises(EncoderError, match=f"{file} lies outside the folder"):
            made(tmp_path, "file:inner")
        inner.unlink()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(EncoderError, match=r"holds no model\.safetensors"):
        made(tmp_path, "file:bare")


@pytest.mark.parametrize(
    "name",
    [
        "resnet",
        "file:",
        "file:../x",
        "file:/etc/passwd",
        "file:a/b",
        "file:hub",
        "hub:dinov2",
        "hub:a/b/c",
        "hub:../b",
        "hub:a--b/c",
        "hub:a/b--c",
    ],
)
def test_names_that_are_none_are_refused_with_how_names_are_written(name):
    with pytest.raises(EncoderError, match="choose one of handcrafted, untrained, file:NAME"):
        parse_encoder_name(name)


def test_names_have_parts():
    found = parse_encoder_name("hub:facebook/dinov2-small@abc123+bf16")
    assert (found.place, found.revision, found.precision) == ("facebook/dinov2-small", "abc123", "bf16")
    assert found.folder == "hub/facebook--dinov2-small@abc123"


@pytest.mark.parametrize("length", [200, 201])
def test_a_name_that_a_study_cannot_hold_is_refused(length):
    name = f"hub:{'a' * 90}/{'b' * 90}@".ljust(length, "c")
    if length <= LONGEST:
        assert parse_encoder_name(name).text == name
    else:
        with pytest.raises(EncoderError, match="201 characters; at most 200"):
            parse_encoder_name(name)


def test_the_longest_name_is_the_longest_that_a_study_holds():
    assert Study._meta.get_field("encoder").max_length == LONGEST
