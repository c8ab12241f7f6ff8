"""The hall's quarantine: what runs set aside is kept for the days that the contract says, sealed to the platform's key.

    quarantine/<contract's slug>/<run's uuid>/    as `pipeline.quarantine.sealed` has it, mode 0700, files 0600
      lock                                        held by who reads or removes it

It is made whole in the run's own folder, recorded, and moved here by one rename. From here it goes by expiry, by a later
one of the same run or release, or handed out; its manifest is destroyed first, and with it the only copy of its key.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from audit.events import Event, EventKind
from audit.note import VerifierKey
from contracts.model import Contract, slug
from core.errors import ConflictError, IntegrityError, QualityError, StateError, UsageError
from core.files import sync
from core.ids import is_uuid
from core.keys import FileKey
from core.lock import exclusive
from core.sealing import OpeningKey, SealingKey, read_sealing_key
from pipeline.home import Home
from pipeline.quarantine.aside import Draft
from pipeline.quarantine.handout import Form, hand_out, hand_out_sealed, place_for
from pipeline.quarantine.sealed import (
    MANIFEST,
    SHORT_ID,
    Folder,
    Kept,
    destroy,
    first_rows,
    kept_of,
    read_manifest,
    unsealed,
    write_manifest,
)
from pipeline.runs import Run
from pipeline.told import record

_LOCK = "lock"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A quarantine that isn't as the hall left it. what: why nothing of it is shown."""

    id: str
    path: Path
    what: str


@dataclass(frozen=True, kw_only=True)
class Seal:
    """A fresh key for rows, the public key that it will be sealed to, and who has the private half of that."""

    rows_key: FileKey
    to: SealingKey
    holder: str


