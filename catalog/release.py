"""The catalog's nouns: what is staged, and what is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from core.proof import Sealed, TableFile


@dataclass(frozen=True, kw_only=True)
class Staged(Sealed):
    """A release whose files lie durably in the catalog and are named by no commit yet. Built by `Catalog.stage`.

    digest: `set_digest` of the tables, which the ledger's receipt has to carry.
    """

    contract_id: str
    contract_version: str
    contract_digest: str
    release: str
    digest: str
    tables: Mapping[str, TableFile]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))


@dataclass(frozen=True, kw_only=True)
class ReleaseTable:
    """One table of a release: version `version` of the Delta table at `uri`, which is the one file `file` there.

    uri: an absolute path. sha256: hex digest of the file.
    """

    name: str
    uri: str
    version: int
    rows: int
    sha256: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """Why a release isn't shown. why: how its contract stands, in one word; since: from when on.

    deleted: its files are removed too; nothing brings it back.
    """

    why: str
    since: datetime
    deleted: bool = False

    def as_json(self) -> dict[str, object]:
        """What a release's JSON says of it."""
        return {"withheld": self.why, "withheld_since": self.since.isoformat(), "deleted": self.deleted}


@dataclass(frozen=True, kw_only=True)
class Release(Sealed):
    """A published release, as its contract's manifest says. Built by `catalog.manifest` only.

    receipt: the name of the ledger's receipt for its staging. digest: the staged set's, as that receipt has it.
    withheld: why nobody is shown it, while that is so.
    """

    contract_id: str
    contract_version: str
    contract_digest: str
    release: str
    digest: str
    tables: tuple[ReleaseTable, ...]
    receipt: str
    published_at: datetime
    withheld: Withheld | None = None

    def as_json(self) -> dict[str, object]:
        """The release as `sluice catalog list --json` gives it."""
        return {
            "contract": self.contract_id,
            "contract_version": self.contract_version,
            "release": self.release,
            "tables": [
                {"name": table.name, "uri": table.uri, "version": table.version, "rows": table.rows}
                for table in self.tables
            ],
            "receipt": self.receipt,
            "published_at": self.published_at.isoformat(),
            **(self.withheld.as_json() if self.withheld else {}),
        }
