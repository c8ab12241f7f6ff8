"""What may be written into the ledger: the kinds of event and the facts that each carries. docs/events.md lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from audit.facts import (
    DIGEST_TYPE,
    IDENTIFIER_TYPE,
    WORD,
    Amount,
    Bound,
    Count,
    FactType,
    ListOf,
    MapOf,
    Name,
    Record,
    Share,
    is_name,
)
from core.errors import LedgerError
from core.ids import is_uuid


class EventKind(StrEnum):
    """The kinds of event. A kind that was once written stays here for good: old ledgers must go on to verify."""

    RUN_STARTED = "run.started"
    DATA_RECEIVED = "data.received"
    DATA_VALIDATED = "data.validated"
    DATA_ANONYMIZED = "data.anonymized"
    RELEASE_STAGED = "release.staged"
    RELEASE_REVEALED = "release.revealed"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    CATALOG_READ = "catalog.read"
    QUARANTINE_SEALED = "quarantine.sealed"
    QUARANTINE_OPENED = "quarantine.opened"
    QUARANTINE_RELEASED = "quarantine.released"
    QUARANTINE_REMOVED = "quarantine.removed"
    CONTRACT_REQUESTED = "contract.requested"
    CONTRACT_OFFERED = "contract.offered"
    CONTRACT_ACCEPTED = "contract.accepted"
    CONTRACT_AGREED = "contract.agreed"
    CONTRACT_VERIFIED = "contract.verified"
    CONTRACT_FINALIZED = "contract.finalized"
    NEGOTIATION_TERMINATED = "negotiation.terminated"
    CONTRACT_SUSPENDED = "contract.suspended"
    CONTRACT_RESUMED = "contract.resumed"
    CONTRACT_TERMINATED = "contract.terminated"
    CONTRACT_EXPIRED = "contract.expired"
    CONTRACT_SUPERSEDED = "contract.superseded"
    CONTRACT_FORGOTTEN = "contract.forgotten"
    RELEASE_HIDDEN = "release.hidden"
    RELEASE_SHOWN = "release.shown"
    RELEASE_DELETED = "release.deleted"
    REGISTRY_TRUSTED = "registry.trusted"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    THRESHOLDS_CHANGED = "thresholds.changed"
    TOKENS_OPENED = "tokens.opened"


# Kinds that belong to no one contract.
WITHOUT_CONTRACT = frozenset(
    {
        EventKind.CATALOG_READ,
        EventKind.REGISTRY_TRUSTED,
        EventKind.KEY_CREATED,
        EventKind.KEY_REVOKED,
        EventKind.THRESHOLDS_CHANGED,
    }
)


@dataclass(frozen=True)
class Fact:
    """One fact that a kind may carry. needed: an event of the kind without it is refused."""

    type: FactType
    meaning: str
    needed: bool = False


_COUNT, _SHARE = Count(), Share()
_WINDOW = Record((("start", Bound()), ("end", Bound())), partial=True)
_CELLS = Record(
    tuple(
        (name, _COUNT)
        for name in ("facts", "units", "cells", "smallest", "suppressed_facts", "suppressed_units")
    )
)
_WHO = {
    "digest": Fact(DIGEST_TYPE, "SHA-256 of the signed message", needed=True),
    "mark": Fact(
        DIGEST_TYPE,
        "of its signature: SHA-256 over what is signed, the key's id and the signature",
        needed=True,
    ),
    "by": Fact(IDENTIFIER_TYPE, "the party that said it, by its code", needed=True),
    "side": Fact(WORD, "provider, or consumer", needed=True),
    "registry": Fact(_COUNT, "version of the party registry by which its signature was checked"),
}
_KEY = Fact(DIGEST_TYPE, "the key's id: SHA-256 of its public side in DER form", needed=True)
_AGREEMENT = Fact(DIGEST_TYPE, "SHA-256 of the agreement's RFC 8785 form", needed=True)
_DECLARED = {
    **_WHO,
    "terms": Fact(DIGEST_TYPE, "SHA-256 of the terms that were put forward, RFC 8785 form", needed=True),
}
_BOUND = {**_WHO, "agreement": _AGREEMENT}
_SIGNED = {
    **_BOUND,
    "envelope": Fact(DIGEST_TYPE, "SHA-256 of the envelope with the signatures so far", needed=True),
    "marks": Fact(
        ListOf(DIGEST_TYPE),
        "of each signature in it: SHA-256 over what is signed, the key's id and the signature",
        needed=True,
    ),
}
_ENDED = {
    "agreement": _AGREEMENT,
    "since": Fact(Bound(), "the moment from which it is so", needed=True),
}
_DELETED_TABLE = Record((("version", _COUNT), ("rows", _COUNT), ("files", _COUNT), ("sha256", DIGEST_TYPE)))
_STAGED_TABLE = Record((("sha256", DIGEST_TYPE), ("rows", _COUNT)))

# The same rule as for kinds: facts are added, never removed or narrowed.
FACTS: Mapping[EventKind, Mapping[str, Fact]] = MappingProxyType(
    {
        EventKind.RUN_STARTED: {"window": Fact(_WINDOW, "the stretch of time whose facts are wanted")},
        EventKind.DATA_RECEIVED: {
            "digest": Fact(
                DIGEST_TYPE,
                "HMAC over what came, under a key of the contract: it confirms no guess",
                needed=True,
            ),
            "rows": Fact(MapOf(_COUNT), "rows received, by table", needed=True),
            "connector": Fact(WORD, "the connector's registered name"),
            "window": Fact(_WINDOW, "the stretch of time that was asked for"),
        },
        EventKind.DATA_VALIDATED: {
            "checks": Fact(_COUNT, "checks that ran", needed=True),
            "failed_warnings": Fact(_COUNT, "checks of severity warning that failed"),
            "quarantined": Fact(MapOf(_COUNT), "rows set aside, by table", needed=True),
        },
        EventKind.DATA_ANONYMIZED: {
            "tables": Fact(MapOf(_COUNT), "rows made for publication, by table", needed=True),
            "k": Fact(_COUNT, "the contract's k: fewest privacy units in a class or cell"),
            "k_reached": Fact(_COUNT, "fewest privacy units found in a class or cell"),
            "l": Fact(_COUNT, "the contract's l: fewest distinct sensitive values in a class"),
            "l_reached": Fact(_COUNT, "fewest distinct sensitive values found in a class"),
            "classes": Fact(_COUNT, "equivalence classes"),
            "units": Fact(_COUNT, "privacy units in the subject table"),
            "suppressed_rows": Fact(_COUNT, "subject rows left out"),
            "suppressed_units": Fact(_COUNT, "privacy units left out"),
            "ncp": Fact(_SHARE, "normalised certainty penalty: 0 nothing lost, 1 everything"),
            "risk_largest": Fact(_SHARE, "largest prosecutor risk of one unit"),
            "risk_mean": Fact(_SHARE, "mean prosecutor risk"),
            "unique_before": Fact(_SHARE, "share of units alone in their class before"),
            "unique_after": Fact(_SHARE, "share of units alone in their class after"),
            "abroad": Fact(
                Record((("persons", _COUNT), ("sensitive", _COUNT))),
                "of a release abroad: the provider's distinct persons abroad since 1 January, these among them; sensitive: "
                "those with sensitive information",
            ),
            "cells": Fact(
                MapOf(_CELLS),
                "what became of facts, by table: facts and units received, cells, fewest units in one",
            ),
            "disclosure": Fact(DIGEST_TYPE, "digest of the disclosure report in JSON"),
        },
        EventKind.RELEASE_STAGED: {
            "release": Fact(IDENTIFIER_TYPE, "the release's id", needed=True),
            "digest": Fact(DIGEST_TYPE, "SHA-256 over the staged set", needed=True),
            "tables": Fact(MapOf(_STAGED_TABLE), "digest and rows of each staged file", needed=True),
            "documents": Fact(MapOf(DIGEST_TYPE), "digest of each report that lies beside the release"),
            "memory": Fact(
                MapOf(DIGEST_TYPE), "digest of each file by which the hall remembers whom the release shows"
            ),
            "window": Fact(
                _WINDOW, "the stretch of time whose facts it holds; no bound on a side that is left out"
            ),
        },
        EventKind.RELEASE_REVEALED: {
            "release": Fact(IDENTIFIER_TYPE, "the release's id", needed=True),
            "tables": Fact(MapOf(_COUNT), "Delta version of each table", needed=True),
            "manifest": Fact(_COUNT, "version of the manifest that shows the release"),
        },
        EventKind.RUN_COMPLETED: {
            "release": Fact(IDENTIFIER_TYPE, "the release that the run published"),
        },
        EventKind.RUN_FAILED: {
            "step": Fact(WORD, "the step that failed", needed=True),
            "error": Fact(WORD, "class name of the error", needed=True),
        },
        EventKind.CATALOG_READ: {
            "releases": Fact(ListOf(IDENTIFIER_TYPE), "releases that were read", needed=True),
            "tables": Fact(ListOf(Name()), "tables that were read", needed=True),
            "rows": Fact(_COUNT, "rows given out", needed=True),
        },
        EventKind.QUARANTINE_SEALED: {
            "digest": Fact(DIGEST_TYPE, "SHA-256 of its manifest", needed=True),
            "release": Fact(IDENTIFIER_TYPE, "the release that the rows were left out of", needed=True),
            "tables": Fact(MapOf(_COUNT), "rows set aside, by table", needed=True),
            "until": Fact(Bound(), "the moment from which they are kept no longer", needed=True),
            "key": Fact(WORD, "who holds the key that opens it: platform, or hall", needed=True),
        },
        EventKind.QUARANTINE_OPENED: {
            "tables": Fact(MapOf(_COUNT), "rows shown, by table", needed=True),
        },
        EventKind.QUARANTINE_RELEASED: {
            "tables": Fact(MapOf(_COUNT), "rows handed out, by table", needed=True),
            "form": Fact(WORD, "the form they were handed out in: parquet, csv, or sealed", needed=True),
        },
        EventKind.QUARANTINE_REMOVED: {
            "digest": Fact(DIGEST_TYPE, "SHA-256 of its manifest", needed=True),
            "why": Fact(WORD, "expired, released, or superseded by a later one", needed=True),
        },
        EventKind.CONTRACT_REQUESTED: _DECLARED,
        EventKind.CONTRACT_OFFERED: _DECLARED,
        EventKind.CONTRACT_ACCEPTED: _DECLARED,
        EventKind.CONTRACT_AGREED: _SIGNED,
        EventKind.CONTRACT_VERIFIED: _SIGNED,
        EventKind.CONTRACT_FINALIZED: _SIGNED,
        EventKind.NEGOTIATION_TERMINATED: _WHO,
        EventKind.CONTRACT_SUSPENDED: _BOUND,
        EventKind.CONTRACT_RESUMED: _BOUND,
        EventKind.CONTRACT_TERMINATED: _BOUND,
        EventKind.CONTRACT_EXPIRED: _ENDED,
        EventKind.CONTRACT_SUPERSEDED: _ENDED,
        EventKind.CONTRACT_FORGOTTEN: {
            "agreement": _AGREEMENT,
            "fingerprint": Fact(
                DIGEST_TYPE,
                "names the root key that is gone: one that comes back from a copy is known by it",
                needed=True,
            ),
        },
        EventKind.RELEASE_HIDDEN: {
            "release": Fact(IDENTIFIER_TYPE, "the release's id", needed=True),
            "why": Fact(
                WORD,
                "how the contract stands: suspended, expired, terminated, superseded, unsigned",
                needed=True,
            ),
            "since": Fact(Bound(), "the moment from which it is so", needed=True),
        },
        EventKind.RELEASE_SHOWN: {
            "release": Fact(IDENTIFIER_TYPE, "the release's id", needed=True),
        },
        EventKind.RELEASE_DELETED: {
            "release": Fact(IDENTIFIER_TYPE, "the release's id", needed=True),
            "tables": Fact(
                MapOf(_DELETED_TABLE),
                "by table: Delta version, rows, files removed, and the digest of what was published",
                needed=True,
            ),
            "agreement": _AGREEMENT,
            "copies": Fact(
                IDENTIFIER_TYPE,
                "whose own duty the copies are that were handed out before: the recipient's code",
            ),
        },
        EventKind.REGISTRY_TRUSTED: {
            "digest": Fact(DIGEST_TYPE, "SHA-256 of the party records", needed=True),
            "version": Fact(_COUNT, "version of the registry's targets metadata", needed=True),
            "root": Fact(_COUNT, "version of its root metadata", needed=True),
        },
        EventKind.KEY_CREATED: {
            "key": _KEY,
            "party": Fact(IDENTIFIER_TYPE, "whose key it is", needed=True),
            "use": Fact(WORD, "what it signs: contracts, registry, online", needed=True),
            "valid_from": Fact(Bound(), "the moment from which its signatures count", needed=True),
            "valid_until": Fact(Bound(), "the moment at which they cease to", needed=True),
            "replaces": Fact(DIGEST_TYPE, "the key whose place it takes"),
        },
        EventKind.KEY_REVOKED: {
            "key": _KEY,
            "reason": Fact(WORD, "retired, superseded, compromise", needed=True),
            "at": Fact(Bound(), "the moment of its end", needed=True),
            "last_good": Fact(
                MapOf(_COUNT), "of a compromise: the size up to which its owner vouches for it, by log"
            ),
        },
        EventKind.THRESHOLDS_CHANGED: {
            "digest": Fact(
                DIGEST_TYPE,
                "SHA-256 of the operator's numbers with reason, name and day of each, in RFC 8785 form",
                needed=True,
            ),
            "values": Fact(
                MapOf(Amount()), "the numbers that stand in place of ours; none: ours again", needed=True
            ),
        },
        EventKind.TOKENS_OPENED: {
            "tokens": Fact(_COUNT, "distinct tokens that were opened", needed=True),
            "table": Fact(Name(), "the table that they stand in", needed=True),
            "column": Fact(Name(), "its column", needed=True),
            "holder": Fact(Name(), "who holds the second key, as the contract names it", needed=True),
            "purpose": Fact(Name(), "why, in the words of who opened them", needed=True),
        },
    }
)

_REMEDY = "docs/events.md lists what an event may carry; a row value never belongs in one."


@dataclass(frozen=True)
class DatasetRef:
    """A data set that an event read or wrote, named as OpenLineage names it."""

    namespace: str
    name: str

    def __post_init__(self) -> None:
        if not (is_name(self.namespace) and is_name(self.name)):
            raise LedgerError(
                "A data set's namespace and name have 1 to 128 printable characters.", remedy=_REMEDY
            )


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, ready for the ledger.

    kind, subject (a run's or a release's id, or one of its own below a run's) and digest name it: the ledger takes each name once.
    run_id: a UUID. contract_*: of the contract it happened under; all empty for kinds WITHOUT_CONTRACT.
    facts: what FACTS declares for the kind, as plain JSON values. A deep copy is kept.
    Raises LedgerError, without the offending value, for anything that isn't declared.
    """

    kind: EventKind
    run_id: str
    subject: str
    contract_id: str = ""
    contract_version: str = ""
    contract_digest: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[DatasetRef, ...] = ()
    outputs: tuple[DatasetRef, ...] = ()

    def __post_init__(self) -> None:
        kind = EventKind(self.kind)
        _require(isinstance(self.run_id, str) and is_uuid(self.run_id), kind, "run_id", "a lower-case UUID")
        _require(IDENTIFIER_TYPE.takes(self.subject), kind, "subject", "an identifier")
        if kind in WITHOUT_CONTRACT:
            unset = not (self.contract_id or self.contract_version or self.contract_digest)
            _require(unset, kind, "contract", "empty")
        else:
            _require(is_name(self.contract_id), kind, "contract_id", "a name")
            _require(is_name(self.contract_version), kind, "contract_version", "a name")
            _require(DIGEST_TYPE.takes(self.contract_digest), kind, "contract_digest", "a SHA-256 in hex")
        _check_facts(kind, self.facts)
        object.__setattr__(self, "kind", kind)
        # Through JSON and back: a copy of our own, of plain types only (no NumPy number, no enum).
        object.__setattr__(self, "facts", MappingProxyType(json.loads(json.dumps(_plain(self.facts)))))
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))

    @property
    def digest(self) -> str:
        """The fact `digest`, or "" for a kind that has none. What is staged anew with other bytes is another event."""
        return str(self.facts.get("digest", ""))


def _check_facts(kind: EventKind, facts: Mapping[str, Any]) -> None:
    declared = FACTS[kind]
    if not set(facts) <= set(declared):
        # The undeclared name isn't repeated: it may be data.
        raise LedgerError(
            f"An event {kind} carries a fact that isn't declared.", where=", ".join(declared), remedy=_REMEDY
        )
    for name, fact in declared.items():
        if name in facts:
            _require(fact.type.takes(_plain(facts[name])), kind, name, fact.type.label)
        else:
            _require(not fact.needed, kind, name, "there")


def _plain(value: Any) -> Any:
    """The value with its mappings as dicts and its sequences as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _require(holds: bool, kind: EventKind, name: str, wanted: str) -> None:
    if not holds:
        raise LedgerError(
            f"An event {kind} can't be recorded: {name} must be {wanted}.", where=name, remedy=_REMEDY
        )
