from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.sql import parquet, pattern, quoted, text

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(name=PRINTABLE, value=PRINTABLE)
def test_any_name_and_any_text_come_back_as_they_were(name: str, value: str) -> None:
    with duckdb.connect() as con:
        result = con.execute(f"SELECT {text(value)} AS {quoted(name)}")
        assert [column[0] for column in result.description] == [name]
        assert result.fetchall() == [(value,)]


FOLDERS = [
    "plain", "h[1]", "a*b", "what?", "**", "[!x]", "[a-z]", "[", "]", "a]b[c", "{x,y}", "q'u\"o", "汉*字", "n=7", "b\\c", "~", "%41",
]  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_one_file_is_read_and_no_other(tmp_path: Path, name: str) -> None:
    for number, folder in enumerate(
        ("h1", "aXb", "whatX", "x", "q", name)
    ):  # the others are what globs would find
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"n": [number]}), tmp_path / folder / f"{name}.parquet")
        pq.write_table(pa.table({"n": [-1]}), tmp_path / folder / "x.parquet")
    file = tmp_path / name / f"{name}.parquet"
    assert duckdb.execute(f"SELECT * FROM {parquet(file)}").fetchall() == [(5,)]
    counted = duckdb.execute(f"SELECT n, file_row_number FROM {parquet(file, 'file_row_number = true')}")
    assert counted.fetchall() == [(5, 0)]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_locked_database_reads_it_with_leave_for_path_and_pattern(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    file, other = tmp_path / name / "table-0.parquet", tmp_path / name / "table-1.parquet"
    for path in (file, other):
        pq.write_table(pa.table({"n": [1]}), path)
    with duckdb.connect() as con:
        con.execute(f"SET allowed_paths = [{text(str(file))}, {text(pattern(file))}]")
        con.execute("SET enable_external_access = false")
        assert con.execute(f"SELECT * FROM {parquet(file)}").fetchall() == [(1,)]
        with pytest.raises(duckdb.PermissionException):
            con.execute(f"SELECT * FROM {parquet(other)}")


def test_a_file_that_is_gone_is_not_taken_for_another(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "byA.parquet")
    with pytest.raises(duckdb.IOException):
        duckdb.execute(f"SELECT * FROM {parquet(tmp_path / 'by*.parquet')}")


def test_a_backslash_beside_a_globs_sign_is_refused_since_no_pattern_says_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Rename the folder, or set SLUICE_HOME"):
        parquet(tmp_path / "a\\*b" / "x.parquet")
