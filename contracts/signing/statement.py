"""What is signed: an in-toto Statement over a contract and its agreement.

Two subjects, `contract.odcs.yaml` and `agreement.json`, each by the SHA-256 of its RFC 8785 form; the predicate names the
contract, its version and the two parties. Source: in-toto Attestation Framework, Statement v1.

The framework lets readers pass over fields that they don't know. We refuse them: a field that one reader passes over and
another obeys is a second contract under the same signatures. So the payload is the RFC 8785 form and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from contracts.parties.model import check_party
from core.digest import canonical
from core.errors import ContractError
from core.jsontext import parse_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:sluice:agreement:1"
CONTRACT_NAME = "contract.odcs.yaml"
AGREEMENT_NAME = "agreement.json"
MAX_PAYLOAD_BYTES = 16 << 10
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class Statement:
    """That this contract and this agreement hold between these two. Digests: SHA-256 of RFC 8785 forms, lower-case hex.

    assigner: who provides, assignee: who receives, both `urn:uscc:`. Raises ContractError for anything else, and for one
    party on both sides.
    """

    contract_id: str
    contract_version: str
    contract_digest: str
    agreement_digest: str
    assigner: str
    assignee: str

    def __post_init__(self) -> None:
        for digest in (self.contract_digest, self.agreement_digest):
            if not _DIGEST.fullmatch(digest):
                raise ContractError("A document's digest is 64 lower-case hex digits.", where="statement")
        for text in (self.contract_id, self.contract_version):
            if not text or not text.isprintable() or len(text) > _MAX_TEXT:
                raise ContractError(
                    "The contract's id or version is empty, too long, or holds what can't be seen.",
                    where="statement",
                )
        check_party(self.assigner)
        check_party(self.assignee)
        if self.assigner == self.assignee:
            raise ContractError(
                "One party stands on both sides of the agreement.",
                where=self.assigner,
                remedy="A contract binds two: name another assignee.",
            )

    def as_json(self) -> dict[str, Any]:
        """The in-toto Statement as plain JSON."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": CONTRACT_NAME, "digest": {"sha256": self.contract_digest}},
                {"name": AGREEMENT_NAME, "digest": {"sha256": self.agreement_digest}},
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "contractId": self.contract_id,
                "contractVersion": self.contract_version,
                "assigner": self.assigner,
                "assignee": self.assignee,
            },
        }

    def payload(self) -> bytes:
        """The bytes that are signed: the RFC 8785 form."""
        return canonical(self.as_json())

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """The statement that a payload says. Raises ContractError unless it's exactly what `payload` writes."""
        document = parse_json(payload, max_bytes=MAX_PAYLOAD_BYTES, where="statement")
        try:
            contract, agreement = document["subject"]
            predicate = document["predicate"]
            statement = cls(
                contract_id=_text(predicate["contractId"]),
                contract_version=_text(predicate["contractVersion"]),
                contract_digest=_text(contract["digest"]["sha256"]),
                agreement_digest=_text(agreement["digest"]["sha256"]),
                assigner=_text(predicate["assigner"]),
                assignee=_text(predicate["assignee"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _foreign() from None
        # Type, names and order of the subjects, other fields, other digests, spaces: all of it in one comparison.
        if statement.payload() != payload:
            raise _foreign()
        return statement

    def difference(self, other: Statement) -> str | None:
        """The first field in which two statements differ, in words; None when they're the same."""
        for field in fields(self):
            if getattr(self, field.name) != getattr(other, field.name):
                return field.name.replace("_", " ")
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _foreign() -> ContractError:
    return ContractError(
        "What is signed isn't our statement over a contract and its agreement.",
        where="statement",
        remedy=f"Sign an in-toto Statement v1 with the predicate {PREDICATE_TYPE}, in its RFC 8785 form.",
    )
