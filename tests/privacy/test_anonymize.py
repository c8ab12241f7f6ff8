"""From validated tables to safe files: what's in them, what isn't, and what is refused."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import CellPlan, Dimension, HierarchySpec, Level, Measure, PrivacyTerms, Transform
from core.engine import engine
from core.errors import IntegrityError, PrivacyError
from core.keys import KeyStore
from core.proof import Validated, Window, set_digest
from pipeline.validation.validate import validated_from
from privacy.anonymize import anonymize
from privacy.facts import celltable
from privacy.facts.cells import CellCounts, build_cells
from privacy.measures.classes import k_anonymity, l_diversity
from privacy.report import page as page_module
from privacy.safe import Anonymized
from privacy.subjects.attach import attach
from privacy.transforms.pseudonym import pseudonymize
from tests.agreement import agreement
from tests.staged import table_file

NATURAL = HierarchySpec(kind="natural")


def column(name: str, role: Role, transform: Transform, kind: LogicalType = LogicalType.INTEGER) -> Column:
    hierarchy = NATURAL if transform is Transform.GENERALIZE else None
    return Column(name=name, type=kind, role=role, transform=transform, hierarchy=hierarchy)


PEOPLE = Table(
    name="people",
    physical_name="people",
    kind=TableKind.SUBJECTS,
    columns=(
        column("person", Role.IDENTIFIER, Transform.PSEUDONYM),
        column("age", Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
        column("post code", Role.QUASI_IDENTIFIER, Transform.GENERALIZE, LogicalType.STRING),
        column("illness", Role.SENSITIVE, Transform.KEEP, LogicalType.STRING),
        column("phone", Role.IDENTIFIER, Transform.DROP, LogicalType.STRING),
    ),
)
VISITS = Table(
    name="visits",
    physical_name="visits",
    kind=TableKind.FACTS,
    columns=(
        column("person", Role.IDENTIFIER, Transform.DROP),
        column("shop", Role.ATTRIBUTE, Transform.KEEP, LogicalType.STRING),
        column("spent", Role.ATTRIBUTE, Transform.KEEP, LogicalType.NUMBER),
    ),
    cells=CellPlan(
        segments_of="people",
        segment_min_units=10,
        dimensions=(Dimension(name="shop", levels=(Level(label="shop", column="shop"),)),),
        measures=(Measure(name="spent", aggregate="sum", column="spent", decimals=2),),
        count_name="people",
    ),
)
SHOPS = Table(
    name="shops",
    physical_name="shops",
    kind=TableKind.REFERENCE,
    columns=(
        column("shop", Role.ATTRIBUTE, Transform.KEEP, LogicalType.STRING),
        column("owner", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.STRING),
        column("till", Role.IDENTIFIER, Transform.DROP, LogicalType.STRING),
    ),
)


def contract(*tables: Table, k: int = 3, l_distinct: int = 2, max_suppressed: float = 0.0) -> Contract:
    privacy = PrivacyTerms(unit="person", k=k, l=l_distinct, max_suppressed=max_suppressed)
    return agreement(*tables, id="visits-2026", recipient="firm", privacy=privacy)


def people(count: int = 60, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "person": np.arange(1000, 1000 + count),
            "age": rng.integers(18, 90, count),
            "post code": pa.array(
                [None if i % 9 == 0 else f"{rng.integers(1000, 1020)}" for i in range(count)]
            ),
            "illness": pa.array(rng.choice(["flu", "gout", "none"], count)),
            "phone": pa.array([f"+86-139-{i:08d}" for i in range(count)]),
        }
    )


def visits(count: int = 60, seed: int = 2) -> pa.Table:
    rng = np.random.default_rng(seed)
    rows = 20 * count
    return pa.table(
        {
            "person": rng.integers(1000, 1000 + count + 20, rows),
            "shop": pa.array(rng.choice(["north", "south", "east"], rows)),
            "spent": rng.integers(1, 5000, rows) / 100,
        }
    )


def shops() -> pa.Table:
    return pa.table({"shop": ["north", "south"], "owner": ["Li", None], "till": ["t1", "t2"]})


def validated(folder: Path, tables: Mapping[str, pa.Table], agreed: Contract) -> Validated:
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for number, (name, table) in enumerate(tables.items()):
        path = folder / f"{number}.parquet"
        pq.write_table(table, path)
        files[name] = table_file(name, path, rows=table.num_rows)
    return validated_from(
        contract_id=agreed.id,
        contract_digest=agreed.digest,
        window=Window(),
        source_digest="1" * 64,
        tables=files,
    )


def safe(folder: Path, agreed: Contract, **tables: pa.Table) -> Anonymized:
    keys = KeyStore(folder / "keys").contract_keys(agreed.id)
    return anonymize(validated(folder / "in", tables, agreed), agreed, keys, out=folder / "out")


def test_classes_keep_k_and_l_and_segments_join_the_cells(tmp_path: Path) -> None:
    agreed = contract(PEOPLE, VISITS, SHOPS)
    result = safe(tmp_path, agreed, people=people(), visits=visits(), shops=shops())
    published = pq.read_table(result.tables["people"].path)
    assert published.column_names == ["person", "age", "post code", "illness", "segment"]
    assert k_anonymity(published, ["age", "post code"], unit="person") >= 3
    assert l_diversity(published, ["age", "post code"], sensitive="illness", unit="person") >= 2
    assert published.num_rows == 60
    assert len(published.group_by(["age", "post code"]).aggregate([])) > 5
    segments = set(published["segment"].to_pylist())
    cells = pq.read_table(result.tables["visits"].path)
    assert cells.column_names == ["segment", "shop", "shop_level", "people", "spent"]
    assert set(cells["segment"].to_pylist()) <= segments | {"no-profile", "(rest)"}
    assert min(cells["people"].to_pylist()) >= 3
    risk: Any = result.report["subjects"]
    assert risk["k"] == k_anonymity(published, ["age", "post code", "segment"], unit="person")
    assert risk["risk_largest"] == pytest.approx(1 / risk["k"])
    assert result.report["k_reached"] == min(risk["k"], min(cells["people"].to_pylist()))
    assert risk["unique_before"] > risk["unique_after"] == 0.0
    assert 0.0 < risk["ncp"] < 1.0


def test_reference_tables_lose_their_identifiers(tmp_path: Path) -> None:
    result = safe(tmp_path, contract(SHOPS), shops=shops())
    published = pq.read_table(result.tables["shops"].path)
    assert published.column_names == ["shop", "owner"]
    assert published["owner"].type == pa.binary(16)
    owners = dict(zip(published["shop"].to_pylist(), published["owner"].to_pylist(), strict=True))
    assert set(owners) == {"north", "south"}
    assert owners["north"] is not None
    assert owners["south"] is None
    assert result.report["subjects"] is None
    assert result.report["k_reached"] is None


def test_a_sorted_source_does_not_rank_its_pseudonyms(tmp_path: Path) -> None:
    many = pa.table(
        {
            "shop": [f"s{i:03}" for i in range(200)],
            "owner": [f"o{i:03}" for i in range(200)],
            "till": ["t"] * 200,
        }
    )
    published = pq.read_table(safe(tmp_path, contract(SHOPS), shops=many).tables["shops"].path)
    assert sorted(published["shop"].to_pylist()) == many["shop"].to_pylist() != published["shop"].to_pylist()
    plain = replace(SHOPS, columns=(SHOPS.columns[0],))
    kept = pq.read_table(safe(tmp_path / "plain", contract(plain), shops=many).tables["shops"].path)
    assert kept["shop"].to_pylist() == many["shop"].to_pylist()


def test_no_raw_identifier_is_anywhere_in_the_files(tmp_path: Path) -> None:
    table = people()
    result = safe(tmp_path, contract(PEOPLE, VISITS), people=table, visits=visits())
    for file in result.tables.values():
        published = pq.read_table(file.path)
        raw = set(table["phone"].to_pylist()) | {str(p) for p in table["person"].to_pylist()}
        assert not raw & {str(value) for column in published.columns for value in column.to_pylist()}
        assert not any(phone.encode() in file.path.read_bytes() for phone in table["phone"].to_pylist())


def test_the_order_of_rows_tells_nothing_of_the_source(tmp_path: Path) -> None:
    """The same persons in another order give the same file; and no file keeps the source's order within a class."""
    agreed, table = contract(PEOPLE, VISITS), people(200)
    forward = safe(tmp_path / "a", agreed, people=table, visits=visits())
    keys = KeyStore(tmp_path / "a" / "keys").contract_keys(agreed.id)
    backward = anonymize(
        validated(
            tmp_path / "b", {"people": table.take(list(range(199, -1, -1))), "visits": visits()}, agreed
        ),
        agreed,
        keys,
        out=tmp_path / "b-out",
    )
    as_sets = [
        sorted(map(str, pq.read_table(result.tables["people"].path).to_pylist()))
        for result in (forward, backward)
    ]
    assert as_sets[0] == as_sets[1]
    pseudonyms = pq.read_table(forward.tables["people"].path)
    order = {p: i for i, p in enumerate(_pseudonyms(table, agreed, tmp_path / "a"))}
    places: dict[tuple[Any, ...], list[int]] = {}
    for row in pseudonyms.to_pylist():
        places.setdefault((row["age"], row["post code"]), []).append(order[row["person"]])
    assert sum(sorted(seen) != seen for seen in places.values()) > len(places) / 3


