from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import signal
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.algorithms import PublicKey
from core.errors import IntegrityError, InternalError, UsageError
from core.files import remove_drafts
from core.keys import KeyStore
from core.partykeys import OwnKey, PartyKeys, PartySigner, Reason, Use

PLATFORM, FIRM = "urn:uscc:91110000100000001W", "urn:uscc:91310000100000002D"
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a home" / "钥匙"


@pytest.fixture
def keys(folder: Path) -> PartyKeys:
    return PartyKeys(KeyStore(folder))


def create(keys: PartyKeys, party: str = PLATFORM, use: Use = Use.CONTRACTS) -> OwnKey:
    return keys.create(party, valid_from=START, valid_until=END, use=use)


def file_of(folder: Path, own: OwnKey) -> Path:
    return folder / f"party-{own.key_id[:32]}.json"


def test_a_key_signs_what_its_public_side_accepts(keys: PartyKeys, folder: Path) -> None:
    own = create(keys)
    signer = PartyKeys(KeyStore(folder)).signer(own.key_id, use=Use.CONTRACTS, now=NOON)
    assert own.public.accepts(b"text", signer.sign(b"text"))
    assert (signer.public, signer.own) == (own.public, own)
    assert PublicKey.from_pem(own.public.to_pem()) == own.public


def test_keys_are_listed_by_party_the_revoked_ones_too(keys: PartyKeys) -> None:
    assert keys.list() == ()
    first, second, third = create(keys), create(keys, use=Use.REGISTRY), create(keys, FIRM)
    keys.revoke(first.key_id, at=NOON, reason=Reason.RETIRED)
    assert {own.key_id for own in keys.list(PLATFORM)} == {first.key_id, second.key_id}
    assert keys.list(FIRM) == (third,)
    assert len(keys.list()) == 3
    assert keys.get(second.key_id) == second


def test_a_key_file_is_private_and_shows_no_secret(keys: PartyKeys, folder: Path) -> None:
    own = create(keys)
    file = file_of(folder, own)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    opened = KeyStore(folder).unseal(file.name, "party")
    assert opened is not None
    assert opened[1].hex() not in file.read_text()


def test_a_signer_is_never_shown_copied_or_pickled() -> None:
    own = OwnKey(
        party=PLATFORM,
        use=Use.CONTRACTS,
        public=PublicKey("ed25519", bytes.fromhex("58" + "66" * 31)),
        valid_from=START,
        valid_until=END,
    )
    signer = PartySigner(own, b"K" * 32)
    assert repr(signer) == f"PartySigner({own.key_id!r})"
    assert not hasattr(signer, "__dict__")
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InternalError, match="can't be copied or pickled"):
            leak(signer)


@pytest.mark.parametrize(
    ("use", "now", "message"),
    [
        (Use.REGISTRY, NOON, "signs contracts, not registry"),
        (Use.CONTRACTS, START - DAY, "isn't valid before 2026-01-01"),
        (Use.CONTRACTS, END, "was valid until 2027-01-01"),
    ],
)
def test_a_key_signs_only_what_and_when_it_may(
    keys: PartyKeys, use: Use, now: datetime, message: str
) -> None:
    own = create(keys)
    with pytest.raises(UsageError, match=message):
        keys.signer(own.key_id, use=use, now=now)


def test_a_rotated_key_signs_until_it_is_revoked(keys: PartyKeys) -> None:
    old = create(keys, use=Use.REGISTRY)
    new = keys.rotate(old.key_id, valid_from=NOON, valid_until=END)
    assert (new.party, new.use, new.replaces) == (PLATFORM, Use.REGISTRY, old.key_id)
    assert new.public != old.public
    keys.signer(old.key_id, use=Use.REGISTRY, now=NOON)
    keys.revoke(old.key_id, at=NOON, reason=Reason.SUPERSEDED)
    with pytest.raises(UsageError, match=r"was revoked \(superseded\)"):
        keys.signer(old.key_id, use=Use.REGISTRY, now=NOON)
    with pytest.raises(UsageError, match="revoked already"):
        keys.rotate(old.key_id, valid_from=NOON, valid_until=END)
    keys.signer(new.key_id, use=Use.REGISTRY, now=NOON)


