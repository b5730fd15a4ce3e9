"""slkbench.schema: rows and samples are two forms of one thing, and the dictionary is in step."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.errors import StoreError
from slkbench.model import Sample
from slkbench.schema import columns, data_dictionary, header, pandas_dtypes, row_of, sample_of

DATA_DICTIONARY = Path(__file__).resolve().parents[2] / "results" / "README.md"

_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": _TEXT,
}


def _samples() -> st.SearchStrategy[Sample]:
    def values(kind: str, optional: bool) -> st.SearchStrategy[Any]:
        return st.none() | _VALUES[kind] if optional else _VALUES[kind]

    return st.builds(Sample, **{c.name: values(c.kind, c.optional) for c in columns()})


@given(_samples())
def test_a_row_reads_back_as_its_sample(sample: Sample) -> None:
    assert sample_of(row_of(sample)) == sample


def test_the_columns_are_the_fields_of_sample() -> None:
    assert header() == tuple(field.name for field in dataclasses.fields(Sample))
    assert all(item.meaning for item in columns())
    assert set(pandas_dtypes()) == set(header())


def test_missing_is_an_empty_cell_and_zero_is_not() -> None:
    row = dict(zip(header(), row_of(Sample(p50_ns=None, elapsed_ns=0)), strict=True))
    assert row["p50_ns"] == ""
    assert row["elapsed_ns"] == "0"
    assert sample_of(list(row.values())).p50_ns is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_missing(value: float) -> None:
    assert sample_of(row_of(Sample(rate_msgs_per_s=value))).rate_msgs_per_s is None


def test_a_row_is_one_line() -> None:
    assert sample_of(row_of(Sample(reason="lost\n3 of\r\n5"))).reason == "lost 3 of 5"


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("block", "", "column block holds an empty cell instead of a whole number"),
        ("block", "1.5", "column block holds '1.5' instead of a whole number"),
        ("rate_msgs_per_s", "fast", "column rate_msgs_per_s holds 'fast' instead of a number"),
    ],
)
def test_a_bad_cell_is_named(column: str, cell: str, said: str) -> None:
    row = row_of(Sample())
    row[header().index(column)] = cell
    with pytest.raises(StoreError, match=said):
        sample_of(row)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(StoreError, match="3 cells instead of"):
        sample_of(["a", "b", "c"])


def test_the_data_dictionary_is_in_step() -> None:
    assert DATA_DICTIONARY.read_text() == data_dictionary(), (
        "regenerate it: python -m slkbench.schema > results/README.md"
    )
