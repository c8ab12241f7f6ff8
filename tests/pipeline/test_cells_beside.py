"""Two contracts over one table of orders, each with cells of its own: over whole runs, and read side by side."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import PrivacyError
from core.proof import Window
from core.settings import Settings
from pipeline import memory as module
from pipeline import route
from pipeline.home import Home
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
    """Tea of all days less tea of the days that are shown; the orders of a day less those of its tea."""
    by_day(shop)
    route.run("small-shop", home=home)
    alone = {row["day"] for row in _alone(home, shop)}
    route.run("other-shop", home=home)
    assert {row["goods"] for row in cells(home, "small_shop")} == {"tea", "rice", "soap"}
    shown = {row["day"] for row in cells(home, "other_shop")} - {None}
    persons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in _orders(shop):
        day = row["day"] if datetime.fromisoformat(row["day"]).date() in shown else "(rest)"
        persons[row["goods"], day].add(row["member"])
    assert min(map(len, persons.values())) >= K
    assert alone - shown, "days that alone could be shown are given up for it"


def test_what_both_tell_together_is_in_the_report(home: Home, shop: Path) -> None:
    by_day(shop)
    assert beside(home, "small-shop")["beside"] is None
    found = beside(home, "other-shop")["beside"]
    assert (found["live"], found["exposed"], found["k"]) == (1, 0, K)
    assert found["smallest"] >= K


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


def test_a_memory_that_does_not_say_what_its_cells_are_of_stops_the_next(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop)
    route.run("small-shop", home=home)
    told, read = module.told_of, module.read_facts
    monkeypatch.setattr(module, "told_of", lambda *given: (told(*given)[0], None))
    monkeypatch.setattr(module, "read_facts", lambda *given: replace(read(*given), made=None))
    with pytest.raises(PrivacyError, match="before the hall kept account of what cells are made of"):
        route.run("other-shop", home=home)


def test_cells_of_before_there_were_memories_stop_the_next(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_day(shop)
    route.run("small-shop", home=home)
    real = module._staged
    monkeypatch.setattr(
        module, "_staged", lambda *given: {k: v for k, v in real(*given).items() if k != "memory"}
    )
    with pytest.raises(PrivacyError, match="before the hall kept account of what cells are made of"):
        route.run("other-shop", home=home)
    shop.unlink()
    with pytest.raises(PrivacyError, match="no contract small-shop says what its tables hold"):
        route.run("other-shop", home=home)


def _orders(shop: Path) -> list[dict[str, str]]:
    """The orders that pass the contract's checks."""
    with (shop.parent / "data" / "orders.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if int(row["pieces"]) >= 1]


def _alone(home: Home, shop: Path) -> list[dict[str, Any]]:
    """The other firm's cells in a hall where there are no others."""
    apart = Home.open(Settings(home=home.settings.home.with_name("apart"), contracts=shop.parent))
    route.run("other-shop", home=apart)
    return cells(apart, "other_shop")
