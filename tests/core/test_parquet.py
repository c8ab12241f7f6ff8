"""Raw tables at rest: what only the key opens, whatever the engine does with it."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import parquet
from core.errors import InternalError
from core.keys import FileKey
from core.parquet import batches, leave_out, read, reader, scan, scan_numbered, schema, unlock, writer
from core.proof import TableFile

PLANTED = "planted-5f1c"
ROWS = pa.table(
    {
        "who": [f"{PLANTED}-{number % 977}" for number in range(5_000)],
        "n": pa.array([number % 7 or None for number in range(5_000)], pa.int64()),
        "x": pa.array([number / 3 for number in range(5_000)]),
    }
)


def table_file(path: Path, key: FileKey | None, rows: pa.Table = ROWS, *, parts: int = 1) -> TableFile:
    with writer(path, rows.schema, key) as file:
        for part in range(parts):
            start = part * rows.num_rows // parts
            file.write(rows.slice(start, (part + 1) * rows.num_rows // parts - start))
    return TableFile(
        name="t", path=path, rows=rows.num_rows, size_bytes=path.stat().st_size, sha256="", key=key
    )


@pytest.fixture
def file(tmp_path: Path) -> TableFile:
    return table_file(tmp_path / "t.parquet", FileKey.fresh())


def test_what_is_written_is_read_by_both_engines(file: TableFile) -> None:
    assert read(file).equals(ROWS)
    assert read(file, ["x", "who"]).column_names == ["x", "who"]
    assert schema(file).equals(ROWS.schema)
    assert file.path.stat().st_mode & 0o777 == 0o600
    with duckdb.connect() as database:
        unlock(database, [file])
        assert database.execute(f"SELECT count(*), sum(n), max(who) FROM {scan(file)}").fetchone() == (
            5_000,
            sum(value or 0 for value in ROWS["n"].to_pylist()),
            f"{PLANTED}-99",
        )


@pytest.mark.parametrize("rows", [0, 1, 5_000, 70_000, 600_000])
@pytest.mark.parametrize(
    "question",
    [
        "SELECT count(*) FROM {t} WHERE n >= 3",
        "SELECT count(*) FROM {t} WHERE who IN ('planted-5f1c-1', 'planted-5f1c-2')",
        "SELECT count(*) FROM {t} WHERE n IS NULL OR x > 100",
        "SELECT max(file_row_number) FROM {numbered} WHERE n = 2",
        "SELECT who FROM {t} ORDER BY n DESC NULLS LAST, x LIMIT 3",
        "SELECT count(*) FROM {t} a JOIN {t} b USING (who, n, x) WHERE a.n < 2",
        "SELECT count(*) FROM {t} a, {t} b WHERE a.x = b.x AND b.n = 1",
        "SELECT count(DISTINCT who), min(x), avg(n) FROM {t}",
        "SELECT n, count(*) FROM {t} GROUP BY n HAVING count(*) > 1 ORDER BY n",
        "SELECT count(*) FROM {t} WHERE who = (SELECT min(who) FROM {t})",
    ],
)
def test_every_kind_of_question_has_the_plain_files_answer(tmp_path: Path, rows: int, question: str) -> None:
    """DuckDB's decryption fails where it filters while reading, and on several pages: neither may ever happen."""
    data = pa.concat_tables([ROWS] * (rows // 5_000 + 1)).slice(0, rows)
    answers = []
    for name, key in (("plain", None), ("sealed", FileKey.fresh())):
        each = table_file(tmp_path / f"{name}.parquet", key, data)
        with duckdb.connect() as database:
            unlock(database, [each])
            sql = question.format(t=scan(each), numbered=scan_numbered(each, "file_row_number"))
            answers.append(database.execute(sql).fetchall())
    assert answers[0] == answers[1]


def test_long_texts_make_shorter_row_groups_of_one_page_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP_BYTES", 1 << 16)
    data = pa.table({"long": ["y" * 1_000 + str(number) for number in range(1_000)]})
    file = table_file(tmp_path / "t.parquet", FileKey.fresh(), data, parts=7)
    assert read(file).equals(data)
    with reader(file) as opened:
        groups = opened.metadata
        assert groups.num_row_groups > 10
        assert max(groups.row_group(n).num_rows for n in range(groups.num_row_groups)) < 70


def test_rows_written_in_pieces_fill_whole_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 1_000)
    with reader(table_file(tmp_path / "t.parquet", None, parts=50)) as opened:
        assert [opened.metadata.row_group(n).num_rows for n in range(5)] == [1_000] * 5


def test_without_the_key_nothing_opens(file: TableFile, tmp_path: Path) -> None:
    """The attack: the folder of a run, without the key store."""
    data = file.path.read_bytes()
    assert data[:4] == data[-4:] == b"PARE"
    for name in (PLANTED, "who"):
        assert name.encode() not in data
    for attempt in (
        lambda: pq.read_table(file.path),
        lambda: pq.read_schema(file.path),
        lambda: duckdb.sql(f"SELECT * FROM '{file.path}'").fetchall(),
        lambda: read(
            TableFile(name="t", path=file.path, rows=1, size_bytes=1, sha256="", key=FileKey.fresh())
        ),
    ):
        with pytest.raises((OSError, duckdb.Error)):
            attempt()


@pytest.mark.parametrize("at", [20, 200, -200, -20])
def test_a_changed_byte_is_found(file: TableFile, at: int) -> None:
    data = bytearray(file.path.read_bytes())
    data[at] ^= 1
    file.path.write_bytes(data)
    with pytest.raises(OSError, match=r"decrypt|Couldn't deserialize|encrypted|Parquet|tag"):
        read(file)


def test_what_could_not_be_written_to_its_end_is_gone(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowException), writer(tmp_path / "t.parquet", ROWS.schema, None) as file:
        file.write(pa.concat_tables([ROWS, pa.table({"other": [1]})]))
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_neither_shown_nor_copied(file: TableFile) -> None:
    assert file.key is not None
    secret = file.key.reveal()
    for shown in (repr(file.key), str(file.key), repr(file), f"{file}"):
        assert secret.hex() not in shown
        assert str(secret) not in shown
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InternalError, match="can't be copied or pickled"):
            copying(file.key)
    with pytest.raises(InternalError, match="32 bytes"):
        FileKey(b"short")


