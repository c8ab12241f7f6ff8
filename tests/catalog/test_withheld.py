"""Releases that are withheld, shown again, and deleted: what readers see, and what a crash in between leaves."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from catalog import delta
from catalog.manifest import PREFIX
from catalog.release import Withheld
from core.errors import CatalogError, ConflictError, UsageError
from core.store import Write

Hall = Any  # the fixture's class; what it does is in conftest
SINCE = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)
SUSPENDED = Withheld(why="suspended", since=SINCE)
OLD, NEW = "grocery_demand_1a", "grocery_demand_2b"


@pytest.fixture
def two(hall: Hall) -> Hall:
    hall.publish(OLD, households=[1, 2], demand=[3, 4, 5])
    hall.publish(NEW, households=[6], demand=[7])
    return hall


def numbers(hall: Hall, schema: str) -> list[int]:
    answer = hall.catalog.query(f"SELECT n FROM {schema}.households ORDER BY n")
    return list(answer.table["n"].to_pylist())


def test_what_is_withheld_is_shown_to_nobody(two: Hall) -> None:
    changed = two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    assert [(release.release, release.withheld) for release in changed] == [(NEW, SUSPENDED)]
    assert [release.release for release in two.catalog.releases()] == [OLD]
    assert numbers(two, "grocery_demand") == [1, 2]
    with pytest.raises(CatalogError) as caught:
        numbers(two, NEW)
    assert str(caught.value) == (
        f"Release {NEW} isn't shown: its contract is suspended since 2026-05-04 09:30 UTC. (contract grocery-demand) "
        "`sluice contract show` tells who may change that."
    )
    with pytest.raises(UsageError) as other:
        numbers(two, "nothing")
    assert NEW not in str(other.value)


def test_a_contract_with_nothing_to_show_says_why(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {OLD: SUSPENDED, NEW: SUSPENDED})
    assert two.catalog.releases() == ()
    assert len(two.catalog.releases(all=True)) == 2
    with pytest.raises(CatalogError, match="its contract is suspended"):
        numbers(two, "grocery_demand")


def test_what_is_lifted_is_shown_again(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {OLD: SUSPENDED, NEW: SUSPENDED})
    assert two.catalog.withhold("grocery-demand", {OLD: SUSPENDED, NEW: SUSPENDED}) == ()
    changed = two.catalog.withhold("grocery-demand", {OLD: None, NEW: None})
    assert {release.release for release in changed} == {OLD, NEW}
    assert numbers(two, NEW) == [6]


def test_a_manifest_of_before_is_read_and_kept(two: Hall) -> None:
    key = PREFIX + "grocery_demand"
    entry = two.store.get(key)
    document = json.loads(entry.value)
    assert document["format"] == 2
    two.store.commit([Write(key, json.dumps({**document, "format": 1}).encode(), entry.version)])
    assert [release.release for release in two.catalog.releases(all=True)] == [OLD, NEW]
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    assert json.loads(two.store.get(key).value)["format"] == 2


def test_names_that_are_not_there_change_nothing(two: Hall) -> None:
    with pytest.raises(UsageError, match="has no release nothing"):
        two.catalog.withhold("grocery-demand", {NEW: SUSPENDED, "nothing": SUSPENDED})
    assert [release.release for release in two.catalog.releases()] == [NEW]


def test_what_is_deleted_is_gone_and_its_neighbour_is_not(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    newer = two.catalog.find(NEW)
    tables = two.catalog.delete(NEW)
    assert tables == newer.tables
    for table in tables:
        folder = Path(table.uri)
        assert not (folder / table.file).exists()
        emptied = DeltaTable(table.uri)
        assert emptied.to_pyarrow_table().num_rows == 0
        assert emptied.history(1)[0]["sluice.deleted"] == NEW
    assert numbers(two, "grocery_demand") == [1, 2]
    assert two.catalog.find(NEW).withheld == Withheld(why="suspended", since=SINCE, deleted=True)


def test_json_says_why_since_when_and_whether_it_is_gone(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    held = {"withheld": "suspended", "withheld_since": SINCE.isoformat()}
    assert two.catalog.find(NEW).as_json().items() >= {**held, "deleted": False}.items()
    two.catalog.delete(NEW)
    assert two.catalog.find(NEW).as_json().items() >= {**held, "deleted": True}.items()
    assert not {"withheld", "withheld_since", "deleted"} & set(two.catalog.find(OLD).as_json())


def test_an_older_version_goes_without_the_newest(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {OLD: SUSPENDED})
    for table in two.catalog.delete(OLD):
        assert not (Path(table.uri) / table.file).exists()
        assert DeltaTable(table.uri).version() == 1  # nothing was committed
    assert numbers(two, "grocery_demand") == [6]


def test_deleting_again_changes_nothing(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    first = two.catalog.delete(NEW)
    versions = [DeltaTable(table.uri).version() for table in first]
    assert two.catalog.delete(NEW) == first
    assert [DeltaTable(table.uri).version() for table in first] == versions


def test_nothing_brings_back_what_was_deleted(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    two.catalog.delete(NEW)
    assert two.catalog.withhold("grocery-demand", {NEW: None}) == ()
    with pytest.raises(CatalogError, match="isn't shown"):
        numbers(two, NEW)


@pytest.mark.parametrize("release", [NEW, "nothing"])
def test_what_is_shown_is_not_deleted(two: Hall, release: str) -> None:
    with pytest.raises(UsageError, match="only what is withheld is deleted"):
        two.catalog.delete(release)
    assert numbers(two, NEW) == [6]


@pytest.mark.parametrize("at", ["open_table", "sync"])
def test_a_crash_in_between_is_completed(two: Hall, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    real, calls = getattr(delta, at), []

    def breaks(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(delta, at, breaks)
    with pytest.raises(KeyboardInterrupt):
        two.catalog.delete(NEW)
    monkeypatch.undo()
    assert not two.catalog.find(NEW).withheld.deleted  # it's not said before it's so
    for table in two.catalog.delete(NEW):
        assert not (Path(table.uri) / table.file).exists()
        assert DeltaTable(table.uri).to_pyarrow_table().num_rows == 0


def test_a_release_comes_after_one_that_was_deleted(two: Hall) -> None:
    two.catalog.withhold("grocery-demand", {NEW: SUSPENDED})
    two.catalog.delete(NEW)
    two.publish("grocery_demand_3c", households=[8], demand=[9])
    assert numbers(two, "grocery_demand") == [8]
    assert two.catalog.sweep() == 0


def test_withholding_waits_for_who_publishes(two: Hall) -> None:
    hasty = two.catalog_with(lock_wait_s=0.0)
    with two.catalog.publishing(two.contract), pytest.raises(ConflictError):
        hasty.withhold("grocery-demand", {NEW: SUSPENDED})
