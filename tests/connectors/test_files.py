"""Files of three formats, and what a platform's export gets wrong."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import receive
from connectors.files import Files
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from core.errors import ContractError, SourceError
from core.proof import Window

ROWS = [{"id": 1, "who": "张三", "at": dt.date(2026, 3, 1)}, {"id": 2, "who": None, "at": None}]


@pytest.fixture
def take(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> Callable[..., list[dict[str, Any]]]:
    """Receives one table from files under tmp_path and gives its rows."""

    def run(path: str, *, shape: Table | None = None, **source: Any) -> list[dict[str, Any]]:
        terms = contract(shape or table(id="integer", who="string", at="date"), path=path, **source)
        out = tmp_path / "received" / "out"
        try:
            got = receive(Files(), terms, Window(), out=out)
            rows: list[dict[str, Any]] = pq.read_table(next(iter(got.tables.values())).path).to_pylist()
            return rows
        except SourceError:
            assert not out.exists()
            raise

    return run


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n" for row in rows)


CSV = "id,more,who,at\n1,x,张三,2026-03-01\n2,y,,\n".encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.csv", CSV),
        ("orders.csv", CSV.replace(b"\n", b"\r\n")),
        ("orders.csv", b"\xef\xbb\xbf" + CSV),
        ("orders.csv", b"\n" + CSV),
        ("orders.csv.gz", gzip.compress(CSV, mtime=0)),
        ("orders.tsv", CSV.replace(b",", b"\t")),
        ("orders.jsonl", lines(ROWS)),
        ("orders.jsonl", b"\n" + lines(ROWS)),
        ("orders.ndjson.gz", gzip.compress(lines(ROWS), mtime=0)),
    ],
)
def test_text_formats(tmp_path: Path, take: Callable[..., Any], name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert take(name) == ROWS


def test_parquet(tmp_path: Path, take: Callable[..., Any]) -> None:
    pq.write_table(
        pa.Table.from_pylist(ROWS).append_column("more", pa.array([1, 2])), tmp_path / "orders.parquet"
    )
    assert take("orders.parquet") == ROWS
    assert take(str(tmp_path / "orders.parquet"), format="Parquet") == ROWS


@pytest.mark.parametrize(
    "path", ["数据 [1]/{table}", "数据 [1]/{table}/*.parquet", "数据 [1]/**/*.parquet", "数据 [1]"]
)
def test_folders_and_globs_come_in_the_order_of_their_names(
    tmp_path: Path, take: Callable[..., Any], path: str
) -> None:
    folder = tmp_path / "数据 [1]" / "orders"
    folder.mkdir(parents=True)
    for number in (10, 9, 11):
        pq.write_table(pa.table({"id": [number]}), folder / f"part-{number:03}.parquet")
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / ".part.crc").write_bytes(b"x")
    (folder / "README.md").write_text("about")
    if "*" in path:
        # A glob's signs in the path's own folders have to be escaped, as in a shell.
        path = path.replace("[1]", "[[]1]")
    rows = take(path, shape=_ids())
    assert [row["id"] for row in rows] == [9, 10, 11]


def _ids() -> Table:
    column = Column(name="id", type=LogicalType.INTEGER, role=Role.ATTRIBUTE, transform=Transform.KEEP)
    return Table(name="o", physical_name="orders", kind=TableKind.REFERENCE, columns=(column,))


def test_each_table_has_its_file(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    (tmp_path / "p-a.csv").write_text("id\n1\n")
    (tmp_path / "p-b [x].csv").write_text("id\n2\n3\n")
    terms = contract(
        table("first", physical="a", id="integer"),
        table("second", physical="b [x]", id="integer"),
        path="p-{table}.*",
    )
    got = receive(Files(), terms, Window(), out=tmp_path / "out")
    assert {name: file.rows for name, file in got.tables.items()} == {"first": 1, "second": 2}


@pytest.mark.parametrize("name", ["h[1]", "a*b", "what?", "**"])
@pytest.mark.parametrize("path", ["*.csv", "{table}*.csv", "~/*.csv"])
def test_the_base_and_the_home_folder_are_names_and_no_globs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    name: str,
    path: str,
) -> None:
    for number, folder in enumerate(("h1", "aXb", "whatX", name)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "orders.csv").write_text(f"id\n{number}\n")
    monkeypatch.setenv("HOME", str(tmp_path / name))
    terms = contract(table(id="integer"), path=path, base=tmp_path / name)
    got = receive(Files(), terms, Window(), out=tmp_path / "out")
    assert pq.read_table(got.tables["orders"].path)["id"].to_pylist() == [3]


FACTS, SUBJECTS, REFERENCE = TableKind.FACTS, TableKind.SUBJECTS, TableKind.REFERENCE


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        (FACTS, FACTS, False),
        (FACTS, REFERENCE, False),
        (SUBJECTS, REFERENCE, False),
        (SUBJECTS, FACTS, True),
        (REFERENCE, REFERENCE, True),
    ],
)
@pytest.mark.parametrize("how", ["glob", "link", "one file"])
def test_no_file_of_persons_is_published_twice(
    tmp_path: Path,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    one: TableKind,
    other: TableKind,
    fits: bool,
    how: str,
) -> None:
    (tmp_path / "sales-2.csv").write_text("id\n1\n")
    path = {"glob": "{table}*.csv", "link": "{table}.csv", "one file": "sales-2.csv"}[how]
    names = ("sales", "sales-2")
    if how == "link":
        (tmp_path / "sales.csv").symlink_to("sales-2.csv")
    tables = [
        replace(table(name, id="integer"), kind=kind) for name, kind in zip(names, (one, other), strict=True)
    ]
    for order in (tables, tables[::-1]):
        terms = contract(*order, path=path)
        if fits:
            assert receive(Files(), terms, Window(), out=tmp_path / "out").tables["sales"].rows == 1
            continue
        with pytest.raises(
            SourceError, match="read the same file, whose persons would be published twice"
        ) as caught:
            receive(Files(), terms, Window(), out=tmp_path / "out")
        assert "one cell plan per source table" in caught.value.remedy
        assert not (tmp_path / "out").exists()


def test_a_table_whose_neighbour_has_no_files_is_told_about_that_one(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    terms = contract(*(replace(table(name, id="integer"), kind=FACTS) for name in "ab"), path="{table}.csv")
    with pytest.raises(SourceError, match=r"No file matches\. \(table b"):
        receive(Files(), terms, Window(), out=tmp_path / "out")


def test_nothing_found_says_where_it_looked(tmp_path: Path, take: Callable[..., Any]) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("nowhere.csv", "*.csv", "empty", "{table}/x.csv"):
        with pytest.raises(SourceError, match="No file matches") as caught:
            take(path)
        assert str(tmp_path) in caught.value.remedy


def test_a_folder_of_mixed_tables_is_refused(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    for path in (".", "*.csv"):
        terms = contract(table("a", id="integer"), table("b", id="integer"), path=path)
        with pytest.raises(SourceError, match=r"Write \{table\} in the server's path"):
            receive(Files(), terms, Window(), out=tmp_path / "out")


@pytest.mark.parametrize("name", ["../secret", "..", "a/b", "a\\b", ""])
def test_a_physical_name_never_leads_elsewhere(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table], name: str
) -> None:
    (tmp_path / "secret.csv").write_text("id\n1\n")
    shape = Table(name="o", physical_name=name, kind=_ids().kind, columns=_ids().columns)
    with pytest.raises(SourceError, match="can't stand in a path"):
        take("in/{table}.csv", shape=shape)


def test_source_without_a_path_or_a_known_format(tmp_path: Path, take: Callable[..., Any]) -> None:
    with pytest.raises(SourceError, match="names no files"):
        take("")
    (tmp_path / "x.dat").write_bytes(CSV)
    with pytest.raises(SourceError, match="name doesn't tell its format"):
        take("x.dat")
    with pytest.raises(ContractError, match="The format `xlsx`"):
        take("x.dat", format="xlsx")
    assert take("x.dat", format="CSV") == ROWS


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.csv", b"", "The file is empty"),
        ("x.csv", CSV[:-3], r"Row 2 \(line 3\) has 2 fields, the header 4\."),
        ("x.csv", b"id,who,at\n1,a,\n\n2,Zhang,San,\n", r"Row 2 \(line 4\) has 4 fields, the header 3\."),
        ("x.csv", b'id,who,at\n1,"Zhang San', "ends inside a quoted field"),
        ("x.csv", b'id,who,at\n1,5" pipe,\n2,"Zhang,2026-01-01\n3,a,\n', r"Row 2 \(line 3\) has 2 fields"),
        ("x.csv", CSV.decode().encode("gb18030"), "isn't written in utf-8"),
        ("x.csv", b"PAR1\x00\x01\xff", "isn't written in utf-8"),
        ("x.csv.gz", gzip.compress(CSV * 1000, mtime=0)[:-9], "can't be read to its end"),
        ("x.csv.gz", CSV, "can't be read to its end"),
        ("x.csv", b"id,who\n1,x\n", "lacks `at`; the source has 2 columns"),
        ("x.csv", b"id,who,at,who\n1,x,,y\n", "more than one column called `who`"),
        ("x.csv", b"id;who;at\n1;x;\n", "lacks `id`, `who`, `at`; the source has 1 column.*sluiceDelimiter"),
        ("x.csv", b"Zhang San,1980,42\nLi,1981,43\n", "lacks `id`, `who`, `at`; the source has 3 columns"),
        ("x.jsonl", b'{"Zhang San": 1}\n', "lacks `id`, `who`, `at`; the source has 1 column"),
        ("x.jsonl", b"{}\n", "the source has 0 columns"),
        (
            "x.csv",
            b"id,who,at\n1,a,\nZhang,b,\n",
            "Column `id`, row 2: what stands there is no exact integer",
        ),
        ("x.csv", b"id,who,at\n1,a,01/02/2026\n", "Column `at`, row 1: what stands there is no exact date"),
        ("x.jsonl", lines(ROWS)[:-4], "Line 2: this isn't a JSON object of its own"),
        ("x.jsonl", b'[{"id": 1}]\n', "Line 1: this isn't a JSON object"),
        ("x.jsonl", b"Zhang\n", "Line 1: this isn't a JSON object"),
        ("x.jsonl", b"\n" + lines(ROWS) + b"Zhang\n" + lines(ROWS), "Line 4: this isn't a JSON object"),
        (
            "x.jsonl",
            lines(ROWS) + b'{"id": NaN, "who": "Zhang", "at": null}\n',
            "Line 3: this isn't a JSON object",
        ),
        ("x.jsonl", '{"id": 1, "who": "张"}'.encode("gb18030"), "isn't written in utf-8"),
        (
            "x.jsonl",
            b'{"id": 1, "who": "a"}\n{"id": 2, "x": 1}\n',
            "lacks `at`; the source has 3 columns",
        ),
        ("x.jsonl", b'{"id": 1.5, "who": "a", "at": null}\n', "Column `id`, row 1"),
        (
            "x.jsonl",
            b'{"id": "Zhang", "who": "a", "at": null}\n',
            "Column `id`, line 1: this can't be read as the contract's integer",
        ),
        (
            "x.jsonl",
            lines(ROWS) + b'{"id": 1, "who": {"n": "Zhang"}, "at": null}\n',
            "Column `who`, line 3: this can't be read as the contract's string",
        ),
        ("x.jsonl", b'{"id": 1, "who": 7, "at": null}\n', "Column `who`, line 1: this can't be read"),
        ("x.parquet", b"PAR1", "This isn't a whole Parquet file"),
        ("x.parquet", b"", "This isn't a whole Parquet file"),
        ("x.parquet", CSV, "This isn't a whole Parquet file"),
    ],
)
def test_broken_files_are_told_without_their_values(
    tmp_path: Path, take: Callable[..., Any], name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=told) as caught:
        take(name)
    assert name in caught.value.where
    assert "Zhang" not in str(caught.value) + repr(caught.value.facts)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_truncated_parquet_file(tmp_path: Path, take: Callable[..., Any]) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS * 5000), whole)
    content = whole.read_bytes()
    for kept in (len(content) // 2, len(content) - 1):
        (tmp_path / "x.parquet").write_bytes(content[:kept])
        with pytest.raises(SourceError, match="This isn't a whole Parquet file"):
            take("x.parquet")
    # The footer is whole, a page before it isn't.
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + b"\xff" * 400 + content[404:])
    with pytest.raises(SourceError, match=r"x\.parquet"):
        take("x.parquet")


def test_other_encodings_and_delimiters(tmp_path: Path, take: Callable[..., Any]) -> None:
    (tmp_path / "x.csv").write_bytes(CSV.decode().replace(",", ";").encode("gb18030"))
    assert take("x.csv", options={"encoding": "GB18030", "delimiter": ";"}) == ROWS
    (tmp_path / "x.csv").write_bytes(CSV.decode().replace(",", "\t").encode("utf-16"))
    assert take("x.csv", options={"encoding": "utf-16", "delimiter": "tab"}) == ROWS
    for encoding in ("klingon", "base64", "rot13", "undefined", "", "utf-8\0"):
        with pytest.raises(ContractError, match=f"no encoding `{encoding}`"):
            take("x.csv", options={"encoding": encoding})
    (tmp_path / "x.csv").write_bytes(CSV)
    with pytest.raises(ContractError, match="one ASCII character"):
        take("x.csv", options={"delimiter": "||"})
    (tmp_path / "x.jsonl").write_bytes(
        json.dumps({"id": 1, "who": "张"}, ensure_ascii=False).encode("gb18030")
    )
    with pytest.raises(SourceError, match="JSON Lines are UTF-8"):
        take("x.jsonl")


def test_files_with_differing_columns_are_refused(tmp_path: Path, take: Callable[..., Any]) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["2"]}), tmp_path / "b.parquet")
    with pytest.raises(
        SourceError, match=r"Column `id` holds text here and numbers in a\.parquet.*b\.parquet"
    ):
        take("*.parquet", shape=_ids())
    pq.write_table(pa.table({"nr": [2]}), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"lacks `id`; the source has `nr`\. \(table o, b\.parquet\)"):
        take("*.parquet", shape=_ids())


def test_files_may_differ_in_width_order_and_what_is_not_taken(
    tmp_path: Path, take: Callable[..., Any]
) -> None:
    pq.write_table(pa.table({"id": pa.array([2**60 + 1]), "x": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": ["y", "z"], "id": pa.array([2.0, None])}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"id": pa.nulls(1)}), tmp_path / "c.parquet")
    assert [row["id"] for row in take("*.parquet", shape=_ids())] == [2**60 + 1, 2, None, None]


def test_a_json_key_may_come_late(tmp_path: Path, take: Callable[..., Any]) -> None:
    (tmp_path / "x.jsonl").write_bytes(
        b'{"id": 1}\n{"id": 2.0, "who": "a", "at": "2026-03-01", "id2": [1]}\n'
    )
    assert take("x.jsonl") == [
        {"id": 1, "who": None, "at": None},
        {"id": 2, "who": "a", "at": dt.date(2026, 3, 1)},
    ]


def test_quoted_fields_keep_breaks_quotes_and_emptiness(tmp_path: Path, take: Callable[..., Any]) -> None:
    (tmp_path / "x.csv").write_text('id,who,at\n1,"a\n""b"",c",\n2,"",""\n3,NULL,\n4,5" pipe,\n')
    assert [row["who"] for row in take("x.csv")] == ['a\n"b",c', "", "NULL", '5" pipe']


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id\n1\n")
    terms = contract(table(id="integer"), path="x.csv")
    with Files().open(terms, terms.tables[0], Window()) as reader:
        reader.read_next_batch()
        with path.open("a") as more:
            more.write("2\n")
        with pytest.raises(SourceError, match="was written to while it was read"):
            reader.read_next_batch()
    with Files().open(terms, terms.tables[0], Window()) as reader:
        reader.read_next_batch()
        path.unlink()
        with pytest.raises(SourceError, match="The file is gone"):
            reader.read_next_batch()


cells = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), min_size=1)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), cells), min_size=1))
def test_any_text_comes_back_from_csv_and_json(
    take: Callable[..., Any], table: Callable[..., Table], tmp_path: Path, rows: list[tuple[int, str | None]]
) -> None:
    quoted = (f"{n}," + ("" if text is None else '"' + text.replace('"', '""') + '"') for n, text in rows)
    (tmp_path / "x.csv").write_bytes(("id,who\n" + "".join(line + "\n" for line in quoted)).encode())
    (tmp_path / "x.jsonl").write_bytes(lines([{"id": n, "who": text} for n, text in rows]))
    wanted = [{"id": n, "who": text} for n, text in rows]
    shape = table(id="integer", who="string")
    assert take("x.csv", shape=shape) == wanted
    assert take("x.jsonl", shape=shape) == wanted


ODD_NAMES = ["a.b", "a", "[0]", 'q"x', "名", "a/b", "select", "x y", "*", "a\\b"]


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_column_names_are_names_and_nothing_more(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table], name: str
) -> None:
    rows = [{column: number + at for at, column in enumerate(ODD_NAMES)} for number in (1, 100)]
    if name == "x.parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    elif name == "x.jsonl":
        (tmp_path / name).write_bytes(lines(rows))
    else:
        header = ",".join('"' + column.replace('"', '""') + '"' for column in ODD_NAMES)
        body = (",".join(str(value) for value in row.values()) for row in rows)
        (tmp_path / name).write_text("\n".join([header, *body]))
    for wanted in (ODD_NAMES, ["a"], ["a.b"]):
        shape = table(**dict.fromkeys(wanted, "integer"))
        assert take(name, shape=shape) == [{column: row[column] for column in wanted} for row in rows]


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, take: Callable[..., Any]) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(SourceError, match="No file matches"):
        take("loop.csv")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(SourceError, match="No file matches"):
        take("*.csv")


def test_rows_of_many_blocks_stay_in_order(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table]
) -> None:
    count = 400_000
    (tmp_path / "x.csv").write_text("id,who\n" + "".join(f'{n},"some text, {n}"\n' for n in range(count)))
    rows = take("x.csv", shape=table(id="integer"))
    assert [row["id"] for row in rows] == list(range(count))


def test_a_name_that_is_a_home_folder_or_a_home_that_is_not_there(
    tmp_path: Path, take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.csv").write_text("id\n1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    shape = replace(_ids(), physical_name="~")
    with pytest.raises(SourceError, match="can't stand in a path"):
        take("{table}/x.csv", shape=shape)
    with pytest.raises(SourceError, match="starts from a home folder that isn't there"):
        take("~nobody-of-this-name/x.csv", shape=_ids())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"id,who,at"),
        ("x.csv", b"\r\n\nid,who,at"),
        ("x.csv", b"id,who,at\r\n\r\n"),
        ("x.csv.gz", gzip.compress(b"id,who,at", mtime=0)),
        ("x.jsonl", b""),
        ("x.jsonl", b"\n \n"),
        ("x.jsonl.gz", gzip.compress(b"", mtime=0)),
    ],
)
def test_a_file_without_rows_is_a_table_without_rows(
    tmp_path: Path, take: Callable[..., Any], name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert take(name) == []


def test_one_of_several_files_may_be_empty(tmp_path: Path, take: Callable[..., Any]) -> None:
    for number, content in enumerate((b"", lines(ROWS), b"")):
        (tmp_path / f"{number}.jsonl").write_bytes(content)
    assert take("*.jsonl") == ROWS
    (tmp_path / "0.csv").write_bytes(b"id,who,at")
    (tmp_path / "1.csv").write_bytes(CSV)
    assert take("*.csv") == ROWS


TOO_LONG = ["12345678901234567.8912", "9007199254740993", "0.12345678901234567890", "1e-400"]


@pytest.mark.parametrize("number", TOO_LONG)
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_a_number_longer_than_a_double_is_refused_in_every_format(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table], name: str, number: str
) -> None:
    if name == "x.parquet" and "e" in number:
        pytest.skip("no decimal column holds it")
    _numbers(tmp_path / name, ["1.5", number, "2"])
    with pytest.raises(
        SourceError, match=r"Column `amount`, row 2: what stands there is no exact number"
    ) as caught:
        take(name, shape=table(amount="number"))
    assert "physicalType: DECIMAL(p,s)" in caught.value.remedy
    assert number not in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_a_number_that_a_double_carries_comes_whatever_its_length(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table], name: str
) -> None:
    numbers = ["0.1", "0.30000000000000004", "9007199254740992", "-12345678901234568", "2.500000000000000000"]
    if name != "x.parquet":  # in a column of 18 decimals it's another number
        numbers += ["0.10000000000000001", "1e23", "5e-324", "1.7976931348623157E308"]
    _numbers(tmp_path / name, numbers)
    assert [row["amount"] for row in take(name, shape=table(amount="number"))] == list(map(float, numbers))


def test_a_decimal_column_takes_what_a_double_does_not(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table], column: Callable[..., Column]
) -> None:
    shape = table(amount=column("amount", "number", physical="DECIMAL(38,4)"))
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        _numbers(tmp_path / name, TOO_LONG[:2])
        assert [row["amount"] for row in take(name, shape=shape)] == list(map(Decimal, TOO_LONG[:2]))


def test_a_long_number_elsewhere_in_a_line_is_nobodys_business(
    tmp_path: Path, take: Callable[..., Any], table: Callable[..., Table]
) -> None:
    long = f'"card": "{"4" * 16}", "other": {TOO_LONG[0]}, "in": {{"amount": {TOO_LONG[0]}}}'
    (tmp_path / "x.jsonl").write_text(f'{{"amount": 1, {long}}}\n{{"amount": null, {long}}}\n')
    assert [row["amount"] for row in take("x.jsonl", shape=table(amount="number"))] == [1.0, None]


def _numbers(path: Path, numbers: list[str]) -> None:
    match path.suffix:
        case ".csv":
            path.write_text("amount\n" + "".join(f"{number}\n" for number in numbers))
        case ".jsonl":
            path.write_text("".join(f'{{"amount": {number}}}\n' for number in numbers))
        case _:
            values = list(map(Decimal, numbers))
            scale = -min(int(value.as_tuple().exponent) for value in values)
            pq.write_table(pa.table({"amount": pa.array(values, pa.decimal128(38, scale))}), path)


@pytest.mark.parametrize(
    ("kind", "physical", "value"),
    [
        ("number", "DECIMAL(10,2)", "0.125"),
        ("number", "DECIMAL(4,2)", "12345"),
        ("number", None, '"Zhang"'),
        ("integer", None, "1.0000000001"),
        ("integer", None, "1" + "0" * 40),
        ("boolean", None, "1"),
        ("boolean", None, '"true"'),
        ("string", None, "false"),
        ("date", None, "20260101"),
    ],
)
def test_a_json_value_of_another_kind_is_told_with_its_line(
    tmp_path: Path,
    take: Callable[..., Any],
    table: Callable[..., Table],
    column: Callable[..., Column],
    kind: str,
    physical: str | None,
    value: str,
) -> None:
    (tmp_path / "x.jsonl").write_text(f'{{"a": null}}\n\n{{"b": 1, "a": {value}}}\n')
    with pytest.raises(
        SourceError, match=f"Column `a`, line 3: this can't be read as the contract's {kind}"
    ) as caught:
        take("x.jsonl", shape=table(a=column("a", kind, physical=physical)))
    assert value not in str(caught.value)
    assert caught.value.__context__ is None
