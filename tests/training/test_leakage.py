import csv

import numpy as np
import pytest
import tifffile
from skimage.filters import gaussian

from training.learning.leakage import Places, correlation, exact_pairs, find_leakage, near_pairs, overlapping_pairs

APART = np.arange(30)


def crops(n: int = 30, seed: int = 0) -> np.ndarray:
    """Textured crops (n, 2, 40, 40) that have nothing to do with each other."""
    noise = np.random.default_rng(seed).random((n, 2, 40, 40))
    smooth = gaussian(noise, sigma=(0, 0, 2, 2))
    return (20_000 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint16)


def symmetry(crop: np.ndarray, k: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(crop[..., ::-1] if k >= 4 else crop, k % 4, (1, 2)))


def test_unrelated_crops_do_not_leak():
    found = find_leakage(crops(), APART)
    assert found.counts == {"exact": 0, "near": 0, "overlapping": 0}
    assert "No duplicate" in found.text


def test_an_exact_copy_is_found_across_folds_and_not_within_one():
    pixels = crops()
    pixels[7] = pixels[20]
    assert exact_pairs(pixels, APART).tolist() == [[7, 20]]
    assert len(exact_pairs(pixels, np.zeros(30, int))) == 0
    found = find_leakage(pixels, APART)
    assert found.counts == {"exact": 2, "near": 0, "overlapping": 0}
    assert "2 have an exact copy" in found.text


def test_every_member_of_a_group_of_copies_has_a_pair():
    pixels = np.tile(crops(1), (6, 1, 1, 1))
    assert np.unique(exact_pairs(pixels, np.array([0, 0, 0, 1, 1, 2]))).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("k", range(8))
def test_a_turned_or_mirrored_copy_with_noise_and_another_gain_is_near(k):
    pixels = crops()
    noise = np.random.default_rng(k).normal(0, 100, pixels[0].shape)
    pixels[3] = np.clip(0.9 * symmetry(pixels[12], k) + noise, 0, 65535)
    assert near_pairs(pixels, APART).tolist() == [[3, 12]]
    assert len(near_pairs(pixels, np.zeros(30, int))) == 0


def test_hundreds_of_changed_copies_are_all_found_without_a_false_alarm():
    first = crops(150)
    rng = np.random.default_rng(5)
    second = np.stack([symmetry(crop, i % 8) for i, crop in enumerate(first)])
    second = np.clip(second + rng.normal(0, 150, second.shape), 0, 65535).astype(np.uint16)
    found = near_pairs(np.concatenate([first, second]), np.repeat([0, 1], 150))
    assert found.tolist() == [[i, i + 150] for i in range(150)]


def test_a_copy_in_one_channel_only_is_another_picture():
    pixels = crops()
    mixed = np.stack([pixels[0][0], pixels[1][1]])
    assert correlation(pixels[0], pixels[0]) == pytest.approx(1.0)
    assert correlation(pixels[0], mixed) < 0.5


def test_flat_channels_equal_each_other_and_nothing_else():
    flat = np.full((1, 32, 32), 7)
    assert correlation(flat, flat + 3) == 1.0
    assert correlation(flat, crops(1)[0, :1]) == 0.0


def test_crops_of_one_image_overlap_when_their_squares_do():
    centre = np.array([[0.0, 0], [30, 20], [64, 0], [63, 0], [0, 0]])
    places = Places(np.array(["a", "a", "a", "b", "c"]), centre, 64.0)
    assert overlapping_pairs(places, np.array([0, 1, 1, 0, 1])).tolist() == [[0, 1]]
    assert overlapping_pairs(places, np.array([0, 0, 1, 0, 1])).tolist() == [[1, 2]]


def test_an_empty_pool_is_no_error():
    assert find_leakage(crops()[:0], np.zeros(0, int)).n == 0


@pytest.mark.shared_data
def test_a_cell_that_the_real_set_holds_twice_is_found_and_nothing_else(shared_data):
    folder = shared_data / "02_crops_cellcycle_ifc"
    with (folder / "manifest.csv").open(newline="") as stream:
        paths = [row["path"] for row in csv.DictReader(stream) if row["kind"] == "image"]
    pixels = np.stack([tifffile.imread(folder / path) for path in paths])
    found = find_leakage(pixels, np.arange(len(pixels)))
    assert found.counts["exact"] == 0
    near = [tuple(paths[i].removeprefix("images/exp1_")[:19] for i in pair) for pair in found.near]
    assert near == [("Telophase_CP0001_02", "Telophase_CP0001_02")]
    assert np.abs(np.diff(pixels[found.near[0]].astype(int), axis=0)).max() == 15
