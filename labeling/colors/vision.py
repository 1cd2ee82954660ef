"""How far apart two colours look, to everybody and with each of the three colour blindnesses.

Colour blindness: Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
deficiency", IEEE TVCG 15(6), 2009, full severity, in linear RGB. Distance: Euclidean in Ottosson's Oklab (2020).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HEX = re.compile(r"#[0-9a-fA-F]{6}")
# Below this distance a reader mixes two swatches up; Okabe and Ito's eight stay above it in every vision.
TOO_CLOSE = 0.06

# A colour at the rim of what a screen shows may come out this far beyond it.
ROUNDING = 1e-6

VISIONS: dict[str, Floats] = {
    "everybody": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True, slots=True)
class Close:
    """Two colours that look nearly the same: their places in the list, how far apart (0 alike, 1 black and white),
    and to whom ("everybody" or the colour blindness in which they are closest)."""

    first: int
    second: int
    distance: float
    vision: str


def linear(colors: Sequence[str]) -> Floats:
    """Linear RGB (n, 3) in [0, 1] of colours such as "#0072b2"; ValueError for anything else."""
    for color in colors:
        if not HEX.fullmatch(color):
            raise ValueError(f"'{color}' is not a colour: give six hexadecimal digits, such as #0072b2.")
    srgb = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in colors]).reshape(-1, 3) / 255
    return np.asarray(np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4))


def oklab(rgb: Floats) -> Floats:
    """Oklab (n, 3) of linear RGB (n, 3): lightness in [0, 1], green to red, blue to yellow."""
    return np.asarray(np.cbrt(rgb @ TO_CONES.T) @ TO_LAB.T)


def hex_of(lab: Floats) -> str | None:
    """The colour at a point (3,) of Oklab; None where no screen shows it."""
    rgb = np.linalg.inv(TO_CONES) @ (np.linalg.inv(TO_LAB) @ lab) ** 3
    if rgb.min() < -ROUNDING or rgb.max() > 1 + ROUNDING:
        return None
    rgb = rgb.clip(0, 1)
    srgb = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * float(value)):02x}" for value in srgb)


def distances(colors: Sequence[str], vision: str = "everybody") -> Floats:
    """How far apart each two of the colours look, (n, n), symmetric with zeros on the diagonal."""
    seen = oklab(np.clip(linear(colors) @ VISIONS[vision].T, 0, 1))
    return np.asarray(np.linalg.norm(seen[:, None] - seen[None, :], axis=-1))


def close_pairs(colors: Sequence[str]) -> list[Close]:
    """Every two of the colours that look nearly the same to somebody, the closest first."""
    if len(colors) < 2:
        return []
    names = list(VISIONS)
    seen = np.stack([distances(colors, name) for name in names])
    nearest, whose = seen.min(axis=0), seen.argmin(axis=0)
    # What nobody can tell apart is not called a matter of one colour blindness.
    whose = np.where(seen[0] < TOO_CLOSE, 0, whose)
    rows, columns = np.nonzero(np.triu(nearest < TOO_CLOSE, k=1))
    found = [Close(int(a), int(b), float(nearest[a, b]), names[whose[a, b]]) for a, b in zip(rows, columns)]
    return sorted(found, key=lambda pair: pair.distance)
