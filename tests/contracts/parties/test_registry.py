"""Attacks on the registry's folder: what was signed, when, by whom, and in which order."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from securesystemslib.signer import Signature
from tuf.api.metadata import Delegations, Metadata, MetaFile, Role, Root, TargetFile, Targets, Timestamp

from contracts.parties import proposal as proposals
from contracts.parties import registry as reading
from contracts.parties.holders import HOLDER, tuf_key
from contracts.parties.memory import KEY, load_remembering
from contracts.parties.model import Parties, Revocation
from contracts.parties.publish import _freshened, publish, read_lapsed, renew
from contracts.parties.record import write_parties
from contracts.parties.registry import Known, Registry, load_registry
from core.algorithms import ED25519, PublicKey
from core.digest import sha256_hex
from core.errors import ContractError, IntegrityError, InternalError, StateError, UsageError
from core.partykeys import Reason
from core.store import SqliteStore, Write

from .house import (
    AUDITOR,
    CONTRACT_KEY,
    DAY,
    FIRM,
    HALL,
    MIXED,
    NOON,
    PLATFORM,
    RECORDS,
    SHELL,
    House,
    Key,
    changed,
)

FIRM_KEY = Key(61).of(FIRM)


@pytest.fixture(autouse=True)
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of contracts lift the cap."""
    monkeypatch.setattr(reading, "LONGEST_FRESH", timedelta(days=8))


def refused(house: House, match: str, **options: Any) -> IntegrityError:
    with pytest.raises(IntegrityError, match=match) as caught:
        house.load(**options)
    return caught.value


def revoked(records: Any = RECORDS) -> Any:
    """The records in which the platform's contract key is revoked: what an attacker would like to hide."""
    key = replace(CONTRACT_KEY, revoked=Revocation(at=NOON, reason=Reason.COMPROMISE))
    return changed(records, PLATFORM, keys=(key,))


def test_what_the_holders_signed_is_read(house: House) -> None:
    house.publish()
    registry = house.load()
    assert registry.parties == RECORDS
    assert (registry.version, registry.root_version) == (1, 1)
    assert registry.digest == sha256_hex(write_parties(RECORDS))
    assert registry.expires == NOON + 7 * DAY
    assert registry.parties.key(CONTRACT_KEY.key_id) == CONTRACT_KEY


def test_a_registry_is_built_by_reading_alone(house: House) -> None:
    house.publish()
    registry = house.load()
    with pytest.raises(InternalError, match="can only be built"):
        replace(registry, parties=RECORDS)
    with pytest.raises(InternalError, match="can only be built"):
        Registry(parties=RECORDS, version=1, digest="", root_version=1, expires=NOON, known=registry.known)


def test_a_copied_folder_is_as_good(house: House, tmp_path: Path) -> None:
    house.publish()
    copy = tmp_path / "copy"
    shutil.copytree(house.folder, copy)
    shutil.rmtree(house.folder)
    assert house.load(folder=copy).parties == RECORDS
    names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())
    digest = sha256_hex(write_parties(RECORDS))
    assert names == [
        ".lock",
        "metadata/1.root.json",
        "metadata/1.snapshot.json",
        "metadata/1.targets.json",
        "metadata/timestamp.json",
        f"targets/{digest}.parties.json",
    ]


# Time


@pytest.mark.parametrize("days", [7, 8, 400, 4000])
def test_a_registry_that_is_kept_back_expires(house: House, days: int) -> None:
    house.publish()
    house.load(now=NOON + 7 * DAY - timedelta(seconds=1))
    refused(house, "has expired", now=NOON + days * DAY)


def test_the_moment_that_is_passed_in_counts_not_the_machines(house: House) -> None:
    """Ten years ahead of any clock, and long before it."""
    for now in (datetime(2036, 1, 1, tzinfo=UTC), datetime(2016, 1, 1, tzinfo=UTC)):
        one = House(house.folder / str(now.year), now=now)
        one.publish()
        one.load()
        refused(one, "has expired", now=now + 8 * DAY)
    with pytest.raises(UsageError, match="time zone"):
        one.load(now=NOON.replace(tzinfo=None))


