"""The hall remembers whom its releases show: over a whole run, after a crash, and for releases of before it did."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.events import EventKind
from contracts.shelf import find_contract
from core.errors import IntegrityError, PrivacyError
from core.proof import Window
from core.settings import Settings
from pipeline import memory as module
from pipeline import remembered, route
from pipeline.home import Home
from pipeline.otherfacts import OtherFacts
from tests.shop import open_shop, raw_member


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return open_shop(tmp_path / "shop")


@pytest.fixture
def home(tmp_path: Path, shop: Path) -> Home:
    return Home.open(Settings(home=tmp_path / "home", contracts=shop.parent))


def members(home: Home, release: str) -> dict[str, tuple[object, ...]]:
    rows = home.catalog.query(f"SELECT * FROM {release}.members").table.to_pylist()
    return {row["member"]: tuple(row[name] for name in ("segment", "born", "town", "plan")) for row in rows}


def other_contract(shop: Path, *, namespace: str = "") -> Path:
    """The same members for another firm, their years in runs of ten instead of classes of any size."""
    text = shop.read_text(encoding="utf-8")
    text = text.replace("id: small-shop", "id: other-shop").replace("small-firm", "other-firm")
    text = text.replace(
        "        customProperties: [{property: sluiceRole, value: quasiIdentifier}]\n",
        "        customProperties:\n          - {property: sluiceRole, value: quasiIdentifier}\n"
        "          - {property: sluiceHierarchy, value: {kind: intervals, widths: [10, 30]}}\n",
    )
    other = shop.with_name("other-shop.odcs.yaml")
    other.write_text(text.replace("tenant: shop-platform", f"tenant: {namespace or 'shop-platform'}"))
    return other


def rewrite(shop: Path, *, without: set[int] = frozenset(), more: int = 0) -> None:  # type: ignore[assignment]
    path = shop.parent / "data" / "members.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    rows = [row for row in rows if row.split(",")[0] not in {raw_member(number) for number in without}]
    rows += [
        f"{raw_member(9000 + n)},{1950 + 3 * n},East,{['free', 'paid', 'gold'][n % 3]}" for n in range(more)
    ]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def test_a_further_release_shows_neither_one_newcomer_nor_one_leaver(home: Home, shop: Path) -> None:
    first = route.run("small-shop", home=home).release
    rewrite(shop, without={3}, more=1)
    second = route.run("small-shop", home=home).release
    assert second.release != first.release
    assert members(home, second.release) == members(home, first.release)
    staged = home.ledger.receipt_for(EventKind.RELEASE_STAGED, second.release)
    assert staged is not None
    assert set(home.ledger.event(staged.index).facts["memory"]) == {
        "rows.parquet",
        "classes.parquet",
        "cells-1.parquet",
    }


def test_newcomers_come_as_segments_of_their_own(home: Home, shop: Path) -> None:
    first = route.run("small-shop", home=home).release
    rewrite(shop, more=24)
    second = route.run("small-shop", home=home).release
    before, after = members(home, first.release), members(home, second.release)
    assert {name: row for name, row in after.items() if name in before} == before
    new = {name: row for name, row in after.items() if name not in before}
    assert len(new) == 24
    assert not {row[0] for row in new.values()} & {row[0] for row in before.values()}, "cells would mix them"


def test_two_contracts_of_one_source_leave_k_candidates(home: Home, shop: Path) -> None:
    """Ganta and others: a reader of both knows the class of a person in each."""
    other_contract(shop)
    for name in ("small-shop", "other-shop"):
        route.run(name, home=home)
    assert min(candidates(home)) >= 4
    assert len(candidates(home)) > 1


def test_what_was_made_before_another_release_came_is_made_again(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race: both contracts' runs are made safe beside nothing, then both want to publish."""
    other_contract(shop)
    real, asked = module._live, list[str]()

    def nobody_yet(contract, home, *, but):  # type: ignore[no-untyped-def]
        asked.append(contract.id)
        return [] if len(asked) <= 2 else real(contract, home, but=but)

    route.run("small-shop", home=home)
    monkeypatch.setattr(module, "_live", nobody_yet)
    monkeypatch.setattr(module, "other_facts", lambda *_, **__: OtherFacts())
    said: list[str] = []
    route.run("other-shop", home=home, progress=lambda step, *_: said.append(step))
    assert said.index("stage") < len(said) - 1 - said[::-1].index("anonymize members")
    assert min(candidates(home)) >= 4


