from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts import shelf
from core.settings import PUBLISHED
from dags import outline as under_test
from dags.outline import HOUSEKEEPING, outline_of, outlines


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_looks_where_the_route_looks() -> None:
    assert under_test.PATTERN == shelf.PATTERN


def test_the_shipped_contract_has_its_tables_as_assets() -> None:
    outline = outline_of(PUBLISHED, "grocery-demand")
    assert outline is not None
    assert outline.problem == ""
    assert outline.status == "active"
    assert outline.assets == {
        "grocery_demand.households": "sluice://catalog/grocery_demand/households",
        "grocery_demand.demand": "sluice://catalog/grocery_demand/demand",
        "grocery_demand.products": "sluice://catalog/grocery_demand/products",
    }


def test_one_bad_file_doesnt_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, "a", "id: [broken\n  y: : z\n")
    write(tmp_path, "b", "name: no id here\n")
    write(tmp_path, "c", "- a list\n")
    (tmp_path / "d.odcs.yaml").write_bytes(b"\xff\xfe\x00 not text")
    write(tmp_path, "e", "id: good\nversion: 1.0.0\n")
    write(tmp_path, "f", "id: 7\n")
    found = {outline.dag_id: outline.problem for outline in outlines(tmp_path)}
    assert list(found) == ["refused.a", "refused.b", "refused.c", "refused.d", "good", "refused.f"]
    assert found["good"] == ""
    assert found["refused.a"] == "The file isn't readable YAML (line 2, column 4)."
    assert found["refused.b"] == "The file has no text under `id`, so it names no contract."


def test_an_id_that_two_files_say_is_refused_and_not_guessed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, name, "id: same\n")
    (outline,) = outlines(tmp_path)
    assert outline.dag_id == "same"
    assert outline.problem == "Several files hold this contract: one.odcs.yaml, two.odcs.yaml."
    assert outline_of(tmp_path, "same") == outline


@pytest.mark.parametrize(
    ("identity", "dag_id"),
    [
        ("grocery-demand", "grocery-demand"),
        ("urn:shop/1 a", "urn-shop-1-a"),
        ("杂货需求", "杂货需求"),
        (" x ", "x"),
    ],
)
def test_ids_become_dag_ids_that_airflow_takes(tmp_path: Path, identity: str, dag_id: str) -> None:
    path = write(tmp_path, "c", f"name: n\nid: '{identity}'\n")
    assert [outline.dag_id for outline in outlines(tmp_path)] == [dag_id]
    found = outline_of(tmp_path, dag_id)
    assert found is not None
    assert found.path == path


@pytest.mark.parametrize(
    "text",
    [
        "schema: [{id: nested}]\nid: x\n",
        "a: &anchor {id: nested}\nb: *anchor\nid: x\n",
        "id: x\nschema: [unfinished\n",
        "id: {id: deep}\n",
        "? [complex]\n: id\nid: x\n",
    ],
)
def test_the_quick_look_and_the_whole_reading_agree(tmp_path: Path, text: str) -> None:
    write(tmp_path, "c", text)
    for outline in outlines(tmp_path):
        assert outline_of(tmp_path, outline.dag_id) == outline
    assert outline_of(tmp_path, "nested") is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_loader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "x.odcs.yaml").write_bytes(data)
    (outline,) = outlines(folder)
    assert outline_of(folder, outline.dag_id) == outline


def test_an_absent_folder_has_no_contracts(tmp_path: Path) -> None:
    assert outlines(tmp_path / "nowhere") == ()
    assert outline_of(tmp_path / "nowhere", "x") is None


DAILY = "slaProperties: [{property: frequency, value: 1, unit: d}]\n"
TERM = 'customProperties: [{property: sluiceTerm, value: {from: "2026-01-01", until: 2026-12-31}}]\n'


def test_a_frequency_is_a_schedule_within_the_contracts_term(tmp_path: Path) -> None:
    write(tmp_path, "c", f"id: x\nstatus: draft\n{DAILY}{TERM}")  # the status is for readers of the standard
    (outline,) = outlines(tmp_path)
    assert outline.due(date(2025, 12, 31)) == ""
    assert outline.due(date(2026, 1, 1)) == outline.due(date(2026, 12, 31)) == "0 0 * * *"
    assert outline.due(date(2027, 1, 1)) == ""
    assert outline.schedule == "0 0 * * *"


def test_the_name_of_the_daily_round_is_no_contracts(tmp_path: Path) -> None:
    write(tmp_path, "c", f"id: {HOUSEKEEPING}\nstatus: active\n")
    (outline,) = outlines(tmp_path)
    assert outline.dag_id == "refused.c"
    assert HOUSEKEEPING in outline.problem
    assert outline_of(tmp_path, HOUSEKEEPING) is None
    assert outline_of(tmp_path, "refused.c") == outline


@pytest.mark.parametrize(
    "term", ["", "customProperties: 7\n", TERM.replace("until", "till"), TERM.replace("12-31", "13")]
)
def test_a_term_that_cannot_be_read_is_left_to_check(tmp_path: Path, term: str) -> None:
    write(tmp_path, "c", f"id: x\nstatus: active\n{DAILY}{term}")
    (outline,) = outlines(tmp_path)
    assert (outline.problem, outline.term, outline.due(date(2026, 5, 1))) == ("", None, "0 0 * * *")


def test_a_table_that_says_when_its_facts_happened_can_be_cut(tmp_path: Path) -> None:
    table = "customProperties: [{property: sluiceTime, value: at}]"
    write(tmp_path, "a", f"id: a\nschema: [{{name: t}}, {{name: u, {table}}}]\n")
    write(tmp_path, "b", "id: b\nschema: [{name: t, customProperties: [sluiceTime]}]\n")
    assert [outline.timed for outline in outlines(tmp_path)] == [True, False]


@pytest.mark.parametrize(
    "levels",
    [
        '[{property: frequency, value: 1, unit: d, scheduler: cron, schedule: "61 * * * *"}]',
        '[{property: frequency, value: 1, unit: d, scheduler: cron, schedule: "0 0 31 2 *"}]',
        "[{property: frequency, value: [1], unit: {d: d}}]",
        "[{property: frequency, value: 1, unit: d}, {property: frequency, value: 1, unit: w}]",
    ],
)
def test_a_broken_schedule_is_refused_and_the_others_stay(tmp_path: Path, levels: str) -> None:
    write(tmp_path, "a", f"id: broken\nstatus: active\nslaProperties: {levels}\n")
    write(tmp_path, "b", f"id: good\nstatus: active\n{DAILY}")
    broken, good = outlines(tmp_path)
    assert broken.dag_id == "broken"
    assert broken.problem.endswith(".")
    assert broken.due(date(2026, 5, 1)) == ""
    assert (good.problem, good.schedule) == ("", "0 0 * * *")
    assert outline_of(tmp_path, "broken") == broken


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["property", "value", "unit", "schedule", "scheduler"]), x)
        ),
    )
)
def test_no_service_levels_break_the_loader(tmp_path_factory: pytest.TempPathFactory, levels: object) -> None:
    folder = tmp_path_factory.mktemp("any")
    levels = (
        [{"property": "frequency", **each} if isinstance(each, dict) else each for each in levels]
        if isinstance(levels, list)
        else levels
    )
    write(folder, "x", yaml.safe_dump({"id": "x", "slaProperties": levels}, allow_unicode=True))
    assert [outline.dag_id for outline in outlines(folder)] == ["x"]