def test_a_fresh_timestamp_doesnt_outlive_what_the_holders_signed(house: House) -> None:
    """The hall alone can't keep the records in force past their 90 days, nor the root past its 365."""
    house.publish()
    for day in range(0, 84, 6):
        house.now = NOON + day * DAY
        house.renew()
        house.load()
    house.now = NOON + 90 * DAY
    with pytest.raises(IntegrityError, match="has expired"):
        house.renew()
    house.publish()
    house.load()


def test_an_expired_root_is_refused(house: House) -> None:
    house.publish()
    house.forge("1.root.json", lambda root: setattr(root, "expires", NOON), *house.holders.values())
    house.trusted_root = (house.folder / "metadata/1.root.json").read_bytes()
    refused(house, "has expired")


def test_the_hall_alone_cant_say_that_it_is_the_newest_for_longer_than_a_week(house: House) -> None:
    """The attack: one timestamp for a hundred years, and a revocation can be kept back until the records expire."""
    house.publish()
    assert house.current is not None
    for name, data in lasting(house, days=36_500).items():
        (house.folder / name).write_bytes(data)
    for days in (0, 8, 60, 80):
        error = refused(house, "it's said to be the newest for longer than 8 days", now=NOON + days * DAY)
    assert error.where == "metadata/timestamp.json"
    assert "clock" in error.remedy
    house.current = house.lapsed()  # it's mended by the next word that is as short as it must be
    house.renew()
    house.load()


@pytest.mark.parametrize(("timestamp", "snapshot"), [(9, 7), (7, 9)])
def test_neither_timestamp_nor_snapshot_lasts_longer(house: House, timestamp: int, snapshot: int) -> None:
    house.publish()
    for name, data in lasting(house, days=timestamp, snapshot=snapshot).items():
        (house.folder / name).write_bytes(data)
    error = refused(house, "longer than 8 days")
    assert error.where == f"metadata/{'timestamp' if timestamp == 9 else '2.snapshot'}.json"
    house.load(now=NOON + DAY)


def test_a_clock_a_day_behind_the_halls_reads_it(house: House) -> None:
    house.publish()
    house.load(now=NOON - DAY)
    refused(house, "longer than 8 days", now=NOON - DAY - timedelta(seconds=1))


def test_the_hall_cant_publish_what_no_reader_takes(house: House) -> None:
    house.publish()
    assert house.current is not None
    before = (house.folder / "metadata/timestamp.json").read_bytes()
    with pytest.raises(IntegrityError, match="longer than 8 days"):
        renew(house.folder, house.current, online=house.online, now=NOON, fresh_days=9)
    assert (house.folder / "metadata/timestamp.json").read_bytes() == before


def lasting(house: House, *, days: int, snapshot: int | None = None) -> dict[str, bytes]:
    """A timestamp and a snapshot over the records at hand, signed by the hall, for so many days."""
    assert house.current is not None
    targets = (house.folder / f"metadata/{house.current.targets.version}.targets.json").read_bytes()
    version = house.current.targets.version
    files = dict(_freshened(targets, version, house.online, NOON, house.current, snapshot or days))
    named = Metadata[Timestamp].from_bytes(files["metadata/timestamp.json"])
    named.signed.expires = NOON + days * DAY
    files["metadata/timestamp.json"] = house.write("timestamp.json", named, house.online)
    return files


def test_the_cap_is_as_it_is_shipped() -> None:
    """Tests of contracts lift it, and not for this one: it's asked in a process of its own."""
    code = "from contracts.parties import publish, registry as r; print(r.LONGEST_FRESH.days, publish.FRESH_DAYS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "7"]


# Rollback


def test_an_older_registry_is_refused_once_a_newer_was_seen(house: House, tmp_path: Path) -> None:
    house.publish()
    old = tmp_path / "old"
    shutil.copytree(house.folder, old)
    house.publish(records=revoked())
    newer = house.load()
    assert newer.version == 2
    assert house.load(known=newer.known).known == newer.known
    house.load(folder=old)  # who never saw the newer one can't know, until it expires
    refused(house, "older than what is known", folder=old, known=newer.known)


