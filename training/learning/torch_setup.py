"""The one way PyTorch is run here: deterministic algorithms, full precision, and all global switches put
back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(device: str, seed: int | None = None) -> Iterator[None]:
    """Inside, the same work on the same machine and thread count gives the same bytes.

    Reduced precision (TF32, autotuned kernels) is off. With a `seed` PyTorch's random numbers start from it;
    outside, the state of all generators and switches is what it was before.
    """
    if device.startswith("cuda"):
        # cuBLAS reads this when CUDA starts; without it deterministic matrix products are refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    was_strict = torch.are_deterministic_algorithms_enabled()
    was_precision = torch.get_float32_matmul_precision()
    was_cudnn = (cudnn.benchmark, cudnn.allow_tf32)
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        try:
            torch.use_deterministic_algorithms(True)
            torch.set_float32_matmul_precision("highest")
            cudnn.benchmark, cudnn.allow_tf32 = False, False
            if seed is not None:
                torch.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(was_strict)
            torch.set_float32_matmul_precision(was_precision)
            cudnn.benchmark, cudnn.allow_tf32 = was_cudnn


def best_device(wanted: str = "auto") -> str:
    """ "cuda" when a GPU can be used and is wanted or nothing else is asked for, else "cpu"."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("a GPU was asked for, but PyTorch sees none; use the device 'cpu' or 'auto'")
    return wanted
