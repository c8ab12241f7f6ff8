"""Two contracts over one table of orders, each with cells, or rows, of its own: over whole runs, and read side by side."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import PrivacyError
from core.proof import Window
from core.settings import Settings
from pipeline import otherfacts, remembered, route
from pipeline.home import Home
from privacy.facts import others
from privacy.report.report import DISCLOSURE
from tests.shop import open_shop

K = 4
SEGMENTS = "          segmentsOf: members\n          segmentMinUnits: 20\n"
GOODS = "            - {name: goods, levels: [{label: goods, column: goods}]}\n"
DAYS = "            - {name: day, levels: [{label: day, column: day}]}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The shop, its members left out: everyone is in one segment."""
    path = open_shop(tmp_path / "shop")
    text = path.read_text(encoding="utf-8")
    start, end = text.index("  - name: members\n"), text.index("  - name: orders\n")
    text = (text[:start] + text[end:]).replace(SEGMENTS, "").replace("value: excluded", "value: attribute")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path, shop: Path) -> Home:
    return Home.open(Settings(home=tmp_path / "home", contracts=shop.parent))


def by_day(shop: Path, *swaps: tuple[str, str], goods: str = "kept") -> None:
    """Another firm's contract over the same orders, by day instead of by goods. goods: whether its column is kept, dropped on
    the way, or lacking."""
    text = shop.read_text(encoding="utf-8")
    for old, new in (
        ("id: small-shop", "id: other-shop"),
        ("small-firm", "other-firm"),
        (GOODS, DAYS),
        *swaps,
    ):
        assert old in text
        text = text.replace(old, new)
    (column,) = re.findall(r"      - \{name: goods, logicalType.*\n", text)
    dropped = column.replace(
        "{property: sluiceRole", "{property: sluiceTransform, value: drop}, {property: sluiceRole"
    )
    text = text.replace(column, {"kept": column, "dropped": dropped, "lacking": ""}[goods])
    shop.with_name("other-shop.odcs.yaml").write_text(text, encoding="utf-8")


def beside(home: Home, contract: str, window: Window | None = None) -> dict[str, Any]:
    """Runs a contract; what its disclosure report says of the orders."""
    release = route.run(contract, home=home, window=window).release
    report = json.loads(home.catalog.documents(release.release)[DISCLOSURE].read_text(encoding="utf-8"))
    found: dict[str, Any] = report["cells"]["orders"]
    return found


def cells(home: Home, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = home.catalog.query(f"SELECT * FROM {name}.orders").table.to_pylist()
    return rows


def test_no_difference_of_two_contracts_cells_is_of_fewer_than_k(home: Home, shop: Path) -> None:
    """A reader who leaves some goods out leaves out of each day the goods that are in, or the others: whichever are fewer."""
    by_day(shop)
    for name in ("small-shop", "other-shop"):
        route.run(name, home=home)
    assert {row["goods"] for row in cells(home, "small_shop")} == {"tea", "rice", "soap"}
    shown = {row["day"] for row in cells(home, "other_shop")} - {None}
    assert len(shown) > 30
    persons: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in _orders(shop):
        day = row["day"] if datetime.fromisoformat(row["day"]).date() in shown else "(rest)"
        persons[day][row["goods"]].add(row["member"])
    for some in ({"tea"}, {"rice"}, {"soap"}):
        told = Counter[str]()
        for goods in persons.values():
            inside = {member for name, members in goods.items() if name in some for member in members}
            outside = {member for name, members in goods.items() if name not in some for member in members}
            told.update(min(inside, outside, key=len))
        assert len(told) >= K
        assert sum(1 / max(told.values()) for _ in told.elements()) >= K, (
            "also if each day's fewest are the same ones"
        )
    # What is left out belongs to k, and so does each of the goods' part of it, or to nobody.
    assert all(len(members) == 0 or len(members) >= K for members in persons["(rest)"].values())


def test_what_both_tell_together_is_in_the_report(home: Home, shop: Path) -> None:
    by_day(shop)
    assert beside(home, "small-shop")["beside"] is None
    found = beside(home, "other-shop")["beside"]
    assert (found["live"], found["exposed"], found["k"]) == (1, 0, K)


def test_the_same_cells_for_another_firm_are_the_same(home: Home, shop: Path) -> None:
    by_day(shop, (DAYS, GOODS))
    for name in ("small-shop", "other-shop"):
        route.run(name, home=home)
    assert cells(home, "small_shop") == cells(home, "other_shop")


def test_cells_by_a_column_that_a_contract_lacks_are_refused(home: Home, shop: Path) -> None:
    """Nobody can say which of this contract's orders are tea; a column that's read and dropped is enough to say it."""
    by_day(shop, goods="lacking")
    first = route.run("small-shop", home=home).release
    with pytest.raises(PrivacyError, match="`orders` doesn't have `goods` of the source") as refused:
        route.run("other-shop", home=home)
    assert first.release in str(refused.value)
    assert "sluiceTransform: drop" in refused.value.remedy
    by_day(shop, goods="dropped")
    route.run("other-shop", home=home)
    assert "goods" not in cells(home, "other_shop")[0]


def test_windows_apart_and_other_platforms_are_nobodys_business(home: Home, shop: Path) -> None:
    by_day(shop, goods="lacking")
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    route.run("small-shop", home=home, window=Window(end=summer))
    assert beside(home, "other-shop", Window(start=summer))["beside"] is None
    with pytest.raises(PrivacyError, match="doesn't have `goods`"):
        route.run("other-shop", home=home, window=Window(end=datetime(2026, 2, 1, tzinfo=UTC)))


def test_a_month_within_a_year_is_told_from_the_rest_of_it(home: Home, shop: Path) -> None:
    """March for one firm, and everything for the other: what March adds is known by its days."""
    by_day(shop, (DAYS, GOODS))
    march = Window(start=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 4, 1, tzinfo=UTC))
    route.run("small-shop", home=home, window=march)
    found = beside(home, "other-shop")
    assert (found["cells"], found["beside"]["exposed"]) == (3, 0)
    inside = {goods: (set[str](), set[str]()) for goods in ("tea", "rice", "soap")}
    for row in _orders(shop):
        inside[row["goods"]][row["day"].startswith("2026-03")].add(row["member"])
    assert min(len(each) for pair in inside.values() for each in pair) >= K


