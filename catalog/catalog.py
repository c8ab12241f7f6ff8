"""The catalog: a release is staged (durable, invisible), then revealed (committed table by table, then one manifest flips).

A crash between any two of these steps leaves the releases that readers see as they were; doing it again completes it.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from audit.events import EventKind
from audit.ledger import Receipt
from catalog.delta import commit, remove, remove_unnamed
from catalog.manifest import Manifests
from catalog.query import Answer, answer
from catalog.release import Release, ReleaseTable, Staged, Withheld
from catalog.staging import check, clear_unfinished, folder_name, locked, place, place_document
from contracts.model import Contract, slug
from core.clock import Clock, utc_now
from core.errors import CatalogError, ConflictError, IntegrityError, InternalError, UsageError
from core.folder import UNFIT
from core.proof import TableFile, prover, set_digest
from core.store import Store
from privacy.safe import Anonymized

MAX_ROWS = 10_000
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DOCUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_staged = prover(Staged)


class Catalog:
    """The releases under `root`, their manifests in `store`. Safe for several processes and threads at once.

    lock_wait_s: how long to wait for another run that publishes under the same contract before ConflictError.
    """

    def __init__(
        self, root: Path, store: Store, clock: Clock = utc_now, *, lock_wait_s: float = 30.0
    ) -> None:
        self._root = root.absolute()
        unfit = sorted(UNFIT.intersection(str(self._root)))
        if unfit:
            raise UsageError(
                f"The catalog's path holds {' '.join(unfit)}, which Delta tables can't.",
                where=str(self._root),
                remedy="Set SLUICE_HOME to a path without it.",
            )
        self._manifests = Manifests(store, self._root)
        self._clock = clock
        self._lock_wait_s = lock_wait_s
        self._mine = threading.local()

    @contextmanager
    def publishing(self, contract: Contract) -> Iterator[None]:
        """One run at a time stages and reveals under a contract; what is decided in the block holds until its end.

        A run that decides by what is published takes it around all of that, `stage` and `reveal` included; each of them
        takes it by itself otherwise. Raises ConflictError when another run holds it for longer than lock_wait_s.
        """
        if contract.slug in self._held():
            yield
            return
        with self._locked(contract.slug, self._lock_wait_s, f"under contract {contract.id}"):
            yield

    def stage(self, safe: Anonymized, contract: Contract) -> Staged:
        """Copies a safe release into its tables' folders, where no commit names it yet; may be done again.

        Raises IntegrityError when a file isn't the one that was proved safe, CatalogError when the release isn't this
        contract's or its name is another's, ConflictError when another run holds the contract.
        """
        if not isinstance(safe, Anonymized):
            raise InternalError("Only what was proved safe is staged.")
        _belongs(safe.contract_id, safe.contract_digest, contract)
        if not _NAME.fullmatch(safe.release):
            raise InternalError("A release's name must need no quotes in SQL.")
        known = {table.name for table in contract.tables}
        if not safe.tables or any(
            name not in known or name != file.name for name, file in safe.tables.items()
        ):
            raise CatalogError(
                f"The tables of release {safe.release} aren't those of contract {contract.id}.",
                remedy="Start the run again.",
            )
        if set_digest(safe.tables) != safe.digest:
            raise IntegrityError(
                "The release's digest isn't that of its tables.", remedy="Start the run again."
            )
        with self.publishing(contract):
            published = self._manifests.of(contract.slug, contract.id).find(safe.release)
            _same_as_published(published, safe.release, safe.digest)
            self._refuse_taken(safe.release, contract)
            tables = {name: self._place(file, safe.release, contract) for name, file in safe.tables.items()}
            if published is None:
                self._place_documents(safe)
        return _staged(
            contract_id=contract.id,
            contract_version=contract.version,
            contract_digest=contract.digest,
            release=safe.release,
            digest=safe.digest,
            tables=tables,
        )

    def reveal(self, staged: Staged, receipt: Receipt, contract: Contract) -> Release:
        """Publishes a staged release that the ledger's receipt speaks of; a second time, gives what the first one did.

        What must hold, in this order:
        1. the receipt says that this release was staged, with this digest;
        2. the release is this contract's, in this text;
        3. nobody else has published other content, or another contract's release, under the name;
        4. every staged file is, byte for byte, what the digest says;
        5. each table's newest commit is this release's file;
        then the manifest flips. Raises IntegrityError, CatalogError or ConflictError naming what doesn't.
        """
        _speaks_of(receipt, staged)  # 1
        _belongs(staged.contract_id, staged.contract_digest, contract)  # 2
        with self.publishing(contract):
            manifest = self._manifests.of(contract.slug, contract.id)
            published = manifest.find(staged.release)
            _same_as_published(published, staged.release, staged.digest)  # 3
            if published is not None:
                return published
            self._refuse_taken(staged.release, contract)
            for file in staged.tables.values():  # 4, all of them before the first commit
                check(file)
            metadata = {
                "sluice.contract": contract.id,
                "sluice.contractVersion": contract.version,
                "sluice.contractDigest": contract.digest,
                "sluice.receipt": receipt.name,
            }
            tables = tuple(  # 5
                ReleaseTable(
                    name=name,
                    uri=str(file.path.parent),
                    version=commit(file, release=staged.release, metadata=metadata),
                    rows=file.rows,
                    sha256=file.sha256,
                    file=file.path.name,
                )
                for name, file in staged.tables.items()
            )
            return self._manifests.add(
                manifest,
                contract_id=contract.id,
                contract_version=contract.version,
                contract_digest=contract.digest,
                release=staged.release,
                digest=staged.digest,
                tables=tables,
                receipt=receipt.name,
                published_at=self._clock(),
            )

    def withhold(self, contract_id: str, why: Mapping[str, Withheld | None]) -> tuple[Release, ...]:
        """Shows the contract's releases named in `why` to nobody any more, or again (None); gives those that changed, as they
        are now. What was deleted stays withheld.

        Raises UsageError for a release that the contract doesn't have, ConflictError when others publish under it.
        """
        with self._locked(slug(contract_id), self._lock_wait_s, f"under contract {contract_id}"):
            manifest = self._manifests.of(slug(contract_id), contract_id)
            before = {release.release: release.withheld for release in manifest.releases}
            unknown = sorted(why.keys() - before.keys())
            if unknown:
                raise UsageError(
                    f"Contract {contract_id} has no release {unknown[0]}.",
                    remedy="See `sluice catalog list`.",
                )
            wanted = {name: said for name, said in why.items() if not _is_deleted(before[name])}
            self._manifests.withhold(manifest, wanted)
            now = self._manifests.of(slug(contract_id), contract_id).releases
        return tuple(release for release in now if release.withheld != before[release.release])

    def delete(self, release: str) -> tuple[ReleaseTable, ...]:
        """Removes the files of a release that is withheld, for good; gives its tables, also when they were gone already.

        A Delta table whose newest version it is gets an empty one after it, so that whoever opens the folder finds a table
        without rows and not one with a file missing. Raises UsageError for a release that isn't withheld.
        """
        found = self.find(release)
        if found is None or found.withheld is None:
            raise UsageError(
                f"Release {release} {'is shown' if found else 'is not there'}: only what is withheld is deleted.",
                remedy="Suspend or terminate its contract first.",
            )
        name = slug(found.contract_id)
        with self._locked(name, self._lock_wait_s, f"under contract {found.contract_id}"):
            for table in found.tables:
                remove(Path(table.uri), table.file, release=release)
            manifest = self._manifests.of(name, found.contract_id)
            self._manifests.withhold(manifest, {release: replace(found.withheld, deleted=True)})
        return found.tables

    def sweep(self) -> int:
        """Removes the files that crashed runs staged or half wrote, and that no release came to name; gives how many.

        A contract under which something is being published right now is left for another time.
        """
        removed = 0
        for folder in sorted((self._root / "tables").glob("*")):
            with suppress(ConflictError), self._locked(folder.name, 0.0, "there"):
                manifest = self._manifests.at(folder.name)
                releases = manifest.releases if manifest else ()
                named = {(Path(table.uri), table.file) for release in releases for table in release.tables}
                for table in sorted(folder.iterdir()):
                    removed += remove_unnamed(table, {file for uri, file in named if uri == table})
                removed += self._remove_reports(folder.name, {release.release for release in releases})
        return removed

    def find(self, release: str) -> Release | None:
        """The published release of that name, or None."""
        return next((found for manifest in self._manifests if (found := manifest.find(release))), None)

    def releases(self, *, all: bool = False) -> tuple[Release, ...]:
        """The current release of each contract, by the contract's slug; all: every release, oldest first in each, also
        those that are withheld."""
        manifests = list(self._manifests)
        if all:
            return tuple(release for manifest in manifests for release in manifest.releases)
        return tuple(manifest.current for manifest in manifests if manifest.current)

    def query(self, sql: str, *, max_rows: int = MAX_ROWS) -> Answer:
        """The rows of one SELECT over published tables, and which of them it read.

        Tables are `<release>.<table>` for every release ever published, `<contract's slug>.<table>` for the current one.
        Raises UsageError for SQL that the catalog doesn't take, IntegrityError when a published file was changed.
        """
        return answer(sql, list(self._manifests), max_rows=max_rows)

    def documents(self, release: str) -> dict[str, Path]:
        """The reports kept beside a release, by file name: what was checked, and the risk that is left."""
        folder = self._reports(release)
        return {file.name: file for file in sorted(folder.iterdir())} if folder.is_dir() else {}

    def _reports(self, release: str) -> Path:
        if not _NAME.fullmatch(release):
            raise CatalogError("That isn't a release's name.", remedy="See `sluice catalog list`.")
        return self._root / "reports" / release

    def _remove_reports(self, slug: str, published: set[str]) -> int:
        """Removes the reports of a contract's releases that were staged and never published; gives how many files."""
        ours = re.compile(rf"{re.escape(slug)}_[0-9a-f]+")
        removed = 0
        for folder in sorted((self._root / "reports").glob(f"{slug}_*")):
            if ours.fullmatch(folder.name) and folder.name not in published:
                removed += len(list(folder.iterdir()))
                shutil.rmtree(folder, ignore_errors=True)
        return removed

    def _held(self) -> set[str]:
        """The slugs whose lock this thread holds."""
        held: set[str] | None = getattr(self._mine, "slugs", None)
        if held is None:
            held = self._mine.slugs = set()
        return held

    @contextmanager
    def _locked(self, slug: str, wait_s: float, what: str) -> Iterator[None]:
        with locked(self._root / "locks" / f"{slug}.lock", wait_s=wait_s, what=what):
            self._held().add(slug)
            try:
                yield
            finally:
                self._held().discard(slug)

    def _place(self, file: TableFile, release: str, contract: Contract) -> TableFile:
        folder = self._root / "tables" / contract.slug / folder_name(file.name)
        clear_unfinished(folder)
        return place(file, folder / f"part-{release}-{file.sha256[:16]}.parquet")

    def _place_documents(self, safe: Anonymized) -> None:
        folder = self._reports(safe.release)
        clear_unfinished(folder)
        for name, path in safe.documents.items():
            if not _DOCUMENT.fullmatch(name):
                raise InternalError("A document beside a release needs a plain file name.")
            place_document(path, folder / name)

    def _refuse_taken(self, release: str, contract: Contract) -> None:
        """In SQL a release's name and a contract's slug stand in the same place: none may mean two things."""
        for manifest in self._manifests:
            if manifest.slug == contract.slug:
                clash = release == manifest.slug
            else:
                clash = release == manifest.slug or any(
                    name is not None for name in (manifest.find(release), manifest.find(contract.slug))
                )
            if clash:
                raise CatalogError(
                    f"The name of release {release} or of contract {contract.id} is taken by contract "
                    f"{manifest.contract_id}.",
                    remedy="Give the contract another id.",
                )