class Quarantine:
    """The quarantine of a hall. Safe for several processes at once. lock_wait_s: how long to wait for who reads or removes
    the same one before ConflictError."""

    def __init__(self, home: Home, *, lock_wait_s: float = 30.0) -> None:
        self._home, self._lock_wait_s = home, lock_wait_s
        self._root = home.settings.quarantine
        self._hall = VerifierKey.of(home.keys.signer())

    @contextmanager
    def setting_aside(self, contract: Contract, run: Run, release: str) -> Iterator[Draft]:
        """A draft for the rows that a run sets aside. When the block ends what is in it is kept, durably, also when it ends
        in a QualityError, so that somebody can look; any other error leaves nothing.

        It takes the place of an earlier one of the run, and of those of the same release. Raises UsageError when the
        platform's key can't be used, before anything is set aside; StateError, LedgerError.
        """
        seal = self._seal(contract.tenant) if contract.quarantine_days else None
        draft = Draft(run.folder / "quarantine", seal.rows_key if seal else None, name=run.id[:SHORT_ID])
        draft.clear()
        try:
            try:
                yield draft
            except QualityError:
                if seal and draft.tables:
                    self._keep(draft, seal, contract, run, release)
                raise
            if seal and draft.tables:
                self._keep(draft, seal, contract, run, release)
            else:
                self._supersede(self._root / contract.slug / run.id)
        finally:
            draft.clear()

    def entries(self) -> tuple[Kept | Broken, ...]:
        """Everything that is kept, oldest first; what doesn't hold comes last."""
        kept: list[Kept] = []
        broken: list[Broken] = []
        for path in self._folders():
            try:
                kept.append(self._read(path).kept)
            except FileNotFoundError:
                continue  # it goes at this moment
            except (IntegrityError, StateError) as error:
                broken.append(Broken(id=path.name, path=path, what=error.what))
        return (*sorted(kept, key=lambda each: (each.set_aside_at, each.id)), *broken)

    def find(self, start: str) -> Kept:
        """The quarantine whose id begins so. Raises UsageError when there's none or several, IntegrityError."""
        return self._opened(self._find(start)).kept

    def look(
        self, start: str, *, most: int, tables: Collection[str] = (), key: OpeningKey | None = None
    ) -> tuple[Kept, dict[str, pa.Table]]:
        """The first rows of each table, at most so many; the ledger is told before any row is decrypted.

        tables: only these; none named: all. key: the platform's own; None where the hall holds it. Raises UsageError for another key, IntegrityError when
        anything was changed, and then gives nothing.
        """
        path = self._find(start)
        with self._locked(path):
            folder = self._opened(path)
            files = unsealed(folder, self._opening_key(folder.kept, key))
            wanted = {name: file for name, file in files.items() if name in tables or not tables}
            shown = {name: min(most, file.rows) for name, file in wanted.items()}
            self._record(EventKind.QUARANTINE_OPENED, folder.kept, {"tables": shown})
            return folder.kept, {name: first_rows(file, most) for name, file in wanted.items()}

    def release(self, start: str, *, to: Path, form: Form, key: OpeningKey | None = None) -> Path:
        """Hands all rows out into a new folder in `to`, whose path it gives, then removes the quarantine.

        The ledger is told first. Nothing is removed when the rows couldn't be written. Raises what `look` does, UsageError
        for a place that can't be, StateError when the place can't be written.
        """
        path = self._find(start)
        with self._locked(path):
            folder = self._opened(path)
            kept = folder.kept
            place = place_for(to, kept, outside=self._home.settings.home)
            files = {} if form is Form.SEALED else unsealed(folder, self._opening_key(kept, key))
            rows = {table.name: table.rows for table in kept.tables}
            self._record(EventKind.QUARANTINE_RELEASED, kept, {"tables": rows, "form": form.value})
            if form is Form.SEALED:
                hand_out_sealed(folder, place)
            else:
                hand_out(files, place, form)
            self._remove(path, folder.digest, kept, why="released")
        return place

    def sweep(self) -> int:
        """Removes what is kept no longer, and what a crash left of a removal; gives how many.

        Of one whose manifest was changed, the ledger says until when. Somebody's look isn't cut off: it goes the next time.
        """
        gone = 0
        for path in self._folders():
            with suppress(ConflictError, StateError, UsageError, OSError):
                if self._over(path) is None:
                    continue
                with self._locked(path, wait_s=0.0):
                    over = self._over(path)  # a later one may have taken its place
                    if over is not None:
                        over()
                        gone += 1
        return gone

    def _over(self, path: Path) -> Callable[[], None] | None:
        """How a quarantine is removed that is kept no longer; None for one that is."""
        if not (path / MANIFEST).exists():
            return partial(destroy, path)
        about: Kept | Event
        try:
            folder = self._read(path)
            digest, until, about = folder.digest, folder.kept.until, folder.kept
        except IntegrityError:
            sealed = self._sealed_event(path.name)
            if sealed is None:
                return None
            digest, until, about = sealed.digest, datetime.fromisoformat(sealed.facts["until"]), sealed
        if self._home.ledger.receipt_for(EventKind.QUARANTINE_REMOVED, path.name, digest=digest):
            return partial(destroy, path)  # a crash came in between
        if until <= self._home.clock():
            return partial(self._remove, path, digest, about, why="expired")
        return None

    def _keep(self, draft: Draft, seal: Seal, contract: Contract, run: Run, release: str) -> None:
        kept = kept_of(
            draft,
            contract,
            run_id=run.id,
            release=release,
            at=self._home.clock(),
            key=seal.to.name,
            holder=seal.holder,
        )
        path = self._root / contract.slug / run.id
        try:
            for aside in draft.tables.values():
                sync(aside.file.path)
            folder = write_manifest(
                draft.folder, kept, seal.rows_key, sealing_key=seal.to, signer=self._home.keys.signer()
            )
            # In the log before anyone can see it: what lies in the quarantine and isn't recorded was never put there by us.
            record(
                EventKind.QUARANTINE_SEALED,
                contract,
                self._home,
                run_id=run.id,
                subject=run.id,
                facts={
                    "digest": folder.digest,
                    "release": release,
                    "tables": {table.name: table.rows for table in kept.tables},
                    "until": kept.until.isoformat(),
                    "key": seal.holder,
                },
            )
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for each in (self._root, path.parent):
                each.chmod(0o700)
            sync(self._root)
            self._supersede(path)
            draft.folder.rename(path)
            sync(path.parent)
        except OSError as error:
            raise StateError(
                f"The rows that broke a rule couldn't be kept ({error.strerror or type(error).__name__}).",
                where=str(path),
                remedy="Check that SLUICE_HOME is writable and its disk has room; then run again.",
            ) from None
        for other in self._folders(contract.slug):
            with suppress(IntegrityError, StateError, UsageError, ConflictError, FileNotFoundError):
                if other != path and self._read(other).kept.release == release:
                    self._supersede(other)

    def _supersede(self, path: Path) -> None:
        """Removes the quarantine there, if there is one, since a later one says the same or better."""
        if not path.is_dir():
            return
        with self._locked(path):
            try:
                folder = self._read(path)
                self._remove(path, folder.digest, folder.kept, why="superseded")
            except IntegrityError:
                sealed = self._sealed_event(path.name)
                if sealed is not None:
                    self._remove(path, sealed.digest, sealed, why="superseded")
                else:
                    destroy(path)

    def _remove(self, path: Path, digest: str, about: Kept | Event, *, why: str) -> None:
        self._record(EventKind.QUARANTINE_REMOVED, about, {"digest": digest, "why": why}, subject=path.name)
        try:
            destroy(path)
        except OSError as error:
            raise StateError(
                f"A quarantine couldn't be removed ({error.strerror or type(error).__name__}).",
                where=str(path),
                remedy="Remove it by hand, or make the folder writable: the next run tries again.",
            ) from None

    def _record(
        self, kind: EventKind, about: Kept | Event, facts: Mapping[str, Any], *, subject: str = ""
    ) -> None:
        """subject: without one, the event is one of its own below the run."""
        run_id = about.run_id if isinstance(about, Event) else about.id
        self._home.ledger.append(
            Event(
                kind=kind,
                run_id=run_id,
                subject=subject or f"{run_id}/{uuid.uuid4()}",
                contract_id=about.contract_id,
                contract_version=about.contract_version,
                contract_digest=about.contract_digest,
                facts=facts,
            )
        )

    def _sealed_event(self, run_id: str) -> Event | None:
        receipt = self._home.ledger.receipt_for(EventKind.QUARANTINE_SEALED, run_id)
        return self._home.ledger.event(receipt.index) if receipt else None

    def _seal(self, platform: str) -> Seal:
        path = self._home.settings.platform_key
        if path is None:
            to, holder = self._home.keys.platform_key(platform).sealing_key, "hall"
        else:
            to = read_sealing_key(path / f"{slug(platform)}.pem" if path.is_dir() else path)
            holder = "platform"
        return Seal(rows_key=FileKey.fresh(), to=to, holder=holder)

    def _opening_key(self, kept: Kept, given: OpeningKey | None) -> OpeningKey:
        if given is not None:
            return given
        if kept.holder == "hall":
            return self._home.keys.platform_key(kept.platform)
        raise UsageError(
            f"These rows are sealed to the platform's own key ({kept.key}), which the hall doesn't have.",
            where=f"quarantine {kept.id}",
            remedy="Name the file of its private half with --key.",
        )

    def _folders(self, contract_slug: str = "*") -> list[Path]:
        return sorted(path for path in self._root.glob(f"{contract_slug}/*") if _is_quarantine(path))

    def _find(self, start: str) -> Path:
        found = [path for path in self._folders() if start and path.name.startswith(start.lower())]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"{'Several quarantines have' if found else 'No quarantine has'} an id that begins so.",
            where=start,
            remedy="Write more of the id." if found else "`sluice quarantine list` shows what there is.",
        )

    def _opened(self, path: Path) -> Folder:
        """A quarantine that may be looked at."""
        try:
            folder = self._read(path)
            loose = [each for each in (path, *path.iterdir()) if each.stat().st_mode & 0o077]
        except FileNotFoundError:
            raise _gone(path) from None
        if loose:
            raise StateError(
                "Others may read or change this quarantine.",
                where=str(loose[0]),
                remedy=f"Run `chmod -R go= {path.parent}`, and find out who opened it.",
            )
        removed = self._home.ledger.receipt_for(EventKind.QUARANTINE_REMOVED, path.name, digest=folder.digest)
        if removed or folder.kept.until <= self._home.clock():  # a copy that was put back is no less gone
            raise _gone(path)
        return folder

    def _read(self, path: Path) -> Folder:
        """What lies there, once it's sure that this hall put it there. Raises IntegrityError, FileNotFoundError."""
        try:
            folder = read_manifest(path, self._hall)
        except (FileNotFoundError, IntegrityError):
            raise
        except OSError as error:
            raise StateError(
                f"A quarantine can't be read ({error.strerror or type(error).__name__}).",
                where=str(path),
                remedy="Check the permissions of SLUICE_HOME.",
            ) from None
        if (slug(folder.kept.contract_id), folder.kept.id) != (path.parent.name, path.name):
            raise IntegrityError(
                "This quarantine lies where another one was put.",
                where=str(path),
                remedy="Nothing of it is shown. Find out who moved it.",
            )
        return folder

    @contextmanager
    def _locked(self, path: Path, *, wait_s: float | None = None) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    exclusive(
                        path / _LOCK,
                        wait_s=self._lock_wait_s if wait_s is None else wait_s,
                        what="Somebody reads or removes this quarantine right now.",
                        remedy="Try again when they have ended.",
                    )
                )
            except FileNotFoundError:
                raise _gone(path) from None
            except OSError as error:
                raise StateError(
                    f"A quarantine can't be locked ({error.strerror or type(error).__name__}).",
                    where=str(path),
                    remedy="Check that SLUICE_HOME is writable.",
                ) from None
            yield


def _is_quarantine(path: Path) -> bool:
    return is_uuid(path.name) and path.is_dir() and not path.is_symlink()


def _gone(path: Path) -> UsageError:
    return UsageError(
        "This quarantine is gone: handed out, replaced by a later one, or kept for as long as the contract says.",
        where=path.name,
        remedy="`sluice quarantine list` shows what there is, `sluice audit log` what became of it.",
    )
