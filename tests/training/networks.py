"""Tiny networks with random weights, saved the way pretrained ones come."""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

KINDS = ("resnet", "convnext", "convnextv2", "vit", "dinov2", "dinov2_with_registers")
SIZES: dict[str, dict[str, Any]] = {
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "convnext": {"hidden_sizes": [4, 8, 8, 16], "depths": [1, 1, 1, 1]},
    "convnextv2": {"hidden_sizes": [4, 8, 8, 16], "depths": [1, 1, 1, 1]},
    "vit": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 56},
    "dinov2_with_registers": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 56},
}
NAMES = {
    "resnet": "ResNet",
    "convnext": "ConvNext",
    "convnextv2": "ConvNextV2",
    "vit": "ViT",
    "dinov2": "Dinov2",
    "dinov2_with_registers": "Dinov2WithRegisters",
}


def save_network(folder: Path, kind: str = "resnet", seed: int = 0, **sizes: Any) -> Path:
    """A folder with config.json and model.safetensors; returns it."""
    config = getattr(transformers, f"{NAMES[kind]}Config")(**SIZES[kind] | sizes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = getattr(transformers, f"{NAMES[kind]}Model")(config)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
