"""Does the hall hold? The ledger by itself (`audit.verify`), then each published file against what the ledger says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from audit.events import EventKind
from audit.note import VerifierKey
from audit.verify import verify
from catalog.release import Release
from core.digest import file_digest
from core.errors import IntegrityError, LedgerError
from pipeline.home import Home


@dataclass(frozen=True, kw_only=True)
class Attested:
    """What was found to hold. root: the tree's, hex. key: the verifier key that all signatures fit."""

    entries: int
    checkpoints: int
    releases: int
    files: int
    root: str
    key: str

    def as_json(self) -> dict[str, object]:
        """All of it as a JSON value."""
        return {"holds": True, **asdict(self)}


def attest(home: Home, *, kept: Sequence[str] = (), key: str | None = None) -> Attested:
    """Checks the ledger and every release: of what readers can see or could again, each file; of what was deleted, that it's gone.

    kept: checkpoints that the auditor saved. key: the verifier key that the auditor has, else the hall's own.
    Raises LedgerError or IntegrityError at the first thing that doesn't hold.
    """
    verifier = VerifierKey.parse(key.strip()) if key else VerifierKey.of(home.keys.signer())
    verified = verify(home.store, verifier, kept=kept)
    releases = home.catalog.releases(all=True)
    files = 0
    for release in releases:
        receipt = home.ledger.receipt_for(EventKind.RELEASE_STAGED, release.release, digest=release.digest)
        if receipt is None:
            raise LedgerError(
                f"Release {release.release} is published, and the ledger knows nothing of it in this form.",
                remedy="Take it out of circulation; find out who wrote the catalog's manifest.",
            )
        facts = home.ledger.event(receipt.index).facts
        staged, documents = facts["tables"], home.catalog.documents(release.release)
        for name, sha256 in facts.get("documents", {}).items():
            if name not in documents or file_digest(documents[name]) != sha256:
                raise IntegrityError(
                    f"The report {name} beside release {release.release} is not the one that was recorded.",
                    where=str(documents.get(name, home.settings.catalog)),
                    remedy="Put back the recorded one from a copy; what it says can't be relied on.",
                )
        gone = _is_deleted(release, home)
        for table in release.tables:
            path = Path(table.uri) / table.file
            if staged.get(table.name, {}).get("sha256") != table.sha256:
                raise LedgerError(
                    f"The manifest of {release.release} names another file of `{table.name}` than the ledger.",
                    remedy="Take the release out of circulation; find out who wrote the catalog's manifest.",
                    index=receipt.index,
                )
            if gone:
                _refuse_left(path, release.release)
                continue
            if not path.is_file() or file_digest(path) != table.sha256:
                raise IntegrityError(
                    f"The published file of `{table.name}` in {release.release} is not the one that was recorded.",
                    where=str(path),
                    remedy="Take the release out of circulation and publish it anew.",
                )
            files += 1
    return Attested(
        entries=verified.size,
        checkpoints=verified.checkpoints,
        releases=len(releases),
        files=files,
        root=verified.root.hex(),
        key=str(verifier),
    )


def _is_deleted(release: Release, home: Home) -> bool:
    """Whether the release's files are to be gone: the manifest says so, and so must the ledger."""
    if release.withheld is None or not release.withheld.deleted:
        return False
    if home.ledger.receipt_for(EventKind.RELEASE_DELETED, release.release) is None:
        raise LedgerError(
            f"The manifest says that release {release.release} is deleted, and the ledger doesn't.",
            remedy="`sluice housekeeping` completes a deletion that was cut off; otherwise find out who wrote the manifest.",
        )
    return True


def _refuse_left(path: Path, release: str) -> None:
    if path.exists():
        raise IntegrityError(
            f"A file of release {release}, which was deleted, is there again.",
            where=str(path),
            remedy="Remove it, and find out who put it back.",
        )