def test_a_memory_that_was_changed_or_lost_stops_the_next_release(home: Home, shop: Path) -> None:
    first = route.run("small-shop", home=home).release
    folder = home.settings.memory / first.release
    assert {path.name for path in folder.iterdir()} == {"rows.parquet", "classes.parquet", "cells-1.parquet"}
    assert all(path.read_bytes()[:4] == b"PARE" for path in folder.iterdir())
    rewrite(shop, more=1)
    kept = shutil.copytree(folder, shop.parent / "kept")
    rows = folder / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="remembered of an earlier release"):
        route.run("small-shop", home=home)
    shutil.rmtree(folder)
    with pytest.raises(IntegrityError, match="remembered of an earlier release"):
        route.run("small-shop", home=home)
    shutil.copytree(kept, folder)
    route.run("small-shop", home=home)


def test_cells_of_a_window_come_again_only_if_k_persons_changed(home: Home, shop: Path) -> None:
    """The attack: the sums of today less those of yesterday are what one member bought in between."""
    route.run("small-shop", home=home)
    orders = shop.parent / "data" / "orders.csv"
    before = orders.read_text(encoding="utf-8")
    with orders.open("a", encoding="utf-8") as file:
        file.write(f"{raw_member(5)},tea,3,2026-05-05\n")
    with pytest.raises(PrivacyError, match="the difference would tell of fewer than 4 `member`") as refused:
        route.run("small-shop", home=home)
    assert "next window" in refused.value.remedy
    orders.write_text(before, encoding="utf-8")
    with orders.open("a", encoding="utf-8") as file:
        file.writelines(f"{raw_member(n)},silk,3,2026-05-05\n" for n in range(120))
    route.run("small-shop", home=home)
    assert len(home.catalog.releases(all=True)) == 2


def test_cells_of_before_there_were_memories_are_not_published_again(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    route.run("small-shop", home=home)
    real = remembered.staged
    monkeypatch.setattr(
        remembered, "staged", lambda *given: {k: v for k, v in real(*given).items() if k != "memory"}
    )
    rewrite(shop, more=1)
    with pytest.raises(PrivacyError, match="before the hall kept account of whose facts"):
        route.run("small-shop", home=home)


def test_what_a_crash_left_of_an_unpublished_release_goes(home: Home) -> None:
    release = route.run("small-shop", home=home).release
    (home.settings.memory / "small_shop_0000000000").mkdir()
    assert module.forget_unpublished(home) == 1
    assert [path.name for path in home.settings.memory.iterdir() if path.is_dir()] == [release.release]


def test_a_release_of_before_there_were_memories_is_read_back_by_its_pseudonyms(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    first = route.run("small-shop", home=home, window=Window(end=summer)).release
    monkeypatch.setattr(module, "_digests", lambda *_: None)
    rewrite(shop, without={3}, more=1)
    second = route.run("small-shop", home=home, window=Window(start=summer)).release
    assert members(home, second.release) == members(home, first.release)


@pytest.mark.parametrize("lost", ["the contract", "its table"])
def test_a_release_of_before_there_were_memories_counts_also_when_its_contract_is_gone(
    home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The attack: take the earlier contract off the shelf, and the same members are shown in other classes."""
    first = route.run("small-shop", home=home).release
    other_contract(shop)
    monkeypatch.setattr(module, "_digests", lambda *_: None)
    text = shop.read_text(encoding="utf-8")
    if lost == "the contract":
        shop.rename(shop.with_suffix(".gone"))
    else:
        shop.write_text(text.replace("name: members", "name: buyers"), encoding="utf-8")
    with pytest.raises(PrivacyError, match="says what its tables hold") as refused:
        route.run("other-shop", home=home)
    assert first.release in str(refused.value)
    assert "Put the contract as it was back" in refused.value.remedy
    assert len(home.catalog.releases(all=True)) == 1


def candidates(home: Home) -> list[int]:
    """How many persons stand in each set that two live releases don't tell apart."""
    contract = find_contract("small-shop", home.settings.contracts)
    history = module.history_of(contract, home, but="", tables={}, window=Window())
    assert history is not None
    assert len(history.live) == 2
    seen: dict[int, list[int]] = {}
    for each in history.live:
        for person, number in zip(each.memory.persons.tolist(), each.memory.classes.tolist(), strict=True):
            seen.setdefault(person, []).append(number)
    assert len(seen) == 120
    return list(Counter(map(tuple, seen.values())).values())