OUT = [0, 1, 7, 4_000, 4_999]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("out", [[], OUT, list(range(5_000))])
def test_rows_left_out_by_number_are_passed_over_by_every_reader(
    tmp_path: Path, sealed: bool, out: list[int]
) -> None:
    whole = table_file(tmp_path / "t.parquet", FileKey.fresh() if sealed else None)
    file = leave_out(whole, np.array(out, np.int64), tmp_path / "out.parquet")
    stays = [number for number in range(5_000) if number not in set(out)]
    wanted = ROWS.take(pa.array(stays, pa.int64()))
    assert file.rows == len(stays)
    assert read(file).equals(wanted)
    assert pa.Table.from_batches(
        list(batches(file, ["n", "who"])), schema=wanted.select(["n", "who"]).schema
    ).equals(wanted.select(["n", "who"]))
    with duckdb.connect() as database:
        unlock(database, [file])
        assert database.sql(f"SELECT * FROM {scan(file)} ORDER BY x").to_arrow_table().equals(wanted)
        question = f"SELECT count(*) FROM {scan(file)} a JOIN {scan(file)} b USING (who) WHERE a.n > 5"
        twice = "SELECT count(*) FROM w a JOIN w b USING (who) WHERE a.n > 5"
        database.register("w", wanted)
        assert database.execute(question).fetchall() == database.execute(twice).fetchall()


@pytest.mark.parametrize("sealed", [True, False])
def test_a_column_called_like_the_engines_counter_is_no_counter(tmp_path: Path, sealed: bool) -> None:
    rows = pa.table({"File_Row_Number": [5, 6, 7], "file_row_number_": [1, 1, 1], "row": ["a", "b", "c"]})
    whole = table_file(tmp_path / "t.parquet", FileKey.fresh() if sealed else None, rows)
    file = leave_out(whole, np.array([1]), tmp_path / "out.parquet")
    with duckdb.connect() as database:
        unlock(database, [file])
        assert (
            database.sql(f"SELECT * FROM {scan(file)} ORDER BY 1").to_arrow_table().equals(rows.take([0, 2]))
        )
        numbered = f"SELECT n, File_Row_Number FROM {scan_numbered(whole, 'n')} ORDER BY n"
        assert database.execute(numbered).fetchall() == [(0, 5), (1, 6), (2, 7)]
    assert read(file).equals(rows.take([0, 2]))
