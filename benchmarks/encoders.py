"""Crops per second of the encoders: handcrafted beside scikit-image, a ResNet-18 beside what the machine multiplies.

Runs from the pure folders alone. The roofline of a network is the speed at which the same machine, in the same run,
does as many operations in large matrix products.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from skimage import feature, filters
from skimage import measure as regions
from torch.utils.flop_counter import FlopCounterMode
from transformers import ResNetConfig, ResNetModel

from benchmarks.fields import nuclei_crops
from benchmarks.measure import cpu_seconds
from benchmarks.rows import Beside, Row
from training.learning.encoder_files import find_encoder_files
from training.learning.encoder_names import parse_encoder_name
from training.learning.encoders import Encoder, make_encoder
from training.learning.pretrained import NetworkPlan, PretrainedEncoder

CROPS, NAIVE_CROPS, NETWORK_CROPS = 1024, 32, 512
CHANNELS = 3
WINDOWS = [(150.0, 2500.0)] * CHANNELS
TARGETS = {"handcrafted": ">= 2000", "untrained": ">= 900"}
# Grey-level co-occurrence needs few levels; 32 is the usual choice.
LEVELS = 32
RESNET18 = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"}
PRODUCT_SIDES = (1024, 2048)
GPU_PRODUCT_SIDE = 8192
# A GPU is idle most of the time with the block of a CPU; the size of a block is part of an encoder's identity.
GPU_BATCH = 1024


def measure() -> list[Row]:
    """Rows of the built-in encoders and of a ResNet-18, 64 x 64 x 3 crops of uint16."""
    crops = nuclei_crops(0, CROPS, CHANNELS)
    naive = NAIVE_CROPS / cpu_seconds(lambda: [naive_features(crop) for crop in crops[:NAIVE_CROPS]], repeats=3)
    beside = Beside("crop by crop with scikit-image", naive)
    built_in = [_row(name, crops, target, beside) for name, target in TARGETS.items()]
    with tempfile.TemporaryDirectory() as folder:
        save_resnet18(Path(folder))
        return [*built_in, *network_rows(Path(folder), crops[:NETWORK_CROPS]), *gpu_rows(Path(folder), crops)]


def _row(name: str, crops: NDArray[np.uint16], target: str, beside: Beside) -> Row:
    rate = CROPS / cpu_seconds(_encoding(make_encoder(name, CHANNELS), crops))
    return Row(name, rate, "crops per CPU-s", target, beside)


def _encoding(encoder: Encoder, crops: NDArray[np.uint16]) -> Callable[[], object]:
    return lambda: encoder.encode(crops, WINDOWS)


def save_resnet18(folder: Path) -> None:
    """A ResNet-18 with random weights as an encoder's folder: its speed is that of trained weights."""
    (folder / "resnet18").mkdir()
    config = {"model_type": "resnet", **RESNET18}
    (folder / "resnet18" / "config.json").write_text(json.dumps(config), "utf-8")
    weights = ResNetModel(ResNetConfig(**RESNET18)).state_dict()
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, folder / "resnet18" / "model.safetensors"
    )


def resnet18(folder: Path, plan: NetworkPlan) -> PretrainedEncoder:
    """The saved network as an encoder that reads the three channels together."""
    files = find_encoder_files(parse_encoder_name("file:resnet18"), folder)
    return PretrainedEncoder("file:resnet18", files, CHANNELS, plan)


def flop_per_crop(folder: Path) -> float:
    """Floating point operations of one crop, a product and a sum counted as two."""
    encoder = resnet18(folder, NetworkPlan(device="cpu", is_rgb=True))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        encoder.read(torch.zeros(1, 3, encoder.input_px, encoder.input_px))
    return float(counter.get_total_flops())