def _pseudonyms(table: pa.Table, agreed: Contract, folder: Path) -> list[bytes]:
    keys = KeyStore(folder / "keys").contract_keys(agreed.id)
    result: list[bytes] = pseudonymize(
        table["person"], keys.derive("pseudonym", "firm", "person")
    ).to_pylist()
    return result


def test_doing_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    agreed = contract(PEOPLE, VISITS, SHOPS)
    tables = {"people": people(), "visits": visits(), "shops": shops()}
    first = safe(tmp_path, agreed, **tables)
    digests = {name: file.sha256 for name, file in first.tables.items()}
    second = safe(tmp_path, agreed, **tables)
    assert {name: file.sha256 for name, file in second.tables.items()} == digests
    assert (first.digest, first.release) == (second.digest, second.release)
    assert first.digest == set_digest(first.tables)


def test_two_contracts_pseudonyms_never_meet(tmp_path: Path) -> None:
    one, other = contract(PEOPLE), replace(contract(PEOPLE), id="another")
    seen = [
        set(
            pq.read_table(safe(tmp_path / agreed.id, agreed, people=people()).tables["people"].path)[
                "person"
            ].to_pylist()
        )
        for agreed in (one, other)
    ]
    assert not seen[0] & seen[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.tuples(
            st.integers(1, 15),
            st.integers(20, 25),
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["x", "y", None]),
        ),
        max_size=60,
    ),
    k=st.integers(2, 4),
)
def test_any_people_are_safe_or_refused(
    tmp_path: Path, data: list[tuple[int, int, str | None, str | None]], k: int
) -> None:
    """Persons with any number of rows: published files keep k persons and l values, or nothing is published."""
    table = pa.table(
        {
            "person": pa.array([row[0] for row in data], pa.int64()),
            "age": pa.array([row[1] for row in data], pa.int64()),
            "post code": pa.array([row[2] for row in data], pa.string()),
            "illness": pa.array([row[3] for row in data], pa.string()),
            "phone": pa.array(["p"] * len(data), pa.string()),
        }
    )
    agreed = contract(PEOPLE, k=k)
    try:
        result = safe(tmp_path, agreed, people=table)
    except PrivacyError:
        assert not (tmp_path / "out").exists()
        everyone = pa.table({"p": table["person"], "s": table["illness"]})
        assert (
            k_anonymity(everyone, [], unit="p") < k or l_diversity(everyone, [], sensitive="s", unit="p") < 2
        )
        return
    published = pq.read_table(result.tables["people"].path)
    assert published.num_rows == len(data)
    if data:
        assert k_anonymity(published, ["age", "post code"], unit="person") >= k
        assert l_diversity(published, ["age", "post code"], sensitive="illness", unit="person") >= 2
        classes: dict[bytes, set[tuple[str, str]]] = {}
        for row in published.to_pylist():
            classes.setdefault(row["person"], set()).add((row["age"], row["post code"]))
        assert all(len(mine) == 1 for mine in classes.values()), "a person known by a pair of classes"


