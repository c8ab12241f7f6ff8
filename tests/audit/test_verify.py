"""The verifier against an honest ledger, and against each way to cheat that its obligations name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.events import Event, EventKind
from audit.ledger import (
    HEAD,
    Ledger,
    Place,
    checkpoint_key,
    decode_place,
    encode_head,
    encode_place,
    index_key,
    leaf_key,
)
from audit.lineage import from_openlineage, to_openlineage
from audit.merkle import Frontier, frontier_of, leaf_hash, root_of
from audit.note import Note, VerifierKey
from audit.verify import Verified, verify
from core.digest import canonical
from core.errors import LedgerError
from core.keys import Signer
from core.store import SqliteStore, Write

MakeEvent = Callable[..., Event]
SIZE = 7
DIGEST = "ab" * 32  # of the staged sets
OTHER_SIGNER = Signer("grocery-hall", b"x" * 32)


@pytest.fixture
def cheated(loose_ledger: Ledger, store: SqliteStore, staged: MakeEvent) -> SqliteStore:
    """The store of a ledger of SIZE entries, r0 to r6, for a test to cheat in."""
    for number in range(SIZE):
        loose_ledger.append(staged(f"r{number}"))
    return store


def _read(store: SqliteStore, key: str) -> bytes:
    entry = store.get(key)
    assert entry is not None
    return entry.value


def _put(store: SqliteStore, key: str, value: bytes | None) -> None:
    entry = store.get(key)
    store.commit([Write(key, value, entry.version if entry else 0)])


def _drop(store: SqliteStore, index: int) -> None:
    subject = json.loads(_read(store, leaf_key(index)))["run"]["facets"]["sluice"]["subject"]
    for key in (leaf_key(index), checkpoint_key(index + 1), index_key("release.staged", subject, DIGEST)):
        _put(store, key, None)


def _refused(store: SqliteStore, key: VerifierKey, obligation: int, index: int | None, *kept: str) -> str:
    with pytest.raises(LedgerError) as caught:
        verify(store, key, kept=kept)
    assert caught.value.facts == {"obligation": obligation, **({} if index is None else {"index": index})}
    assert f"obligation {obligation}" in caught.value.where
    return caught.value.what


def _rewrite(store: SqliteStore, signer: Signer, leaves: list[bytes]) -> None:
    """What a hall can do that holds its own key: the whole log anew, every row in agreement."""
    for entry in [*store.scan("ledger/")]:
        _put(store, entry.key, None)
    frontier = Frontier()
    for index, leaf in enumerate(leaves):
        facet = json.loads(leaf)["run"]["facets"]["sluice"]
        place = Place(index, frontier.hashes[::-1])
        frontier = frontier.append(leaf_hash(leaf))
        note = sign_checkpoint(Checkpoint(signer.name, frontier.size, frontier.root()), signer)
        _put(store, leaf_key(index), leaf)
        _put(store, checkpoint_key(frontier.size), note.encode())
        _put(
            store,
            index_key(facet["kind"], facet["subject"], facet["facts"].get("digest", "")),
            encode_place(place),
        )
    _put(store, HEAD, encode_head(frontier))


def _leaves(store: SqliteStore) -> list[bytes]:
    return [entry.value for entry in store.scan("ledger/leaf/")]


def test_an_honest_ledger_verifies(cheated: SqliteStore, key: VerifierKey) -> None:
    kept = [_read(cheated, checkpoint_key(size)).decode() for size in (1, 4, SIZE)]
    root = root_of(leaf_hash(leaf) for leaf in _leaves(cheated))
    assert verify(cheated, key, kept=kept) == Verified(SIZE, root, "grocery-hall", SIZE + 3)


def test_an_empty_ledger_verifies(store: SqliteStore, signer: Signer, key: VerifierKey) -> None:
    assert verify(store, key) == Verified(0, root_of([]), "grocery-hall", 0)
    kept = sign_checkpoint(Checkpoint(signer.name, 0, root_of([])), signer)
    assert verify(store, key, kept=[kept]).checkpoints == 1


def test_other_rows_of_the_store_are_none_of_its_business(cheated: SqliteStore, key: VerifierKey) -> None:
    _put(cheated, "catalog/manifest/orders", b"{}")
    assert verify(cheated, key).size == SIZE


# --- 1: the head -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [b"", b"[]", b"\xff", b"{}", b'{"hashes":[],"size":0} ', b'{"hashes":[],"size":7}', b"[" * 100_000],
)
def test_1_a_malformed_head(cheated: SqliteStore, key: VerifierKey, head: bytes) -> None:
    _put(cheated, HEAD, head)
    assert _refused(cheated, key, 1, None) == "The ledger doesn't verify: the head is malformed."


def test_1_no_head(cheated: SqliteStore, key: VerifierKey) -> None:
    _put(cheated, HEAD, None)
    assert _refused(cheated, key, 1, None).endswith("the head is missing, other rows are there.")


# --- 2: the rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 3, SIZE - 1])
def test_2_a_gap(cheated: SqliteStore, key: VerifierKey, index: int) -> None:
    checkpoint = _read(cheated, checkpoint_key(index + 1))
    _put(cheated, checkpoint_key(index + 1), None)
    assert _refused(cheated, key, 2, index).endswith("the checkpoint is missing.")
    _put(cheated, checkpoint_key(index + 1), checkpoint)
    _put(cheated, leaf_key(index), None)
    assert _refused(cheated, key, 2, index).endswith("the leaf is missing.")


def test_2_rows_that_the_head_doesnt_count(cheated: SqliteStore, key: VerifierKey) -> None:
    extra = [
        leaf_key(SIZE),
        checkpoint_key(SIZE + 1),
        checkpoint_key(0),
        index_key("release.staged", "r9", DIGEST),
    ]
    for row in extra:
        _put(cheated, row, b"x")
        assert f"{SIZE + 1} " in _refused(cheated, key, 2, SIZE)
        _put(cheated, row, None)
    _put(cheated, "ledger/note", b"x")
    assert _refused(cheated, key, 2, None).endswith("a row is stored that no ledger has.")


def test_2_last_rows_dropped_but_for_the_head(cheated: SqliteStore, key: VerifierKey) -> None:
    _drop(cheated, SIZE - 1)
    _refused(cheated, key, 2, SIZE - 1)


def test_2_an_older_head_put_back_over_the_rows(cheated: SqliteStore, key: VerifierKey) -> None:
    older = frontier_of(leaf_hash(leaf) for leaf in _leaves(cheated)[:4])
    _put(cheated, HEAD, encode_head(older))
    _refused(cheated, key, 2, 4)


# --- 3: the leaves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda leaf: leaf + b" ",
        lambda leaf: json.dumps(json.loads(leaf), ensure_ascii=False).encode(),  # spaces
        lambda leaf: json.dumps(json.loads(leaf), separators=(",", ":")).encode(),  # \u escapes
        lambda leaf: json.dumps(json.loads(leaf), separators=(",", ":"), ensure_ascii=False)[::-1].encode(),
        lambda leaf: leaf.replace(b'"rows":3', b'"rows":3.0'),
        lambda leaf: leaf.replace(b'"rows":3', b'"rows":3,"rows":3'),
        lambda leaf: leaf.replace(b'"rows":3', b'"rows":NaN'),
        lambda leaf: leaf.replace(b'"rows":3', b'"rows":1' + b"0" * 30),
        lambda leaf: leaf.replace(b'"rows":3', b'"rows":"\\ud800"'),
        lambda leaf: b"[" * 100_000,
        lambda leaf: b"\xff",
        lambda leaf: b"",
    ],
)
def test_3_a_leaf_that_isnt_canonical(
    cheated: SqliteStore, key: VerifierKey, signer: Signer, rewrite: Callable[[bytes], bytes]
) -> None:
    """Found even if the hall signs for it: two spellings of one event would be two leaves."""
    leaves = _leaves(cheated)
    _put(cheated, leaf_key(4), rewrite(leaves[4]))
    assert _refused(cheated, key, 3, 4).endswith("the leaf isn't in canonical form.")


def test_3_a_leaf_that_isnt_a_declared_event(cheated: SqliteStore, key: VerifierKey, signer: Signer) -> None:
    """A hall that writes row values into its log signs for them; the auditor finds it all the same."""
    leaves = _leaves(cheated)
    document = json.loads(leaves[4])
    document["run"]["facets"]["sluice"]["facts"]["customer"] = "Zhang San"
    leaves[4] = canonical(document)
    _rewrite(cheated, signer, leaves)
    what = _refused(cheated, key, 3, 4)
    assert what == "The ledger doesn't verify: the leaf isn't a declared event."


# --- 4: the tree and its checkpoints ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_of_any_row_is_found(
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
    cheated_rows: dict[str, bytes],
    key: VerifierKey,
) -> None:
    name = data.draw(st.sampled_from(sorted(cheated_rows)))
    value = cheated_rows[name]
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    store = SqliteStore(tmp_path_factory.mktemp("flip") / "state.sqlite")
    store.commit([Write(key_, bytes(changed) if key_ == name else v, 0) for key_, v in cheated_rows.items()])
    with pytest.raises(LedgerError, match="The ledger doesn't verify"):
        verify(store, key)


@pytest.fixture(scope="module")
def cheated_rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = SqliteStore(tmp_path_factory.mktemp("rows") / "state.sqlite")
    ledger = Ledger(store, Signer("grocery-hall", b"\x07" * 32))
    for number in range(3):
        ledger.append(
            Event(
                kind=EventKind.CATALOG_READ,
                run_id="0190a0b0-0000-7000-8000-000000000001",
                subject=f"look-{number}",
                facts={"releases": [], "tables": [], "rows": 0},
            )
        )
    return {entry.key: entry.value for entry in store.scan("ledger/")}


@pytest.fixture(scope="module")
def key() -> VerifierKey:
    return VerifierKey.of(Signer("grocery-hall", b"\x07" * 32))


def test_4_a_fact_of_a_leaf_changed(cheated: SqliteStore, key: VerifierKey) -> None:
    leaf = _read(cheated, leaf_key(3))
    _put(cheated, leaf_key(3), leaf.replace(b'"rows":3', b'"rows":4'))
    assert _refused(cheated, key, 4, 3).endswith(
        "the leaf, or one before it, isn't the one that was signed for."
    )


def test_4_two_leaves_swapped(cheated: SqliteStore, key: VerifierKey) -> None:
    first, second = _read(cheated, leaf_key(2)), _read(cheated, leaf_key(5))
    _put(cheated, leaf_key(2), second)
    _put(cheated, leaf_key(5), first)
    _refused(cheated, key, 4, 2)


def test_4_two_checkpoints_swapped(cheated: SqliteStore, key: VerifierKey) -> None:
    first, second = _read(cheated, checkpoint_key(2)), _read(cheated, checkpoint_key(5))
    _put(cheated, checkpoint_key(2), second)
    _put(cheated, checkpoint_key(5), first)
    _refused(cheated, key, 4, 1)


def test_4_signed_again_by_another_key(cheated: SqliteStore, key: VerifierKey) -> None:
    """Someone without the hall's key rewrites the log: nothing in it disagrees but the signatures."""
    leaves = _leaves(cheated)
    leaves[3] = leaves[3].replace(b'"rows":3', b'"rows":4')
    _rewrite(cheated, OTHER_SIGNER, leaves)
    what = _refused(cheated, key, 4, 0)
    assert what.endswith("a checkpoint doesn't hold: A note isn't signed by any trusted key.")
    assert verify(cheated, VerifierKey.of(OTHER_SIGNER)).size == SIZE  # nothing else is wrong with it