def test_the_hall_cant_bring_old_records_back(house: House) -> None:
    """Its own keys are enough for a newer timestamp and snapshot; those name the records that were signed before."""
    first = house.publish()
    old = (house.folder / "metadata/1.targets.json").read_bytes()
    house.publish(records=revoked())
    known = house.load().known
    files = _freshened(old, 1, house.online, NOON, house.current, 7)
    for name, data in files.items():
        (house.folder / name).write_bytes(data)
    refused(house, "older than what is known", known=known)
    assert first.targets.version == 1


def test_a_snapshot_that_forgets_the_records_is_refused(house: House) -> None:
    house.publish()
    known = house.load().known

    def forget(snapshot: Any) -> None:
        snapshot.version += 1
        del snapshot.meta["targets.json"]

    snapshot = house.forge("1.snapshot.json", forget, house.online)
    (house.folder / "metadata/2.snapshot.json").write_bytes(snapshot)

    def name_it(timestamp: Any) -> None:
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile.from_data(2, snapshot, ["sha256"])

    house.forge("timestamp.json", name_it, house.online)
    refused(house, "names no records")
    refused(house, "refused", known=known)


def test_an_older_root_is_refused(house: House) -> None:
    house.publish()
    new_root = house.signed(house.proposal(renew_root=True))
    house.publish(new_root)
    known = house.load().known
    assert known.root_version == 2
    (house.folder / "metadata/2.root.json").unlink()
    refused(house, "version 2 was seen before", known=known)


def test_two_roots_of_one_version_are_a_fork(house: House) -> None:
    """Each is signed by enough holders; only who saw the first can tell."""
    house.publish()
    house.publish(house.signed(house.proposal(renew_root=True)))
    known = house.load().known
    house.forge("2.root.json", lambda root: setattr(root, "expires", NOON + DAY), *house.holders.values())
    house.load()
    refused(house, "isn't the one that was seen before", known=known)


def test_two_timestamps_of_one_version_leave_the_first_standing(house: House) -> None:
    house.publish()
    known = house.load().known
    house.forge("timestamp.json", lambda one: setattr(one, "expires", NOON + 8 * DAY), house.online)
    assert house.load().expires == NOON + 7 * DAY  # the snapshot's
    assert house.load(known=known).known == known


def test_numbers_run_up_by_a_stolen_online_key_can_be_mended(house: House) -> None:
    """Versions near the end of all numbers would block every later one; a root with another online key forgets them."""
    house.publish()

    def far(timestamp: Any) -> None:
        timestamp.version = 10**15

    house.forge("timestamp.json", far, house.online)
    known = house.load().known
    house.online, house.current = Key(10), house.lapsed()
    proposal = house.signed(house.proposal(holders=house.whom()))
    assert house.current is not None
    current = replace(house.current, timestamp=replace_version(house.current.timestamp, 0))
    house.current = publish(house.folder, proposal, online=house.online, now=NOON, current=current)
    assert house.current.timestamp.version == 1
    assert house.load(known=known).version == 2


def replace_version(signed: Any, version: int) -> Any:
    signed.version = version
    return signed


# Who signed


@pytest.mark.parametrize("name", ["1.targets.json", "1.root.json"])
@pytest.mark.parametrize("signers", [(1,), (9,), (1, 9), (7, 8), ()])
def test_too_few_signatures_of_the_holders_are_refused(
    house: House, name: str, signers: tuple[int, ...]
) -> None:
    """One holder, the hall, one holder with the hall, two strangers, nobody."""
    house.publish()
    data = house.forge(name, lambda _: None, *map(Key, signers))
    if name == "1.root.json":
        house.trusted_root = data
    else:
        for file, content in _freshened(data, 1, house.online, NOON, house.current, 7).items():
            (house.folder / file).write_bytes(content)
    refused(house, "too few of the holders")


