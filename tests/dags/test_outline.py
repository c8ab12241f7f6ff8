from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import shelf
from core.settings import PUBLISHED
from dags import outline as under_test
from dags.outline import outline_of, outlines


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
