from pathlib import Path

import numpy as np
import pytest

from labeling.agreement.table import from_long, in_order, read_csv, sure_or_not, without_label


def written(folder: Path, text: str) -> Path:
    path = folder / "reads.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_may_come_in_any_order_with_a_byte_order_mark_quotes_and_extra_columns(tmp_path):
    path = written(tmp_path, '\ufefflabel,note,item,annotator\n"G2, late",x,a,ann\nG1,"said ""yes""",b,bob\n')
    table = read_csv(path)
    assert table.items == ("a", "b")
    assert table.labels == ("G1", "G2, late")
    assert table.codes.tolist() == [[1, -1], [-1, 0]]


def test_an_empty_label_is_a_missing_read(tmp_path):
    table = read_csv(written(tmp_path, "item,annotator,label\na,1,x\na,2,\nb,1,\n"))
    assert table.codes.tolist() == [[0], [-1]]
    assert table.repeats == 0


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no column annotator, label.*has item, reader"):
        read_csv(written(tmp_path, "item,reader\na,1\n"))


def test_an_empty_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"reads\.csv is empty"):
        read_csv(written(tmp_path, ""))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "reads.csv").write_bytes(b"item,annotator,label\n\xff\xfe,1,a\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_csv(tmp_path / "reads.csv")


def test_a_label_without_an_annotator_is_refused_with_its_line(tmp_path):
    with pytest.raises(ValueError, match="line 3"):
        read_csv(written(tmp_path, "item,annotator,label\na,1,x\nb,,x\n"))


def test_the_first_read_counts_and_later_ones_are_counted_as_repeats():
    table = from_long([("a", "1", "x"), ("a", "1", "y"), ("a", "1", "x"), ("a", "2", "y")])
    assert table.codes.tolist() == [[0, 1]]
    assert (table.repeats, table.repeats_equal) == (2, 1)


def test_repeats_are_kept_in_the_order_they_came_and_follow_a_change_of_labels():
    rows = [("a", "1", "y"), ("a", "1", "not_sure"), ("b", "1", "x"), ("a", "1", "x")]
    table = from_long(rows)
    assert [table.labels[code] for code in table.again.codes] == ["not_sure", "x"]
    assert table.again.items.tolist() == [0, 0]
    assert without_label(table, "not_sure").repeats == 1
    assert sure_or_not(table).again.codes.tolist() == [1, 0]
    ranked = in_order(table, ("y", "x"))
    assert (ranked.codes.tolist(), ranked.again.codes.tolist()) == ([[0], [1]], [1])


def test_the_place_of_each_first_read_among_the_rows_is_known():
    rows = [("a", "2", "x"), ("a", "1", ""), ("b", "1", "y"), ("a", "2", "y"), ("a", "1", "x")]
    assert from_long(rows, in_turn=True).sequence.tolist() == [[3, 0], [1, -1]]
    assert from_long(rows).sequence is None


def test_a_column_of_times_puts_the_rows_into_the_order_of_reading(tmp_path):
    text = "item,annotator,label,answered_at\na,1,late,2026-01-01T10:00:00+01:00\na,1,early,2026-01-01T08:30:00Z\n"
    table = read_csv(written(tmp_path, text))
    assert table.labels[table.codes[0, 0]] == "early"
    assert table.sequence.tolist() == [[0]]
    with pytest.raises(ValueError, match=r"line 2: 'noon' is not a time"):
        read_csv(written(tmp_path, "item,annotator,label,answered_at\na,1,x,noon\n"))


def test_an_order_that_names_a_label_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        in_order(from_long([("a", "1", "x")]), ("x", "x"))


def test_numbers_are_sorted_by_value_so_that_codes_are_ranks():
    table = from_long([("a", "1", "10"), ("b", "1", "9"), ("c", "1", "unclear")])
    assert table.labels == ("9", "10", "unclear")


def test_not_sure_can_be_taken_out_or_set_against_every_class():
    table = from_long([("a", "1", "x"), ("a", "2", "not_sure"), ("b", "1", "y")])
    assert np.array_equal(without_label(table, "not_sure").codes >= 0, [[True, False], [True, False]])
    assert sure_or_not(table).codes.tolist() == [[0, 1], [0, -1]]


@pytest.mark.shared_data
def test_the_repeats_of_the_first_anaesthetist_are_set_aside(shared_data):
    table = read_csv(shared_data / "06_multirater_tables" / "anesthesia_5raters.csv")
    assert table.codes.shape == (45, 5)
    assert table.repeats == 90
