"""What there is to see around a crop, over HTTP: tiles, planes, surroundings; to whom, and without originals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.test import Client
from numpy.typing import NDArray

from imaging.models import Crop, Experiment
from imaging.pixels.pyramid import TILE_PX, downsampled
from labeling.models import Study
from tests.factories import add_reader, crops_of, make_experiment, make_study, make_user, take_in, write_manifest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]
SIZE = (3, 2, 300, 340)


@pytest.fixture
def stack() -> NDArray[np.uint16]:
    """Three planes of two channels, all pixels different enough to tell places apart."""
    return np.random.default_rng(5).integers(0, 5000, SIZE).astype(np.uint16)


@pytest.fixture
def study(tmp_path: Path, stack: NDArray[np.uint16]) -> Study:
    """A blind study over one z-stack with a box in its middle and one at its corner; alice leads, bob reads."""
    folder = tmp_path / "stacks"
    folder.mkdir()
    tifffile.imwrite(folder / "stack.ome.tif", stack, metadata={"axes": "ZCYX"})
    corners = [(150, 140, 170, 160), (0, 0, 12, 12)]
    rows = [
        {"path": "stack.ome.tif", "kind": "box", "experiment": "Zanzibar", "x0": x0, "y0": y0, "x1": x1, "y1": y1}
        for x0, y0, x1, y1 in corners
    ]
    report = take_in(write_manifest(folder, rows), pixel_size_um=0.5)
    assert not report.refused
    made = make_study(make_user("alice"), Experiment.objects.get(), is_blind=True)
    add_reader(made, "bob")
    return made


def client_of(name: str) -> Client:
    from django.contrib.auth import get_user_model

    client = Client()
    client.force_login(get_user_model().objects.get(username=name))
    return client


def base(study: Study, crop: Crop) -> str:
    return f"/api/v1/studies/{study.pk}/crops/{crop.pk}"


def pixels_of(response: Any) -> NDArray[Any]:
    assert response.status_code == 200, response.content
    shape = tuple(map(int, response["X-Shape"].split(",")))
    return np.frombuffer(response.content, np.dtype(response["X-Dtype"]).newbyteorder("<")).reshape(shape)


def middle_and_corner(study: Study) -> list[Crop]:
    return sorted(crops_of(study.experiments.get()), key=lambda crop: -crop.x)


def test_every_tile_is_a_plain_mean_of_the_original_up_to_the_border(study: Study, stack: NDArray[Any]) -> None:
    client, crop = client_of("bob"), middle_and_corner(study)[0]
    field = client.get(f"{base(study, crop)}/field/").json()
    assert (field["width"], field["height"], field["levels"]) == (340, 300, 2)
    for level in range(field["levels"]):
        whole = downsampled(stack.max(axis=0), 2**level)
        for row in range(-(-whole.shape[1] // TILE_PX)):
            for column in range(-(-whole.shape[2] // TILE_PX)):
                tile = pixels_of(client.get(f"{field['tiles']}{level}/{column}/{row}/"))
                top, left = row * TILE_PX, column * TILE_PX
                assert (tile == whole[:, top : top + TILE_PX, left : left + TILE_PX]).all()


@pytest.mark.parametrize("address", ["2/0/0", "0/2/0", "0/0/2", "63/0/0", "0/99999/99999"])
def test_where_there_is_no_tile_there_is_none(study: Study, address: str) -> None:
    crop = middle_and_corner(study)[0]
    assert client_of("bob").get(f"{base(study, crop)}/field/{address}/").status_code == 404


def test_a_blind_reader_sees_the_field_and_no_name(study: Study) -> None:
    crop = middle_and_corner(study)[0]
    text = client_of("bob").get(f"{base(study, crop)}/field/").content.decode()
    image = crop.image
    for hidden in ("Zanzibar", "stack.ome", image.sha256[:8], crop.key[:8], f'"id":{image.pk}', image.sample.name):
        assert hidden not in text
    assert client_of("bob").get(f"/studies/{study.pk}/crops/{crop.pk}/field/").status_code == 403
    assert b"stack.ome.tif" in client_of("alice").get(f"/studies/{study.pk}/crops/{crop.pk}/field/").content


def test_a_stranger_and_a_crop_of_another_study_get_nothing(study: Study, tmp_path: Path) -> None:
    make_user("charlie")
    crop = middle_and_corner(study)[0]
    foreign = crops_of(make_experiment(tmp_path, "elsewhere"))[0]
    for end in ("field/", "field/0/0/0/", "pixels/?z=0", "context/"):
        assert client_of("charlie").get(f"{base(study, crop)}/{end}").status_code == 404
        assert client_of("alice").get(f"{base(study, foreign)}/{end}").status_code == 404


def test_a_plane_is_cut_where_the_crop_was_and_the_crop_is_their_maximum(study: Study, stack: NDArray[Any]) -> None:
    client = client_of("bob")
    for crop in middle_and_corner(study):
        planes = [pixels_of(client.get(f"{base(study, crop)}/pixels/?z={z}")) for z in range(3)]
        assert (np.max(planes, axis=0) == pixels_of(client.get(f"{base(study, crop)}/pixels/"))).all()
    crop = middle_and_corner(study)[0]
    assert (planes[0][:, :10, :10] == 0).all(), "beyond the border is zero"
    assert client.get(f"{base(study, crop)}/pixels/?z=3").status_code == 404
    assert client.get(f"{base(study, crop)}/pixels/?z=-1").status_code == 400


def test_a_crop_says_where_its_object_lies_and_what_is_image(study: Study) -> None:
    from labeling.api.payloads import crop_payload

    middle, corner = (crop_payload(study, crop) for crop in middle_and_corner(study))
    assert middle["inside"] is None and middle["depth"] == 3 and middle["dot"] == [32.0, 32.0]
    assert corner["inside"] == [26.0, 26.0, 64.0, 64.0] and corner["dot"] == [32.0, 32.0]
    assert [context["scale"] for context in corner["contexts"]] == [2, 4, 16]
    assert corner["contexts"][1]["url"] == corner["context"]
    for context in middle["contexts"]:
        x0, y0, x1, _ = context["box"]
        assert x1 - x0 == pytest.approx(192 / context["scale"]) and y0 == x0
        assert context["dot"] == pytest.approx([96, 96], abs=1)


def test_surroundings_and_the_field_agree_on_every_place(study: Study, stack: NDArray[Any]) -> None:
    crop = middle_and_corner(study)[0]
    around = pixels_of(client_of("bob").get(f"{base(study, crop)}/context/?scale=3&side=192"))
    top, left = round(crop.y) - 96, round(crop.x) - 96
    assert (around == stack.max(axis=0)[:, top : top + 192, left : left + 192]).all()


def test_a_lost_or_altered_original_is_said_without_its_name_and_the_crop_stays(study: Study) -> None:
    crop = middle_and_corner(study)[0]
    path = Path(crop.image.files[0]["uri"])
    good = path.read_bytes()
    for change in (path.unlink, lambda: path.write_bytes(good + b"more")):
        change()
        for end in ("field/0/0/0/", "pixels/?z=0", "context/"):
            reply = client_of("bob").get(f"{base(study, crop)}/{end}")
            assert reply.status_code == 404 and b"the crop itself is kept" in reply.content
            assert b"stack.ome" not in reply.content
        assert client_of("bob").get(f"{base(study, crop)}/pixels/").status_code == 200
    path.write_bytes(good)
    assert client_of("bob").get(f"{base(study, crop)}/field/0/0/0/").status_code == 200


def test_a_field_that_was_looked_at_is_read_from_its_copy(study: Study) -> None:
    crop = middle_and_corner(study)[0]
    address = f"{base(study, crop)}/field/0/1/1/"
    first = client_of("bob").get(address).content
    Path(crop.image.files[0]["uri"]).unlink()
    assert client_of("bob").get(address).content == first


@pytest.mark.shared_data
def test_tiles_of_a_slide_are_those_that_openslide_reads(
    shared_data: Path, tmp_path: Path, data_folder: Path
) -> None:
    import openslide

    from imaging.models import Image
    from imaging.services.fields import tile

    path = shared_data / "07_vendor_formats" / "cmu-1-small-region.svs"
    slide = openslide.OpenSlide(str(path))
    width, height = slide.dimensions
    facts = {"files": [{"uri": str(path), "name": path.name, "sha256": "", "channel": "", "z": None}]}
    image = Image(sha256="ab" * 32, axes="YXS", shape=[1, 3, height, width], dtype="uint8", channels=["r"], **facts)
    for level, column, row in ((0, 1, 2), (0, 8, 11), (2, 0, 0), (2, 2, 2), (4, 0, 0), (2, 0, 0)):
        found = tile(image, level, column, row)
        assert found is not None
        x0, y0 = (place * TILE_PX << level for place in (column, row))
        size = min(TILE_PX << level, width - x0), min(TILE_PX << level, height - y0)
        plain = np.asarray(slide.read_region((x0, y0), 0, size).convert("RGB")).transpose(2, 0, 1)
        expected = downsampled(plain, 2**level)
        assert found.shape == expected.shape
        assert np.abs(found.astype(float) - expected).mean() < 1
