"""Which labels readers mix up: counted over items and over pairs of readers, held against a plain count."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labeling.agreement.confusion import Cell, confusion_cells, disputed_items, narrowed, only_labels
from labeling.agreement.table import ReadTable, from_codes, from_long

LABELS = ("disc", "ring", "other")
tables = st.tuples(st.integers(0, 8), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 2)).map(lambda codes: from_codes(codes, LABELS))
)


def plain(table: ReadTable, reader: str | None = None) -> list[Cell]:
    """The same by looking at one item and one pair of readers after the other."""
    items: dict[tuple[int, int], set[int]] = {}
    pairs: dict[tuple[int, int], int] = {}
    for number, row in enumerate(table.codes.tolist()):
        for one, other in combinations(range(len(row)), 2):
            if reader is not None and reader not in (table.annotators[one], table.annotators[other]):
                continue
            if min(row[one], row[other]) >= 0:
                cell = (min(row[one], row[other]), max(row[one], row[other]))
                items.setdefault(cell, set()).add(number)
                pairs[cell] = pairs.get(cell, 0) + 1
    return [Cell(LABELS[a], LABELS[b], len(items[a, b]), pairs[a, b]) for a, b in sorted(items)]


@given(tables, st.sampled_from([None, "1", "2"]))
def test_cells_are_those_of_a_plain_count(table: ReadTable, reader: str | None) -> None:
    assert confusion_cells(table, reader) == plain(table, reader)


@given(tables, st.sampled_from([None, "1", "2"]))
def test_a_cell_holds_as_many_items_as_it_says_either_way_round(table: ReadTable, reader: str | None) -> None:
    sizes = {(cell.a, cell.b): cell.items for cell in confusion_cells(table, reader)}
    for a, b in combinations(LABELS, 2):
        found = disputed_items(table, a, b, reader)
        assert len(found) == len(set(found)) == sizes.get((a, b), 0)
        assert disputed_items(table, b, a, reader) == found


@given(tables)
def test_two_readers_alone_are_their_own_table(table: ReadTable) -> None:
    alone = narrowed(table, ("1", "2"))
    assert alone.annotators == table.annotators[:2]
    assert all(cell.items == cell.pairs for cell in confusion_cells(alone))
    if len(table.annotators) >= 2:
        assert confusion_cells(alone) == confusion_cells(alone, "1")


def test_a_second_answer_of_one_reader_disputes_nothing() -> None:
    table = from_long([("crop", "ann", "disc"), ("crop", "ann", "ring"), ("crop", "bob", "disc")])
    assert confusion_cells(table) == [Cell("disc", "disc", 1, 1)]


@pytest.mark.parametrize(("a", "b"), [("disc", "disc"), ("disc", "star"), ("star", "moon")])
def test_no_item_is_disputed_between_a_label_and_itself_or_one_that_nobody_used(a: str, b: str) -> None:
    table = from_long([("crop", "ann", "disc"), ("crop", "bob", "ring")])
    assert disputed_items(table, a, b) == []


@given(tables)
def test_other_labels_are_as_if_nobody_had_said_them(table: ReadTable) -> None:
    two = only_labels(table, ("ring", "disc"))
    assert two.labels == ("ring", "disc")
    said = np.where(table.codes == 0, 1, np.where(table.codes == 1, 0, -1))
    assert np.array_equal(two.codes, said)
