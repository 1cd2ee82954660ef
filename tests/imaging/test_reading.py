"""Every readable file gives the same pixels whichever way it is stored; facts come from the file."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.manifest import read_manifest
from imaging.pixels.reading import PlaneFile, open_image, open_planes
from imaging.pixels.tiff import to_zcyx

STACK = np.random.default_rng(0).integers(0, 60_000, (3, 2, 20, 24), dtype=np.uint16)


def write_ome(path: Path, pixels: np.ndarray, axes: str, **metadata: object) -> Path:
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata})
    return path


@pytest.mark.parametrize("order", ["".join(p) + "YX" for p in permutations("TZC")])
def test_the_order_of_axes_in_a_file_does_not_change_the_field(tmp_path: Path, order: str) -> None:
    full = STACK[None]
    pixels = full.transpose(["TZCYX".index(axis) for axis in order])
    reader = open_image(write_ome(tmp_path / "a.ome.tif", pixels, order))
    assert reader.info.shape == STACK.shape
    assert np.array_equal(reader.field(), STACK.max(axis=0))
    assert np.array_equal(reader.region(Box(0, 0, 24, 20), z=1), STACK[1])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_three_dtypes_are_kept(tmp_path: Path, dtype: str) -> None:
    pixels = (STACK[0] % 200).astype(dtype)
    reader = open_image(write_ome(tmp_path / "a.ome.tif", pixels, "CYX"))
    assert reader.info.dtype == dtype and reader.field().dtype == dtype
    assert np.array_equal(reader.field(), pixels)


@pytest.mark.parametrize("dtype", ["bool", "int16", "int32", "uint32", "float64"])
def test_other_dtypes_are_refused_with_the_readable_ones_named(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 20), dtype))
    with pytest.raises(UnreadableImage, match="uint8, uint16, float32"):
        open_image(tmp_path / "a.tif", "plate/a.tif")


def test_planar_and_interleaved_rgb_are_the_same_image(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate")
    a, b = open_image(tmp_path / "a.tif"), open_image(tmp_path / "b.tif")
    assert a.info.is_rgb and b.info.is_rgb
    assert np.array_equal(a.field(), b.field())
    assert np.array_equal(a.field(), np.moveaxis(rgb, 2, 0))


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_alpha_is_dropped_and_palettes_are_resolved(tmp_path: Path, mode: str) -> None:
    grey = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (16, 1))
    Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    reader = open_image(tmp_path / "a.png")
    assert reader.info.shape[1] in (1, 3)
    assert np.abs(reader.field().astype(int) - grey).max() <= 1


def test_16_bit_png_keeps_all_bits_grey_and_rgb(tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    rgb = np.random.default_rng(2).integers(0, 65_536, (9, 11, 3), dtype=np.uint16)
    for name, pixels in (("grey.png", rgb[..., 0]), ("rgb.png", rgb)):
        (tmp_path / name).write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    assert np.array_equal(open_image(tmp_path / "grey.png").field()[0], rgb[..., 0])
    assert np.array_equal(open_image(tmp_path / "rgb.png").field(), np.moveaxis(rgb, 2, 0))


def test_exif_rotation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((10, 30, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg").info.shape == (1, 3, 10, 30)


@pytest.mark.parametrize(("value", "unit"), [(0.25, "µm"), (250, "nm"), (0.00025, "mm")])
def test_pixel_size_is_converted_to_micrometres(tmp_path: Path, value: float, unit: str) -> None:
    path = write_ome(tmp_path / "a.ome.tif", STACK[0], "CYX", PhysicalSizeX=value, PhysicalSizeXUnit=unit)
    assert open_image(path).info.pixel_size_um == pytest.approx(0.25)


def test_resolution_tags_count_only_when_they_can_be_a_microscope(tmp_path: Path) -> None:
    image = np.zeros((8, 8), np.uint8)
    for name, per_cm in (("printer.tif", 72 / 2.54), ("screen.tif", 1.0), ("microscope.tif", 40_000)):
        tifffile.imwrite(tmp_path / name, image, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    sizes = [open_image(tmp_path / n).info.pixel_size_um for n in ("printer.tif", "screen.tif", "microscope.tif")]
    assert sizes == [None, None, pytest.approx(0.25)]


def test_channel_names_and_camera_bits_come_from_ome(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", STACK[0], "CYX", Channel={"Name": ["DNA", "actin"]}, SignificantBits=12)
    info = open_image(path).info
    assert info.channel_names == ("DNA", "actin")
    assert (info.bit_depth, info.ceiling) == (12, 4095.0)


def test_a_time_series_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"time series \(T=3\).*one file per time point"):
        open_image(write_ome(tmp_path / "a.ome.tif", STACK, "TCYX"))


@pytest.mark.parametrize("axes", ["HYX", "EYX"])
def test_unknown_axes_are_refused(axes: str) -> None:
    with pytest.raises(UnreadableImage, match=f"axes '{axes}' are not understood"):
        to_zcyx(STACK[:, 0], axes, False, "a.tif")


def test_region_outside_the_image_is_zero_and_downsampling_keeps_the_mean(tmp_path: Path) -> None:
    reader = open_image(write_ome(tmp_path / "a.ome.tif", STACK[0] // 2 + 1000, "CYX"))
    region = reader.region(Box(-5, -5, 30, 30))
    assert region.shape == (2, 35, 35) and not region[:, :5].any() and not region[:, :, -6:].any()
    assert region[:, 5:25, 5:29].all()
    small = reader.region(Box(0, 0, 24, 20), downsample=4)
    assert small.shape == (2, 5, 6)
    assert small.mean() == pytest.approx(reader.field().mean(), rel=0.05)


def test_one_field_out_of_many_files_equals_the_field_in_one_file(tmp_path: Path) -> None:
    files = []
    for z in range(3):
        for channel in range(2):
            path = tmp_path / f"z{z}c{channel}.tif"
            tifffile.imwrite(path, STACK[z, channel])
            files.append(PlaneFile(path, path.name, f"w{channel}", z))
    reader = open_planes(files[::-1])
    assert reader.info.channel_names == ("w0", "w1")
    assert np.array_equal(reader.field(), STACK.max(axis=0))
    assert np.array_equal(reader.region(Box(0, 0, 24, 20), z=2), STACK[2])


def test_planes_of_different_size_are_refused_by_name(tmp_path: Path) -> None:
    for name, size in (("a.tif", 10), ("b.tif", 12)):
        tifffile.imwrite(tmp_path / name, np.zeros((size, size), np.uint16))
    files = [PlaneFile(tmp_path / n, n, n) for n in ("a.tif", "b.tif")]
    with pytest.raises(UnreadableImage, match=r"b\.tif: it is 12 x 12 px"):
        open_planes(files)


def test_channel_names_in_the_manifest_settle_what_unnamed_pages_are(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((7, 8, 8), np.uint16), metadata=None)
    names = ";".join("abcdefg")
    assert open_image(tmp_path / "a.tif").info.shape == (7, 1, 8, 8)
    assert open_planes([PlaneFile(tmp_path / "a.tif", "a.tif", names)]).info.channel_names == tuple("abcdefg")


@pytest.mark.parametrize(("head", "word"), [(b"ZISRAWFILE", "CZI"), (b"\x70\0\0\0", "LIF"), (b"GIF89a", "GIF")])
def test_foreign_formats_are_named_with_the_way_out(tmp_path: Path, head: bytes, word: str) -> None:
    (tmp_path / "a.bin").write_bytes(head + bytes(200))
    with pytest.raises(UnreadableImage, match=f"{word}.*OME-TIFF"):
        open_image(tmp_path / "a.bin")


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["01", "02", "03", "04", "05", "08"])
def test_every_real_image_is_read(shared_data: Path, folder: str) -> None:
    listing = read_manifest(next(shared_data.glob(f"{folder}_*")) / "manifest.csv")
    infos = [open_planes(field.files).info for field in listing.fields]
    assert infos and not listing.refused
    assert all(min(info.shape) >= 1 for info in infos)


@pytest.mark.shared_data
def test_real_crops_carry_their_channel_names(shared_data: Path) -> None:
    path = sorted((shared_data / "02_crops_cellcycle_ifc" / "images").iterdir())[0]
    info = open_image(path).info
    assert info.shape == (1, 3, 40, 40) and info.channel_names == ("Brightfield", "DNA", "Darkfield")


@pytest.mark.shared_data
def test_slides_are_read_lazily_and_agree_with_an_independent_reader(shared_data: Path) -> None:
    folder = shared_data / "07_vendor_formats"
    reader = open_image(folder / "cmu-1-small-region.svs")
    assert reader.info.is_slide and reader.info.shape == (1, 3, 2967, 2220)
    assert reader.info.pixel_size_um == pytest.approx(0.499)
    assert reader.region(Box(0, 0, 2220, 2967), downsample=8).mean() == pytest.approx(205.575, abs=0.5)
    assert not reader.region(Box(-64, -64, 0, 0)).any()
    with pytest.raises(ValueError, match="not read as a whole"):
        reader.field()


@pytest.mark.shared_data
def test_vendor_files_are_read_or_refused_by_name(shared_data: Path) -> None:
    folder = shared_data / "07_vendor_formats"
    assert open_image(folder / "OS-2-vsi.ome.tif").field().mean() == pytest.approx(196.81, abs=0.5)
    assert open_image(folder / "boxes.tiff").info.shape == (1, 3, 250, 300)
    for name, word in (("s_1_t_1_c_1_z_1.czi", "CZI"), ("LeicaLASX_wavelength-sweep_example.lif", "LIF")):
        with pytest.raises(UnreadableImage, match=word):
            open_image(folder / name)


@pytest.mark.shared_data
def test_a_single_plane_beside_a_stack_is_repeated(shared_data: Path) -> None:
    listing = read_manifest(shared_data / "04_plates_fluor_16bit" / "manifest.csv")
    reader = open_planes(listing.fields[0].files)
    assert reader.info.shape == (3, 3, 256, 256)
    planes = [reader.region(Box(0, 0, 256, 256), z=z) for z in range(3)]
    assert np.array_equal(planes[0][2], planes[2][2]) and not np.array_equal(planes[0][0], planes[2][0])
