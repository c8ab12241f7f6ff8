"""What the operator's own look reads, what it says it read, and what it can't be made to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.query import answer
from core.errors import IntegrityError, SluiceError, UsageError

Hall = Any


@pytest.mark.parametrize(
    ("sql", "rows", "tables"),
    [
        ("SELECT n FROM r_1.demand ORDER BY n", [1, 2], ("r_1.demand",)),
        ("FROM r_2.households", [10, 20], ("r_2.households",)),
        ("SELECT n FROM grocery_demand.households;", [10, 20], ("r_2.households",)),
        ("SELECT n FROM R_1.Demand -- so far", [1, 2], ("r_1.demand",)),
        ("WITH demand AS (SELECT 7 AS n) SELECT n FROM demand", [7], ()),
        (
            "SELECT a.n FROM r_1.demand a JOIN r_2.demand b ON a.n + 2 = b.n",
            [1, 2],
            ("r_1.demand", "r_2.demand"),
        ),
        (
            "SELECT n FROM grocery_demand.demand WHERE n IN (SELECT n FROM r_2.demand)",
            [3, 4, 5],
            ("r_2.demand",),
        ),
        ("SELECT (SELECT max(n) FROM memory.r_1.demand) AS n", [2], ("r_1.demand",)),
        (
            "SELECT n FROM r_1.households UNION ALL SELECT n FROM r_1.demand",
            [1, 1, 2],
            ("r_1.demand", "r_1.households"),
        ),
        ("SELECT 1 AS n", [1], ()),
        ("SELECT 'it''s ; fine' AS x, 2 AS n", [2], ()),
    ],
)
def test_reads_and_says_what_it_read(
    read_only: Hall, sql: str, rows: list[int], tables: tuple[str, ...]
) -> None:
    got = read_only.catalog.query(sql)
    assert got.table["n"].to_pylist() == rows
    assert got.tables == tables
    assert got.releases == tuple(dict.fromkeys(name.split(".")[0] for name in tables))
    assert (got.rows, got.truncated) == (len(rows), False)


def test_no_more_rows_than_asked_for(read_only: Hall) -> None:
    got = read_only.catalog.query("SELECT n FROM r_2.demand ORDER BY n", max_rows=2)
    assert (got.table["n"].to_pylist(), got.truncated, got.rows) == ([3, 4], True, 2)
    assert not read_only.catalog.query("SELECT n FROM r_2.demand", max_rows=3).truncated
    endless = read_only.catalog.query("SELECT * FROM range(1000000000)", max_rows=5)
    assert (endless.rows, endless.truncated) == (5, True)
    assert read_only.catalog.query("SELECT n FROM r_1.demand WHERE n > 9").table.column_names == ["n"]
    with pytest.raises(UsageError):
        read_only.catalog.query("SELECT 1", max_rows=0)


def test_unknown_names_are_answered_with_known_ones(read_only: Hall) -> None:
    with pytest.raises(UsageError) as caught:
        read_only.catalog.query("SELECT * FROM r_9.demand")
    assert str(caught.value) == (
        "There is no published release `r_9`. There are: grocery_demand, r_1, r_2. See `sluice catalog list`."
    )
    with pytest.raises(UsageError, match=r"Release `r_1` has no table `sales`\. It has: demand, households"):
        read_only.catalog.query("SELECT * FROM r_1.sales")
    with pytest.raises(UsageError, match="There are: none yet"):
        answer("SELECT * FROM r_1.demand", [], max_rows=1)


def test_what_is_staged_only_cannot_be_read(published: Hall) -> None:
    staged = published.catalog.stage(published.safe("r_3"), published.contract)
    with pytest.raises(UsageError, match="no published release `r_3`"):
        published.catalog.query("SELECT * FROM r_3.demand")
    with pytest.raises(UsageError, match="reads published tables only, no files"):
        published.catalog.query(f"SELECT * FROM read_parquet('{staged.tables['demand'].path}')")


PATH = "PATH"  # stands for a published file's own path


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "DROP VIEW r_1.demand",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO r_1.demand VALUES (1)",
        "COPY r_1.demand TO 'PATH'",
        "COPY (SELECT 1) TO '/tmp/sluice-escape.csv'",
        "ATTACH '/tmp/sluice-escape.db'",
        "SET threads = 1",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL enable_logging()",
        "EXPLAIN SELECT 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "EXPORT DATABASE '/tmp/sluice-escape'",
        "PIVOT r_1.demand ON name USING sum(n)",
        "WITH x AS (COPY (SELECT 1) TO 'PATH' (USE_TMP_FILE false)) SELECT 1",
        "WITH x AS (COPY (SELECT 1) TO '/tmp/sluice-escape.csv' (USE_TMP_FILE false)) SELECT 1",
        "WITH x AS (INSERT INTO r_1.demand VALUES (1, 'x') RETURNING *) SELECT * FROM x",
        "WITH x AS (DELETE FROM r_1.demand RETURNING *) SELECT * FROM x",
        "SELECT * FROM 'PATH'",
        "SELECT * FROM read_parquet('PATH')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('PATH')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('PATH')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = '/tmp/sluice-escape')",
        "SELECT getenv('HOME')",
        # Names hidden from the parse: nothing is there to be found.
        "SELECT * FROM query('SELECT * FROM r_1.demand')",
        "SELECT * FROM query_table('r_1.demand')",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM r_1.demand'))",
        "SELECT * FROM r_1.households, query('FROM r_1.demand')",
        "SELECT * FROM published",  # a Python variable of this test
        "SELECT * FROM manifests",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    ],
)
def test_cannot_be_made_to_do_anything_else(read_only: Hall, sql: str) -> None:
    release = read_only.catalog.find("r_1")
    path = Path(release.tables[1].uri) / release.tables[1].file
    before = {file: file.read_bytes() for file in read_only.root.rglob("*") if file.is_file()}
    with pytest.raises(UsageError):
        read_only.catalog.query(sql.replace(PATH, str(path)))
    assert {file: file.read_bytes() for file in read_only.root.rglob("*") if file.is_file()} == before
    assert not list(Path("/tmp").glob("sluice-escape*"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(name AS INTEGER) FROM r_1.demand",
        "SELECT error(name) FROM r_1.demand",
        "SELECT strptime(name, '%Y') FROM r_1.demand",
        "SELECT CAST(9000000000 + n AS INTEGER) FROM r_1.demand",
        "SELECT name::DATE FROM r_1.demand WHERE n > 0",
        "SELECT json_extract(name, '$.x') FROM r_1.demand",
        "SELECT regexp_matches('a', '(' || name) FROM r_1.demand",
        "SELECT list_value(name)[1]::UUID FROM r_1.demand",
    ],
)
def test_errors_at_run_time_tell_no_value(read_only: Hall, sql: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_only.catalog.query(sql)
    for error in (caught.value, caught.value.__cause__, caught.value.__context__):
        assert "Zhang" not in str(error)
        assert "900000000" not in str(error)


def test_errors_in_the_sql_itself_are_passed_on(read_only: Hall) -> None:
    with pytest.raises(UsageError, match='syntax error at or near "r_1"'):
        read_only.catalog.query("SELECT n FORM r_1.demand WHERE")
    with pytest.raises(UsageError, match='Referenced column "m" not found'):
        read_only.catalog.query("SELECT m FROM r_1.demand")
    with pytest.raises(UsageError, match="households does not exist"):
        read_only.catalog.query("SELECT * FROM households")
    with pytest.raises(UsageError, match="nosuch does not exist"):
        read_only.catalog.query("SELECT nosuch(n) FROM r_1.demand")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "SELECT * FROM households",
            "Catalog Error: Table with name households does not exist!\n\n"
            "LINE 1: SELECT * FROM households\n                      ^^^^^^^^^^",
        ),
        ("SELECT m\nFROM r_1.demand", 'Candidate bindings: "n"'),
        ("SELECT n,\n  m FROM r_1.demand", "LINE 2:   m FROM r_1.demand\n          ^"),
        (f"SELECT '{'x' * 200}', m FROM r_1.demand", "xxx', m FROM r_1.demand\n"),
        (
            "SELECT n FORM r_1.demand WHERE",
            "LINE 1: SELECT n FORM r_1.demand WHERE\n                      ^^^",
        ),
        ("SELECT date_trnc('d', now())", 'Did you mean "date_trunc"?'),
        ("SELECT 'EXPLAIN ' || m FROM r_1.demand", "LINE 1: SELECT 'EXPLAIN ' || m FROM"),
    ],
)
def test_errors_speak_of_the_users_own_sql_only(read_only: Hall, sql: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_only.catalog.query(sql)
    assert told in caught.value.what
    own = caught.value.what.replace("'EXPLAIN '", "")
    for word in ("EXPLAIN", "pg_", "duckdb_", "_published_", "json_serialize"):
        assert word not in own


@pytest.mark.parametrize(
    "name", ["attributes", "tables", "class", "settings", "published_0", "stats", "columns"]
)
def test_no_hint_leads_to_tables_of_duckdb(read_only: Hall, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_only.catalog.query(f"SELECT * FROM {name}, r_1.demand")
    assert "pg_" not in caught.value.what
    assert "Did you mean" not in caught.value.what or '"r_1.' in caught.value.what


def test_a_published_file_that_was_changed_is_not_read(published: Hall) -> None:
    release = published.catalog.find("r_1")
    path = Path(release.tables[1].uri) / release.tables[1].file
    content = path.read_bytes()
    for attack in (bytes([content[0]]) + content[1:-1] + b"X", b"", None):
        if attack is None:
            path.unlink()
        else:
            path.write_bytes(attack)
        with pytest.raises(IntegrityError, match="Table `demand` of release r_1 isn't what was published"):
            published.catalog.query("SELECT * FROM r_1.demand")
    assert published.catalog.query("SELECT n FROM r_2.demand").rows == 3


def test_a_delta_log_that_was_changed_is_not_followed(published: Hall) -> None:
    release = published.catalog.find("r_1")
    log = Path(release.tables[1].uri) / "_delta_log" / "00000000000000000000.json"
    other = published.catalog.find("r_2").tables[1].file
    log.write_text(log.read_text().replace(release.tables[1].file, other))
    with pytest.raises(IntegrityError):
        published.catalog.query("SELECT * FROM r_1.demand")
    log.unlink()
    with pytest.raises(SluiceError):
        published.catalog.query("SELECT * FROM r_1.demand")


def test_a_slug_that_duckdb_uses_itself_is_reached_by_release(hall: Hall, make_contract: Any) -> None:
    hall.under(make_contract(id="information_schema")).publish("info_1")
    assert hall.catalog.query("SELECT n FROM info_1.demand").rows == 3
    assert hall.catalog.query("SELECT count(*) AS n FROM information_schema.tables").tables == ()


def test_one_release_among_many_is_found(hall: Hall) -> None:
    for number in range(12):
        hall.publish(f"r_{number}", demand=[number])
    for number in range(12):
        assert hall.catalog.query(f"SELECT n FROM r_{number}.demand").table["n"].to_pylist() == [number]


def test_sql_that_is_nested_without_end_is_refused(read_only: Hall) -> None:
    with pytest.raises(UsageError):
        read_only.catalog.query("SELECT " + " + ".join(["1"] * 5000))
