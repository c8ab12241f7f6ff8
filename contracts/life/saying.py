"""One thing that a party says in a negotiation: a protocol message, in its place in the conversation, under a signature.

The protocol leaves it to the connection who speaks. A file that travels by post has none, so each message is wrapped with the
negotiation, its number, the digest of what was said before, and who says it, and the whole is signed: a message can be
neither moved to another negotiation nor left out, said twice or said by somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.life.negotiation import Act, Side
from contracts.life.state import Turn
from contracts.signing.dsse import Envelope, sign
from core.algorithms import Signs
from core.digest import canonical
from core.errors import ContractError
from core.ids import is_uuid
from core.jsontext import parse_json

SAYING = "application/vnd.sluice.saying+json"
MAX_SAYING_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIELDS = {"negotiation", "number", "previous", "side", "act", "message"}

# What a message of the protocol must be for each act: its type, and the event that it tells of.
MESSAGES: Mapping[Act | Turn, tuple[str, str]] = {
    Act.REQUEST: ("ContractRequestMessage", ""),
    Act.OFFER: ("ContractOfferMessage", ""),
    Act.ACCEPT: ("ContractNegotiationEventMessage", "ACCEPTED"),
    Act.AGREE: ("ContractAgreementMessage", ""),
    Act.VERIFY: ("ContractAgreementVerificationMessage", ""),
    Act.FINALIZE: ("ContractNegotiationEventMessage", "FINALIZED"),
    Act.TERMINATE: ("ContractNegotiationTerminationMessage", ""),
}
# After the conclusion the protocol knows no messages; ours says what, of which agreement, and why.
TURN = "urn:sluice:ContractTurn"


@dataclass(frozen=True, kw_only=True)
class Saying:
    """What is said. number: from 0; previous: digest of the envelope before it, "" for the first."""

    negotiation: str
    number: int
    previous: str
    side: Side
    act: Act | Turn
    message: Mapping[str, Any]

    def __post_init__(self) -> None:
        fits = (
            is_uuid(self.negotiation)
            and not isinstance(self.number, bool)
            and isinstance(self.number, int)
            and 0 <= self.number < 10_000
            and (_DIGEST.fullmatch(self.previous) is not None if self.number else self.previous == "")
        )
        if not fits:
            raise _foreign("its place in the negotiation isn't one")
        if isinstance(self.act, Turn):
            if self.message.get("@type") != TURN or self.message.get("turn") != self.act.value:
                raise _foreign(f"it doesn't {self.act}")
            return
        kind, event = MESSAGES[self.act]
        if self.message.get("@type") != kind or (event and self.message.get("eventType") != event):
            raise _foreign(f"its message isn't the {kind} of who would {self.act}")

    def as_json(self) -> dict[str, Any]:
        """The saying as plain JSON."""
        return {
            "negotiation": self.negotiation,
            "number": self.number,
            "previous": self.previous,
            "side": self.side.value,
            "act": f"turn:{self.act}" if isinstance(self.act, Turn) else self.act.value,
            "message": dict(self.message),
        }

    def signed(self, signer: Signs) -> Envelope:
        """The envelope that travels."""
        return sign(Envelope(SAYING, canonical(self.as_json())), signer)

    @classmethod
    def read(cls, envelope: Envelope) -> Saying:
        """What an envelope says; nothing of it is verified yet. Raises ContractError for anything but what `signed` writes."""
        if envelope.payload_type != SAYING:
            raise _foreign(f"its payload's type isn't {SAYING}")
        document = parse_json(envelope.payload, max_bytes=MAX_SAYING_BYTES, where="message")
        if (
            not isinstance(document, dict)
            or set(document) != _FIELDS
            or not isinstance(document["message"], dict)
        ):
            raise _foreign(f"it doesn't have exactly the fields {', '.join(sorted(_FIELDS))}")
        try:
            said = cls(
                negotiation=document["negotiation"],
                number=document["number"],
                previous=document["previous"],
                side=Side(document["side"]),
                act=_act(document["act"]),
                message=document["message"],
            )
        except (ValueError, TypeError, AttributeError):
            raise _foreign("who speaks, or what they do, isn't known") from None
        if canonical(said.as_json()) != envelope.payload:
            raise _foreign("it isn't in its RFC 8785 form")
        return said


def _act(text: object) -> Act | Turn:
    if not isinstance(text, str):
        raise TypeError
    return Turn(text.removeprefix("turn:")) if text.startswith("turn:") else Act(text)


def _foreign(why: str) -> ContractError:
    return ContractError(
        f"This isn't a message of a negotiation: {why}.",
        where="message",
        remedy="Ask who sent it for the file once more, as Sluice wrote it.",
    )
