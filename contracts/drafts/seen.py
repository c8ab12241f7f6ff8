"""What was seen of a dataset at a glance: names, types and how values are spread. No value of a row stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.model import LogicalType


class Look(StrEnum):
    """What most of a column's values look like, whatever the column is called."""

    EMAIL = "e-mail addresses"
    PHONE = "telephone numbers"
    DOCUMENT = "numbers of identity documents"
    CARD = "card numbers"
    NET = "network addresses"
    RANDOM = "random ids"


@dataclass(frozen=True, kw_only=True)
class SeenColumn:
    """One column of the sample. type: None for what no contract carries (lists, objects, bytes).

    filled: rows with a value; distinct: different values among them; longest: characters of the longest text.
    """

    name: str
    type: LogicalType | None
    filled: int
    distinct: int
    longest: int = 0
    look: Look | None = None
    physical_type: str | None = None

    @property
    def one_each(self) -> bool:
        """Whether no two rows share a value."""
        return self.filled > 0 and self.distinct == self.filled

    @property
    def mostly_own(self) -> bool:
        """Whether more than half of the rows that have a value have one of their own."""
        return self.distinct * 2 > self.filled


@dataclass(frozen=True, kw_only=True)
class SeenTable:
    """One table of the sample. physical_name: at the source."""

    name: str
    physical_name: str
    columns: tuple[SeenColumn, ...]


@dataclass(frozen=True, kw_only=True)
class SeenData:
    """A dataset: its tables, and the server entry that reads them. path: as the contract shall say it."""

    tables: tuple[SeenTable, ...]
    path: str
    format: str
    delimiter: str | None = None
