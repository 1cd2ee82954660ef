"""Both encoders: bytes independent of batching, any size and channel count, clear refusals."""

import subprocess
import sys

import numpy as np
import pytest

from training.learning.encoders import ENCODERS, make_encoder

both = pytest.mark.parametrize("name", ENCODERS)


def crops(n: int, channels: int = 3, size: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 300, (n, channels, size, size)).astype(np.uint16)


def windows(channels: int = 3) -> list[tuple[float, float]]:
    return [(0.0, 3000.0)] * channels


@both
def test_bytes_do_not_depend_on_any_of_100_batchings(name):
    pixels, encoder = crops(70, size=16), make_encoder(name, 3)
    whole = encoder.encode(pixels, windows())
    rng = np.random.default_rng(5)
    for _ in range(100):
        order = rng.permutation(70)[: rng.integers(2, 71)]
        cut = rng.integers(1, len(order))
        parts = [encoder.encode(pixels[part], windows()) for part in np.split(order, [cut])]
        assert np.concatenate(parts).tobytes() == whole[order].tobytes()


@both
def test_bytes_do_not_depend_on_the_number_of_blas_threads(name):
    from threadpoolctl import threadpool_limits

    pixels, encoder = crops(60), make_encoder(name, 3)
    rows = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            rows.append(encoder.encode(pixels, windows()).tobytes())
    assert rows[0] == rows[1]


@pytest.mark.parametrize("channels", [1, 3, 12])
def test_the_columns_of_a_channel_change_with_that_channel_and_only_those(channels):
    encoder, pixels = make_encoder("handcrafted", channels), crops(2, channels)
    before = encoder.encode(pixels, windows(channels))
    for channel, columns in enumerate(encoder.channel_columns):
        other = pixels.copy()
        other[:, channel] = crops(2, 1, seed=7)[:, 0]
        changed = np.flatnonzero((encoder.encode(other, windows(channels)) != before).any(axis=0))
        assert set(changed) <= set(columns) and len(changed) > 40


def test_the_untrained_network_has_no_columns_of_a_channel():
    assert make_encoder("untrained", 3).channel_columns is None


@both
@pytest.mark.parametrize(("channels", "size"), [(1, 1), (2, 7), (5, 33), (3, 128)])
def test_any_size_and_channel_count_gives_the_declared_dimension(name, channels, size):
    encoder = make_encoder(name, channels)
    rows = encoder.encode(crops(3, channels, size), windows(channels))
    assert rows.shape == (3, encoder.dimension)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


@both
@pytest.mark.parametrize("value", [0, 700, 65535])
def test_constant_crops_have_finite_embeddings(name, value):
    rows = make_encoder(name, 2).encode(np.full((2, 2, 64, 64), value, np.uint16), windows(2))
    assert np.isfinite(rows).all()


@both
def test_non_square_crops_and_no_crops_are_encoded(name):
    encoder = make_encoder(name, 3)
    assert encoder.encode(crops(2)[:, :, :, :17], windows()).shape == (2, encoder.dimension)
    assert encoder.encode(crops(0), windows()).shape == (0, encoder.dimension)


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(name, bad):
    pixels = crops(2).astype(np.float32)
    pixels[1, 2, 3, 4] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        make_encoder(name, 3).encode(pixels, windows())


@both
def test_wrong_channels_and_empty_windows_are_refused(name):
    encoder = make_encoder(name, 3)
    with pytest.raises(ValueError, match=r"reads \(n, 3"):
        encoder.encode(crops(1, 2), windows(2))
    with pytest.raises(ValueError, match="2 display windows for 3"):
        encoder.encode(crops(1), windows(2))
    with pytest.raises(ValueError, match="high above low"):
        encoder.encode(crops(1), [(5.0, 5.0)] * 3)


def test_digest_tells_seeds_channels_and_encoders_apart_and_repeats():
    digests = {make_encoder(n, c, s).digest for n, c, s in [("untrained", 3, 0), ("untrained", 3, 1),
               ("untrained", 2, 0), ("handcrafted", 3, 0), ("handcrafted", 2, 0)]}  # fmt: skip
    assert len(digests) == 5
    assert make_encoder("untrained", 3, 1).digest in digests


def test_an_unknown_encoder_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="handcrafted, untrained"):
        make_encoder("resnet", 3)


def test_ranking_and_handcrafted_features_do_not_import_torch():
    code = (
        "import sys, training.learning.encoders, training.learning.ranking;"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