def test_another_name_for_the_table_is_no_way_around(home: Home, shop: Path) -> None:
    """The attack: the contract calls its table otherwise, and goes by day instead of by goods."""
    route.run("small-shop", home=home)
    text = shop.read_text(encoding="utf-8").replace("version: 1.0.0", "version: 2.0.0").replace(GOODS, DAYS)
    shop.write_text(text.replace("  - name: orders\n", "  - name: purchases\n"), encoding="utf-8")
    release = route.run("small-shop", home=home).release
    report = json.loads(home.catalog.documents(release.release)[DISCLOSURE].read_text(encoding="utf-8"))
    assert report["cells"]["purchases"]["beside"]["live"] == 1
    assert report["cells"]["purchases"]["beside"]["exposed"] == 0


def test_a_time_of_another_kind_and_another_engine_are_refused(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop, (DAYS, GOODS))
    route.run("small-shop", home=home, window=Window(end=datetime(2026, 7, 1, tzinfo=UTC)))
    monkeypatch.setattr(others.duckdb, "__version__", "9.9.9")
    with pytest.raises(PrivacyError, match=r"were corrected since can be told by DuckDB .* alone"):
        route.run("other-shop", home=home)
    by_day(
        shop,
        (DAYS, GOODS),
        ("      - {property: sluiceTime, value: day}\n", ""),
        ("name: day, logicalType: date", "name: day, logicalType: string"),
    )
    with pytest.raises(
        PrivacyError, match="`day`, by which their window is cut, is neither a date nor a timestamp"
    ):
        route.run("other-shop", home=home)


def test_a_column_of_another_type_and_other_units_are_refused(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop, ("name: pieces\n        logicalType: integer", "name: pieces\n        logicalType: number"))
    route.run("small-shop", home=home)
    with pytest.raises(PrivacyError, match="`pieces` had another type there") as refused:
        route.run("other-shop", home=home)
    assert "Declare the same type" in refused.value.remedy
    by_day(shop)
    real = otherfacts.read_facts

    def of_households(*given: Any) -> Any:
        facts = real(*given)
        return replace(facts, made=replace(facts.made, unit="household"))

    monkeypatch.setattr(otherfacts, "read_facts", of_households)
    with pytest.raises(PrivacyError, match="they count other persons"):
        route.run("other-shop", home=home)


def test_a_memory_that_does_not_say_what_its_cells_are_of_stops_the_next(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop)
    route.run("small-shop", home=home)
    monkeypatch.setattr(otherfacts, "told_of", lambda *_: ("orders", None))
    with pytest.raises(PrivacyError, match="before the hall kept account of what they are made of"):
        route.run("other-shop", home=home)


