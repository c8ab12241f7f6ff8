"""Who must sign the registry: several holders of keys, never one alone, and never the hall alone.

TUF takes what a root says: a threshold of 1, two ids for one key, a role that one firm fills. These rules refuse a root
before anything that it vouches for is believed. `root` names the holders of keys, `targets` the signers of the parties'
records; both keep the rules. `snapshot` and `timestamp` are the hall's, online: with them alone it can hold the registry
back until it expires, and change nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuf.api.metadata import Key, Root  # type: ignore[attr-defined]  # its public place, not marked as such

from contracts.agreement.codes import bare_name, code_of
from contracts.parties.model import Parties, check_party
from core.algorithms import ED25519, PublicKey
from core.errors import ContractError, IntegrityError

HOLDER = "x-sluice-holder"
MIN_THRESHOLD = 2
SHARED_ROLES = ("root", "targets")
ONLINE_ROLES = ("snapshot", "timestamp")


def tuf_key(public: PublicKey, holder: str) -> Key:
    """A key as root metadata carries it, with whose it is."""
    check_party(holder)
    if public.algorithm != ED25519:
        raise ContractError("The registry is signed with Ed25519 keys alone.", where=holder)
    named = {"keytype": ED25519, "scheme": ED25519, "keyval": {"public": public.raw.hex()}, HOLDER: holder}
    return Key.from_dict(public.key_id, named)


def check_root(root: Root) -> Mapping[str, str]:
    """The holders of the keys that sign for the parties, by key id.

    Raises IntegrityError for a threshold under 2, a holder with two keys in one role, a key without a holder, an id that
    isn't its key's (else one key could pass for two), and a key that's unsound or of an algorithm that we don't take.
    """
    if not root.consistent_snapshot:
        raise _unsound(root, "its files aren't named by version")
    for role in SHARED_ROLES:
        threshold, key_ids = root.roles[role].threshold, root.roles[role].keyids
        if threshold < MIN_THRESHOLD:
            raise _unsound(
                root, f"{threshold} signature is enough for its role {role}, at least 2 must be needed"
            )
        holders = [_holder(root, key_id) for key_id in key_ids]
        twice = next((holder for holder in holders if holders.count(holder) > 1), None)
        if twice is not None:
            raise _unsound(root, f"{twice} holds two keys of its role {role}")
        if len(holders) < threshold:
            raise _unsound(root, f"its role {role} needs {threshold} signatures and has {len(holders)} keys")
    for role in ONLINE_ROLES:
        for key_id in root.roles[role].keyids:
            _holder(root, key_id)
    shared = {key_id for role in SHARED_ROLES for key_id in root.roles[role].keyids}
    online = {key_id for role in ONLINE_ROLES for key_id in root.roles[role].keyids}
    if shared & online:
        raise _unsound(root, "a key that lies online signs for a party too")
    return {key_id: _holder(root, key_id) for key_id in sorted(shared)}


def check_owners(holders: Mapping[str, str], parties: Parties) -> None:
    """Raises IntegrityError for a holder who isn't in the registry, two holders of one beneficial owner, and a key that
    signs contracts too."""
    owners = {bare_name(code_of(holder)): holder for holder in holders.values()}
    for key_id, holder in holders.items():
        record = parties.get(holder)
        if record is None:
            raise _refused(f"{holder} holds a key of the registry, and isn't registered in it")
        if parties.key(key_id) is not None:
            raise _refused(f"{holder} signs contracts with its key of the registry")
        # One owner behind two firms, such as the hall's, is one voice.
        other = owners.setdefault(bare_name(record.beneficial_owner), holder)
        if other != holder:
            raise _refused(f"{other} and {holder} hold keys of the registry, and belong to the same owner")


def _holder(root: Root, key_id: str) -> str:
    key = root.keys.get(key_id)
    if key is None:
        raise _unsound(root, "a role names a key that isn't there")
    holder = key.unrecognized_fields.get(HOLDER)
    try:
        public = PublicKey(key.keytype, bytes.fromhex(str(key.keyval.get("public"))))
        public.check()
        check_party(holder if isinstance(holder, str) else "")
    except (ValueError, ContractError):
        raise _unsound(root, "a key is unsound, or doesn't say which party holds it") from None
    if public.key_id != key_id:
        raise _unsound(root, "a key lies under an id that isn't its own")
    return str(holder)


def _unsound(root: Root, why: str) -> IntegrityError:
    return _refused(f"{why} (root version {root.version})")


def _refused(why: str) -> IntegrityError:
    return IntegrityError(
        f"This registry can't be trusted: {why}.",
        where="root",
        remedy="Have its holders sign a root whose keys lie with at least two independent parties.",
    )
