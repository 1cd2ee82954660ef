"""The object table: names, order and files whose bytes depend on content alone."""

import csv
import io

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.stage import PipelineError
from inference.pipeline.tables import (
    Table,
    column_part,
    column_parts,
    combine,
    csv_bytes,
    parquet_bytes,
    read_parquet,
)


def field_table(image: int, objects: int) -> Table:
    number = np.arange(1, objects + 1)
    return Table(
        {
            "ImageNumber": np.full(objects, image),
            "ObjectNumber": number,
            "Metadata_Well": np.full(objects, f"A{image:02d}"),
            "AreaShape_Area": number * 1.5,
            "Classify_Uncertain": number % 2 == 0,
        }
    )


@given(st.permutations([1, 2, 3, 4]))
def test_the_file_does_not_depend_on_the_order_of_fields(order):
    expected = parquet_bytes(combine([field_table(n, n) for n in (1, 2, 3, 4)]))
    assert parquet_bytes(combine([field_table(n, n) for n in order])) == expected


def test_a_table_is_read_back_as_it_was_written():
    table = combine([field_table(2, 3), field_table(1, 2)])
    assert read_parquet(parquet_bytes(table)).digest == table.digest
    assert table.columns["ImageNumber"].tolist() == [1, 1, 2, 2, 2]


def test_the_width_of_text_columns_does_not_change_the_digest():
    narrow, wide = np.array(["A", "B"], dtype="<U1"), np.array(["A", "B"], dtype="<U9")
    assert Table({"x": narrow}).digest == Table({"x": wide}).digest


@pytest.mark.parametrize("change", ["AreaShape_Area", "Metadata_Well", "Classify_Uncertain"])
def test_any_changed_cell_changes_digest_and_bytes(change):
    table = field_table(1, 3)
    column = table.columns[change].copy()
    column[1] = {"f": 9.0, "U": "B07", "b": not column[1]}[column.dtype.kind]
    other = Table({**table.columns, change: column})
    assert other.digest != table.digest
    assert parquet_bytes(other) != parquet_bytes(table)


def test_an_empty_field_keeps_the_columns():
    table = combine([field_table(1, 0)])
    assert len(table) == 0
    assert read_parquet(parquet_bytes(table)).names == field_table(1, 1).names


def test_an_empty_field_does_not_change_the_file():
    assert parquet_bytes(combine([field_table(1, 0), field_table(2, 2)])) == parquet_bytes(field_table(2, 2))


def test_no_field_at_all_is_an_empty_table():
    assert len(combine([])) == 0
    assert parquet_bytes(combine([]))


def test_a_missing_intensity_column_is_null_and_a_missing_name_is_refused():
    extra = Table({**field_table(2, 1).columns, "Intensity_MeanIntensity_DNA": np.array([4.0])})
    combined = combine([field_table(1, 1), extra])
    assert np.isnan(combined.columns["Intensity_MeanIntensity_DNA"]).tolist() == [True, False]
    with pytest.raises(PipelineError, match="Metadata_Plate is missing"):
        combine([field_table(1, 1), Table({**extra.columns, "Metadata_Plate": np.array(["p"])})])


def test_the_file_carries_only_the_metadata_that_were_given():
    content = parquet_bytes(field_table(1, 2), {"model": "abc"})
    metadata = pyarrow.parquet.read_schema(io.BytesIO(content)).metadata
    assert metadata == {b"model": b"abc", b"parfocal.format": b"1", b"parfocal.table": b"objects"}


def test_csv_holds_the_same_numbers():
    table = field_table(1, 3)
    rows = list(csv.DictReader(io.StringIO(csv_bytes(table).decode())))
    assert [float(row["AreaShape_Area"]) for row in rows] == table.columns["AreaShape_Area"].tolist()
    assert rows[0]["Metadata_Well"] == "A01"


def test_csv_leaves_nan_empty():
    table = Table({"x": np.array([np.nan, 0.1]), "y": np.array([1, 2])})
    assert csv_bytes(table) == b'"x","y"\n,1\n0.1,2\n'


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_csv_never_starts_a_cell_with_a_formula(cell):
    text = csv_bytes(Table({"Metadata_Well": np.array([cell, "A01"]), "x": np.array([-1.0, 2.0])})).decode()
    assert f'"\'{cell}",-1' in text
    assert '"A01",2' in text


@pytest.mark.parametrize(("name", "part"), [("DAPI/405 nm", "DAPI_405_nm"), ("", "unnamed"), ("µ", "unnamed")])
def test_a_channel_name_becomes_a_column_part(name, part):
    assert column_part(name) == part


def test_channels_that_would_share_a_column_are_kept_apart():
    assert column_parts(["a b", "a-b", "a_b", "c"]) == ("a_b", "a_b_2", "a_b_3", "c")


def test_columns_of_different_length_are_refused():
    with pytest.raises(PipelineError, match=r"differ in length: \[1, 2\]"):
        Table({"a": np.zeros(1), "b": np.zeros(2)})


@pytest.mark.parametrize("column", [np.zeros((2, 2)), np.array([object()])])
def test_a_column_that_is_not_flat_numbers_or_text_is_refused(column):
    with pytest.raises(PipelineError, match="column x"):
        Table({"x": column})