def _is_deleted(withheld: Withheld | None) -> bool:
    return withheld is not None and withheld.deleted


def _belongs(contract_id: str, contract_digest: str, contract: Contract) -> None:
    if (contract_id, contract_digest) != (contract.id, contract.digest):
        raise CatalogError(
            f"The release was made under another contract, or another text of it, than {contract.id} {contract.version}.",
            remedy="Start the run again: it takes the contract as it stands.",
        )


def _same_as_published(published: Release | None, release: str, digest: str) -> None:
    if published is not None and published.digest != digest:
        raise CatalogError(
            f"Release {release} is published already, with other content.",
            remedy="Look at `sluice catalog list`: a published release never changes.",
        )


def _speaks_of(receipt: Receipt, staged: Staged) -> None:
    if not isinstance(receipt, Receipt) or not isinstance(staged, Staged):
        raise InternalError("Only what was staged is revealed, and only with the ledger's receipt.")
    if receipt.kind != EventKind.RELEASE_STAGED or receipt.subject != staged.release:
        raise CatalogError(
            f"The receipt {receipt.name} doesn't speak of the staging of release {staged.release}.",
            remedy="Reveal a release with the receipt of its own staging.",
        )
    if not staged.digest == receipt.digest == set_digest(staged.tables):
        raise IntegrityError(
            f"The ledger recorded other content for release {staged.release} than what is staged.",
            remedy="Find out why the same source gave another release; then change the contract's version and run again.",
        )