def test_4_only_the_last_checkpoint_signed_again(cheated: SqliteStore, key: VerifierKey) -> None:
    root = root_of(leaf_hash(leaf) for leaf in _leaves(cheated))
    note = sign_checkpoint(Checkpoint("grocery-hall", SIZE, root), OTHER_SIGNER)
    _put(cheated, checkpoint_key(SIZE), note.encode())
    _refused(cheated, key, 4, SIZE - 1)


def test_4_a_checkpoint_of_another_log(cheated: SqliteStore, key: VerifierKey, signer: Signer) -> None:
    root = root_of(leaf_hash(leaf) for leaf in _leaves(cheated))
    note = str(Note.sign(str(Checkpoint("other-hall", SIZE, root)), signer))
    _put(cheated, checkpoint_key(SIZE), note.encode())
    assert "names another log" in _refused(cheated, key, 4, SIZE - 1)


# --- 5 and 6: frontier and index -------------------------------------------------------------------------------------


def test_5_a_frontier_of_other_leaves(cheated: SqliteStore, key: VerifierKey) -> None:
    other = frontier_of([leaf_hash(b"x")] * SIZE)
    _put(cheated, HEAD, encode_head(other))
    assert _refused(cheated, key, 5, SIZE - 1).endswith("the head isn't the frontier of the leaves.")