def test_a_person_at_both_ends_is_left_out_where_the_contract_allows(tmp_path: Path) -> None:
    """One person with rows at both ends would make one class of everybody."""
    plain = replace(PEOPLE, columns=tuple(c for c in PEOPLE.columns if c.name != "post code"))
    many = people()
    low, high = min(many["age"].to_pylist()), max(many["age"].to_pylist())
    far = {
        **{name: many[name].slice(0, 2) for name in many.column_names},
        "person": [1, 1],
        "age": [low, high],
    }
    table = pa.concat_tables([many, pa.table(far, schema=many.schema)])
    glued = safe(tmp_path / "a", contract(plain), people=table)
    told: Any = glued.report["subjects"]
    assert (told["classes"], told["ncp"], told["suppressed_units"]) == (1, 1.0, 0)
    apart = safe(tmp_path / "b", contract(plain, max_suppressed=0.05), people=table)
    told = apart.report["subjects"]
    assert (told["suppressed_units"], told["suppressed_rows"], told["units"]) == (
        0,
        0,
        60,
    )  # one: fewer than k
    assert told["classes"] > 5
    few = safe(tmp_path / "c", contract(plain, max_suppressed=0.01), people=table)
    told = few.report["subjects"]
    assert (told["suppressed_units"], told["units"]) == (0, 61)


