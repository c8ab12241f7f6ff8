from __future__ import annotations

import dataclasses
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.checkpoint import open_checkpoint
from audit.events import Event, EventKind
from audit.ledger import (
    HEAD,
    Ledger,
    Receipt,
    checkpoint_key,
    encode_head,
    encode_place,
    index_key,
    leaf_key,
)
from audit.ledger import Place as LeafPlace
from audit.merkle import Frontier, leaf_hash, verify_inclusion
from audit.note import VerifierKey
from audit.verify import verify
from core.clock import Clock
from core.errors import ConflictError, InternalError, LedgerError
from core.keys import Signer
from core.store import Entry, SqliteStore, Write

MakeEvent = Callable[..., Event]


def _replace(store: SqliteStore, key: str, value: bytes | None) -> None:
    entry = store.get(key)
    store.commit([Write(key, value, entry.version if entry else 0)])


def test_a_receipt_proves_its_event_offline(ledger: Ledger, key: VerifierKey, staged: MakeEvent) -> None:
    for number in range(9):
        receipt = ledger.append(staged(f"r{number}", digest=f"{number:064x}"))
        assert (receipt.index, receipt.kind, receipt.subject) == (number, "release.staged", f"r{number}")
        assert receipt.digest == f"{number:064x}"
        assert receipt.name == f"grocery-hall/{number}@{receipt.leaf_hash[:16]}"
        checkpoint = open_checkpoint(receipt.checkpoint, key)
        proof = [bytes.fromhex(node) for node in receipt.proof]
        assert checkpoint.size == number + 1
        verify_inclusion(bytes.fromhex(receipt.leaf_hash), number, checkpoint.size, proof, checkpoint.root)
    assert ledger.size == 9


def test_the_same_event_is_recorded_once(ledger: Ledger, store: SqliteStore, staged: MakeEvent) -> None:
    """Same kind, subject and digest: the first receipt is given, whatever the second event says besides."""
    first = ledger.append(staged("r1"))
    ledger.append(staged("r2"))
    before = [*store.scan("")]
    again = dataclasses.replace(staged("r1"), run_id="0190a0b0-0000-7000-8000-000000000001", outputs=())
    assert ledger.append(again) == first
    assert [*store.scan("")] == before


def test_another_digest_is_another_event(ledger: Ledger, staged: MakeEvent) -> None:
    """A release that was staged, not revealed, and staged anew with other bytes: both stand in the log."""
    first, second = (ledger.append(staged("r1", digest=digest)) for digest in ("bb" * 32, "aa" * 32))
    assert (first.index, first.digest, second.index, second.digest) == (0, "bb" * 32, 1, "aa" * 32)
    assert ledger.receipt_for("release.staged", "r1", digest="bb" * 32) == first
    assert ledger.receipt_for("release.staged", "r1", digest="cc" * 32) is None
    assert ledger.receipt_for("release.staged", "r1") == second  # the newest


def test_a_subject_isnt_found_by_its_beginning(ledger: Ledger, staged: MakeEvent) -> None:
    ledger.append(staged("r1"))
    ledger.append(staged("r1/2"))
    assert ledger.receipt_for("release.staged", "r") is None
    receipt = ledger.receipt_for("release.staged", "r1")
    assert receipt is not None
    assert receipt.index == 0


def test_one_subject_has_an_event_of_each_kind(ledger: Ledger, staged: MakeEvent) -> None:
    event = staged("r1")
    facts = {"release": "r1", "tables": {"订单": 0}}
    revealed = dataclasses.replace(event, kind=EventKind.RELEASE_REVEALED, facts=facts)
    assert [ledger.append(event).index, ledger.append(revealed).index] == [0, 1]
    assert ledger.append(revealed).digest == ""


def test_a_receipt_is_found_again(
    ledger: Ledger, store: SqliteStore, signer: Signer, staged: MakeEvent
) -> None:
    receipts = [ledger.append(staged(f"r{number}")) for number in range(5)]
    reopened = Ledger(store, signer)
    assert [reopened.receipt_for("release.staged", f"r{number}") for number in range(5)] == receipts
    assert reopened.receipt_for(EventKind.RELEASE_STAGED, "r9") is None
    assert reopened.receipt_for(EventKind.RELEASE_REVEALED, "r1") is None


def test_a_receipt_cant_be_made_up(ledger: Ledger, staged: MakeEvent) -> None:
    receipt = ledger.append(staged())
    fields = {field.name: getattr(receipt, field.name) for field in dataclasses.fields(receipt)}
    with pytest.raises(InternalError, match="Receipt can only be built by the function that proves it"):
        Receipt(**fields)
    with pytest.raises(InternalError):
        dataclasses.replace(receipt, digest="00" * 32)