def test_one_signature_under_two_ids_is_one(house: House) -> None:
    house.publish()
    path = house.folder / "metadata/1.targets.json"
    document = json.loads(path.read_bytes())
    [first, second] = document["signatures"]
    document["signatures"] = [first, {**second, "sig": first["sig"]}]
    path.write_text(json.dumps(document))
    for file, content in _freshened(path.read_bytes(), 1, house.online, NOON, house.current, 7).items():
        (house.folder / file).write_bytes(content)
    refused(house, "too few of the holders")
    document["signatures"] = [first, first]
    path.write_text(json.dumps(document))
    for file, content in _freshened(path.read_bytes(), 1, house.online, NOON, house.current, 7).items():
        (house.folder / file).write_bytes(content)
    refused(house, "isn't TUF metadata")


def hall_root(**changed_fields: Any) -> Any:
    """A root that the hall made: what a registry of its own would look like."""

    def change(root: Root) -> None:
        for role in ("root", "targets"):
            root.roles[role] = Role(
                changed_fields.get("ids", [Key(n).public.key_id for n in (1, 2)]),
                changed_fields.get("threshold", 2),
            )
        root.keys.update({key.keyid: key for key in changed_fields.get("keys", [])})

    return change


def named(number: int, holder: str, key_id: str | None = None) -> Any:
    key = tuf_key(Key(number).public, holder)
    key.keyid = key_id or key.keyid
    return key


H1, H2 = Key(41).public.key_id, Key(42).public.key_id
ROOTS: dict[str, tuple[dict[str, Any], str]] = {
    "threshold 1": ({"threshold": 1}, "1 signature is enough"),
    "the hall's one key": ({"keys": [named(41, HALL)], "ids": [H1], "threshold": 1}, "1 signature is enough"),
    "the hall's two keys": (
        {"keys": [named(41, HALL), named(42, HALL)], "ids": [H1, H2]},
        f"{HALL} holds two keys",
    ),
    "the hall and its shell": (
        {"keys": [named(41, HALL), named(42, SHELL)], "ids": [H1, H2]},
        "belong to the same owner",
    ),
    "one party twice": (
        {"keys": [named(41, FIRM), named(42, FIRM)], "ids": [H1, H2]},
        f"{FIRM} holds two keys",
    ),
    "a holder whom nobody knows": (
        {"keys": [named(41, FIRM), named(42, "urn:uscc:92440000100000006R")], "ids": [H1, H2]},
        "isn't registered",
    ),
    "a key that signs contracts": (
        {"keys": [named(41, FIRM), named(60, PLATFORM)], "ids": [H1, Key(60).public.key_id]},
        "signs contracts with its key of the registry",
    ),
    "the hall's online key": (
        {"keys": [named(41, FIRM), named(9, HALL)], "ids": [H1, Key(9).public.key_id]},
        "lies online",
    ),
    "fewer keys than needed": ({"keys": [named(41, FIRM)], "ids": [H1]}, "too few of the holders"),
    "a key that isn't there": ({"ids": ["ab" * 32, "cd" * 32]}, "too few of the holders"),
}


def own_registry(house: House, change: Any) -> None:
    """A registry that starts from this root, signed by every key that could be asked for."""
    house.publish()
    everyone = [Key(n) for n in (1, 2, 3, 9, 41, 42, 60)]
    house.trusted_root = house.forge("1.root.json", change, *everyone)
    targets = house.forge("1.targets.json", lambda _: None, *everyone)
    for file, content in _freshened(targets, 1, house.online, NOON, None, 7).items():
        (house.folder / file).write_bytes(content)


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_that_one_could_sign_alone_is_refused(house: House, name: str) -> None:
    """Though it's signed as it asks for, and the reader was made to trust it."""
    fields, match = ROOTS[name]
    own_registry(house, hall_root(**fields))
    with pytest.raises(IntegrityError, match=match) as caught:
        house.load()
    assert "can't be trusted" in caught.value.what or "too few" in caught.value.what