@pytest.mark.parametrize("index", [0, 4])
def test_6_the_index(cheated: SqliteStore, key: VerifierKey, index: int) -> None:
    row = index_key("release.staged", f"r{index}", DIGEST)
    place = decode_place(_read(cheated, row))
    wrong = [
        encode_place(Place(index + 1, place.proof)),
        encode_place(Place(index, (*place.proof, bytes(32)))),
        encode_place(place) + b" ",
        _read(cheated, index_key("release.staged", f"r{index + 1}", DIGEST)),
        b"[]",
        b"[" * 100_000,
    ]
    for value in wrong:
        _put(cheated, row, value)
        assert _refused(cheated, key, 6, index).endswith("the index is wrong about the event.")
    _put(cheated, row, None)
    _put(cheated, index_key("release.staged", "r9", DIGEST), encode_place(place))
    assert _refused(cheated, key, 6, index).endswith("the index doesn't hold the event.")


def test_6_one_event_recorded_twice(
    cheated: SqliteStore, key: VerifierKey, signer: Signer, staged: MakeEvent
) -> None:
    """A hall that gives two receipts for one event can't keep both in its index."""
    again = canonical(to_openlineage(staged("r2"), datetime(2026, 11, 23, tzinfo=UTC), bytes(16)))
    _rewrite(cheated, signer, [*_leaves(cheated), again])
    assert _refused(cheated, key, 6, 2).endswith("the index is wrong about the event.")


