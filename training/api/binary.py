"""Arrays in one reply: a small header in JSON, then the bytes of each array where the header says."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.http import HttpResponse
from numpy.typing import NDArray

# Typed arrays of a browser begin at multiples of their element's size; eight suits all.
ALIGNED = 8


def packed(meta: dict[str, Any], blocks: Sequence[NDArray[Any]]) -> HttpResponse:
    """Reply with `meta` and the arrays, little-endian.

    Layout: length of the header (uint32), the header {"meta", "blocks": [[dtype, shape, offset]]} with offsets
    counted from the end of the header, then the arrays.
    """
    little = [np.ascontiguousarray(block.astype(block.dtype.newbyteorder("<"), copy=False)) for block in blocks]
    rows, parts, offset = [], [], 0
    for block in little:
        rows.append([block.dtype.name, list(block.shape), offset])
        parts.append(block.tobytes() + bytes(-block.nbytes % ALIGNED))
        offset += len(parts[-1])
    header = json.dumps({"meta": meta, "blocks": rows}).encode()
    header += b" " * (-(len(header) + 4) % ALIGNED)
    body = b"".join([len(header).to_bytes(4, "little"), header, *parts])
    response = HttpResponse(body, content_type="application/octet-stream")
    response["Cache-Control"] = "private, no-store"
    return response
