"""Whether a registry's new records may follow the old ones: keys are added and revoked, never taken away or changed.

Else a contract that two parties signed could be unmade, or a key given back its force, by editing the registry.
"""

from __future__ import annotations

from contracts.parties.model import Parties, PartyKey, Revocation
from core.errors import ContractError
from core.partykeys import Reason


def check_follows(old: Parties, new: Parties) -> None:
    """Raises ContractError, naming the party or key, for records that take back what the old ones said, or add a bad key."""
    for key in new.all_keys():
        if old.key(key.key_id) is None:
            key.public.check()
    for record in old.records:
        if new.get(record.party) is None:
            raise _refused("the party is gone", record.party, "Keep its record; revoke its keys.")
    for key in old.all_keys():
        where = f"key {key.key_id} of {key.party}"
        after = new.key(key.key_id)
        if after is None:
            raise _refused("a key is gone", where, "Keep it, and revoke it.")
        if _facts(after) != _facts(key):
            raise _refused(
                "a key changed its owner or its validity", where, "Revoke it, and add another one."
            )
        if key.revoked is not None and not _as_strict(key.revoked, after.revoked):
            raise _refused(
                "a revocation is undone or softened",
                where,
                "It can only become a compromise, or vouch for less.",
            )


def _facts(key: PartyKey) -> tuple[object, ...]:
    return key.party, key.valid_from, key.valid_until


def _as_strict(old: Revocation, new: Revocation | None) -> bool:
    """Whether every signature that the old revocation refuses is refused by the new one."""
    if new is None or new.at > old.at:
        return False
    if old.reason is not Reason.COMPROMISE:
        return True
    if new.reason is not Reason.COMPROMISE:
        return False
    vouched = {good.origin: good.size for good in old.last_good}
    return all(good.size <= vouched.get(good.origin, 0) for good in new.last_good)


def _refused(what: str, where: str, remedy: str) -> ContractError:
    return ContractError(f"The registry's new records take back the old: {what}.", where=where, remedy=remedy)