def test_too_few_persons_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError) as refused:
        safe(tmp_path, contract(PEOPLE, k=70), people=people())
    assert str(refused.value) == (
        "Release refused: contract visits-2026 1.0.0 asks for k 70 and l 2 over `person` in `people` (quasi-identifiers: "
        "age, post code); 60 of 60 would have to be left out, and the limit is 0.00%. "
        "Ask for a larger table, lower k or l, or raise maxSuppressed."
    )
    assert not (tmp_path / "out").exists()


def test_one_illness_for_all_is_refused(tmp_path: Path) -> None:
    table = people().set_column(3, "illness", pa.array(["flu"] * 60))
    with pytest.raises(PrivacyError, match="l 2 over `person`"):
        safe(tmp_path, contract(PEOPLE), people=table)


def test_a_suppression_limit_of_one_may_leave_everyone_out(tmp_path: Path) -> None:
    result = safe(tmp_path, contract(PEOPLE, k=70, max_suppressed=0.999999999), people=people(0))
    assert result.tables["people"].rows == 0
    with pytest.raises(PrivacyError):
        safe(tmp_path, contract(PEOPLE, k=70, max_suppressed=0.99), people=people())


def test_what_every_person_of_a_class_has_is_not_hidden_by_a_second_value(tmp_path: Path) -> None:
    """The attack: all have flu; one has gout besides, so that a count of values says two."""
    table = pa.table(
        {
            "person": [1, 2, 3, 4, 5, 5],
            "age": [30] * 6,
            "post code": ["1000"] * 6,
            "illness": ["flu"] * 5 + ["gout"],
            "phone": ["p"] * 6,
        }
    )
    with pytest.raises(PrivacyError, match="Release refused"):
        safe(tmp_path, contract(PEOPLE), people=table)


def test_spellings_are_not_persons_and_not_illnesses(tmp_path: Path) -> None:
    """The attack: one person under five spellings, one illness under four."""
    text_unit = replace(PEOPLE.columns[0], type=LogicalType.STRING)
    agreed = contract(replace(PEOPLE, columns=(text_unit, *PEOPLE.columns[1:])), k=3)
    spelt = ["ann", "ann ", "Ann", "ＡＮＮ", "\tann"]
    table = pa.table(
        {
            "person": spelt,
            "age": [30] * 5,
            "post code": ["1000"] * 5,
            "illness": ["flu", "Flu", " flu", "", "flu"],
            "phone": ["p"] * 5,
        }
    )
    with pytest.raises(PrivacyError, match="1 of 1 would have to be left out"):
        safe(tmp_path / "one", agreed, people=table)
    with pytest.raises(PrivacyError, match="1 rows of `people` name no `person`"):
        safe(tmp_path / "two", agreed, people=table.set_column(0, "person", pa.array([*spelt[:4], " "])))
    facts = replace(VISITS, cells=replace(VISITS.cells, segments_of=None))  # type: ignore[type-var]
    acts = pa.table({"person": spelt, "shop": ["north"] * 5, "spent": [1.0] * 5})
    with pytest.raises(PrivacyError, match="`visits` holds facts of fewer than 3 `person`"):
        safe(tmp_path / "three", contract(facts), visits=acts)


