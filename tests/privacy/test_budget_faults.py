"""What crashes, rivals and editors of the store do to the budget: a cost is counted in full or not at all, and never lost."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.digest import canonical, sha256_hex
from core.errors import ConflictError, IntegrityError, PrivacyError, StateError
from core.store import Entry, SqliteStore
from privacy.budget import budget as module
from privacy.budget import rows
from privacy.budget.amounts import UNBOUNDED, Cost, Limit
from privacy.budget.budget import Budget
from privacy.budget.replay import Point
from privacy.budget.terms import Cap, Scope
from tests.privacy.budget_stores import (
    BASKETS,
    NOW,
    RESULT,
    SPENDER,
    FaultyStore,
    MemoryStore,
    caps,
    new_id,
    raising,
)

TENTH = Cost(rho_quanta=10, delta_quanta=0)
CAPS = caps(Cap(scope=Scope.CONTRACT, limit=Limit(rho_quanta=100, delta_quanta=0)))
ID = "11111111-2222-4333-8444-555555555555"
ACCOUNT = BASKETS.digest


class Death(BaseException):
    """The process dies: nothing catches it."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.0)


def reserve(store: object, *, reservation: str = "", cost: Cost = TENTH) -> module.Reservation:
    return Budget(store).reserve(  # type: ignore[arg-type]
        BASKETS, SPENDER, cost, CAPS, now=NOW, reservation=reservation or new_id()
    )


def counted(store: MemoryStore) -> int:
    assert Budget(store).audit() == ()
    return Budget(store).statement(BASKETS).total.rho_quanta


FAULTS = [OSError(5, "gone"), StateError("The store can't be written."), Death()]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("earlier", [0, 1])
def test_a_crash_before_the_commit_leaves_nothing(fault: BaseException, earlier: int) -> None:
    store = MemoryStore()
    for _ in range(earlier):
        reserve(store)
    before = dict(store.entries)
    with pytest.raises(type(fault)):
        reserve(FaultyStore(store, before=[raising(fault)]), reservation=ID)
    assert store.entries == before
    reserve(store, reservation=ID)
    assert counted(store) == 10 * (earlier + 1)


@pytest.mark.parametrize("fault", [*FAULTS, ConflictError("It said so, and had written.")], ids=repr)
@pytest.mark.parametrize("earlier", [0, 1])
def test_a_crash_after_the_commit_leaves_a_counted_reservation(fault: BaseException, earlier: int) -> None:
    store = MemoryStore()
    for _ in range(earlier):
        reserve(store)
    faulty = FaultyStore(store, after=[raising(fault)])
    if isinstance(fault, ConflictError):
        reserve(faulty, reservation=ID)
    else:
        with pytest.raises(type(fault)):
            reserve(faulty, reservation=ID)
    assert counted(store) == 10 * (earlier + 1)
    again = reserve(store, reservation=ID)
    assert again.number == earlier + 1
    assert counted(store) == 10 * (earlier + 1)


def test_a_reservation_is_one_commit() -> None:
    store = MemoryStore()
    for number in range(1, 4):
        reserve(store)
        assert store.commits == number


def test_a_rival_between_read_and_commit_is_counted_too() -> None:
    store = MemoryStore()
    faulty = FaultyStore(store, before=[lambda: void(reserve(store)), lambda: void(reserve(store)), None])
    assert reserve(faulty).number == 3
    assert counted(store) == 30


def void(_: object) -> None:
    """Drops a value."""


def test_a_rival_that_takes_the_last_of_it_leaves_nothing_for_the_retry() -> None:
    store = MemoryStore()
    for _ in range(9):
        reserve(store)
    with pytest.raises(PrivacyError, match="can't carry this"):
        reserve(FaultyStore(store, before=[lambda: void(reserve(store))]))
    assert counted(store) == 100


def test_a_rival_with_the_same_id_is_oneself() -> None:
    store = MemoryStore()
    faulty = FaultyStore(store, before=[lambda: void(reserve(store, reservation=ID))])
    assert reserve(faulty, reservation=ID) == reserve(store, reservation=ID)
    assert counted(store) == 10


def test_a_retry_ends_some_day() -> None:
    store = MemoryStore()
    faults = [raising(ConflictError("Somebody else wrote first."))] * 1000
    faulty = FaultyStore(store, before=faults)
    with pytest.raises(ConflictError, match="Others keep writing to this privacy budget"):
        reserve(faulty)
    assert len(faulty.before) == 1000 - module._ATTEMPTS
    assert store.entries == {}


