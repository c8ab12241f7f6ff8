"""Events as OpenLineage run events, and back. What the ledger commits to is the RFC 8785 form of these documents.

All that is ours stands in one run facet, `sluice`, with its schema in audit/schemas; every OpenLineage reader takes
the rest. The facet's salt makes the leaf hash a hiding commitment: who knows the hash alone can't try out contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audit.events import FACTS, WITHOUT_CONTRACT, DatasetRef, Event, EventKind
from audit.facts import DIGEST_TYPE, IDENTIFIER_TYPE, Name
from core.errors import LedgerError

SALT_BYTES = 16
PRODUCER = "urn:sluice:ledger"
EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET_SCHEMA_ID = "urn:sluice:schema:sluice-run-facet:1-0-0"
FACET_SCHEMA = f"{FACET_SCHEMA_ID}#/$defs/SluiceRunFacet"
JOB_NAMESPACE = "sluice"
_NO_CONTRACT_JOB = "catalog"

# What isn't listed is OTHER: it belongs to no run.
_EVENT_TYPES = {
    EventKind.RUN_STARTED: "START",
    EventKind.DATA_RECEIVED: "RUNNING",
    EventKind.DATA_VALIDATED: "RUNNING",
    EventKind.DATA_ANONYMIZED: "RUNNING",
    EventKind.RELEASE_STAGED: "RUNNING",
    EventKind.RELEASE_REVEALED: "RUNNING",
    EventKind.RUN_COMPLETED: "COMPLETE",
    EventKind.RUN_FAILED: "FAIL",
    EventKind.QUARANTINE_SEALED: "RUNNING",
}


@dataclass(frozen=True)
class Recorded:
    """An event with the moment it was recorded and its salt: all that a leaf says."""

    event: Event
    at: datetime
    salt: bytes


def to_openlineage(event: Event, at: datetime, salt: bytes) -> dict[str, Any]:
    """The OpenLineage 2-0-2 RunEvent. at: with time zone; salt: 16 random bytes. Raises LedgerError otherwise."""
    if at.tzinfo is None or len(salt) != SALT_BYTES:
        raise LedgerError("An event is recorded with a time zone and a salt of 16 bytes.")
    contract = {"id": event.contract_id, "version": event.contract_version, "digest": event.contract_digest}
    facet: dict[str, Any] = {
        "_producer": PRODUCER,
        "_schemaURL": FACET_SCHEMA,
        "salt": salt.hex(),
        "kind": event.kind.value,
        "subject": event.subject,
        "facts": dict(event.facts),
    }
    if event.contract_id:
        facet["contract"] = contract
    return {
        "eventType": _EVENT_TYPES.get(event.kind, "OTHER"),
        "eventTime": at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": event.run_id, "facets": {"sluice": facet}},
        "job": {"namespace": JOB_NAMESPACE, "name": event.contract_id or _NO_CONTRACT_JOB},
        "inputs": [{"namespace": ref.namespace, "name": ref.name} for ref in event.inputs],
        "outputs": [{"namespace": ref.namespace, "name": ref.name} for ref in event.outputs],
    }


def from_openlineage(document: Any) -> Recorded:
    """The inverse of `to_openlineage`. Raises LedgerError for any document that it doesn't write."""
    try:
        facet = document["run"]["facets"]["sluice"]
        contract = facet.get("contract", {})
        recorded = Recorded(
            event=Event(
                kind=EventKind(facet["kind"]),
                run_id=document["run"]["runId"],
                subject=facet["subject"],
                contract_id=contract.get("id", ""),
                contract_version=contract.get("version", ""),
                contract_digest=contract.get("digest", ""),
                facts=facet["facts"],
                inputs=tuple(DatasetRef(ref["namespace"], ref["name"]) for ref in document["inputs"]),
                outputs=tuple(DatasetRef(ref["namespace"], ref["name"]) for ref in document["outputs"]),
            ),
            at=datetime.fromisoformat(document["eventTime"]),
            salt=bytes.fromhex(facet["salt"]),
        )
        same = to_openlineage(recorded.event, recorded.at, recorded.salt) == document
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        same = False
    if not same:
        raise LedgerError("This isn't an event as the ledger writes them.")
    return recorded


def facet_schema() -> dict[str, Any]:
    """The JSON Schema of the `sluice` run facet, from what is declared; audit/schemas holds it as a file."""
    name = Name().schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": FACET_SCHEMA_ID,
        "$defs": {
            "SluiceRunFacet": {
                "description": "What Sluice adds to a run event: no row values, and a salt that hides the rest.",
                "type": "object",
                "properties": {
                    "_producer": {"type": "string", "format": "uri"},
                    "_schemaURL": {"type": "string", "format": "uri"},
                    "salt": {"type": "string", "pattern": f"^[0-9a-f]{{{2 * SALT_BYTES}}}$"},
                    "kind": {"enum": [kind.value for kind in EventKind]},
                    "subject": IDENTIFIER_TYPE.schema(),
                    "contract": {
                        "type": "object",
                        "properties": {"id": name, "version": name, "digest": DIGEST_TYPE.schema()},
                        "required": ["id", "version", "digest"],
                        "additionalProperties": False,
                    },
                    "facts": {"type": "object"},
                },
                "required": ["_producer", "_schemaURL", "salt", "kind", "subject", "facts"],
                "additionalProperties": False,
                "allOf": [_facts_of(kind) for kind in EventKind],
            }
        },
        "type": "object",
        "properties": {"sluice": {"$ref": "#/$defs/SluiceRunFacet"}},
    }


def _facts_of(kind: EventKind) -> Mapping[str, Any]:
    facts = FACTS[kind]
    contract = {"not": {"required": ["contract"]}} if kind in WITHOUT_CONTRACT else {"required": ["contract"]}
    return {
        "if": {"properties": {"kind": {"const": kind.value}}},
        "then": {
            **contract,
            "properties": {
                "facts": {
                    "properties": {
                        n: {"description": f.meaning, **f.type.schema()} for n, f in facts.items()
                    },
                    "required": [n for n, f in facts.items() if f.needed],
                    "additionalProperties": False,
                }
            },
        },
    }