def test_one_key_under_two_ids_is_one_holder(house: House) -> None:
    """TUF compares ids alone: under two of them, one key reaches a threshold of 2 by itself."""
    alias = "ab" * 32
    own_registry(house, hall_root(keys=[named(41, FIRM), named(41, PLATFORM, alias)], ids=[H1, alias]))
    metadata: Metadata[Root] = Metadata.from_bytes(house.trusted_root)
    signature = metadata.signatures[H1]
    metadata.signatures = {key_id: Signature(key_id, signature.signature) for key_id in (H1, alias)}
    metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)  # it does
    house.trusted_root = metadata.to_bytes()
    refused(house, "an id that isn't its own")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (HOLDER, None),
        (HOLDER, 5),
        (HOLDER, "the hall"),
        (HOLDER, FIRM.lower()),
        ("public", "01" + "00" * 31),  # everybody's signature
        ("public", "zz"),
        ("keytype", "sm2"),
    ],
)
def test_a_key_that_is_unsound_or_nobodys_is_refused(house: House, field: str, value: Any) -> None:
    def change(root: Any) -> None:
        key = root.keys[Key(1).public.key_id]
        if field == "public":
            key.keyval["public"] = value
        elif field == HOLDER:
            key.unrecognized_fields[HOLDER] = value
        else:
            key.keytype = value

    own_registry(house, change)
    refused(house, "is unsound|isn't TUF metadata")


def test_a_mixed_key_holds_nothing(house: House) -> None:
    """Whose signatures are good for one reader and bad for another; the two others have signed."""
    mixed = PublicKey(ED25519, bytes.fromhex(MIXED))
    keys = [named(41, FIRM), named(42, AUDITOR), tuf_key(mixed, PLATFORM)]
    own_registry(house, hall_root(keys=keys, ids=[H1, H2, mixed.key_id]))
    refused(house, "a key is unsound")


def test_files_that_arent_named_by_version_are_refused(house: House) -> None:
    own_registry(house, lambda root: setattr(root, "consistent_snapshot", False))
    refused(house, "aren't named by version")


def test_a_bad_root_on_the_way_to_a_good_one_is_refused(house: House) -> None:
    """Two holders hand the registry to the hall for a day; what it signs then could look sound."""
    house.publish()
    metadata: Metadata[Root] = Metadata.from_bytes(house.trusted_root)
    good = [Key(1), Key(2)]
    hall_root(keys=[named(41, HALL), named(42, HALL)], ids=[H1, H2])(metadata.signed)
    metadata.signed.version = 2
    house.write("2.root.json", metadata, *good, Key(41), Key(42))
    metadata = Metadata.from_bytes(house.trusted_root)
    metadata.signed.version = 3
    house.write("3.root.json", metadata, *good, Key(41), Key(42))
    refused(house, "holds two keys")


def test_a_root_that_the_old_holders_didnt_sign_is_refused(house: House) -> None:
    house.publish()
    metadata: Metadata[Root] = Metadata.from_bytes(house.trusted_root)
    metadata.signed.version = 2
    hall_root(keys=[named(41, FIRM), named(42, AUDITOR)], ids=[H1, H2])(metadata.signed)
    for signers in ((Key(41), Key(42)), (Key(41), Key(42), Key(1)), (Key(1), Key(2))):
        house.write("2.root.json", metadata, *signers)
        refused(house, "too few of the holders")
    house.write("2.root.json", metadata, Key(41), Key(42), Key(1), Key(2))
    refused(house, "too few of the holders|vouch")  # the records still are the old holders'


# What is in the folder


def test_swapped_records_are_refused(house: House) -> None:
    house.publish()
    [file] = (house.folder / "targets").iterdir()
    file.write_bytes(file.read_bytes().replace(b"SME", b"SMF"))
    refused(house, "aren't those that are vouched for")
    file.write_bytes(file.read_bytes()[:-1])
    refused(house, "aren't those that are vouched for")
    file.unlink()
    refused(house, "the file is missing")


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_a_file_of_another_registry_is_refused(house: House, tmp_path: Path, name: str) -> None:
    """Signed by the same holders, at another time."""
    house.publish()
    other = House(tmp_path / "other", now=NOON + DAY)
    other.publish()
    shutil.copy(other.folder / "metadata" / name, house.folder / "metadata" / name)
    refused(house, "aren't those that are vouched for")


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"signed": {"_type": "root"}, "signatures": []}',
        b"0" * 600_000,
    ],
)
def test_rubbish_is_refused_and_never_a_traceback(house: House, name: str, content: bytes) -> None:
    house.publish()
    (house.folder / "metadata" / name).write_bytes(content)
    refused(house, "The party registry is refused")


