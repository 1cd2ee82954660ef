"""Hostile and damaged files are refused with an ImageError, within little memory, and open nothing else."""

import io
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.reading import open_image

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{root}><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="16" SizeY="16" SizeC="{c}" SizeZ="{z}"'
    ' SizeT="1">{blocks}</Pixels></Image></OME>'
)


def ome_file(
    path: Path, c: int = 1, z: int = 1, blocks: str = "<TiffData/>", prefix: str = "", root: str = ""
) -> Path:
    text = prefix + OME.format(c=c, z=z, blocks=blocks, root=root)
    tifffile.imwrite(path, np.full((16, 16), 7, np.uint8), description=text, metadata=None)
    return path


def small_files() -> list[bytes]:
    pixels = np.arange(400, dtype=np.uint16).reshape(20, 20)
    files = []
    for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"ome": True, "metadata": {"axes": "YX"}}):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, **options)
        files.append(stream.getvalue())
    for kind in ("PNG", "JPEG"):
        stream = io.BytesIO()
        Image.fromarray((pixels % 256).astype(np.uint8)).save(stream, kind)
        files.append(stream.getvalue())
    return files


FILES = small_files()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_image_errors_escape_for_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.bin"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        reader = open_image(path, "damaged.bin")
    except ImageError as error:
        assert str(tmp_path) not in str(error)
    else:
        assert reader.info.width * reader.info.height > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.binary(max_size=300),
    head=st.sampled_from([b"", b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]),
)
def test_only_image_errors_escape_for_junk(tmp_path: Path, junk: bytes, head: bytes) -> None:
    path = tmp_path / "junk.bin"
    path.write_bytes(head + junk)
    with pytest.raises(ImageError):
        open_image(path)


@pytest.mark.parametrize("index", range(len(FILES)))
def test_a_truncated_file_is_refused(tmp_path: Path, index: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(FILES[index][: int(len(FILES[index]) * 0.55)])
    with pytest.raises(UnreadableImage):
        open_image(path)


WRITTEN = [
    {"ome": True},
    {"ome": True, "compression": "zlib"},
    {"ome": True, "tile": (32, 32)},
    {"ome": True, "bigtiff": True, "byteorder": ">"},
    {"imagej": True},
    {"photometric": "minisblack"},
]


@pytest.mark.parametrize("options", WRITTEN)
@pytest.mark.parametrize("channels", [2, 5, 12])
def test_a_file_cut_anywhere_is_refused_or_complete(
    tmp_path: Path, options: dict[str, object], channels: int
) -> None:
    pixels = np.random.default_rng(channels).integers(0, 4095, (channels, 48, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "whole.tif", pixels, **{"metadata": {"axes": "CYX"}, **options})
    content = (tmp_path / "whole.tif").read_bytes()
    whole = open_image(tmp_path / "whole.tif").field()
    for end in sorted({*np.linspace(17, len(content) - 1, 20).astype(int), *range(len(content) - 10, len(content))}):
        (tmp_path / "cut.tif").write_bytes(content[:end])
        try:
            assert np.array_equal(open_image(tmp_path / "cut.tif").field(), whole), end
        except UnreadableImage:
            continue


def test_an_ome_tiff_of_half_its_bytes_is_refused_as_cut_short(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", np.ones((12, 64, 64), np.uint16), metadata={"axes": "CYX"})
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match="cut short"):
        open_image(tmp_path / "a.ome.tif")


def patched_tiff(path: Path, value: int, *tags: str) -> Path:
    """A small tiled TIFF whose header claims `value` for the tags."""
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(64, 64), compression="zlib", metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        for tag in (tif.pages[0].tags[name] for name in tags):
            content[tag.valueoffset : tag.valueoffset + 2] = struct.pack("<H", value)
    path.write_bytes(bytes(content))
    return path


def test_a_tile_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = patched_tiff(tmp_path / "bomb.tif", 32_768, "TileWidth", "TileLength")
    tracemalloc.start()
    with pytest.raises(UnreadableImage, match="tiles"):
        open_image(path)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()


def test_an_ome_size_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = ome_file(tmp_path / "bomb.ome.tif", c=1000, z=1000)
    tracemalloc.start()
    with pytest.raises(UnreadableImage, match="1000000 planes but the file holds 1"):
        open_image(path)
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("prefix", ["<!DOCTYPE a [<!ENTITY b 'c'>]>", "<! doctype a>", "<!ENTITY % p SYSTEM 'x'>"])
def test_document_types_in_metadata_are_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(UnreadableImage, match="DOCTYPE or ENTITY"):
        open_image(ome_file(tmp_path / "a.ome.tif", prefix=prefix))


@pytest.mark.parametrize("name", ["other.ome.tif", "../other.ome.tif", "{folder}/other.ome.tif"])
def test_metadata_never_opens_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tifffile.imwrite(tmp_path / "other.ome.tif", np.full((16, 16), 99, np.uint8))
    block = (
        f'<TiffData FirstZ="1" IFD="0"><UUID FileName="{name.format(folder=tmp_path)}">urn:uuid:1</UUID></TiffData>'
    )
    path = ome_file(tmp_path / "a.ome.tif", z=2, blocks='<TiffData FirstZ="0" IFD="0"/>' + block)
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    with pytest.raises(UnreadableImage):
        open_image(path)
    assert any("a.ome.tif" in str(file) for file in opened)
    assert not any("other.ome.tif" in str(file) for file in opened)


def test_broken_ome_xml_is_an_error_and_never_a_silent_default(tmp_path: Path) -> None:
    text = OME.format(c=1, z=1, blocks="<TiffData/>", root="")[:-20] + "OME>"
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((16, 16), np.uint8), description=text, metadata=None)
    with pytest.raises(UnreadableImage, match="OME-XML"):
        open_image(tmp_path / "a.ome.tif")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("L", (12_000, 12_000)).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", patched_tiff(tmp_path / "a.tif", 60_000, "ImageWidth", "ImageLength")):
        with pytest.raises(UnreadableImage):
            open_image(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_pixels_are_refused(tmp_path: Path, value: float) -> None:
    pixels = np.ones((9, 9), np.float32)
    pixels[3, 3] = value
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(UnreadableImage, match="NaN or infinite"):
        open_image(tmp_path / "a.tif")


def test_missing_empty_and_folder_paths_are_refused_without_the_server_path(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    for name in ("empty.tif", "missing.tif", "."):
        with pytest.raises(UnreadableImage) as caught:
            open_image(tmp_path / name, "plate/x.tif")
        assert str(caught.value).startswith("plate/x.tif: ") and str(tmp_path) not in str(caught.value)
