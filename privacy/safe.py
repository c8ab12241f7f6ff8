"""What was made safe, as a type: apart from the engine that makes it so, which a step that only carries it on needn't load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from core.proof import Sealed, TableFile, prover


@dataclass(frozen=True, kw_only=True)
class Anonymized(Sealed):
    """A release whose files keep the contract's privacy limits. Built by
    `privacy.anonymize`, or again from a checked handoff.

    release: its name, SQL-safe. digest: SHA-256 over the published set (table names and file digests). report: the
    disclosure report as JSON. documents: what is kept beside the release, by file name. memory: what the platform remembers of
    it, by file name with its SHA-256.
    """

    contract_id: str
    contract_digest: str
    release: str
    digest: str
    tables: Mapping[str, TableFile]
    report: Mapping[str, object]
    documents: Mapping[str, Path]
    memory: Mapping[str, tuple[Path, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("tables", "report", "documents", "memory"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


# For `privacy.anonymize`, which proves it, and for the route when it opens a handoff whose digests it has checked.
anonymized_from = prover(Anonymized)
