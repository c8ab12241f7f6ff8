"""Rows of facts that were published: which columns of the source they show and how, so that those of another contract can be
read beside them. No row is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts.protection import Transform, Treatment
from core.digest import file_digest
from core.errors import IntegrityError
from core.keys import FileKey
from core.parquet import schema, writer
from privacy.history.facts import remembered_file
from privacy.history.links import FactOrigins

_ABOUT = b"sluice.shown"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ShownColumn:
    """A column as the source calls it, its type, and what is done to it."""

    name: str
    type: str
    transform: Transform
    treatment: Treatment | None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A table of rows. origins: which facts. unit, time, period_column: the source's names of the columns that say whose a row is,
    that windows are cut by ("": none) and by which the pseudonym changes; period: how often it does, "" never. points, limit: of
    the units at most this share (0..1) may be singled out by so many known rows. columns: those that stay, but pseudonyms."""

    table: str
    origins: FactOrigins
    unit: str
    time: str
    period: str
    period_column: str
    points: int
    limit: float
    columns: tuple[ShownColumn, ...]


def write_shown(shown: Shown, path: Path, key: FileKey) -> str:
    """Writes it, encrypted: a file of no rows, with the columns that are shown. Gives its SHA-256."""
    about = {"version": _VERSION, **asdict(shown)}
    fields = pa.schema([(name, pa.string()) for name in _names(shown.columns)])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writer(path, fields.with_metadata({_ABOUT: json.dumps(about, default=str).encode()}), key) as sink:
        sink.write(fields.empty_table())
    return file_digest(path)


def read_shown(path: Path, key: FileKey, digest: str) -> Shown:
    """What `write_shown` wrote. digest: what it gave. Raises IntegrityError for another file."""
    try:
        if file_digest(path) != digest:
            raise _unreadable(path)
        said: dict[str, Any] = json.loads((schema(remembered_file(path, key)).metadata or {})[_ABOUT])
        if said.pop("version") != _VERSION:
            raise _unreadable(path)
        columns = tuple(_column(each) for each in said.pop("columns"))
        return Shown(**{**said, "origins": FactOrigins(**said["origins"]), "columns": columns})
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        raise _unreadable(path) from None


def _names(columns: Iterable[ShownColumn]) -> list[str]:
    """At least one: a file of no columns can't be written."""
    return [column.name for column in columns] or ["nothing"]


def _column(said: dict[str, Any]) -> ShownColumn:
    told = said["treatment"]
    return ShownColumn(
        name=said["name"],
        type=said["type"],
        transform=Transform(said["transform"]),
        treatment=None if told is None else _treatment(told),
    )


def _treatment(told: dict[str, Any]) -> Treatment:
    step, low, high, scale = (
        Decimal(told[name]) if told[name] is not None else None for name in ("step", "low", "high", "scale")
    )
    return Treatment(holder=told["holder"], step=step, low=low, high=high, scale=scale, days=told["days"])


def _unreadable(path: Path) -> IntegrityError:
    return IntegrityError(
        "What is remembered of an earlier release's rows of facts can't be read, or was changed, so that nobody can say what a "
        "further one would tell.",
        where=str(path),
        remedy="Put the file back from its backup; or withhold and delete that release first.",
    )
