"""For whom this hall signs: the party whose keys it holds, and the key that counts now."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.life.dossier import Negotiation
from contracts.life.negotiation import Side
from contracts.parties.model import Parties
from core.errors import UsageError
from core.partykeys import OwnKey, PartyKeys, PartySigner, Use
from pipeline.home import Home


@dataclass(frozen=True, kw_only=True)
class Seat:
    """party: `urn:uscc:` and its code. signer: its key that is valid now and stands in the registry."""

    party: str
    signer: PartySigner

    def side(self, made: Negotiation) -> Side:
        """On which side of a negotiation this party stands. Raises UsageError when on none."""
        side = made.side_of(self.party)
        if side is None:
            raise UsageError(
                f"{self.party} is no party to this contract.",
                where=f"negotiation {made.id}",
                remedy=f"It is between {made.assigner} and {made.assignee}; name who you are with --as.",
            )
        return side


def take_seat(home: Home, parties: Parties, who: str = "") -> Seat:
    """The seat of `who` (a code, or `urn:uscc:` and a code), or of the only party whose keys this hall holds.

    Of several keys the newest counts. Raises UsageError when there is no party, or none of its keys counts now.
    """
    keys = PartyKeys(home.keys)
    now = home.clock()
    usable = [key for key in keys.list() if key.use is Use.CONTRACTS and key.ended is None]
    party = _party(usable, who)
    known = [
        key
        for key in usable
        if key.party == party
        and key.valid_from <= now < key.valid_until
        and (registered := parties.key(key.key_id)) is not None
        and registered.party == party
        and registered.revoked is None
    ]
    if not known:
        raise UsageError(
            f"No key of {party} in this hall is valid now and in the party registry.",
            where=str(home.settings.keys),
            remedy="`sluice party key create` makes one; the registry's holders add it.",
        )
    newest = max(known, key=lambda key: (key.valid_from, key.key_id))
    return Seat(party=party, signer=keys.signer(newest.key_id, use=Use.CONTRACTS, now=now))


def _party(keys: list[OwnKey], who: str) -> str:
    if who:
        return who if who.startswith("urn:") else f"urn:uscc:{who}"
    names = sorted({key.party for key in keys})
    if len(names) == 1:
        return names[0]
    raise UsageError(
        "This hall holds the keys of several parties." if names else "This hall holds no party's key.",
        remedy=f"Say who you are with --as: {', '.join(names)}."
        if names
        else "`sluice party key create` makes one; the registry's holders add it.",
    )