def test_a_revoked_key_has_no_private_side_left(keys: PartyKeys, folder: Path) -> None:
    own = create(keys)
    before = json.loads(file_of(folder, own).read_text())["sealed"]
    keys.revoke(own.key_id, at=NOON, reason=Reason.COMPROMISE)
    opened = KeyStore(folder).unseal(file_of(folder, own).name, "party")
    assert opened is not None
    assert opened[1] == b""
    assert [path.name for path in folder.iterdir() if before in path.read_text(errors="replace")] == []
    assert len([*folder.iterdir()]) == 2


def test_a_revocation_is_only_made_worse(keys: PartyKeys) -> None:
    own = create(keys)
    keys.revoke(own.key_id, at=NOON, reason=Reason.RETIRED)
    for reason in (Reason.RETIRED, Reason.SUPERSEDED):
        with pytest.raises(UsageError, match="Only a compromise can be added"):
            keys.revoke(own.key_id, at=NOON + DAY, reason=reason)
    worse = keys.revoke(own.key_id, at=NOON + DAY, reason=Reason.COMPROMISE)
    assert (worse.ended, worse.reason) == (NOON, Reason.COMPROMISE)  # the end doesn't move to later
    assert keys.list() == (worse,)


@pytest.mark.parametrize("key_id", ["", "0" * 64, "../hall", "0" * 31, "A" * 64, "0" * 32 + "g" * 32])
def test_a_key_that_isnt_here_is_told(keys: PartyKeys, key_id: str) -> None:
    create(keys)
    with pytest.raises(UsageError, match="isn't in the store"):
        keys.get(key_id)


def test_a_key_file_under_another_keys_name_is_refused(keys: PartyKeys, folder: Path) -> None:
    mine, theirs = create(keys), create(keys, FIRM)
    file_of(folder, mine).write_bytes(file_of(folder, theirs).read_bytes())
    with pytest.raises(IntegrityError, match="under another key's name"):
        keys.get(mine.key_id)


@pytest.mark.parametrize("change", [("registry", "contracts"), ("retired", "compromise"), ("0002D", "0001W")])
def test_what_a_file_says_of_its_key_cant_be_edited(
    keys: PartyKeys, folder: Path, change: tuple[str, str]
) -> None:
    own = create(keys, FIRM, use=Use.REGISTRY)
    keys.revoke(own.key_id, at=NOON, reason=Reason.RETIRED)
    file = file_of(folder, own)
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    with pytest.raises(IntegrityError, match="was changed"):
        keys.get(own.key_id)


def test_a_halls_key_is_no_partys_key(keys: PartyKeys, folder: Path) -> None:
    own = create(keys)
    KeyStore(folder).signer()
    file_of(folder, own).write_bytes((folder / "hall.json").read_bytes())
    with pytest.raises(IntegrityError):
        keys.get(own.key_id)


def test_a_time_without_a_zone_or_an_end_before_the_start_is_refused(keys: PartyKeys) -> None:
    for start, end in ((START.replace(tzinfo=None), END), (START, END.replace(tzinfo=None)), (END, START)):
        with pytest.raises(UsageError):
            keys.create(PLATFORM, valid_from=start, valid_until=end)
    for party in ("", "a\nb", "x" * 101):
        with pytest.raises(UsageError, match="can't be a party's name"):
            keys.create(party, valid_from=START, valid_until=END)
    assert keys.list() == ()


def _revoke_until(folder: Path, key_id: str, act: str) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    keys = PartyKeys(KeyStore(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(act, die)
        keys.revoke(key_id, at=NOON, reason=Reason.COMPROMISE)


# Killed before the new file stands, and twice after: never a half file, and the sweep removes the rest.
@pytest.mark.parametrize(
    ("act", "revoked"), [("core.keys.write_whole", False), ("pathlib.Path.unlink", True)]
)
def test_a_kill_halfway_through_a_revocation_leaves_a_whole_key(
    folder: Path, act: str, revoked: bool
) -> None:
    keys = PartyKeys(KeyStore(folder))
    own = create(keys)
    killed = multiprocessing.get_context("fork").Process(target=_revoke_until, args=(folder, own.key_id, act))
    killed.start()
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    assert (keys.get(own.key_id).ended is not None) == revoked
    remove_drafts(folder)
    assert {path.name for path in folder.iterdir()} == {"wrapping.key", file_of(folder, own).name}
    keys.revoke(own.key_id, at=NOON, reason=Reason.COMPROMISE)
    assert keys.get(own.key_id).reason is Reason.COMPROMISE