def test_facts_of_fewer_than_k_persons_are_refused_without_their_number(tmp_path: Path) -> None:
    few = visits().filter(pa.compute.less(visits()["person"], 1002))
    with pytest.raises(PrivacyError) as refused:
        safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=few)
    assert "fewer than 3 `person`" in str(refused.value)
    assert str(few.num_rows) not in str(refused.value)


def test_a_new_recipient_gets_other_pseudonyms(tmp_path: Path) -> None:
    one, other = contract(PEOPLE), replace(contract(PEOPLE), recipient="another firm")
    keys = KeyStore(tmp_path / "keys").contract_keys("visits-2026")
    seen = []
    for number, agreed in enumerate((one, other)):
        given = validated(tmp_path / f"in{number}", {"people": people()}, agreed)
        result = anonymize(given, agreed, keys, out=tmp_path / f"out{number}")
        seen.append(set(pq.read_table(result.tables["people"].path)["person"].to_pylist()))
    assert not seen[0] & seen[1]


@pytest.mark.parametrize("name", ["people", "visits"])
def test_a_row_that_is_nobodys_is_refused(tmp_path: Path, name: str) -> None:
    tables = {"people": people(), "visits": visits()}
    holes = pa.array([None, *tables[name]["person"].to_pylist()[1:]], pa.int64())
    tables[name] = tables[name].set_column(0, "person", holes)
    with pytest.raises(PrivacyError, match=f"1 rows of `{name}` name no `person`"):
        safe(tmp_path, contract(PEOPLE, VISITS), **tables)


def test_sums_that_cannot_be_exact_are_refused_without_the_value(tmp_path: Path) -> None:
    table = visits().set_column(2, "spent", pa.array([1.25e300] * 1200))
    with pytest.raises(PrivacyError) as refused:
        safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=table)
    assert "finite numbers" in refused.value.remedy
    assert "e300" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_another_text_of_the_contract_is_refused(tmp_path: Path) -> None:
    agreed = contract(PEOPLE)
    was = validated(tmp_path / "in", {"people": people()}, replace(agreed, digest="f" * 64))
    with pytest.raises(IntegrityError, match="another text of contract visits-2026"):
        anonymize(was, agreed, KeyStore(tmp_path / "keys").contract_keys(agreed.id), out=tmp_path / "out")


def test_a_column_called_segment_is_refused(tmp_path: Path) -> None:
    clash = replace(PEOPLE, columns=(*PEOPLE.columns, column("segment", Role.SENSITIVE, Transform.KEEP)))
    table = people().append_column("segment", pa.array(range(60)))
    with pytest.raises(PrivacyError, match="a column `segment` of its own"):
        safe(tmp_path, contract(clash, VISITS), people=table, visits=visits())


def test_files_are_private_and_the_report_lies_beside_them(tmp_path: Path) -> None:
    result = safe(tmp_path, contract(PEOPLE), people=people())
    for path in [file.path for file in result.tables.values()] + list(result.documents.values()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(result.documents["disclosure.json"].read_text()) == json.loads(
        json.dumps(dict(result.report))
    )
    assert result.documents["disclosure.html"].read_text(encoding="utf-8").endswith("</html>\n")
    assert not (tmp_path / "out" / "spill").exists()


def test_a_page_that_cannot_be_drawn_leaves_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise ValueError("no picture")

    monkeypatch.setattr(page_module, "page", broken)
    with pytest.raises(ValueError, match="no picture"):
        safe(tmp_path, contract(PEOPLE), people=people())
    assert not (tmp_path / "out").exists()


def _alone(table: pa.Table) -> pa.Table:
    """The first row with an age that nobody else has."""
    return (
        table.set_column(1, "age", pa.array(["?", *table["age"].to_pylist()[1:]]))
        if "age" in table.column_names
        else table
    )


def _one_illness(table: pa.Table) -> pa.Table:
    at = table.column_names.index("illness") if "illness" in table.column_names else None
    return table if at is None else table.set_column(at, "illness", pa.array(["flu"] * table.num_rows))


def _lonely_cell(table: pa.Table) -> pa.Table:
    if "people" not in table.column_names:
        return table
    return table.set_column(3, "people", pa.array([2, *table["people"].to_pylist()[1:]]))


def _cell_twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)]) if "people" in table.column_names else table


