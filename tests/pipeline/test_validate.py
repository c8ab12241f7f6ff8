"""What validation leaves behind: files, counts, errors, and nothing of a value in any of them."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.base import received_from
from contracts.checks import CheckKind, Scope
from contracts.model import Contract, TableKind
from contracts.protection import PrivacyTerms
from core.digest import file_digest
from core.errors import ContractError, IntegrityError, InternalError, QualityError, SourceError
from core.parquet import read
from core.proof import TableFile, Validated, Window
from pipeline.validation import validate as module
from pipeline.validation.validate import CheckError, validate

from .conftest import Bench, check, expectation

SECRET = "Ms Zhang, 13800138000"
DATA = pa.table({"id": [1, 2, 3, 4], "name": ["a", None, SECRET, "d"]})
REQUIRED = check(CheckKind.REQUIRED, "name", name="name is required")
SHORT = check(CheckKind.LENGTH, "name", name="name is short", maximum=3)
ROWS = check(
    CheckKind.METRIC, name="rows", scope=Scope.TABLE, metric="rowCount", bound={"op": "mustBe", "value": 4}
)


def sql(query: str, **about: object) -> object:
    return check(CheckKind.SQL, scope=Scope.TABLE, query=query, bound={"op": "mustBe", "value": 0}, **about)


def test_rows_that_break_a_rule_go_to_quarantine_with_its_name_and_the_others_keep_their_order(
    bench: Bench,
) -> None:
    outcome = bench.run(DATA, REQUIRED, SHORT, check(CheckKind.RANGE, "id", name="small", maximum=2))
    aside = outcome.aside()
    assert aside is not None
    assert aside.to_pylist() == [
        {"id": 2, "name": None, "_rules": ["name is required"]},
        {"id": 3, "name": SECRET, "_rules": ["name is short", "small"]},
        {"id": 4, "name": "d", "_rules": ["small"]},
    ]
    assert outcome.kept().to_pylist() == [{"id": 1, "name": "a"}]
    assert dict(outcome.validated.quarantined) == {"t": 3}
    file = outcome.validated.tables["t"]
    assert (file.rows, file.path, file.size_bytes) == (
        1,
        bench.out / "table-0.parquet",
        file.path.stat().st_size,
    )


def test_a_clean_table_is_the_received_file_under_a_second_name(bench: Bench) -> None:
    outcome = bench.run(DATA, check(CheckKind.REQUIRED, "id"))
    file = outcome.validated.tables["t"]
    assert file.path.samefile(bench.folder / "received" / "table-0.parquet")
    assert dict(outcome.validated.quarantined) == {}
    assert outcome.aside() is None


def test_where_a_file_can_have_no_second_name_it_is_copied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr("os.link", refuse)
    outcome = bench.run(DATA, check(CheckKind.REQUIRED, "id"))
    file = outcome.validated.tables["t"]
    assert not file.path.samefile(bench.folder / "received" / "table-0.parquet")
    assert file.sha256 == file_digest(bench.folder / "received" / "table-0.parquet") == file_digest(file.path)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_fills_up_leaves_no_half_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    contract = bench.contract({"t": DATA}, (SHORT,))
    received = bench.received({"t": DATA}, contract)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(SourceError, match="couldn't be written: OSError"):
        validate(received, contract, out=bench.out, quarantine=bench.quarantine)
    assert not bench.out.exists()
    assert list(bench.quarantine.folder.iterdir()) == []
    assert bench.quarantine.tables == {}


def test_files_open_to_their_owner_only(bench: Bench) -> None:
    bench.run({"t": DATA, "clean": DATA}, SHORT)
    for path in (bench.out, bench.quarantine.folder):
        assert path.stat().st_mode & 0o777 == 0o700
        for file in path.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600
    assert not [path for path in bench.folder.iterdir() if path.name.startswith(".spill")]


def test_the_result_holds_names_and_counts_and_no_value(bench: Bench) -> None:
    custom = expectation("expect_column_values_to_be_in_set", name="known", column="name", value_set=["a"])
    bench.run(DATA, ROWS, REQUIRED, custom, sql("select count(*) from {object} where false", name="sql"))
    text = (bench.out / "validation.json").read_text(encoding="utf-8")
    result = json.loads(text)
    assert [(c["name"], c["success"], c["unexpected"], c["rows"]) for c in result["checks"]] == [
        ("rows", True, None, 4),
        ("name is required", False, 1, 4),
        ("known", False, 2, 4),
        ("sql", True, None, 4),
    ]
    assert result["tables"] == {"t": {"rows": 4, "quarantined": 3}}
    assert result["checks"][2]["expectation"] == "expect_column_values_to_be_in_set"
    assert SECRET not in text
    assert "Zhang" not in text


@pytest.mark.parametrize(
    ("kind", "k", "few", "many"),
    [
        (TableKind.SUBJECTS, 3, "<3", 3),
        (TableKind.FACTS, 3, "<3", 3),
        (TableKind.FACTS, 4, "<4", "<4"),
        (TableKind.FACTS, None, None, None),
        (TableKind.REFERENCE, 4, 2, 3),
    ],
)
def test_a_recipient_reads_no_exact_count_of_few_rows_of_persons(
    bench: Bench, kind: TableKind, k: int | None, few: object, many: object
) -> None:
    def persons(contract: Contract) -> Contract:
        (table,) = contract.tables
        terms = PrivacyTerms(unit="id", k=k, l=2) if k else None
        return replace(contract, privacy=terms, tables=(replace(table, kind=kind),))

    known = expectation("expect_column_values_to_be_in_set", name="known", column="name", value_set=["a"])
    warned = replace(known, name="warned", severity="warning")
    counts = sql("select count(*) from {object}", name="warned too", severity="warning")
    every = check(CheckKind.RANGE, "id", name="id from 2", minimum=2)
    none = check(CheckKind.REQUIRED, "id", name="id is required")
    outcome = bench.run(DATA, known, warned, counts, none, change=persons)
    result = json.loads((bench.out / "validation.json").read_text(encoding="utf-8"))
    found = {each["name"]: each["unexpected"] for each in result["checks"]}
    zero = None if k is None else 0
    assert found == {"known": few, "warned": few, "warned too": None, "id is required": zero}
    assert result["tables"] == {"t": {"rows": 4, "quarantined": few}}
    assert result["failed_warnings"] == 2
    assert dict(outcome.validated.quarantined) == {"t": 2}  # who runs the route knows
    bench.run(DATA, known, every, change=persons)
    result = json.loads((bench.out / "validation.json").read_text(encoding="utf-8"))
    assert result["tables"] == {"t": {"rows": 4, "quarantined": many}}


def test_a_table_called_like_a_glob_keeps_to_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "h[1]" / "a*b" / "what?")
    for twin in (
        "h1/a*b/what?",
        "h[1]/aXb/what?",
        "h[1]/a*b/whatX",
    ):  # where the folders' names would lead as globs
        Bench(tmp_path / twin).run(DATA)
    rule = check(CheckKind.RANGE, "id", table="by*", name="small", maximum=5)
    ten = pa.table({"id": [10, 20]})
    outcome = bench.run({"by*": pa.table({"id": [1, 9]}), "bycatch": ten, "by?": ten, "by[c]": ten}, rule)
    assert dict(outcome.validated.quarantined) == {"by*": 1}
    assert outcome.kept("by*")["id"].to_pylist() == [1]
    assert outcome.kept("bycatch").equals(ten)
    assert [file.path.name for file in outcome.validated.tables.values()] == [
        f"table-{number}.parquet" for number in range(4)
    ]
    assert [file.name for file in bench.quarantine.folder.iterdir()] == ["table-0.parquet"]


def test_a_broken_table_rule_stops_the_run_and_leaves_nothing(bench: Bench) -> None:
    five = replace(ROWS, params={"metric": "rowCount", "bound": {"op": "mustBe", "value": 5}})
    with pytest.raises(QualityError) as caught:
        bench.run(DATA, five, sql("select count(*) from {object} where id > 2", name="few"))
    assert str(caught.value) == (
        "The data breaks 2 table rules: t: rows; t: few. (table t) "
        "Correct the data at its source, or the rule in the contract."
    )
    assert caught.value.facts["rules"] == [("t", "rows"), ("t", "few")]
    assert not bench.out.exists()


def test_too_many_rows_stop_the_run_and_stay_in_quarantine_to_be_looked_at(bench: Bench) -> None:
    with pytest.raises(QualityError) as caught:
        bench.run(DATA, SHORT, REQUIRED, limit=0.25)
    assert caught.value.what == (
        "More rows break a rule than the contract allows (a share of 0.25): "
        "2 of 4 rows of t (name is short: 1, name is required: 1)."
    )
    assert not bench.out.exists()
    assert caught.value.where == "quarantine a-draft"
    assert "`sluice quarantine show a-draft --rows 10`" in caught.value.remedy
    aside = bench.quarantine.tables["t"]
    assert (read(aside.file).num_rows, aside.rules) == (2, {"name is short": 1, "name is required": 1})


def test_just_as_many_rows_as_allowed_pass(bench: Bench) -> None:
    assert bench.run(DATA, SHORT, limit=0.25).validated.tables["t"].rows == 3


def test_a_warning_is_counted_and_changes_nothing(bench: Bench) -> None:
    checks = [replace(each, severity="warning") for each in (REQUIRED, replace(ROWS, params={
        "metric": "rowCount", "bound": {"op": "mustBe", "value": 5}}))]  # fmt: skip
    broken = sql("select nothing from {object}", name="broken", severity="warning")
    outcome = bench.run(DATA, *checks, broken, limit=0.0)
    assert outcome.kept().equals(DATA)
    result = json.loads((bench.out / "validation.json").read_text(encoding="utf-8"))
    assert result["failed_warnings"] == 3
    assert [c["success"] for c in result["checks"]] == [False, False, None]


@pytest.mark.parametrize(
    "broken",
    [
        sql("select count(*) from {object} where missing_column = 1", name="broken"),
        sql("select cast(name as integer) from {object} where id = 3", name="broken"),
        sql("select id from {object}", name="broken"),
        sql("select count(*) from read_csv('/etc/passwd')", name="broken"),
        expectation("expect_column_values_to_be_between", name="broken", column="name", min_value=1),
        expectation("expect_column_values_to_be_between", name="broken", column="nowhere", min_value=1),
        expectation(
            "expect_column_sum_to_be_between", name="broken", scope=Scope.TABLE, column="name", min_value=1
        ),
        check(CheckKind.VALUES, "id", name="broken", values=[SECRET]),
        check(CheckKind.PATTERN, "name", name="broken", pattern="(?<=a)b"),
    ],
)
def test_a_check_that_cannot_be_carried_out_is_told_from_data_that_failed(
    bench: Bench, broken: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    mean = expectation(
        "expect_column_max_to_be_between", name="max", scope=Scope.TABLE, column="id", max_value=9
    )
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CheckError) as caught:
        bench.run(DATA, ROWS, mean, REQUIRED, broken)
    # Only the broken one: Great Expectations puts aggregates into one query, where one takes the others down.
    assert caught.value.facts["rules"] == [("t", "broken")]
    assert caught.value.what.startswith(
        "1 check could not be carried out, so nothing is known about the data: t: broken ("
    )
    assert not isinstance(caught.value, QualityError)
    assert caught.value.__cause__ is None
    assert not bench.out.exists()
    seen = caught.value.what + str(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert "Zhang" not in seen
    assert "13800138000" not in seen


@pytest.mark.parametrize(
    ("nonsense", "why"),
    [
        (expectation("expect_nothing_of_the_sort"), "Great Expectations has no expectation of that type"),
        (expectation("expect_column_values_to_be_unique"), "doesn't take these arguments"),
        (
            expectation("expect_column_max_to_be_between", column="id", word=SECRET),
            "doesn't take these arguments",
        ),
        (check(CheckKind.FORMAT, "name", format="postcode"), "the format postcode isn't one that Sluice has"),
        (check(CheckKind.RANGE, None, minimum=1), "it names no column"),
        (check(CheckKind.LENGTH, "name", minimum="1"), "a bound isn't a finite number"),
        (check(CheckKind.METRIC, "id", metric="mood"), "the metric mood isn't one that Sluice has"),
        (
            check(CheckKind.METRIC, "id", metric="nullValues", arguments={"x": 1}),
            "nullValues's argument x isn't",
        ),
        (check(CheckKind.METRIC, "id", metric="invalidValues"), "says neither validValues nor pattern"),
        (replace(ROWS, params={**ROWS.params, "unit": "percent"}), "rowCount has no percentage"),
        (
            replace(ROWS, params={"metric": "rowCount", "bound": {"op": "is", "value": 1}}),
            "the comparison is isn't",
        ),
        (
            replace(ROWS, params={"metric": "rowCount", "bound": {"op": "mustBeBetween", "value": [1]}}),
            "mustBeBetween needs two numbers",
        ),
    ],
)
def test_a_check_without_meaning_is_the_contracts_fault(bench: Bench, nonsense: object, why: str) -> None:
    with pytest.raises(ContractError) as caught:
        bench.run(DATA, nonsense)
    assert why in str(caught.value)
    assert caught.value.where == f"t, rule {nonsense.name}"  # type: ignore[attr-defined]
    assert "Zhang" not in str(caught.value)
    assert not bench.out.exists()


def test_a_changed_file_or_contract_is_found_before_anything_is_read(bench: Bench) -> None:
    contract = bench.contract({"t": DATA}, [SHORT])
    received = bench.received({"t": DATA}, contract)
    with pytest.raises(IntegrityError, match="isn't the one under which"):
        validate(received, replace(contract, digest="1" * 64), out=bench.out, quarantine=bench.quarantine)
    pq.write_table(DATA.slice(0, 2), received.tables["t"].path)
    with pytest.raises(IntegrityError, match="not as it was received"):
        validate(received, contract, out=bench.out, quarantine=bench.quarantine)
    assert not bench.out.exists()


def test_a_file_that_is_no_parquet_is_the_sources_fault(bench: Bench) -> None:
    contract = bench.contract({"t": DATA}, [])
    bench.received({"t": DATA}, contract)
    path = bench.folder / "received" / "table-0.parquet"
    path.write_bytes(SECRET.encode())

    file = TableFile(name="t", path=path, rows=4, size_bytes=1, sha256=file_digest(path))
    broken = received_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        window=Window(),
        tables={"t": file},
        digest="",
    )
    with pytest.raises(SourceError, match="can't be read as Parquet") as caught:
        validate(broken, contract, out=bench.out, quarantine=bench.quarantine)
    assert "Zhang" not in str(caught.value)


def test_a_column_that_did_not_come_is_named(bench: Bench) -> None:
    def more(contract):  # type: ignore[no-untyped-def]
        (table,) = contract.tables
        extra = replace(table.columns[0], name="age")
        return replace(contract, tables=(replace(table, columns=(*table.columns, extra)),))

    with pytest.raises(SourceError, match="came without age"):
        bench.run(DATA, change=more)


@pytest.mark.parametrize("checks", [[], [SHORT]])
def test_undeclared_columns_are_left_behind(bench: Bench, checks: list[object]) -> None:
    def less(contract):  # type: ignore[no-untyped-def]
        (table,) = contract.tables
        return replace(contract, tables=(replace(table, columns=table.columns[1:]),))

    outcome = bench.run(DATA, *checks, change=less)
    assert outcome.kept().column_names == ["name"]
    assert outcome.aside() is None or outcome.aside().column_names == ["name", "_rules"]


def test_names_that_differ_by_case_only_are_refused(bench: Bench) -> None:
    with pytest.raises(ContractError, match="columns a and A differ by upper and lower case only"):
        bench.run(pa.table({"a": [1], "A": [2]}))
    with pytest.raises(ContractError, match="tables t and T differ"):
        bench.run({"t": DATA, "T": DATA})


def test_running_again_gives_the_same_and_forgets_an_older_quarantine(bench: Bench) -> None:
    first = bench.run(DATA, SHORT).validated
    again = bench.run(DATA, SHORT).validated
    assert first.quarantined == again.quarantined
    assert read(first.tables["t"]) == read(again.tables["t"])
    outcome = bench.run(DATA, ROWS)
    assert outcome.aside() is None
    assert outcome.kept().equals(DATA)


def test_an_interrupt_leaves_nothing(bench: Bench) -> None:
    def stop(step: str, done: float | None = None) -> None:
        if step == "validate: t":
            raise KeyboardInterrupt

    contract = bench.contract({"t": DATA}, [SHORT])
    received = bench.received({"t": DATA}, contract)
    with pytest.raises(KeyboardInterrupt):
        validate(received, contract, out=bench.out, quarantine=bench.quarantine, progress=stop)
    assert sorted(path.name for path in bench.folder.iterdir()) == ["received"]


def test_a_folder_that_cannot_be_written_is_told(bench: Bench) -> None:
    contract = bench.contract({"t": DATA}, [SHORT])
    received = bench.received({"t": DATA}, contract)
    bench.quarantine.folder.write_text("a file stands where the folder should")
    with pytest.raises(SourceError, match="couldn't be written: FileExistsError"):
        validate(received, contract, out=bench.out, quarantine=bench.quarantine)
    assert not bench.out.exists()


def test_only_validation_builds_its_proof() -> None:
    with pytest.raises(InternalError):
        Validated(contract_id="", contract_digest="", window=None, source_digest="", tables={})  # type: ignore[arg-type]
    assert isinstance(
        module.validated_from(contract_id="", contract_digest="", window=None, source_digest="", tables={}),
        Validated,
    )


def test_odd_tables_columns_and_folders(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a b=1 [汉字] *?'\"")
    name = '../select "订单" 100% {x}:y'
    data = pa.table(
        {'a"b': [1, 1, None], "select": ["x", "y", "z"], "100% {v}:w": [1, 2, 3], "_rules": [1, 2, 3],
         "file_row_number": [9, 9, 9], "row": [7, 8, 9], "[br]": [1, 1, 3], "列 '名'": [None, "b", "c"]}
    )  # fmt: skip
    weird = [
        check(CheckKind.UNIQUE, 'a"b', table=name, name="one", columns=['a"b']),
        check(CheckKind.VALUES, "select", table=name, name="two", values=["x", "y", "{x}", ":z", "100%"]),
        check(CheckKind.RANGE, "100% {v}:w", table=name, name="three", maximum=2),
        check(CheckKind.REQUIRED, "列 '名'", table=name, name="four"),
        expectation("expect_column_values_to_be_unique", table=name, name="five", column='a"b'),
        expectation("expect_compound_columns_to_be_unique", table=name, name="six", column_list=["[br]", 'a"b']),
        expectation("expect_column_values_to_be_between", table=name, name="seven", column="100% {v}:w", max_value=2),
        expectation("expect_column_max_to_be_between", table=name, name="eight", scope=Scope.TABLE, column='a"b', max_value=1),
        replace(sql('select count(*) from {object} where "100% {v}:w" > 3', name="nine"), table=name),  # type: ignore[type-var]
        replace(sql(f'select count(*) - 3 from "{name.replace(chr(34), chr(34) * 2)}"', name="ten"), table=name),  # type: ignore[type-var]
    ]  # fmt: skip
    outcome = bench.run({name: data, "other": data}, *weird)
    aside = outcome.aside(name)
    assert aside is not None
    assert aside["__rules" if "__rules" in aside.column_names else "_rules_"].to_pylist() == [
        ["one", "four", "five", "six"],
        ["one", "five", "six"],
        ["two", "three", "seven"],
    ]
    assert aside["row"].to_pylist() == [7, 8, 9]
    assert outcome.kept("other").equals(data)
    assert outcome.validated.tables[name].path.parent == bench.out


def test_every_type_comes_out_as_it_went_in(bench: Bench) -> None:
    schema = pa.schema(
        [
            pa.field("i", pa.int8()),
            pa.field("d", pa.decimal128(12, 3)),
            pa.field("ts", pa.timestamp("ns", "UTC")),
            pa.field("naive", pa.timestamp("ms")),
            pa.field("s", pa.dictionary(pa.int32(), pa.string())),
            pa.field("big", pa.large_string()),
            pa.field("f", pa.float32(), nullable=False),
        ],
        metadata={"made": "by a test"},
    )
    data = pa.table(
        [[1, None, 3], [None, 1, 2], [1, 2, None], [1, 2, 3], ["a", "b", "a"], ["x", None, "z"], [1, 2, 3]],
        schema=schema,
    )
    outcome = bench.run(data, check(CheckKind.RANGE, "f", minimum=2))
    assert outcome.kept().schema.equals(schema, check_metadata=True)
    assert outcome.kept().equals(data.slice(1))


@pytest.mark.parametrize("name", ["r0", "R1", "row", "broken"])
def test_a_column_called_like_something_of_ours_hides_no_broken_row(bench: Bench, name: str) -> None:
    data = pa.table({"a": [1, -5, None, 7], name: [False, False, False, False]})
    rules = [
        check(CheckKind.RANGE, "a", name="range", minimum=0),
        check(CheckKind.REQUIRED, "a", name="required"),
    ]
    outcome = bench.run(data, *rules)
    assert outcome.kept()["a"].to_pylist() == [1, 7]
    aside = outcome.aside()
    assert aside is not None
    assert aside["_rules"].to_pylist() == [["range"], ["required"]]


def test_rows_are_found_across_row_groups(bench: Bench) -> None:
    n = 300_000
    data = pa.table({"id": range(n), "mod": [i % 1000 for i in range(n)]})
    outcome = bench.run(data, check(CheckKind.RANGE, "mod", maximum=998), chunk=7_777)
    aside = outcome.aside()
    assert aside is not None
    assert aside["id"].to_pylist() == list(range(999, n, 1000))
    assert outcome.kept()["id"].to_pylist() == [i for i in range(n) if i % 1000 != 999]