def test_cells_of_before_there_were_memories_stop_the_next(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop)
    route.run("small-shop", home=home)
    real = remembered.staged
    monkeypatch.setattr(
        remembered, "staged", lambda *given: {k: v for k, v in real(*given).items() if k != "memory"}
    )
    with pytest.raises(PrivacyError, match="before the hall kept account of what they are made of"):
        route.run("other-shop", home=home)
    shop.unlink()
    with pytest.raises(PrivacyError, match="no contract small-shop says what its tables hold"):
        route.run("other-shop", home=home)


def as_rows(shop: Path, name: str, *, drops: str, limit: float) -> None:
    """A firm's contract over the same orders, row by row, without one of the columns."""
    text = shop.read_text(encoding="utf-8")
    start, end = (
        text.index("      - property: sluiceCells\n"),
        text.index("    properties:\n      - {name: member"),
    )
    rows = (
        f"      - {{property: sluiceRows, value: {{pseudonym: lasting, points: 1, maxUnicity: {limit}}}}}\n"
    )
    text = text[:start] + rows + text[end:]
    text = text.replace("id: small-shop", f"id: {name}").replace("small-firm", f"{name}-firm")
    member = "- {name: member, logicalType: string, required: true, customProperties: [{property: sluiceRole"
    assert member in text
    pseudonym = member.replace(
        "{property: sluiceRole", "{property: sluiceTransform, value: pseudonym}, {property: sluiceRole"
    )
    text = text.replace(member, pseudonym)
    lines = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if f"name: {drops}," in line or f"name: {drops}\n" in line)
    while "{property: sluiceRole, value: attribute}" not in lines[at]:
        at += 1
    lines[at] = lines[at].replace(
        "{property: sluiceRole", "{property: sluiceTransform, value: drop}, {property: sluiceRole"
    )
    shop.with_name(f"{name}.odcs.yaml").write_text("".join(lines), encoding="utf-8")


def test_rows_of_two_contracts_are_measured_as_one_who_has_both_reads_them(home: Home, shop: Path) -> None:
    as_rows(shop, "days", drops="pieces", limit=0.9)
    as_rows(shop, "pieces", drops="day", limit=0.9)
    as_rows(shop, "careful", drops="day", limit=0.01)
    first = route.run("days", home=home).release
    assert set(remembered.staged(first, home)["memory"]) == {"shown-0.parquet"}
    alone, found = (_rows(home, name)["orders"] for name in ("days", "pieces"))
    assert alone["beside"] is None
    assert found["beside"]["live"] == 1
    assert found["beside"]["reached"]["share"] > found["reached"]["share"]
    with pytest.raises(PrivacyError, match=r"beside 2 live tables of rows of the same facts.* allows 1\.0%"):
        route.run("careful", home=home)


def test_rows_of_a_lasting_pseudonym_are_measured_over_all_windows(home: Home, shop: Path) -> None:
    as_rows(shop, "days", drops="pieces", limit=0.9)
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    route.run("days", home=home, window=Window(end=summer))
    autumn = datetime(2026, 9, 1, tzinfo=UTC)
    found = _rows(home, "days", Window(start=summer, end=autumn))["orders"]
    assert (found["beside"], found["earlier"]["live"]) == (None, 1)
    text = (
        shop.with_name("days.odcs.yaml")
        .read_text(encoding="utf-8")
        .replace("version: 1.0.0", "version: 2.0.0")
    )
    text = text.replace("  - name: orders\n", "  - name: purchases\n")
    shop.with_name("days.odcs.yaml").write_text(text, encoding="utf-8")
    assert _rows(home, "days", Window(start=autumn))["purchases"]["earlier"]["live"] == 2


def test_rows_of_before_there_were_memories_stop_the_next(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_rows(shop, "days", drops="pieces", limit=0.9)
    as_rows(shop, "pieces", drops="day", limit=0.9)
    route.run("days", home=home)
    real = remembered.staged
    monkeypatch.setattr(remembered, "staged", lambda *given: {**real(*given), "memory": {}})
    with pytest.raises(PrivacyError, match="holds rows of the same facts, and was published before"):
        route.run("pieces", home=home)
    shop.with_name("days.odcs.yaml").unlink()
    with pytest.raises(PrivacyError, match="no contract days says what its tables hold"):
        route.run("pieces", home=home)


def _orders(shop: Path) -> list[dict[str, str]]:
    """The orders that pass the contract's checks."""
    with (shop.parent / "data" / "orders.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if int(row["pieces"]) >= 1]


def _rows(home: Home, contract: str, window: Window | None = None) -> dict[str, Any]:
    """Runs a contract; what its disclosure report says of its tables of rows."""
    release = route.run(contract, home=home, window=window or Window()).release
    report = json.loads(home.catalog.documents(release.release)[DISCLOSURE].read_text(encoding="utf-8"))
    found: dict[str, Any] = report["facts"]
    return found