def network_rows(folder: Path, crops: NDArray[np.uint16]) -> list[Row]:
    """Speed on a CPU in both precisions, and how far bf16 stays below the machine's matrix products."""
    flop = flop_per_crop(folder)
    rows = []
    for precision, target in (("fp32", None), ("bf16", ">= 700")):
        encoder = resnet18(folder, NetworkPlan(precision, device="cpu", is_rgb=True))
        # Before and after: other work on the machine slows both.
        before = product_rate(precision)
        rate = len(crops) / cpu_seconds(_encoding(encoder, crops), repeats=3)
        roof = (before + product_rate(precision)) / 2 / flop
        beside = Beside(f"{precision} matrix products of {flop / 1e9:.3f} GFLOP", roof)
        rows.append(Row(f"ResNet-18 at 64 px, {precision}", rate, "crops per CPU-s", target, beside))
    return [*rows, Row("ResNet-18 at 64 px, bf16: roofline over speed", roof / rate, "times", "<= 1.5")]


def product_rate(precision: str) -> float:
    """Operations per CPU-second of large square matrix products, the best of several sizes."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    factors = {side: torch.ones(side, side, dtype=kind) for side in PRODUCT_SIDES}
    return max(2 * side**3 / cpu_seconds(lambda x=x: x @ x, repeats=5) for side, x in factors.items())


def gpu_rows(folder: Path, crops: NDArray[np.uint16]) -> list[Row]:
    """Speed on a GPU from pixels to embeddings, and the network's share of the card's bf16 matrix products."""
    if not torch.cuda.is_available():
        return [Row("ResNet-18 at 64 px, bf16, GPU (there is none here)", 0.0, "crops per s")]
    encoder = resnet18(folder, NetworkPlan("bf16", GPU_BATCH, "cuda", is_rgb=True))
    rate = len(crops) / _gpu_seconds(_encoding(encoder, crops))
    shown = torch.rand(GPU_BATCH, 3, encoder.input_px, encoder.input_px, device="cuda")
    x = shown.to(dtype=torch.bfloat16, memory_format=torch.channels_last)
    square = torch.ones(GPU_PRODUCT_SIDE, GPU_PRODUCT_SIDE, dtype=torch.bfloat16, device="cuda")
    card = 2 * GPU_PRODUCT_SIDE**3 / _gpu_seconds(lambda: square @ square)
    with torch.inference_mode():
        alone = GPU_BATCH / _gpu_seconds(lambda: encoder.read(x))
    share = 100 * alone * flop_per_crop(folder) / card
    return [
        Row("ResNet-18 at 64 px, bf16, GPU, from pixels to embeddings", rate, "crops per s"),
        Row("ResNet-18 at 64 px, bf16, GPU, network alone", alone, "crops per s"),
        Row("ResNet-18 at 64 px, bf16, GPU, network alone: share of matrix products", share, "%"),
    ]


def _gpu_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median wall seconds of one call, the card's work finished; a first call warms up."""
    seconds = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def naive_features(crop: NDArray[np.uint16]) -> list[float]:
    """Comparable measurements of one crop (channel, height, width), the way a notebook would take them."""
    values: list[float] = []
    for plane in crop:
        grey = plane.astype(np.float64)
        values += [*np.percentile(grey, (1, 25, 50, 75, 99)), grey.mean(), grey.std()]
        values += _shape(grey) + _texture(grey)
    flat = crop.reshape(len(crop), -1)
    return [*values, *np.corrcoef(flat)[np.triu_indices(len(crop), 1)]]


def _shape(grey: NDArray[np.float64]) -> list[float]:
    labels: Any = regions.label(grey > filters.threshold_otsu(grey))
    names = ("area", "eccentricity", "extent", "perimeter", "axis_major_length", "axis_minor_length")
    return [float(value) for region in regions.regionprops(labels, grey) for value in (region[n] for n in names)]


def _texture(grey: NDArray[np.float64]) -> list[float]:
    scaled = (grey - grey.min()) / max(float(np.ptp(grey)), 1.0)
    levels = (scaled * (LEVELS - 1)).astype(np.uint8)
    pairs = feature.graycomatrix(levels, [1, 4], [0, np.pi / 2], levels=LEVELS, normed=True)
    textures = [feature.graycoprops(pairs, name).ravel() for name in ("contrast", "homogeneity", "correlation")]
    patterns = np.bincount(feature.local_binary_pattern(levels, 8, 1, "uniform").astype(int).ravel(), minlength=10)
    bands = [filters.difference_of_gaussians(grey, low, 2 * low).std() for low in (1, 2, 4)]
    return [*np.concatenate(textures), *patterns, *bands, filters.sobel(grey).mean()]