def _more_than_planned(table: pa.Table) -> pa.Table:
    return table.append_column("till", table["people"]) if "people" in table.column_names else table


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_alone, "`people` as written reaches k 1, contract visits-2026 1.0.0 asks for 3"),
        (_one_illness, "`people` as written reaches l 1, contract visits-2026 1.0.0 asks for 2"),
        (_lonely_cell, "`visits` as written reaches k 2, contract visits-2026 1.0.0 asks for 3"),
        (_cell_twice, "`visits` names a cell twice"),
        (_more_than_planned, "`visits` was not written as its plan says"),
    ],
)
def test_a_fault_of_the_engine_is_found_on_the_written_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pa.Table], pa.Table], said: str
) -> None:
    """The engine is made to write what breaks a limit; the files are measured again, and nothing of them stays."""
    monkeypatch.setattr(
        "privacy.facts.celltable._write", lambda cells, target: pq.write_table(fault(cells), target)
    )

    def careless(target: Path, *given: Any, **more: Any) -> None:
        attach(target, *given, **more)
        pq.write_table(fault(pq.read_table(target, partitioning=None)), target)

    monkeypatch.setattr("privacy.subjects.table.attach", careless)
    with pytest.raises(PrivacyError, match=re.escape(said)):
        safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=visits())
    assert not (tmp_path / "out").exists()


def test_a_small_rest_is_found_on_the_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*given: Any, **more: Any) -> CellCounts:
        return replace(build_cells(*given, **more), suppressed_units=1)

    monkeypatch.setattr("privacy.facts.celltable.build_cells", careless)
    with pytest.raises(PrivacyError, match="`visits` as written reaches k 1"):
        safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=visits())


def test_the_facts_spill_into_the_runs_folder_and_it_goes_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spills: list[Path] = []

    def watched(spill: Path) -> Any:
        spills.append(spill)
        con = engine(spill)
        con.execute("SET memory_limit = '40MB'")
        con.execute("CREATE TEMP TABLE many AS SELECT i, hash(i) AS h FROM range(5000000) r(i)")
        assert list(spill.iterdir())
        con.execute("SET memory_limit = '1GB'")
        return con

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr("privacy.facts.celltable.engine", watched)
    result = safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=visits())
    folder = result.tables["visits"].path.parent
    assert spills == [folder / "spill"]
    assert not spills[0].exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_was_written_is_counted_again_by_an_engine_that_spills_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, recount = duckdb.connect, celltable._recount
    tried: list[str] = []

    def attacked(*given: Any, **config: Any) -> Any:
        """The engine as it was asked for, made to spill persons' values if it can."""
        con = connect(*given, **config)
        con.execute("SET memory_limit = '40MB'")
        with pytest.raises(duckdb.OutOfMemoryException):
            con.execute("CREATE TEMP TABLE spilt AS SELECT '+86-139-' || i, hash(i) FROM range(5000000) r(i)")
        con.execute("SET memory_limit = '1GB'")
        tried.append("spill")
        return con

    def watched(*given: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(duckdb, "connect", attacked)
            recount(*given)

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # where an engine spills when nobody tells it otherwise
    monkeypatch.setattr(celltable, "_recount", watched)
    result = safe(tmp_path, contract(PEOPLE, VISITS), people=people(), visits=visits())
    assert tried == ["spill"]
    named = {file.path for file in result.tables.values()} | set(result.documents.values())
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == named
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_sources_notes_on_its_schema_stay_behind(tmp_path: Path) -> None:
    """Frames keep their index in such notes, and people keep anything."""
    noted = shops().replace_schema_metadata({"pandas": "Ms Zhang"})
    noted = noted.cast(
        pa.schema([pa.field(f.name, f.type, metadata={"note": "Ms Zhang"}) for f in noted.schema])
    )
    plain = replace(SHOPS, columns=tuple(c for c in SHOPS.columns if c.role is not Role.IDENTIFIER))
    for number, table in enumerate((SHOPS, plain)):
        result = safe(
            tmp_path / str(number), contract(table), shops=noted.select([c.name for c in table.columns])
        )
        assert b"Zhang" not in result.tables["shops"].path.read_bytes()
        read = pq.read_schema(result.tables["shops"].path)
        assert not any(b"note" in (field.metadata or {}) for field in read)