def test_entries_come_in_order(ledger: Ledger, staged: MakeEvent) -> None:
    receipts = [ledger.append(staged(f"r{number}")) for number in range(12)]
    entries = [*ledger.entries()]
    assert [entry.index for entry in entries] == list(range(12))
    assert [entry.leaf_hash for entry in entries] == [receipt.leaf_hash for receipt in receipts]
    assert [entry.index for entry in ledger.entries(start=10)] == [10, 11]
    assert [*ledger.entries(start=12)] == []
    assert entries[3].event["run"]["facets"]["sluice"]["subject"] == "r3"
    assert ledger.event(3) == staged("r3")


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert (ledger.size, ledger.checkpoint(), [*ledger.entries()]) == (0, None, [])
    with pytest.raises(LedgerError, match="A row of the ledger is missing"):
        ledger.event(0)


def test_equal_events_have_different_hashes(
    tmp_path: Path, ledger: Ledger, signer: Signer, staged: MakeEvent
) -> None:
    """The salt: who knows an event can't find its hash, and two halls' logs can't be matched."""
    moment = ledger._clock()
    first = Ledger(SqliteStore(tmp_path / "1.sqlite"), signer, lambda: moment).append(staged())
    second = Ledger(SqliteStore(tmp_path / "2.sqlite"), signer, lambda: moment).append(staged())
    assert first.leaf_hash != second.leaf_hash


def test_the_newest_checkpoint(ledger: Ledger, key: VerifierKey, staged: MakeEvent) -> None:
    for number in range(3):
        receipt = ledger.append(staged(f"r{number}"))
        assert ledger.checkpoint() == receipt.checkpoint
    checkpoint = open_checkpoint(receipt.checkpoint, key)
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("grocery-hall", 3, ())


# --- crashes and rivals ----------------------------------------------------------------------------------------------


class Failing:
    """A store whose first commits fail: before they are done, or after (the answer is lost)."""

    def __init__(self, store: SqliteStore, times: int, *, after: bool = False) -> None:
        self.store, self.times, self.after = store, times, after
        self.failure: Exception = ConflictError("Somebody else wrote first.")

    def get(self, key: str) -> Entry | None:
        return self.store.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
        return self.store.scan(prefix, start=start)

    def held(self) -> AbstractContextManager[None]:
        return self.store.held()

    def commit(self, writes: Sequence[Write]) -> None:
        if self.times <= 0:
            return self.store.commit(writes)
        self.times -= 1
        if self.after:
            self.store.commit(writes)
        raise self.failure


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_the_commit_leaves_all_or_nothing(
    ledger: Ledger, store: SqliteStore, signer: Signer, staged: MakeEvent, after: bool
) -> None:
    ledger.append(staged("r0"))
    failing = Failing(store, 1, after=after)
    failing.failure = OSError("power")
    with pytest.raises(OSError, match="power"):
        Ledger(failing, signer).append(staged("r1"))
    assert ledger.size == (2 if after else 1)
    assert ledger.append(staged("r1")).index == 1
    assert ledger.size == 2


def test_each_append_is_one_commit(ledger: Ledger, store: SqliteStore, staged: MakeEvent) -> None:
    ledger.append(staged())
    versions = {entry.version for entry in store.scan("")}
    assert len(versions) == 1
    assert [entry.key for entry in store.scan("")] == [
        checkpoint_key(1),
        HEAD,
        index_key("release.staged", "orders_1", "ab" * 32),
        leaf_key(0),
    ]


def test_a_rival_is_given_way_to(
    ledger: Ledger, store: SqliteStore, signer: Signer, staged: MakeEvent
) -> None:
    assert Ledger(Failing(store, 3), signer).append(staged()).index == 0


