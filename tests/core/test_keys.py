from __future__ import annotations

import copy
import hashlib
import hmac
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import IntegrityError, InternalError, StateError, UsageError
from core.files import remove_drafts
from core.keys import ContractKeys, KeyStore, Signer

RUN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a home" / "钥匙"


def _hkdf(root: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 by hand, with a salt of zeros."""
    prk = hmac.digest(b"\x00" * 32, root, "sha256")
    okm, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
    return okm[:length]


def _part(text: str) -> bytes:
    return len(text.encode()).to_bytes(4, "big") + text.encode()


def test_a_derived_key_is_hkdf_over_length_prefixed_parts() -> None:
    """Pinned: another coding of the info would change every pseudonym."""
    root = bytes(range(32))
    keys = ContractKeys("orders", root)
    info = b"".join(map(_part, ["sluice/1", "16", "pseudonym", "订单", "buyer_id"]))
    assert keys.derive("pseudonym", "订单", "buyer_id", length=16) == _hkdf(root, info, 16)
    assert len(keys.derive("x", length=8160)) == 8160


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3), min_size=2, max_size=2, unique_by=tuple)
)
def test_different_contexts_give_different_keys(contexts: list[list[str]]) -> None:
    keys = ContractKeys("orders", bytes(32))
    first, second = (keys.derive("p", *context) for context in contexts)
    assert first != second


def test_a_short_key_is_no_beginning_of_a_long_one() -> None:
    keys = ContractKeys("orders", bytes(32))
    assert keys.derive("p", length=32)[:16] != keys.derive("p", length=16)


@pytest.mark.parametrize(("purpose", "length"), [("", 32), ("p", 0), ("p", 8161)])
def test_a_key_without_purpose_or_length_is_refused(purpose: str, length: int) -> None:
    with pytest.raises(InternalError):
        ContractKeys("orders", bytes(32)).derive(purpose, length=length)


@pytest.mark.parametrize("secret", [ContractKeys("orders", b"K" * 32), Signer("hall", b"K" * 32)])
def test_a_key_is_never_shown_copied_or_pickled(secret: object) -> None:
    assert repr(secret) in ("ContractKeys('orders')", "Signer('hall')")
    assert "K" * 8 not in str(secret)
    assert not hasattr(secret, "__dict__")
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InternalError, match="can't be copied or pickled"):
            leak(secret)


def test_a_contracts_root_is_its_own_and_stays(folder: Path) -> None:
    store = KeyStore(folder)
    first = store.contract_keys("orders").derive("p")
    assert KeyStore(folder).contract_keys("orders").derive("p") == first
    assert store.contract_keys("orders/2").derive("p") != first
    assert KeyStore(folder.with_name("other")).contract_keys("orders").derive("p") != first


def test_files_and_folder_are_private_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        store = KeyStore(folder)
        store.contract_keys("订单 / orders")
        store.signer()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [*folder.iterdir()]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_no_root_lies_open_in_a_file(folder: Path) -> None:
    store = KeyStore(folder)
    root = store.contract_keys("orders")._root
    for file in folder.iterdir():
        assert root not in file.read_bytes()
        assert root.hex() not in file.read_text(errors="replace")


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o755])
def test_a_folder_open_to_others_is_refused(folder: Path, mode: int) -> None:
    KeyStore(folder)
    folder.chmod(mode)
    with pytest.raises(StateError) as caught:
        KeyStore(folder)
    assert str(caught.value) == (
        f"Others may read these keys (mode {mode:o}). ({folder}) "
        f"Run `chmod 700 {folder}`, and replace the keys if others could log in here."
    )


@pytest.mark.parametrize("name", ["wrapping.key", "contract-*.json", "hall.json"])
def test_a_file_open_to_others_is_refused(folder: Path, name: str) -> None:
    store = KeyStore(folder)
    store.contract_keys("orders")
    store.signer()
    (file,) = folder.glob(name)
    file.chmod(0o640)
    with pytest.raises(StateError, match="chmod 600"):
        _ = (store.contract_keys("orders"), store.signer())


def _contract_file(folder: Path, contract_id: str) -> Path:
    KeyStore(folder).contract_keys(contract_id)
    return folder / f"contract-{hashlib.sha256(contract_id.encode()).hexdigest()[:32]}.json"


def test_a_changed_key_file_is_refused(folder: Path) -> None:
    file = _contract_file(folder, "orders")
    document = json.loads(file.read_text())
    flipped = f"{int(document['sealed'][:2], 16) ^ 1:02x}{document['sealed'][2:]}"
    changes: list[object] = [
        {**document, "sealed": flipped},
        {**document, "name": "other"},
        {**document, "nonce": ""},
        {**document, "nonce": 3},
        {"name": "orders"},
        [],
    ]
    for changed in changes:
        file.write_text(json.dumps(changed))
        with pytest.raises(IntegrityError, match="A key file was changed, or sealed by another hall"):
            KeyStore(folder).contract_keys("orders")
    file.write_bytes(b"\xff")
    with pytest.raises(IntegrityError):
        KeyStore(folder).contract_keys("orders")


def test_a_key_file_doesnt_open_in_anothers_place(folder: Path) -> None:
    mine, theirs = _contract_file(folder, "mine"), _contract_file(folder, "theirs")
    mine.write_bytes(theirs.read_bytes())
    with pytest.raises(IntegrityError):
        KeyStore(folder).contract_keys("mine")


def test_a_contracts_root_never_signs_the_log(folder: Path) -> None:
    """Even under the same name: the seal knows what a key is for."""
    contract = _contract_file(folder, "hall-1")
    KeyStore(folder).signer("hall-1")
    (folder / "hall.json").write_bytes(contract.read_bytes())
    with pytest.raises(IntegrityError):
        KeyStore(folder).signer()


def test_a_lost_wrapping_key_isnt_replaced(folder: Path) -> None:
    _contract_file(folder, "orders")
    (folder / "wrapping.key").unlink()
    for contract_id in ("orders", "new"):
        with pytest.raises(IntegrityError, match="The wrapping key is gone") as caught:
            KeyStore(folder).contract_keys(contract_id)
        assert "backup" in caught.value.remedy
    assert not (folder / "wrapping.key").exists()


def test_a_wrong_wrapping_key_is_refused(folder: Path) -> None:
    _contract_file(folder, "orders")
    for content, message in ((os.urandom(32), "sealed by another hall"), (b"short", "damaged")):
        (folder / "wrapping.key").write_bytes(content)
        with pytest.raises(IntegrityError, match=message):
            KeyStore(folder).contract_keys("orders")


def test_a_crash_between_draft_and_link_leaves_a_usable_folder(folder: Path) -> None:
    KeyStore(folder)
    (folder / ".wrapping.key.0123456789abcdef").write_bytes(b"half")
    KeyStore(folder).contract_keys("orders")


def _destroy_until(folder: Path, act: str) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    store = KeyStore(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(act, die)
        store.destroy_run_key(RUN)


# Killed before each act that follows the rename; from the second on the bytes are overwritten.
@pytest.mark.parametrize(
    ("act", "overwritten"), [("pathlib.Path.open", False), ("os.fsync", True), ("pathlib.Path.unlink", True)]
)
def test_a_kill_halfway_through_a_destruction_leaves_no_key(
    folder: Path, act: str, overwritten: bool
) -> None:
    store = KeyStore(folder)
    before = store.make_run_key(RUN).reveal()
    sealed = (folder / f"run-{RUN}.json").read_bytes()
    killed = multiprocessing.get_context("fork").Process(target=_destroy_until, args=(folder, act))
    killed.start()
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    [left] = [path for path in folder.iterdir() if path.name != "wrapping.key"]
    assert (left.read_bytes() != sealed) == overwritten
    assert store.run_key(RUN) is None  # not an error that would stop the sweep before it comes to the draft
    assert store.runs_with_key() == ()
    fresh = store.make_run_key(RUN).reveal()
    assert fresh != before
    assert remove_drafts(folder) == 1
    assert {path.name for path in folder.iterdir()} == {"wrapping.key", f"run-{RUN}.json"}
    kept = store.run_key(RUN)
    assert kept is not None
    assert kept.reveal() == fresh


def _first_key(folder: Path, ready: object, out: object) -> None:
    ready.wait()  # type: ignore[attr-defined]
    store = KeyStore(folder)
    out.put((store.contract_keys("orders").derive("p"), store.signer().public_key))  # type: ignore[attr-defined]


def test_processes_that_all_come_first_agree_on_the_keys(folder: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, out = fork.Event(), fork.Queue()
    processes = [fork.Process(target=_first_key, args=(folder, ready, out)) for _ in range(6)]
    for process in processes:
        process.start()
    ready.set()
    keys = {out.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(30)
    assert len(keys) == 1
    assert len([*folder.iterdir()]) == 3  # no draft is left


def test_the_signer_keeps_its_key_and_name(folder: Path) -> None:
    signer = KeyStore(folder).signer()
    assert signer.name.startswith("sluice-hall-")
    again = KeyStore(folder).signer()
    assert (again.name, again.public_key) == (signer.name, signer.public_key)
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(again.sign(b"text"), b"text")
    with pytest.raises(UsageError) as caught:
        KeyStore(folder).signer("another")
    assert caught.value.what == f"This hall signs its log as {signer.name}, not as another."


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\n", "订单", "x" * 129])
def test_a_name_that_no_note_can_carry_is_refused_before_a_key_is_made(folder: Path, name: str) -> None:
    store = KeyStore(folder)
    with pytest.raises(UsageError, match="can't be a log's name"):
        store.signer(name)
    assert store.signer("logs.example/hall-1").name == "logs.example/hall-1"


def test_a_folder_that_cant_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="The keys can't be read or written"):
        KeyStore(tmp_path / "file" / "keys")


def test_a_key_that_cant_be_written_is_told(folder: Path) -> None:
    store = KeyStore(folder)
    folder.rmdir()
    with pytest.raises(StateError, match="The keys can't be read or written: No such file or directory"):
        store.signer()


def test_a_contracts_root_is_destroyed_in_its_copies_too(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    first = keys.contract_keys("orders")
    other = keys.contract_keys("other").fingerprint
    shutil.copytree(tmp_path / "keys", tmp_path / "copy")
    assert keys.destroy_contract_key("orders", backups=[tmp_path / "copy", tmp_path / "nowhere"]) == 2
    assert keys.contract_key_there("orders") is None
    assert KeyStore(tmp_path / "copy").contract_key_there("orders") is None
    assert keys.destroy_contract_key("orders", backups=[tmp_path / "copy"]) == 0
    assert keys.contract_keys("other").fingerprint == other
    assert keys.contract_keys("orders").fingerprint != first.fingerprint  # made anew, it's another


def test_a_fingerprint_names_a_root_and_nothing_derived_from_it(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys").contract_keys("orders")
    assert keys.fingerprint == KeyStore(tmp_path / "keys").contract_keys("orders").fingerprint
    assert keys.fingerprint != keys.derive("pseudonym", "orders", "buyer_id").hex()