@pytest.mark.parametrize("fault", [*FAULTS, ConflictError("It had written.")], ids=repr)
def test_spending_survives_a_crash_on_either_side_of_its_commit(fault: BaseException) -> None:
    for side in ("before", "after"):
        store = MemoryStore()
        held = reserve(store)
        faulty = FaultyStore(store, **{side: [raising(fault)]})
        if side == "after" and isinstance(fault, ConflictError):
            Budget(faulty).spend(held, result=RESULT, now=NOW)
        elif not isinstance(fault, ConflictError):
            with pytest.raises(type(fault)):
                Budget(faulty).spend(held, result=RESULT, now=NOW)
        assert Budget(store).spend(held, result=RESULT, now=NOW).result == RESULT
        assert counted(store) == 10


def test_of_two_that_spend_one_reservation_one_gives_its_answer() -> None:
    store = MemoryStore()
    held = reserve(store)
    faulty = FaultyStore(store, before=[lambda: void(Budget(store).spend(held, result=RESULT, now=NOW))])
    with pytest.raises(PrivacyError, match="carried out for another result"):
        Budget(faulty).spend(held, result="6" * 64, now=NOW)


# What an editor of the store's file can do to one account with three reservations, one of them carried out.

Edit = Callable[[MemoryStore, dict[str, Entry]], None]


def contract_key() -> str:
    return rows.counter_key(ACCOUNT, (Scope.CONTRACT, SPENDER.contract))


def account_key() -> str:
    return rows.counter_key(ACCOUNT, (Scope.ACCOUNT, ""))


def edited(value: bytes, **fields: object) -> bytes:
    return canonical({**json.loads(value), **fields})


def changing(key: str, **fields: object) -> Edit:
    return lambda store, _: store.put(key, edited(store.entries[key].value, **fields))


def putting(key: str, value: bytes | None) -> Edit:
    return lambda store, _: store.put(key, value)


def putting_back(key: str) -> Edit:
    return lambda store, earlier: store.put(key, earlier[key].value)


def deleting_all(prefix: str) -> Edit:
    def edit(store: MemoryStore, _: dict[str, Entry]) -> None:
        for key in [key for key in store.entries if key.startswith(prefix)]:
            store.put(key, None)

    return edit


def all_back(store: MemoryStore, earlier: dict[str, Entry]) -> None:
    """The head and the counters of yesterday, one and all."""
    for key in (
        rows.head_key(ACCOUNT),
        *(key for key in earlier if key.startswith(rows.counters_prefix(ACCOUNT))),
    ):
        store.put(key, earlier[key].value)


def in_anothers_place(store: MemoryStore, _: dict[str, Entry]) -> None:
    store.put(contract_key(), store.entries[account_key()].value)


def last_row_for_less(store: MemoryStore, _: dict[str, Entry]) -> None:
    """A consistent lie: the last row, its digest in the head and in its id, all rewritten."""
    key = rows.row_key(ACCOUNT, 3)
    row = edited(store.entries[key].value, cost={"rho": "1", "delta": "0", "unbounded": False})
    store.put(key, row)
    store.put(
        rows.head_key(ACCOUNT), edited(store.entries[rows.head_key(ACCOUNT)].value, last=sha256_hex(row))
    )
    place = rows.IDS + json.loads(row)["id"]
    store.put(place, edited(store.entries[place].value, digest=sha256_hex(row)))


def older_row_for_another_door(store: MemoryStore, _: dict[str, Entry]) -> None:
    """No sum changes by it, and its id leads to it: what it breaks is the chain."""
    key = rows.row_key(ACCOUNT, 2)
    row = edited(store.entries[key].value, door="train")
    store.put(key, row)
    place = rows.IDS + json.loads(row)["id"]
    store.put(place, edited(store.entries[place].value, digest=sha256_hex(row)))


