"""Types that say what has been proved about data; only the function that proves a thing may build its type.

A module that proves claims the builder once, at import:

    _received = prover(Received)

Calling `Received(...)` anywhere else raises InternalError, as do `dataclasses.replace`, `copy` and unpickling: a proof
can't be edited, copied from elsewhere or sent through XCom. Between processes travels a handoff (path and digest,
see `pipeline/handoff`), which the receiving step checks before the proving module builds the type anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from core.digest import document_digest
from core.errors import InternalError, UsageError

if TYPE_CHECKING:
    from core.keys import FileKey

_building: ContextVar[type | None] = ContextVar("sluice_building", default=None)
_claimed: set[type] = set()

S = TypeVar("S", bound="Sealed")


class Sealed:
    """Base of the proof types."""

    def __new__(cls, *_: object, **__: object) -> Sealed:
        if _building.get() is not cls:
            raise InternalError(
                f"{cls.__name__} can only be built by the function that proves it.",
                remedy="Call that function instead of the type.",
            )
        return super().__new__(cls)


def prover(proof: type[S]) -> Callable[..., S]:
    """The one builder of the proof type `proof`. Raises InternalError when it's claimed a second time."""
    if proof in _claimed:
        raise InternalError(f"The builder of {proof.__name__} is already claimed.")
    _claimed.add(proof)

    def build(**fields: object) -> S:
        token = _building.set(proof)
        try:
            return proof(**fields)
        finally:
            _building.reset(token)

    return build


@dataclass(frozen=True, kw_only=True)
class Window:
    """The stretch of time whose facts are wanted: start <= t < end, in UTC; None on a side means no bound."""

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for side in (self.start, self.end):
            if side is not None and side.tzinfo is None:
                raise UsageError("A window's bounds need a time zone.", remedy="Write 2026-01-01T00:00:00Z.")
        if self.start and self.end and self.start >= self.end:
            raise UsageError("A window must end after it starts.")

    def overlaps(self, other: Window) -> bool:
        """Whether there is a moment in both."""
        begins_before = self.start is None or other.end is None or self.start < other.end
        return begins_before and (other.start is None or self.end is None or other.start < self.end)

    def __str__(self) -> str:
        return f"{self.start or '..'} to {self.end or '..'}" if self.start or self.end else "everything"

    def as_json(self) -> dict[str, str | None]:
        """{"start": ISO 8601 or None, "end": ISO 8601 or None}."""
        return {
            side: at.isoformat() if at else None for side, at in (("start", self.start), ("end", self.end))
        }

    @classmethod
    def from_json(cls, value: Mapping[str, str | None]) -> Window:
        """The inverse of `as_json`."""
        start, end = value.get("start"), value.get("end")
        return cls(
            start=datetime.fromisoformat(start) if start else None,
            end=datetime.fromisoformat(end) if end else None,
        )


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """One table as one Parquet file; `core.parquet` opens it.

    rows: how many count. sha256: hex digest of the file's bytes; size_bytes: its length. key: what it's encrypted under,
    None for a plain file. without: a file with the numbers, from 0, of rows that don't count; None when all do.
    """

    name: str
    path: Path
    rows: int
    size_bytes: int
    sha256: str
    key: FileKey | None = field(default=None, repr=False, compare=False)
    without: TableFile | None = None


def set_digest(tables: Mapping[str, TableFile]) -> str:
    """SHA-256 over a set of files, hex: the RFC 8785 form of {table: file digest}. The ledger names releases by it."""
    return document_digest({name: table.sha256 for name, table in tables.items()})


def _frozen(tables: Mapping[str, TableFile]) -> Mapping[str, TableFile]:
    return MappingProxyType(dict(tables))


@dataclass(frozen=True, kw_only=True)
class Received(Sealed):
    """Tables that came whole from the platform's source, with the columns that the contract names.

    digest: SHA-256 over what came (contract's tables in order, the digests of their rows); says whether two runs saw the
    same source. It could confirm a guess of raw rows: outside a run's folder stands an HMAC of it instead. Built by `connectors.base.receive`.
    """

    contract_id: str
    contract_digest: str
    window: Window
    tables: Mapping[str, TableFile]
    digest: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", _frozen(self.tables))


@dataclass(frozen=True, kw_only=True)
class Validated(Sealed):
    """Tables whose every remaining row keeps the contract's rules. Built by `pipeline.validation.validate`.

    quarantined: rows set aside, by table. source_digest: `Received.digest` of what was checked.
    """

    contract_id: str
    contract_digest: str
    window: Window
    source_digest: str
    tables: Mapping[str, TableFile]
    quarantined: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", _frozen(self.tables))
        object.__setattr__(self, "quarantined", MappingProxyType(dict(self.quarantined)))
