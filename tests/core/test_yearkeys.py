"""A provider's key of one year: its own, never shown, and gone for good once destroyed."""

from __future__ import annotations

import copy
import hmac
import multiprocessing
import pickle
from pathlib import Path

import pytest

from core.errors import IntegrityError, InternalError, StateError
from core.keys import KeyStore
from core.yearkeys import YearKey, destroy_year_key, make_year_key, year_key, year_keys


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def test_it_is_hmac_sha256() -> None:
    assert YearKey(b"K" * 32).digest(b"message") == hmac.digest(b"K" * 32, b"message", "sha256")


def test_each_provider_and_year_has_its_own_and_it_stays(keys: KeyStore, tmp_path: Path) -> None:
    assert year_key(keys, "a", 2026) is None
    digests = {make_year_key(keys, who, year).digest(b"x") for who in ("a", "b") for year in (2026, 2027)}
    assert len(digests) == 4
    again = year_key(KeyStore(tmp_path / "keys"), "a", 2026)
    assert again is not None
    assert again.digest(b"x") == make_year_key(keys, "a", 2026).digest(b"x")
    assert year_keys(keys) == (("a", 2026), ("a", 2027), ("b", 2026), ("b", 2027))


def test_a_destroyed_key_never_comes_back(keys: KeyStore) -> None:
    make_year_key(keys, "a", 2026)
    for _ in range(2):
        destroy_year_key(keys, "a", 2026)
        for ask in (make_year_key, year_key):
            with pytest.raises(StateError, match="The meter of 2026 has ended and its key is destroyed"):
                ask(keys, "a", 2026)
    assert year_keys(keys) == ()
    destroy_year_key(keys, "never", 2026)
    with pytest.raises(StateError):
        make_year_key(keys, "never", 2026)


def test_one_years_key_is_not_taken_for_anothers(keys: KeyStore, tmp_path: Path) -> None:
    make_year_key(keys, "a", 2026)
    make_year_key(keys, "a", 2027)
    this, other = sorted((tmp_path / "keys").glob("abroad-*.json"))
    other.write_bytes(this.read_bytes())
    with pytest.raises(IntegrityError, match="put in another's place"):
        year_key(keys, "a", 2027)
    assert year_keys(keys) == (("a", 2026),)


def test_it_is_never_shown_copied_or_pickled(keys: KeyStore) -> None:
    key = make_year_key(keys, "a", 2026)
    assert repr(key) == str(key) == "YearKey(...)"
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InternalError):
            leak(key)


def _make(folder: Path, ready: object, out: object) -> None:
    ready.wait()  # type: ignore[attr-defined]
    out.put(make_year_key(KeyStore(folder), "a", 2026).digest(b"x"))  # type: ignore[attr-defined]


def test_processes_that_all_come_first_agree(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, out = fork.Event(), fork.Queue()
    processes = [fork.Process(target=_make, args=(tmp_path / "keys", ready, out)) for _ in range(4)]
    for process in processes:
        process.start()
    ready.set()
    assert len({out.get(timeout=30) for _ in processes}) == 1
    for process in processes:
        process.join(30)