ZERO = {"rho": "0", "delta": "0", "unbounded": 0}
STOPPING: dict[str, Edit] = {
    "a counter set to zero": changing(contract_key(), life=ZERO),
    "a counter without its periods": changing(account_key(), periods={}),
    "a counter deleted": putting(contract_key(), None),
    "a counter of yesterday": putting_back(contract_key()),
    "a counter in another's place": in_anothers_place,
    "a counter that is no JSON": putting(account_key(), b"{"),
    "a counter besides": putting(rows.counters_prefix(ACCOUNT) + "0" * 64, b"{}"),
    "all counters deleted": deleting_all(rows.counters_prefix(ACCOUNT)),
    "the head deleted": putting(rows.head_key(ACCOUNT), None),
    "the head of yesterday": putting_back(rows.head_key(ACCOUNT)),
    "the head and all counters of yesterday": all_back,
    "the head for another": changing(rows.head_key(ACCOUNT), account={"dataset": "other", "unit": "u"}),
    "the head counting none": changing(rows.head_key(ACCOUNT), reservations=0),
    "the head counting fewer": changing(rows.head_key(ACCOUNT), reservations=2),
    "the head naming another row": changing(rows.head_key(ACCOUNT), last="0" * 64),
    "the head of a newer format": changing(rows.head_key(ACCOUNT), format=2),
    "the head with a key more": changing(rows.head_key(ACCOUNT), more=1),
    "the head with a float": putting(rows.head_key(ACCOUNT), b'{"format":1.0}'),
    "the head as a list": putting(rows.head_key(ACCOUNT), b"[1]"),
    "the head and all counters deleted": lambda store, earlier: (
        deleting_all(rows.counters_prefix(ACCOUNT))(store, earlier),
        putting(rows.head_key(ACCOUNT), None)(store, earlier),
    )[0],
    "the head, the counters and the first row deleted": lambda store, earlier: (
        deleting_all(rows.counters_prefix(ACCOUNT))(store, earlier),
        putting(rows.head_key(ACCOUNT), None)(store, earlier),
        putting(rows.row_key(ACCOUNT, 1), None)(store, earlier),
    )[0],
    "the last row deleted": putting(rows.row_key(ACCOUNT, 3), None),
    "the last row's moment": changing(rows.row_key(ACCOUNT, 3), at="2020-01-01T00:00:00+00:00"),
}  # fmt: skip
TOLD_BY_AUDIT: dict[str, Edit] = {
    "an older row's cost": changing(rows.row_key(ACCOUNT, 1), cost={"rho": "1", "delta": "0", "unbounded": False}),
    "an older row's caps": changing(rows.row_key(ACCOUNT, 2), caps=[]),
    "an older row deleted": putting(rows.row_key(ACCOUNT, 2), None),
    "a mark besides": putting(rows.spent_key(ACCOUNT, 7), b"{}"),
    "a mark with no number": putting(rows.marks_prefix(ACCOUNT) + "x", b"{}"),
    "a mark of another row": changing(rows.spent_key(ACCOUNT, 1), digest="0" * 64),
    "a row that is none of ours": putting(f"{rows.ACCOUNTS}{ACCOUNT}/zzz", b"{}"),
    "an id that leads elsewhere": changing(rows.IDS + ID, number=2),
    "an id deleted": putting(rows.IDS + ID, None),
    "an id that is no JSON": putting(rows.IDS + ID, b"\xff"),
    "an older row rewritten with its id": older_row_for_another_door,
    "the last row rewritten for less": last_row_for_less,
}  # fmt: skip


def three() -> tuple[MemoryStore, dict[str, Entry], module.Reservation]:
    """A store with three reservations, and its rows as they stood after the second."""
    store = MemoryStore()
    first = reserve(store, reservation=ID)
    Budget(store).spend(first, result=RESULT, now=NOW)
    reserve(store)
    earlier = dict(store.entries)
    reserve(store)
    return store, earlier, first


@pytest.mark.parametrize("what", STOPPING)
def test_an_edit_that_could_free_budget_stops_the_account(what: str) -> None:
    store, earlier, _ = three()
    STOPPING[what](store, earlier)
    before = dict(store.entries)
    for cost in (TENTH, UNBOUNDED):
        with pytest.raises(IntegrityError, match="privacy budget") as refused:
            reserve(store, cost=cost)
        assert refused.value.remedy
    assert store.entries == before
    assert Budget(store).audit()
    with pytest.raises(IntegrityError):
        Budget(store).statement(BASKETS)


@pytest.mark.parametrize("what", TOLD_BY_AUDIT)
def test_any_other_edit_is_told_by_the_audit(what: str) -> None:
    store, earlier, _ = three()
    assert Budget(store).audit() == ()
    TOLD_BY_AUDIT[what](store, earlier)
    assert Budget(store).audit()
    with pytest.raises(IntegrityError):
        Budget(store).statement(BASKETS)