def test_a_file_too_large_for_any_registry_is_refused(house: House) -> None:
    """Spaces after the JSON, which no signature covers: nobody reads on to their end."""
    house.publish()
    with (house.folder / "metadata/timestamp.json").open("ab") as file:
        file.write(b" " * (512 << 10))
    refused(house, "the file has more than 524288 bytes")


def test_a_missing_file_is_told(house: House) -> None:
    house.publish()
    for name in ("1.targets.json", "1.snapshot.json", "timestamp.json"):
        (house.folder / "metadata" / name).unlink()
        assert refused(house, "the file is missing").where == f"metadata/{name}"


def test_a_trusted_root_that_isnt_one_is_refused(house: House) -> None:
    house.publish()
    for data in (b"", b"{}", (house.folder / "metadata/timestamp.json").read_bytes()):
        with pytest.raises(IntegrityError):
            load_registry(house.folder, trusted_root=data, now=NOON)


def targets_that(house: House, change: Any) -> None:
    house.publish()
    data = house.forge("1.targets.json", change, Key(1), Key(2))
    for file, content in _freshened(data, 1, house.online, NOON, None, 7).items():
        (house.folder / file).write_bytes(content)


def test_records_of_a_delegate_are_refused(house: House) -> None:
    """Though two holders signed the delegation: from then on one key would vouch for every party's keys."""

    def delegate(targets: Targets) -> None:
        targets.delegations = Delegations({}, {})

    targets_that(house, delegate)
    refused(house, "delegate nothing")


@pytest.mark.parametrize("hashes", [{"sha512": "0" * 128}, {"sha256": "../../x"}, {"sha256": ""}])
def test_records_vouched_for_otherwise_are_refused(house: House, hashes: dict[str, str]) -> None:
    def change(targets: Targets) -> None:
        targets.targets["parties.json"] = TargetFile(length=5, hashes=hashes, path="parties.json")

    targets_that(house, change)
    refused(house, "The party registry is refused")


def test_records_that_were_signed_and_cant_be_read_are_refused(house: House) -> None:
    data = write_parties(RECORDS).replace(b'"SME"', b'"VIP"')

    def change(targets: Targets) -> None:
        targets.targets["parties.json"] = TargetFile(len(data), {"sha256": sha256_hex(data)}, "parties.json")

    targets_that(house, change)
    (house.folder / f"targets/{sha256_hex(data)}.parties.json").write_bytes(data)
    with pytest.raises(ContractError, match="must be one of SME"):
        house.load()


def test_a_folder_that_cant_be_read_is_told(house: House) -> None:
    house.publish()
    file = house.folder / "metadata/timestamp.json"
    file.unlink()
    file.mkdir()
    with pytest.raises(StateError, match="can't be read"):
        house.load()


# Memory


