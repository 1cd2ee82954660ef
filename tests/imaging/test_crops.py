"""Crops are centred, zero beyond the border and the same however the image was read; shards keep them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from imaging.pixels.crops import CropPlan, cut_crops, plan_for
from imaging.pixels.crops_store import open_shard, write_shard
from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.objects import from_boxes, whole_image
from imaging.pixels.reading import PlaneFile, open_image, open_planes

PIXELS = np.random.default_rng(0).integers(1, 4000, (2, 90, 120), dtype=np.uint16)


def reader_of(pixels: np.ndarray, pixel_size_um: float | None = None) -> ArrayReader:
    info = ImageInfo((1, *pixels.shape), "CYX", str(pixels.dtype), tuple("abc"[: len(pixels)]), pixel_size_um)
    return ArrayReader(pixels[None], info)


def test_crops_are_the_same_from_one_file_many_files_and_memory(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "all.ome.tif", PIXELS, ome=True, metadata={"axes": "CYX"})
    files = []
    for channel, plane in enumerate(PIXELS):
        path = tmp_path / f"{channel}.tif"
        tifffile.imwrite(path, plane)
        files.append(PlaneFile(path, path.name, str(channel)))
    readers = [open_image(tmp_path / "all.ome.tif"), open_planes(files), reader_of(PIXELS)]
    centres = np.array([[10.2, 80.0], [60.5, 45.5], [119.0, 0.0]])
    for plan in (CropPlan(32, 32.0), CropPlan(32, 49.6)):
        first, *others = [cut_crops(reader, centres, plan) for reader in readers]
        assert all(np.array_equal(first, other) for other in others)


def test_an_uncut_crop_is_a_copy_of_the_pixels() -> None:
    crop = cut_crops(reader_of(PIXELS), np.array([[60.0, 45.0]]), CropPlan(32, 32.0))[0]
    assert crop.dtype == PIXELS.dtype
    assert np.array_equal(crop, PIXELS[:, 29:61, 44:76])


def test_beyond_the_border_lie_zeros() -> None:
    crop = cut_crops(reader_of(PIXELS), np.array([[0.0, 0.0]]), CropPlan(32, 32.0))[0]
    assert not crop[:, :16].any() and not crop[:, :, :16].any() and crop[:, 16:, 16:].all()


@pytest.mark.parametrize("field_px", [20.0, 64.0, 100.0, 900.0])
def test_the_object_lies_in_the_centre_at_every_scale(field_px: float) -> None:
    pixels = np.zeros((1, 1000, 1000), np.uint16)
    radius = max(2, int(field_px / 16))
    pixels[0, 500 - radius : 500 + radius, 400 - radius : 400 + radius] = 1000
    crop = cut_crops(reader_of(pixels), np.array([[400.0, 500.0]]), CropPlan(64, field_px))[0, 0].astype(float)
    y, x = np.mgrid[:64, :64] + 0.5
    assert (crop * x).sum() / crop.sum() == pytest.approx(32, abs=0.6)
    assert (crop * y).sum() / crop.sum() == pytest.approx(32, abs=0.6)


def test_a_fixed_physical_field_covers_the_same_width_at_every_pixel_size() -> None:
    box = from_boxes([Box(0, 0, 20, 20)], reader_of(PIXELS).info)
    for size_um in (0.25, 0.5, 1.0):
        plan = plan_for(reader_of(PIXELS, size_um).info, box)
        assert plan.field_px * size_um == pytest.approx(32.0) and plan.size_px == 64


def test_plans_without_a_pixel_size_follow_the_objects() -> None:
    info = ImageInfo((1, 1, 1000, 1000), "YX", "uint8", ("a",))
    assert plan_for(info, from_boxes([Box(0, 0, 20, 30)], info)) == CropPlan(64, 64.0)
    assert plan_for(info, from_boxes([Box(0, 0, 100, 60)], info)) == CropPlan(64, 160.0)
    assert plan_for(info, whole_image(info)) == CropPlan(128, 1000.0)
    small = ImageInfo((1, 1, 40, 36), "YX", "uint8", ("a",))
    assert plan_for(small, whole_image(small)) == CropPlan(40, 40.0)


@pytest.mark.parametrize("arguments", [(0, 64.0), (64, 0.0), (64, float("nan")), (10_000, 64.0)])
def test_impossible_plans_are_refused(arguments: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="a crop"):
        CropPlan(*arguments)


def test_a_shard_gives_back_the_same_crops_and_is_written_once(tmp_path: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 9, (5, 2, 8, 8), dtype=np.uint16)
    digest = write_shard(tmp_path / "new", crops)
    assert write_shard(tmp_path / "new", crops.copy()) == digest
    stored = open_shard(tmp_path / "new", digest)
    assert np.array_equal(stored, crops) and isinstance(stored, np.memmap)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{digest}.npy"]


@pytest.mark.parametrize("digest", ["../x", "a" * 63, "b" * 64])
def test_a_missing_or_impossible_shard_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ImageError, match="shard"):
        open_shard(tmp_path, digest)


def test_a_damaged_or_pickled_shard_is_refused(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"junk", np.lib.format.magic(1, 0) + b"\x10\0junk")):
        digest = str(number) * 64
        (tmp_path / f"{digest}.npy").write_bytes(content)
        with pytest.raises(ImageError, match="damaged"):
            open_shard(tmp_path, digest)
    np.save(tmp_path / f"{'9' * 64}.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="damaged"):
        open_shard(tmp_path, "9" * 64)
