"""One manifest a contract: which releases it has, and which is current. A release exists once it stands here.

Readers resolve tables through it, so a release whose tables are committed in part is seen by nobody. It changes by
compare-and-swap in the store; releases are only ever added, and withheld when their contract no longer holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.release import Release, ReleaseTable, Withheld
from core.digest import canonical
from core.errors import CatalogError, ConflictError
from core.proof import prover
from core.store import Entry, Store, Write

PREFIX = "catalog/manifest/"
FORMAT = 2
_FORMATS = (1, 2)  # 1 knew no releases that are withheld

_release: Callable[..., Release] = prover(Release)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A contract's releases, oldest first. version: the stored entry's, 0 when there is none yet."""

    slug: str
    contract_id: str
    releases: tuple[Release, ...] = ()
    version: int = 0

    @property
    def current(self) -> Release | None:
        """The release published last, of those that are shown."""
        return next((each for each in reversed(self.releases) if each.withheld is None), None)

    def find(self, release: str) -> Release | None:
        """The release of that name."""
        return next((each for each in self.releases if each.release == release), None)


class Manifests:
    """The manifests of all contracts in `store`. root: the folder that tables lie under."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store = store
        self._root = root

    def __iter__(self) -> Iterator[Manifest]:
        """Every manifest by its contract's slug, as of one moment."""
        for entry in self._store.scan(PREFIX):
            yield self._decode(entry)

    def at(self, slug: str) -> Manifest | None:
        """The manifest under a slug, whoever's it is; None when nothing was published there."""
        entry = self._store.get(PREFIX + slug)
        return self._decode(entry) if entry else None

    def of(self, slug: str, contract_id: str) -> Manifest:
        """The contract's manifest, empty when nothing was published. Raises CatalogError when another contract has the slug."""
        manifest = self.at(slug)
        if manifest is None:
            return Manifest(slug=slug, contract_id=contract_id)
        if manifest.contract_id != contract_id:
            raise CatalogError(
                f"Contract {contract_id} and contract {manifest.contract_id} would share the name `{slug}`.",
                remedy="Give one of them an id that differs in more than punctuation or case.",
            )
        return manifest

    def add(self, manifest: Manifest, **fields: Any) -> Release:
        """Flips the manifest to a new current release. fields: those of `Release`.

        Raises ConflictError, and changes nothing, when the manifest isn't the one that was read any more.
        """
        release = _release(**fields)
        self._write(replace(manifest, releases=(*manifest.releases, release)))
        return release

    def withhold(self, manifest: Manifest, why: Mapping[str, Withheld | None]) -> None:
        """Flips the manifest to one in which each release named in `why` is withheld so, or shown again (None).

        Raises ConflictError, and changes nothing, when the manifest isn't the one that was read any more.
        """
        changed = tuple(
            _release(**{**vars(each), "withheld": why[each.release]}) if each.release in why else each
            for each in manifest.releases
        )
        if changed != manifest.releases:
            self._write(replace(manifest, releases=changed))

    def _write(self, grown: Manifest) -> None:
        key = PREFIX + grown.slug
        try:
            self._store.commit([Write(key, self._encode(grown), grown.version)])
        except ConflictError:
            raise ConflictError(
                f"The releases of {grown.contract_id} changed at the same moment.",
                where=key,
                remedy="Run again: it takes the new state as it is.",
            ) from None

    def _encode(self, manifest: Manifest) -> bytes:
        return canonical(
            {
                "format": FORMAT,
                "contract": manifest.contract_id,
                "releases": [self._release_json(release) for release in manifest.releases],
            }
        )

    def _release_json(self, release: Release) -> dict[str, Any]:
        return {
            "contract_version": release.contract_version,
            "contract_digest": release.contract_digest,
            "release": release.release,
            "digest": release.digest,
            "receipt": release.receipt,
            "published_at": release.published_at.isoformat(),
            **({"withheld": _withheld_json(release.withheld)} if release.withheld else {}),
            "tables": [
                {
                    "name": table.name,
                    # Relative, so that SLUICE_HOME can be moved.
                    "folder": os.path.relpath(table.uri, self._root),
                    "version": table.version,
                    "rows": table.rows,
                    "sha256": table.sha256,
                    "file": table.file,
                }
                for table in release.tables
            ],
        }

    def _decode(self, entry: Entry) -> Manifest:
        slug = entry.key.removeprefix(PREFIX)
        try:
            document = json.loads(entry.value)
            if document["format"] not in _FORMATS:
                raise CatalogError(
                    f"The manifest of `{slug}` has format {document['format']}; this Sluice knows {FORMAT}.",
                    remedy="Run the newer Sluice that wrote it.",
                )
            contract_id = document["contract"]
            releases = tuple(self._release_from(contract_id, each) for each in document["releases"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CatalogError(
                f"The manifest of `{slug}` can't be read.",
                where=entry.key,
                remedy="Restore the store from a backup.",
            ) from None
        return Manifest(slug=slug, contract_id=contract_id, releases=releases, version=entry.version)

    def _release_from(self, contract_id: str, value: Mapping[str, Any]) -> Release:
        return _release(
            contract_id=contract_id,
            contract_version=value["contract_version"],
            contract_digest=value["contract_digest"],
            release=value["release"],
            digest=value["digest"],
            receipt=value["receipt"],
            published_at=datetime.fromisoformat(value["published_at"]),
            withheld=_withheld_from(value.get("withheld")),
            tables=tuple(
                ReleaseTable(
                    name=table["name"],
                    uri=str(self._root / table["folder"]),
                    version=table["version"],
                    rows=table["rows"],
                    sha256=table["sha256"],
                    file=table["file"],
                )
                for table in value["tables"]
            ),
        )


def _withheld_json(withheld: Withheld) -> dict[str, Any]:
    return {"why": withheld.why, "since": withheld.since.isoformat(), "deleted": withheld.deleted}


def _withheld_from(value: Mapping[str, Any] | None) -> Withheld | None:
    if value is None:
        return None
    return Withheld(
        why=value["why"], since=datetime.fromisoformat(value["since"]), deleted=bool(value["deleted"])
    )
