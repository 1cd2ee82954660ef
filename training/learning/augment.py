"""Changes that leave the class of a crop as it is: turned, mirrored, and a little brighter or darker."""

import torch
from torch import Generator, Tensor

GAIN = (0.8, 1.25)
OFFSET_SD = 0.03
NOISE_SD = 0.01


def dihedral(x: Tensor, which: Tensor) -> Tensor:
    """Crops (n, channel, s, s), each under one of the 8 symmetries of the square, `which` (n,) from 0 to
    7."""
    turned = x.clone()
    for k in range(1, 8):
        chosen = which == k
        # A boolean index with nothing in it is fine, but rot90 of nothing costs a kernel launch.
        if chosen.any():
            mirrored = x[chosen].flip(-1) if k >= 4 else x[chosen]
            turned[chosen] = torch.rot90(mirrored, k % 4, (2, 3))
    return turned


def random_dihedral(x: Tensor, generator: Generator) -> Tensor:
    """Crops (n, channel, s, s), each under a symmetry drawn at random."""
    return dihedral(x, torch.randint(0, 8, (len(x),), generator=generator).to(x.device))


def random_intensity(x: Tensor, generator: Generator) -> Tensor:
    """Crops (n, channel, s, s) with a random gain, offset and noise per channel, in units of the window."""
    size = (len(x), x.shape[1], 1, 1)
    low, high = torch.log(torch.tensor(GAIN))
    gain = torch.exp(low + (high - low) * torch.rand(size, generator=generator))
    offset = OFFSET_SD * torch.randn(size, generator=generator)
    noise = NOISE_SD * torch.randn(x.shape, generator=generator)
    return x * gain.to(x.device) + offset.to(x.device) + noise.to(x.device)
