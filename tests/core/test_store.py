"""The behaviour that each `Store` has to show, and what only the SQLite one does.

Another engine joins by one line in BACKENDS.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ConflictError, InternalError, StateError
from core.store import SCHEMA_VERSION, Entry, SqliteStore, Store, Write

Open = Callable[[], Store]
Backend = Callable[[Path], Store]
BACKENDS: dict[str, Backend] = {"sqlite": lambda folder: SqliteStore(folder / "state.sqlite")}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture
def open_store(backend: Backend, tmp_path: Path) -> Open:
    """Opens the same store anew at each call, as another process would."""
    return lambda: backend(tmp_path)


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


def _put(store: Store, key: str, value: bytes) -> Entry:
    entry = store.get(key)
    store.commit([Write(key, value, entry.version if entry else 0)])
    written = store.get(key)
    assert written is not None
    return written


def _value(store: Store, key: str) -> bytes:
    entry = store.get(key)
    assert entry is not None
    return entry.value


def test_what_is_held_open_sees_what_others_write_and_leaves_nothing_behind(
    open_store: Open, store: Store, tmp_path: Path
) -> None:
    _put(store, "a", b"1")
    scan = store.scan("")
    assert next(scan).key == "a"  # unfinished: it keeps its own snapshot, the others don't
    with store.held(), store.held():
        assert store.get("a") is not None
        _put(open_store(), "a", b"2")
        assert _put(store, "a", _value(store, "a") + b"3").value == b"23"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(store.get, "a").result() == store.get("a")
    del scan
    assert _value(store, "a") == b"23"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["state.sqlite"]


def _own_and_theirs(store: Store, answers: multiprocessing.SimpleQueue[bytes]) -> None:
    with store.held():
        _put(store, "a", b"child")
        answers.put(_value(store, "a"))


def test_what_is_held_open_is_not_carried_over_a_fork(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.SimpleQueue[bytes] = context.SimpleQueue()
    with store.held():
        _put(store, "a", b"parent")
        child = context.Process(target=_own_and_theirs, args=(store, answers))
        child.start()
        child.join(30)
        assert (child.exitcode, answers.get()) == (0, b"child")
        assert _value(store, "a") == b"child"


def test_what_was_committed_is_there_for_everyone(open_store: Open) -> None:
    open_store().commit([Write("a", b"\x00\xff", 0), Write("b", b"", 0)])
    other = open_store()
    a, b = other.get("a"), other.get("b")
    assert a is not None
    assert b is not None
    assert (a.key, a.value, b.value) == ("a", b"\x00\xff", b"")
    assert a.version > 0
    assert other.get("c") is None


def test_a_write_needs_the_version_that_was_read(store: Store) -> None:
    first = _put(store, "a", b"1")
    second = _put(store, "a", b"2")
    assert second.version > first.version
    for stale in (0, first.version, second.version + 1):
        with pytest.raises(ConflictError) as caught:
            store.commit([Write("a", b"3", stale)])
        assert str(caught.value) == "Somebody else wrote first. (a) Read again and retry."
    assert store.get("a") == second


def test_one_stale_write_undoes_the_whole_commit(store: Store) -> None:
    kept = _put(store, "kept", b"1")
    with pytest.raises(ConflictError):
        store.commit([Write("new", b"x", 0), Write("kept", None, kept.version), Write("missing", b"y", 7)])
    assert [*store.scan("")] == [kept]


def test_deleting(store: Store) -> None:
    entry = _put(store, "a", b"1")
    store.commit([Write("a", None, entry.version)])
    assert store.get("a") is None
    with pytest.raises(ConflictError):
        store.commit([Write("a", None, entry.version)])


def test_a_version_never_comes_back(store: Store) -> None:
    """Who read the key before it was deleted and written anew must not win with the version from then."""
    before = _put(store, "a", b"1")
    store.commit([Write("a", None, before.version)])
    after = _put(store, "a", b"1")
    assert after.version > before.version
    with pytest.raises(ConflictError):
        store.commit([Write("a", b"2", before.version)])


def test_a_delete_of_nothing_asserts_that_there_is_nothing(store: Store) -> None:
    store.commit([Write("a", None, 0), Write("b", b"1", 0)])
    with pytest.raises(ConflictError):
        store.commit([Write("b", None, 0)])


def test_a_key_can_be_written_once_in_a_commit(store: Store) -> None:
    with pytest.raises(InternalError):
        store.commit([Write("a", b"1", 0), Write("a", b"2", 0)])
    assert store.get("a") is None


def test_an_empty_commit_does_nothing(store: Store) -> None:
    store.commit([])
    assert [*store.scan("")] == []


def test_scan_gives_a_prefix_in_order(store: Store) -> None:
    keys = ["a", "a/", "a/1", "a/10", "a/2", "a0", "b", "表/订单", "表/\U0001f600", "a/%", "a/_"]
    store.commit([Write(key, key.encode(), 0) for key in keys])
    assert [entry.key for entry in store.scan("a/")] == ["a/", "a/%", "a/1", "a/10", "a/2", "a/_"]
    assert [entry.key for entry in store.scan("a/", start="a/10")] == ["a/10", "a/2", "a/_"]
    assert [entry.key for entry in store.scan("a/", start="a")] == ["a/", "a/%", "a/1", "a/10", "a/2", "a/_"]
    assert [entry.key for entry in store.scan("a/", start="b")] == []
    assert [entry.key for entry in store.scan("")] == sorted(keys)
    assert [entry.value.decode() for entry in store.scan("表/")] == ["表/订单", "表/\U0001f600"]


def test_a_scan_is_one_snapshot(store: Store) -> None:
    store.commit([Write(f"a/{n}", b"old", 0) for n in range(3)])
    seen: list[tuple[str, bytes]] = []
    for entry in store.scan("a/"):
        if not seen:
            store.commit([Write("a/1", b"new", entry.version), Write("a/9", b"new", 0)])
        seen.append((entry.key, entry.value))
    assert seen == [("a/0", b"old"), ("a/1", b"old"), ("a/2", b"old")]
    assert len([*store.scan("a/")]) == 4


def test_an_unfinished_scan_holds_nobody_up(store: Store) -> None:
    store.commit([Write("a", b"1", 0), Write("b", b"1", 0)])
    scan = store.scan("")
    next(scan)
    store.commit([Write("c", b"1", 0)])
    scan.close()  # type: ignore[attr-defined]
    assert store.get("c") is not None


def _count_up(open_store: Open, times: int) -> None:
    store, done = open_store(), 0
    while done < times:
        entry = store.get("count")
        value = int(entry.value) if entry else 0
        try:
            store.commit([Write("count", str(value + 1).encode(), entry.version if entry else 0)])
            done += 1
        except ConflictError:
            continue


def test_no_update_is_lost_between_processes_that_all_open_it_first(open_store: Open) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_count_up, args=(open_store, 20)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    entry = open_store().get("count")
    assert entry is not None
    assert entry.value == b"80"


def test_no_update_is_lost_between_threads_that_share_it(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        [*pool.map(lambda _: _count_up(lambda: store, 20), range(4))]
    entry = store.get("count")
    assert entry is not None
    assert entry.value == b"80"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.dictionaries(
            st.sampled_from(["a", "a/b", "b", "键"]), st.none() | st.binary(max_size=8), max_size=4
        ),
        max_size=6,
    )
)
def test_it_behaves_as_a_dictionary(
    changes: list[dict[str, bytes | None]], backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = backend(tmp_path_factory.mktemp("store"))
    model: dict[str, bytes] = {}
    versions: set[tuple[str, int]] = set()
    for change in changes:
        read = {entry.key: entry.version for entry in store.scan("")}
        store.commit([Write(key, value, read.get(key, 0)) for key, value in change.items()])
        model = {key: value for key, value in {**model, **change}.items() if value is not None}
        found = [*store.scan("")]
        assert [(entry.key, entry.value) for entry in found] == sorted(model.items())
        fresh = {(entry.key, entry.version) for entry in found if entry.key in change}
        assert not fresh & versions
        versions |= fresh


# --- SQLite only -----------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a home" / "状态.sqlite"


def test_the_file_and_its_companions_are_private(path: Path) -> None:
    store = SqliteStore(path)
    store.commit([Write("a", b"1", 0), Write("b", b"1", 0)])
    scan = store.scan("")
    next(scan)  # an open connection keeps -wal and -shm there to be looked at
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["状态.sqlite", "状态.sqlite-shm", "状态.sqlite-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    scan.close()  # type: ignore[attr-defined]


def test_a_commit_is_synchronous(path: Path) -> None:
    with SqliteStore(path)._connection() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_newer_schema_is_refused(path: Path) -> None:
    SqliteStore(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (SCHEMA_VERSION + 1,))
    connection.close()
    with pytest.raises(StateError) as caught:
        SqliteStore(path)
    assert (
        caught.value.what
        == f"The store has schema {SCHEMA_VERSION + 1}; this Sluice knows up to {SCHEMA_VERSION}."
    )
    assert caught.value.remedy == "Run the newer Sluice that wrote it."


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StateError, match="isn't a store of Sluice"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_refused_without_its_content(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"Zhang San, 13800000000\n" * 100)
    with pytest.raises(StateError) as caught:
        SqliteStore(path)
    assert "SQLITE_NOTADB" in str(caught.value)
    assert "put back a copy" in str(caught.value)
    assert "Zhang" not in str(caught.value)


def test_a_missing_store_isnt_made_for_who_only_reads(path: Path) -> None:
    with pytest.raises(StateError, match="There is no store here"):
        SqliteStore(path, create=False)
    assert not path.exists()
    SqliteStore(path)
    assert SqliteStore(path, create=False).get("a") is None


def test_a_folder_that_cant_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="The store can't be made"):
        SqliteStore(tmp_path / "file" / "state.sqlite")


def test_a_writer_that_never_ends_is_told(path: Path) -> None:
    store = SqliteStore(path, busy_timeout_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="Another process has held it for long"):
        store.commit([Write("a", b"1", 0)])
    other.rollback()
    other.close()
    store.commit([Write("a", b"1", 0)])


def test_a_row_edited_as_text_is_read_as_bytes(path: Path) -> None:
    store = SqliteStore(path)
    store.commit([Write("a", b"1", 0)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entry SET value = 'x' || CAST(value AS TEXT)")
    connection.close()
    entry = store.get("a")
    assert entry is not None
    assert entry.value == b"x1"


def test_a_commit_that_fails_midway_leaves_nothing(path: Path) -> None:
    store = SqliteStore(path)
    with sqlite3.connect(path) as connection:  # the disk refuses the second row
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON entry WHEN NEW.key = 'b' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    connection.close()
    with pytest.raises(StateError, match="SQLITE_CONSTRAINT"):
        store.commit([Write("a", b"1", 0), Write("b", b"1", 0)])
    assert [*store.scan("")] == []