# --- 7: what the auditor kept ----------------------------------------------------------------------------------------


def test_7_an_older_ledger_put_back_whole(cheated: SqliteStore, key: VerifierKey) -> None:
    """Everything in it agrees: only a checkpoint kept elsewhere tells."""
    kept = _read(cheated, checkpoint_key(SIZE)).decode()
    earlier = _read(cheated, checkpoint_key(4)).decode()
    for index in range(SIZE - 1, 3, -1):
        _drop(cheated, index)
    _put(cheated, HEAD, encode_head(frontier_of(leaf_hash(leaf) for leaf in _leaves(cheated))))
    assert verify(cheated, key, kept=[earlier]).size == 4
    assert _refused(cheated, key, 7, 4, earlier, kept).endswith("3 entries that were signed for are gone.")


def test_7_a_history_that_the_hall_rewrote(cheated: SqliteStore, key: VerifierKey, signer: Signer) -> None:
    kept = [_read(cheated, checkpoint_key(size)).decode() for size in (3, 4)]
    leaves = _leaves(cheated)
    leaves[3] = leaves[3].replace(b'"rows":3', b'"rows":4')
    _rewrite(cheated, signer, leaves)
    assert verify(cheated, key, kept=kept[:1]).size == SIZE  # the first three are the same
    what = _refused(cheated, key, 7, None, *kept)
    assert what.endswith("the first 4 entries aren't those of a checkpoint that was kept.")


def test_7_a_kept_checkpoint_that_another_signed(cheated: SqliteStore, key: VerifierKey) -> None:
    kept = sign_checkpoint(Checkpoint("grocery-hall", 0, root_of([])), OTHER_SIGNER)
    assert "isn't signed by any trusted key" in _refused(cheated, key, 7, None, kept)
    _refused(cheated, key, 7, None, "not a note")


def test_a_rolled_back_store_file_is_found(
    tmp_path: Path, loose_ledger: Ledger, store: SqliteStore, key: VerifierKey, staged: MakeEvent
) -> None:
    """The attack as it happens: a copy of the file is put back."""
    loose_ledger.append(staged("r0"))
    copy = (tmp_path / "state.sqlite").read_bytes()
    kept = loose_ledger.append(staged("r1")).checkpoint
    (tmp_path / "state.sqlite").write_bytes(copy)
    assert verify(store, key).size == 1
    assert _refused(store, key, 7, 1, kept).endswith("1 entries that were signed for are gone.")


# --- 8: time ---------------------------------------------------------------------------------------------------------


def _dated(leaf: bytes, by: timedelta) -> bytes:
    """The leaf, recorded by a clock that was off."""
    recorded = from_openlineage(json.loads(leaf))
    return canonical(to_openlineage(recorded.event, recorded.at + by, recorded.salt))


@pytest.mark.parametrize("index", [1, 4, SIZE - 1])
def test_8_an_entry_dated_back_by_the_hall_itself(
    cheated: SqliteStore, key: VerifierKey, signer: Signer, index: int
) -> None:
    """The attack: the hall's clock is set back, and an older Sluice, or another tool, records by it."""
    leaves = _leaves(cheated)
    leaves[index] = _dated(leaves[index], -timedelta(days=2))
    _rewrite(cheated, signer, leaves)
    what = _refused(cheated, key, 8, index)
    assert "the entry says 2026-11-20T08:00" in what
    assert "one before it 2026-11-22T08:00" in what


def test_8_small_steps_back_dont_add_up(cheated: SqliteStore, key: VerifierKey, signer: Signer) -> None:
    leaves = _leaves(cheated)
    _rewrite(cheated, signer, [_dated(leaf, -timedelta(minutes=2 * n)) for n, leaf in enumerate(leaves)])
    _refused(cheated, key, 8, 3)


def test_8_a_clock_that_was_corrected_breaks_no_ledger(
    cheated: SqliteStore, key: VerifierKey, signer: Signer
) -> None:
    """Ledgers are older than the rule, and this isn't what it's for. A clock that was ahead is later put right as well."""
    leaves = _leaves(cheated)
    leaves[3] = _dated(leaves[3], -timedelta(minutes=4))
    _rewrite(cheated, signer, leaves)
    assert verify(cheated, key).size == SIZE
