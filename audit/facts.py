"""The types that a fact of an event may have. Each checks a value, and says itself as JSON Schema.

There is no type for free text: a fact is a number, a digest, a time, or a name that stands in the contract or the
code. That keeps row values out of a log that nobody can erase. (It can't tell a value of one word from a name: facts are
taken from contracts, counts and class names, never from rows.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

MAX_INTEGER = 2**53 - 1  # what every JSON reader takes exactly

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
DIGEST = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_MAX_NAME = 128


class FactType(Protocol):
    """What a fact may be."""

    @property
    def label(self) -> str:
        """The type as docs/events.md writes it."""
        ...

    def takes(self, value: object) -> bool:
        """Whether `value`, made of dicts, lists and scalars, is of this type."""
        ...

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the type."""
        ...


@dataclass(frozen=True)
class Text:
    """Text of one narrow form."""

    label: str
    pattern: re.Pattern[str]

    def takes(self, value: object) -> bool:
        return isinstance(value, str) and self.pattern.fullmatch(value) is not None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern.pattern}$"}


@dataclass(frozen=True)
class Name:
    """The name of a table or a contract, as the contract gives it: printable, any script, at most 128 characters."""

    label: str = "name"

    def takes(self, value: object) -> bool:
        return is_name(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": _MAX_NAME}


@dataclass(frozen=True)
class Count:
    """A whole number from 0."""

    label: str = "count"

    def takes(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}


@dataclass(frozen=True)
class Amount:
    """A number from 0."""

    label: str = "number"

    def takes(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and 0 <= value <= MAX_INTEGER
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": MAX_INTEGER}


@dataclass(frozen=True)
class Share:
    """A number from 0 to 1."""

    label: str = "share"

    def takes(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and 0 <= value <= 1
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": 1}


@dataclass(frozen=True)
class Bound:
    """A moment with a time zone, ISO 8601, or null for no bound."""

    label: str = "time or null"

    def takes(self, value: object) -> bool:
        if value is None:
            return True
        try:
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "format": "date-time"}


@dataclass(frozen=True)
class MapOf:
    """A value for each named table."""

    of: FactType

    @property
    def label(self) -> str:
        return f"{{name: {self.of.label}}}"

    def takes(self, value: object) -> bool:
        return isinstance(value, Mapping) and all(is_name(key) and self.of.takes(value[key]) for key in value)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "propertyNames": Name().schema(), "additionalProperties": self.of.schema()}


@dataclass(frozen=True)
class ListOf:
    """Any number of values."""

    of: FactType

    @property
    def label(self) -> str:
        return f"[{self.of.label}]"

    def takes(self, value: object) -> bool:
        return isinstance(value, list) and all(map(self.of.takes, value))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.of.schema()}


@dataclass(frozen=True)
class Record:
    """Named values and no others; all of them are there, unless `partial`."""

    fields: tuple[tuple[str, FactType], ...]
    partial: bool = False

    @property
    def label(self) -> str:
        mark = "?" if self.partial else ""
        return "{" + ", ".join(f"{name}{mark}: {of.label}" for name, of in self.fields) + "}"

    def takes(self, value: object) -> bool:
        if not isinstance(value, Mapping):
            return False
        types = dict(self.fields)
        if not set(value) <= set(types) or (len(value) < len(types) and not self.partial):
            return False
        return all(types[name].takes(value[name]) for name in value)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {name: of.schema() for name, of in self.fields},
            "required": [] if self.partial else [name for name, _ in self.fields],
            "additionalProperties": False,
        }


IDENTIFIER_TYPE = Text("identifier", IDENTIFIER)
DIGEST_TYPE = Text("digest", DIGEST)
WORD = Text("word", _WORD)


def is_name(value: object) -> bool:
    """Whether `value` can be the name of a table, a contract or a data set: 1 to 128 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable()
