"""Digests change with the content and with nothing else; errors survive the way between processes."""

import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest

from imaging.pixels.digest import array_digest, crop_key, file_digest, mapping_digest
from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.geometry import Box


def test_a_file_digest_is_plain_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_an_array_digest_depends_on_values_dtype_and_shape_only() -> None:
    array = np.arange(12, dtype=np.uint16).reshape(3, 4)
    same = [np.asfortranarray(array), array.astype(">u2"), np.repeat(array, 2, axis=1)[:, ::2]]
    assert {array_digest(other) for other in same} == {array_digest(array)}
    others = [array.reshape(4, 3), array.astype(np.int16), array + 1, array[:0]]
    assert len({array_digest(other) for other in [array, *others]}) == 5


def test_a_mapping_digest_ignores_order_and_refuses_nan() -> None:
    assert mapping_digest({"a": 1, "b": [1.5, None]}) == mapping_digest({"b": [1.5, None], "a": 1})
    assert mapping_digest({"a": 1}) != mapping_digest({"a": "1"})
    with pytest.raises(ValueError):
        mapping_digest({"a": float("nan")})


def test_a_crop_key_names_image_and_rounded_position() -> None:
    assert crop_key("f" * 64, 12.5, 7.4) == f"{'f' * 20}-000013-000007"


def test_errors_survive_copying_between_processes_and_name_thing_rule_and_way_out() -> None:
    error = copy.copy(UnreadableImage("a.tif", "it is empty", "Copy it"))
    assert isinstance(error, ImageError) and isinstance(error, ValueError)
    assert str(error) == "a.tif: it is empty. Copy it."


def test_a_box_clips_and_rounds_without_changing_its_size() -> None:
    box = Box(-5.5, 2.5, 4.5, 12.5)
    assert (box.width, box.height, box.centre) == (10, 10, (-0.5, 7.5))
    assert box.rounded() == (-5, 3, 5, 13)
    assert box.clipped(100, 10) == Box(0, 2.5, 4.5, 10)
    assert not box.clipped(100, 2).is_proper and not Box(0, 0, float("nan"), 1).is_proper