def test_a_home_remembers_what_it_saw(house: House, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    house.publish()
    old = tmp_path / "old"
    shutil.copytree(house.folder, old)

    def load(folder: Path) -> Registry:
        return load_remembering(folder, trusted_root=house.trusted_root, now=NOON, store=store)

    load(house.folder)
    house.publish(records=revoked())
    assert load(house.folder).version == load(house.folder).version == 2
    with pytest.raises(IntegrityError, match="older than what is known"):
        load(old)
    assert load(house.folder).version == 2


def test_a_refused_registry_isnt_remembered(house: House, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    house.publish()
    with pytest.raises(IntegrityError):
        load_remembering(house.folder, trusted_root=house.trusted_root, now=NOON + 8 * DAY, store=store)
    assert store.get(KEY) is None


def test_a_memory_comes_back_as_it_was_or_is_refused(house: House, tmp_path: Path) -> None:
    house.publish()
    known = house.load().known
    data = known.to_bytes()
    assert Known.parse(data) == known
    store = SqliteStore(tmp_path / "store.db")
    for damaged in (
        b"",
        b"{}",
        b"[]",
        data[:-1],
        data + b" ",
        data.replace(b'"rootVersion":1', b'"rootVersion":"1"'),
    ):
        with pytest.raises(StateError, match="is damaged"):
            Known.parse(damaged)
    store.commit([Write(KEY, b"{}", expected=0)])
    with pytest.raises(StateError):
        load_remembering(house.folder, trusted_root=house.trusted_root, now=NOON, store=store)


def taken_back(house: House, records: Any) -> None:
    """Two holders sign records that no proposal would hold, and the hall publishes them."""
    with (
        mock.patch.multiple(proposals, check_follows=lambda *_: None),
        mock.patch.multiple(reading, check_follows=lambda *_: None),
    ):
        house.publish(house.signed(house.proposal(records)))


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (lambda: RECORDS, "a revocation is undone"),
        (lambda: changed(RECORDS, PLATFORM, keys=()), "a key is gone"),
        (lambda: Parties(tuple(one for one in revoked().records if one.party != SHELL)), "the party is gone"),
        (
            lambda: changed(
                revoked(), FIRM, keys=(replace(FIRM_KEY, valid_until=FIRM_KEY.valid_until + DAY),)
            ),
            "a key changed its owner or its validity",
        ),
    ],
    ids=["un-revoked", "key-gone", "party-gone", "prolonged"],
)
def test_two_holders_cant_take_back_what_a_reader_has_seen(
    house: House, tmp_path: Path, records: Any, said: str
) -> None:
    """The attack: a revoked key is given back its force by records that enough holders signed, in the version after."""
    store = SqliteStore(tmp_path / "store.db")

    def load() -> Registry:
        return load_remembering(house.folder, trusted_root=house.trusted_root, now=NOON, store=store)

    house.publish(records=revoked())
    known = load().known
    remembered = store.get(KEY)
    taken_back(house, records())
    with pytest.raises(IntegrityError, match=said):
        load()
    with pytest.raises(IntegrityError, match=said):
        house.load(known=known)
    with pytest.raises(IntegrityError, match=said):
        read_lapsed(house.folder, trusted_root=house.trusted_root, known=known)
    assert store.get(KEY) == remembered
    assert house.load().version == 2  # who meets it for the first time can't know


def test_what_is_added_is_taken_and_held_against_what_comes_later(house: House, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")

    def load() -> Registry:
        return load_remembering(house.folder, trusted_root=house.trusted_root, now=NOON, store=store)

    house.publish()
    load()
    house.publish(records=revoked())
    assert load().parties == revoked()
    house.renew()
    load()
    taken_back(house, RECORDS)
    with pytest.raises(IntegrityError, match="a revocation is undone"):
        load()
    house.publish(records=revoked())  # mended by the version after it
    assert load().version == 4


def test_a_memory_from_before_records_were_kept_is_read(house: House, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    house.publish()
    known = replace(house.load().known, parties=None)
    data = known.to_bytes()
    assert set(json.loads(data)) == {"version", "rootVersion", "rootDigest", "timestamp", "snapshot"}
    assert Known.parse(data) == known
    store.commit([Write(KEY, data, expected=0)])
    registry = load_remembering(house.folder, trusted_root=house.trusted_root, now=NOON, store=store)
    entry = store.get(KEY)
    assert entry is not None
    assert Known.parse(entry.value) == registry.known
    assert registry.known.parties == write_parties(RECORDS)


def test_another_that_saw_more_meanwhile_is_heard(house: House, tmp_path: Path) -> None:
    """Between reading what was known and writing what is: the newer memory isn't overwritten by an older one."""
    house.publish()
    old = tmp_path / "old"
    shutil.copytree(house.folder, old)
    house.publish(records=revoked())
    newer = house.load().known

    class Raced(SqliteStore):
        raced = False

        def commit(self, writes: Any) -> None:
            if not self.raced:
                self.raced = True
                super().commit([Write(KEY, newer.to_bytes(), expected=0)])
            super().commit(writes)

    store = Raced(tmp_path / "store.db")
    with pytest.raises(IntegrityError, match="older than what is known"):
        load_remembering(old, trusted_root=house.trusted_root, now=NOON, store=store)
