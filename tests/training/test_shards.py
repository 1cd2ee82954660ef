"""Rows of many files read like one array, and files that are damaged are never read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.learning.shards import DamagedShard, ShardedRows, check_bytes, open_array, write_array

WHOLE = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
PARTS = np.split(WHOLE, [7, 7, 30, 31])
PERMUTED = np.random.default_rng(1).permutation(60)[:50]
RUNS = np.concatenate([np.arange(20, 45), np.arange(3, 19), [59]])
ORDERS = {"as they lie": None, "permuted": PERMUTED, "in runs": RUNS}
KEYS = st.one_of(
    st.slices(41),
    st.lists(st.integers(-41, 40)).map(lambda rows: np.array(rows, np.int64)),
    st.lists(st.booleans(), min_size=42, max_size=42).map(np.array),
    st.integers(-41, 40),
)


@pytest.mark.parametrize("order", ORDERS)
@given(key=KEYS)
def test_every_way_of_reading_gives_what_one_array_gives(order, key):
    plain = WHOLE if ORDERS[order] is None else WHOLE[ORDERS[order]]
    rows = ShardedRows(PARTS, ORDERS[order])
    if isinstance(key, np.ndarray) and key.dtype == bool:
        key = np.resize(key, len(plain))
    assert rows.shape == plain.shape and len(rows) == len(plain)
    found = rows[key]
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert np.array_equal(found, plain[key])


@pytest.mark.parametrize("order", ORDERS)
def test_subsets_joined_rows_chunks_and_whole_arrays_agree_with_numpy(order):
    plain = WHOLE if ORDERS[order] is None else WHOLE[ORDERS[order]]
    rows, mask = ShardedRows(PARTS, ORDERS[order]), np.arange(len(plain)) % 3 > 0
    assert np.array_equal(np.asarray(rows.subset(mask)), plain[mask])
    assert np.array_equal(np.asarray(rows.subset(np.array([5, 2, 2])).subset(np.array([1]))), plain[[2]])
    joined = ShardedRows.joined([rows, rows.subset(mask), ShardedRows(PARTS)])
    assert np.array_equal(np.asarray(joined), np.concatenate([plain, plain[mask], WHOLE]))
    assert np.array_equal(np.concatenate([block for _, block in joined.chunks(11)]), np.asarray(joined))


def test_a_slice_within_one_file_is_a_view_and_read_only(tmp_path):
    digest = write_array(tmp_path, WHOLE)
    rows = ShardedRows([open_array(tmp_path / f"{digest}.npy", WHOLE.shape)])
    found = rows[10:20]
    assert found.base is not None and not found.flags.writeable


@pytest.mark.parametrize("key", [60, -61, np.array([60]), np.array([0.5]), np.ones(59, bool), np.zeros((2, 2), int)])
def test_rows_that_are_not_there_are_an_error(key):
    with pytest.raises(IndexError):
        ShardedRows(PARTS)[key]


def test_rows_of_different_dimension_are_refused():
    with pytest.raises(ValueError, match="never mixed"):
        ShardedRows([WHOLE, WHOLE[:, :2]])
    with pytest.raises(ValueError, match="never mixed"):
        ShardedRows.joined([ShardedRows([WHOLE]), ShardedRows([WHOLE[:, :2]])])
    with pytest.raises(ValueError, match="outside the 60"):
        ShardedRows(PARTS, np.array([60]))


def test_no_rows_at_all_have_a_dimension():
    assert np.asarray(ShardedRows([], np.empty(0, np.int64), 5)).shape == (0, 5)
    assert ShardedRows(PARTS)[np.empty(0, np.int64)].shape == (0, 3)


def test_the_same_rows_are_the_same_file_and_nothing_else_is_left(tmp_path):
    assert write_array(tmp_path, WHOLE) == write_array(tmp_path, WHOLE.copy())
    assert len(list(tmp_path.iterdir())) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def alter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def test_a_cut_an_absent_and_an_altered_file_are_damaged(tmp_path):
    path = tmp_path / f"{write_array(tmp_path, WHOLE)}.npy"
    with pytest.raises(DamagedShard, match="shape"):
        open_array(path, (61, 3))
    alter(path)
    with pytest.raises(DamagedShard, match="bytes that were written"):
        check_bytes(path, path.stem)
    cut(path)
    with pytest.raises(DamagedShard, match="missing or damaged"):
        open_array(path, WHOLE.shape)
    path.unlink()
    for reads in (lambda: open_array(path, WHOLE.shape), lambda: check_bytes(path, path.stem)):
        with pytest.raises(DamagedShard, match="missing"):
            reads()


@pytest.mark.slow
def test_reading_a_large_pool_in_slices_copies_no_more_than_the_slice(tmp_path):
    """The pool of a study is far larger than the memory beside the map."""
    import tracemalloc

    large = np.zeros((50_000, 96), np.float32)
    digest = write_array(tmp_path, large)
    parts = [open_array(tmp_path / f"{digest}.npy", large.shape)] * 4
    del large
    rows = ShardedRows(parts, np.arange(200_000)[::-1].copy())
    tracemalloc.start()
    total = sum(float(block.sum()) for _, block in rows.chunks(4096))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 0 and peak < 8 * 4096 * 96 * 4
