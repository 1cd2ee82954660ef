"""The colours that classes get by themselves."""

from functools import lru_cache

import numpy as np

from labeling.colors.vision import hex_of

# Okabe and Ito's palette without black, readable with every common form of colour blindness. The five after it were
# picked one by one, each the farthest from all before in the vision in which it comes closest to one of them.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442",
    "#791b0c", "#1df9f4", "#233e7c", "#715c65", "#aac99c",
)  # fmt: skip
# Further hues turn by the golden angle, so that neighbours in the list are far apart on the wheel.
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
LIGHTNESS = (0.62, 0.78, 0.48)
CHROMA = 0.15


@lru_cache(maxsize=512)
def color_at(place: int) -> str:
    """The colour of the class in this place, from 0: the palette's, then an even wheel of Oklab without end."""
    if place < len(PALETTE):
        return PALETTE[place]
    turn = place - len(PALETTE)
    hue, lightness, chroma = turn * GOLDEN_ANGLE, LIGHTNESS[turn % len(LIGHTNESS)], CHROMA
    while (found := hex_of(np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)]))) is None:
        chroma *= 0.9
    return found