def test_giving_way_has_an_end(
    ledger: Ledger, store: SqliteStore, signer: Signer, staged: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.ledger._LONGEST_PAUSE_S", 0)
    failing = Failing(store, 10**9)
    with pytest.raises(ConflictError) as caught:
        Ledger(failing, signer).append(staged())
    assert (
        str(caught.value) == "Others keep writing to the ledger. Run it again when fewer runs are under way."
    )
    assert 10**9 - failing.times == 100


def _append_all(ledger: Ledger, events: Sequence[Event]) -> list[int]:
    return [ledger.append(event).index for event in events]


def test_processes_append_together(ledger: Ledger, staged: MakeEvent) -> None:
    """Some of the events are the same ones: they are recorded once."""
    fork = multiprocessing.get_context("fork")
    sets = [[staged(f"r{n}") for n in (*range(5), *range(100 * p, 100 * p + 5))] for p in range(1, 4)]
    processes = [fork.Process(target=_append_all, args=(ledger, events)) for events in sets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert ledger.size == 20


def test_threads_append_together(ledger: Ledger, staged: MakeEvent) -> None:
    with ThreadPoolExecutor(4) as pool:
        indexes = [*pool.map(lambda n: ledger.append(staged(f"r{n % 10}")).index, range(40))]
    assert sorted(set(indexes)) == list(range(10))
    assert ledger.size == 10


# --- what was changed behind its back --------------------------------------------------------------------------------


def test_nothing_is_signed_on_top_of_a_changed_frontier(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    loose_ledger.append(staged("r0"))
    forged = Frontier().append(leaf_hash(b"never happened"))
    _replace(store, HEAD, encode_head(forged))
    with pytest.raises(LedgerError) as caught:
        loose_ledger.append(staged("r1"))
    assert str(caught.value) == (
        "The ledger's frontier isn't the one that was signed; nothing was written. (ledger/head) "
        "Run `sluice audit verify` to see what was changed."
    )
    assert store.get(leaf_key(1)) is None


def test_nothing_is_signed_under_another_key(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    loose_ledger.append(staged("r0"))
    for other in (Signer("grocery-hall", b"x" * 32), Signer("other-hall", b"\x07" * 32)):
        with pytest.raises(LedgerError, match="isn't signed by any trusted key"):
            Ledger(store, other).append(staged("r1"))
    assert loose_ledger.size == 1


def test_no_receipt_is_given_for_a_changed_leaf(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    """Otherwise whoever edits the log could have other staged files revealed."""
    loose_ledger.append(staged("r0"))
    leaf = store.get(leaf_key(0))
    assert leaf is not None
    _replace(store, leaf_key(0), leaf.value.replace(b'"rows":3', b'"rows":4'))
    with pytest.raises(LedgerError, match="The inclusion proof doesn't hold"):
        loose_ledger.append(staged("r0"))


def test_no_receipt_is_given_for_another_event(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    loose_ledger.append(staged("r0"))
    place = store.get(index_key("release.staged", "r0", "ab" * 32))
    assert place is not None
    _replace(store, index_key("release.staged", "r9", "ab" * 32), place.value)
    with pytest.raises(LedgerError, match="The ledger's index names another event"):
        loose_ledger.receipt_for("release.staged", "r9")


@pytest.mark.parametrize(
    ("row", "value", "message"),
    [
        (HEAD, b"{}", "frontier is malformed"),
        (HEAD, b"\xff", "frontier is malformed"),
        (HEAD, b'{"hashes":[],"size":1}', "frontier doesn't fit its size"),
        (leaf_key(0), None, "A row of the ledger is missing"),
        (checkpoint_key(1), None, "A row of the ledger is missing"),
        (checkpoint_key(1), b"\xff\n\n\xff\n", "malformed"),
        (index_key("release.staged", "r0", "ab" * 32), b"[]", "index is malformed"),
        (
            index_key("release.staged", "r0", "ab" * 32),
            encode_place(LeafPlace(7, ())),
            "A row of the ledger is missing",
        ),
    ],
)
def test_a_broken_row_stops_everything(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent, row: str, value: bytes | None, message: str
) -> None:
    loose_ledger.append(staged("r0"))
    _replace(store, row, value)
    before = [*store.scan("")]
    with pytest.raises(LedgerError, match=message):
        _append_all(loose_ledger, [staged("r0"), staged("r1")])
    assert [*store.scan("")] == before


def test_a_checkpoint_in_anothers_place_is_refused(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    _append_all(loose_ledger, [staged("r0"), staged("r1")])
    first = store.get(checkpoint_key(1))
    assert first is not None
    _replace(store, checkpoint_key(2), first.value)
    with pytest.raises(LedgerError, match="A stored checkpoint is of another size"):
        loose_ledger.append(staged("r2"))


def test_a_leaf_that_is_no_json_is_told(loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent) -> None:
    loose_ledger.append(staged("r0"))
    _replace(store, leaf_key(0), b"Zhang San")
    with pytest.raises(LedgerError) as caught:
        [*loose_ledger.entries()]
    assert str(caught.value) == (
        f"A row of the ledger is malformed. ({leaf_key(0)}) Run `sluice audit verify`."
    )
    with pytest.raises(LedgerError, match="isn't an event"):
        loose_ledger.event(0)


def test_a_row_changed_by_plain_sql_is_found(
    tmp_path: Path, signer: Signer, clock: Clock, key: VerifierKey, staged: MakeEvent
) -> None:
    path = tmp_path / "sql.sqlite"
    ledger = Ledger(SqliteStore(path), signer, clock)
    ledger.append(staged("r0"))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE entry SET value = replace(value, 'r0', 'r1') WHERE key LIKE 'ledger/leaf/%'"
        )
    connection.close()
    with pytest.raises(LedgerError):
        ledger.receipt_for("release.staged", "r0")
    with pytest.raises(LedgerError):
        verify(SqliteStore(path), key)


def test_what_was_told_of_a_kind_comes_in_the_logs_order(ledger: Ledger, staged: MakeEvent) -> None:
    for release in ("shop/2", "shop/10", "other/1", "shop/1", "shopping/1"):
        ledger.append(staged(release))
    told = ledger.told(EventKind.RELEASE_STAGED, "shop/")
    assert [each.recorded.event.subject for each in told] == ["shop/2", "shop/10", "shop/1"]
    assert [each.receipt.index for each in told] == [0, 1, 3]
    assert told[0].recorded.at < told[1].recorded.at
    assert ledger.told(EventKind.RELEASE_REVEALED, "shop/") == ()


def test_nothing_is_told_by_a_changed_leaf(
    loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent
) -> None:
    loose_ledger.append(staged("shop/1"))
    entry = store.get(leaf_key(0))
    assert entry is not None
    store.commit([Write(leaf_key(0), entry.value.replace(b"shop/1", b"shop/2"), entry.version)])
    with pytest.raises(LedgerError):
        loose_ledger.told(EventKind.RELEASE_STAGED, "shop/")


# --- a clock that was set back ---------------------------------------------------------------------------------------

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "back", [timedelta(milliseconds=3), timedelta(minutes=4), timedelta(days=2), timedelta(days=20_000)]
)
def test_no_entry_is_earlier_than_the_one_before(
    store: SqliteStore, signer: Signer, key: VerifierKey, staged: MakeEvent, back: timedelta
) -> None:
    """The attack: set the clock back, have anything recorded, and what had ended is in force again."""
    Ledger(store, signer, lambda: NOON).append(staged("r0"))
    late = Ledger(store, signer, lambda: NOON - back)
    for number in (1, 2):
        receipt = late.append(staged(f"r{number}"))
        assert late.recorded(receipt.index).at == late.newest() == NOON
    assert verify(store, key).size == 3
    Ledger(store, signer, lambda: NOON + timedelta(microseconds=1)).append(staged("r3"))
    assert late.newest() == NOON + timedelta(microseconds=1)


def test_the_newest_moment_of_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.newest() is None


def test_a_rival_with_a_later_clock_is_not_gone_behind(
    store: SqliteStore, signer: Signer, staged: MakeEvent
) -> None:
    """The other process records while this one has read its clock already."""
    rival = Ledger(store, signer, lambda: NOON + timedelta(seconds=1))
    told = iter(["rival"])

    def clock() -> datetime:
        for release in told:
            rival.append(staged(release))
        return NOON

    ledger = Ledger(store, signer, clock)
    assert ledger.append(staged("ours")).index == 1
    assert ledger.recorded(1).at == NOON + timedelta(seconds=1)


def test_a_newest_entry_that_was_dated_back_stops_everything(
    store: SqliteStore, signer: Signer, staged: MakeEvent
) -> None:
    """Its moment is believed for as much as it was signed for."""
    ledger = Ledger(store, signer, lambda: NOON)
    for number in range(2):
        ledger.append(staged(f"r{number}"))
    leaf = store.get(leaf_key(1))
    assert leaf is not None
    _replace(store, leaf_key(1), leaf.value.replace(b'"2026-06-01T', b'"2026-05-01T'))
    with pytest.raises(LedgerError, match="The inclusion proof doesn't hold"):
        ledger.newest()
    with pytest.raises(LedgerError, match="The inclusion proof doesn't hold"):
        ledger.append(staged("r2"))
    assert ledger.size == 2


def test_an_old_entry_in_the_newest_ones_place_stops_everything(
    store: SqliteStore, signer: Signer, staged: MakeEvent
) -> None:
    """It was signed for, but elsewhere."""
    Ledger(store, signer, lambda: NOON - timedelta(days=9)).append(staged("r0"))
    ledger = Ledger(store, signer, lambda: NOON)
    ledger.append(staged("r1"))
    first = store.get(leaf_key(0))
    assert first is not None
    _replace(store, leaf_key(1), first.value)
    for act in (ledger.newest, lambda: ledger.append(staged("r2"))):
        with pytest.raises(LedgerError, match="newest entry isn't the one that was signed for"):
            act()