def test_every_byte_counts() -> None:
    """One changed byte anywhere is told, whatever byte it is."""
    store, _, _ = three()
    for key, entry in list(store.entries.items()):
        for place in range(0, len(entry.value), 7):
            damaged = bytearray(entry.value)
            damaged[place] ^= 1
            store.put(key, bytes(damaged))
            found = Budget(store).audit()
            if key == rows.spent_key(ACCOUNT, 1) and not found:
                # A mark's moment and result are not in the chain: they tell the reader, and free nothing.
                assert {"at", "result"} & changed_fields(entry.value, bytes(damaged))
            else:
                assert found
        store.put(key, entry.value)
    assert Budget(store).audit() == ()


def changed_fields(before: bytes, after: bytes) -> set[str]:
    old, new = json.loads(before), json.loads(after)
    return {key for key in old if old[key] != new.get(key)}


def test_a_reservation_that_is_stored_no_more_is_not_spent() -> None:
    store, _, first = three()
    store.put(rows.row_key(ACCOUNT, 1), None)
    with pytest.raises(IntegrityError, match="isn't stored as it was made"):
        reserve(store, reservation=ID)
    with pytest.raises(IntegrityError, match="isn't stored as it was made"):
        Budget(store).spend(first, result=RESULT, now=NOW)


def test_a_mark_put_in_anothers_place_is_refused() -> None:
    store, _, first = three()
    store.put(
        rows.spent_key(ACCOUNT, 1), edited(store.entries[rows.spent_key(ACCOUNT, 1)].value, digest="0" * 64)
    )
    with pytest.raises(IntegrityError, match="is another's"):
        Budget(store).spend(first, result=RESULT, now=NOW)


def test_one_damaged_account_stops_no_other() -> None:
    store, earlier, _ = three()
    STOPPING["a counter deleted"](store, earlier)
    other = replace(BASKETS, dataset="grocery/visits")
    Budget(store).reserve(other, SPENDER, TENTH, CAPS, now=NOW, reservation=new_id())
    assert Budget(store).statement(other).reservations == 1


def test_a_store_written_anew_is_shown_by_a_point_that_was_kept() -> None:
    """Who holds the file can write a whole new, consistent budget. What was kept in the ledger isn't in it."""
    store, _, _ = three()
    kept = Budget(store).statement(BASKETS).point
    reserve(store)
    assert Budget(store).audit(kept=[kept]) == ()
    empty = Budget(MemoryStore()).statement(BASKETS).point
    assert Budget(store).audit(kept=[empty]) == ()
    anew = MemoryStore()
    assert Budget(anew).audit(kept=[kept])
    for _ in range(4):
        reserve(anew)
    assert Budget(anew).audit() == ()
    assert [each.what for each in Budget(anew).audit(kept=[kept])] == [
        "isn't the reservation that was kept elsewhere"
    ]
    assert Budget(store).audit(kept=[Point(account="0" * 64, reservations=1, digest="0" * 64)])


def _spend_all(path: Path, tries: int) -> int:
    store, done = SqliteStore(path), 0
    for _ in range(tries):
        try:
            held = reserve(store)
        except PrivacyError:
            continue
        Budget(store).spend(held, result=RESULT, now=NOW)
        done += 1
    return done


@pytest.mark.parametrize("way", ["processes", "threads"])
def test_many_processes_share_one_cap(tmp_path: Path, way: str) -> None:
    """Six that try sixty times between them get the ten that there are, each once."""
    path = tmp_path / "state.sqlite"
    SqliteStore(path)
    if way == "processes":
        with multiprocessing.get_context("spawn").Pool(6) as pool:
            done = pool.starmap(_spend_all, [(path, 10)] * 6)
    else:
        with ThreadPoolExecutor(6) as threads:
            done = list(threads.map(lambda _: _spend_all(path, 10), range(6)))
    assert sum(done) == 10
    budget = Budget(SqliteStore(path))
    assert budget.audit() == ()
    statement = budget.statement(BASKETS)
    assert (statement.total.rho_quanta, statement.reservations, statement.open) == (100, 10, 0)


def _same_id(path: Path) -> int:
    return reserve(SqliteStore(path), reservation=ID).number


def test_processes_that_retry_one_reservation_count_it_once(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    SqliteStore(path)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert set(pool.map(_same_id, [path] * 12)) == {1}
    assert Budget(SqliteStore(path)).statement(BASKETS).total.rho_quanta == 10
