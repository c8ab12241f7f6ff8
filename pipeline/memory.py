"""What the hall remembers of its releases, so that a further one of the same persons doesn't undo them.

    <memory>/<release>/rows.parquet, classes.parquet      of the table of persons, see `privacy.history.memory`
                       cells-<n>.parquet                  of the n-th table, where it holds cells, see `privacy.history.facts`

All of it is encrypted under a key of the hall, and lies apart from the catalog, whose files the doors hand out. The log has the
digests, in the event of the staging.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.events import EventKind
from catalog.release import Release, ReleaseTable
from contracts.model import Contract, Table, TableKind
from contracts.shelf import find_contract
from contracts.through import through
from core.errors import ConflictError, PrivacyError, SluiceError, StateError
from core.files import sync
from core.folder import usable
from core.keys import ContractKeys, FileKey
from core.lock import exclusive
from core.proof import TableFile, Window
from pipeline.home import Home
from privacy.facts.others import same_facts
from privacy.history.facts import read_facts, told_of
from privacy.history.links import facts_of, origins_of, plan_of
from privacy.history.memory import ROWS, Earlier, History, Memory, OtherCells, about_of, read_memory
from privacy.history.rebuilt import can_be_rebuilt, names_of, rebuilt
from privacy.subjects.columns import pseudonym_key
from privacy.subjects.names import KEY_BYTES

_LOCK = "lock"
_WAIT_S = 120.0


def history_of(
    contract: Contract, home: Home, *, but: str, tables: Mapping[str, TableFile], window: Window
) -> History | None:
    """The live releases that tell of the same persons as the contract's subject table, the oldest first, its own cells of the
    window, and all other cells of the same facts; None where it shows neither persons nor cells. but: the release that is being made, which is no earlier one when a run is
    repeated. tables: its source.

    A withheld release counts until it's deleted: its readers had it. Raises PrivacyError when nobody knows any more what one
    of them shows, IntegrityError when what is remembered was changed.
    """
    if not _shows_persons(contract) or contract.privacy is None:
        return None
    names, files = _keys(home)
    table = _subjects(contract)
    live = []
    for release, digests in _live(contract, home, but=but):
        assert table is not None  # else there are none
        if digests is None:
            memory = _rebuilt(release, contract, home, names, source=tables[table.name])
        else:
            memory = read_memory(_folder(release.release, home), files, digests)
        shown = next(each for each in release.tables if each.name == memory.about.table)
        live.append(Earlier(release=release.release, memory=memory, file=_file(shown)))
    cells = []
    for release, digests in _of_window(contract, window, home, but=but):
        for name, digest in (digests or {}).items():
            if name.startswith("cells-"):
                cells.append(read_facts(_folder(release.release, home) / name, files, digest))
    others = [
        OtherCells(release=each.release, window=each.window, facts=read_facts(each.path, files, each.digest))
        for each in _of_others(contract, window, home, but=but)
    ]
    return History(
        names=names,
        files=files,
        live=tuple(live),
        cells=tuple(cells),
        others=tuple(others),
        window=window,
    )


@contextmanager
def publishing(contract: Contract, home: Home) -> Iterator[None]:
    """One run of the hall at a time publishes what persons stand behind: what is live stays so for the length of the block."""
    if not _shows_persons(contract):
        yield
        return
    with ExitStack() as stack:
        with usable(home.settings.home):
            home.settings.memory.mkdir(mode=0o700, parents=True, exist_ok=True)
            what = "Another run is publishing persons' rows right now."
            stack.enter_context(exclusive(home.settings.memory / _LOCK, wait_s=_WAIT_S, what=what))
        yield


def beside_of(contract: Contract, home: Home, *, but: str, window: Window) -> list[str]:
    """The names of the releases that one of this contract and window has to be made beside."""
    every = [*_live(contract, home, but=but), *_of_window(contract, window, home, but=but)]
    others = [each.release for each in _of_others(contract, window, home, but=but)]
    return list(dict.fromkeys([*(release.release for release, _ in every), *others]))


def keep(files: Mapping[str, Path], release: str, home: Home) -> None:
    """Puts what is to be remembered of a release where it stays, durably, before anybody is shown the release."""
    if not files:
        return
    folder = _folder(release, home)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, path in files.items():
            draft = folder / f".{name}"
            shutil.copyfile(path, draft)
            os.chmod(draft, 0o600)
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.replace(folder / name)
        sync(folder)
    except OSError as error:
        raise StateError(
            f"What the hall remembers of a release can't be written ({os.strerror(error.errno or 0)}).",
            where=str(folder),
            remedy="Check that SLUICE_HOME is writable and its disk has room.",
        ) from None


def forget(release: str, home: Home) -> None:
    """Removes what is remembered of a release that is deleted; safe to call twice."""
    shutil.rmtree(_folder(release, home), ignore_errors=True)


def forget_unpublished(home: Home) -> int:
    """Removes what crashed runs left of releases that were never published; gives how many. Not while somebody publishes."""
    folder = home.settings.memory
    if not folder.is_dir():
        return 0
    with (
        suppress(ConflictError),
        usable(home.settings.home),
        exclusive(folder / _LOCK, wait_s=0.0, what="Another run is publishing."),
    ):
        published = {release.release for release in home.catalog.releases(all=True)}
        left = [each for each in folder.iterdir() if each.is_dir() and each.name not in published]
        for each in left:
            shutil.rmtree(each, ignore_errors=True)
        return len(left)
    return 0


def _live(contract: Contract, home: Home, *, but: str) -> list[tuple[Release, Mapping[str, str] | None]]:
    """The live releases of the same persons, the oldest first, and the digests of what is remembered of each; None: it was
    published before there were memories."""
    table = _subjects(contract)
    if table is None:
        return []
    ours, (_, files) = origins_of(contract, table), _keys(home)
    live: list[tuple[Release, Mapping[str, str] | None]] = []
    for release in sorted(
        home.catalog.releases(all=True), key=lambda each: (each.published_at, each.release)
    ):
        if release.release == but or (release.withheld is not None and release.withheld.deleted):
            continue
        digests = _digests(release, home)
        if digests is None:
            other = _of_before(release, contract, home)
            if other is not None and origins_of(*other).meets(ours):
                live.append((release, None))
        elif digests and about_of(_folder(release.release, home), files).origins.meets(ours):
            live.append((release, digests))
    return live


def _of_window(
    contract: Contract, window: Window, home: Home, *, but: str
) -> list[tuple[Release, Mapping[str, str] | None]]:
    """The contract's live releases of a window that hold cells, and what the log says of their memories.

    Raises PrivacyError for one of before there were memories: nobody knows whose facts its cells are made of.
    """
    tables = {table.name for table in contract.tables if table.cells is not None}
    found: list[tuple[Release, Mapping[str, str] | None]] = []
    for release in home.catalog.releases(all=True):
        if release.contract_id != contract.id or release.release == but:
            continue
        if (release.withheld is not None and release.withheld.deleted) or not any(
            table.name in tables for table in release.tables
        ):
            continue
        facts = _staged(release, home)
        if Window.from_json(facts.get("window", {})) != window:
            continue
        if "memory" not in facts:
            raise PrivacyError(
                f"Release refused: {release.release} holds cells of this window, and was published before the hall kept account "
                "of whose facts they are made of, so that nobody can say what the difference would tell.",
                remedy="Take the next window; or suspend or terminate the contract and delete that release.",
            )
        found.append((release, facts["memory"]))
    return found


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """A live table of cells: of which release and window, and where it's remembered under which digest."""

    release: str
    window: Window
    path: Path
    digest: str


def _of_others(contract: Contract, window: Window, home: Home, *, but: str) -> list[_Cells]:
    """The live cells that may hold the same facts as the contract's in a window, but its own of that window.

    Raises PrivacyError for a release of before there were memories that does: nobody knows of which facts its cells are made.
    """
    tables = [table for table in contract.tables if table.cells is not None]
    _, files = _keys(home)
    found: list[_Cells] = []
    for release in home.catalog.releases(all=True) if tables else ():
        if release.release == but or (release.withheld is not None and release.withheld.deleted):
            continue
        facts = _staged(release, home)
        theirs = Window.from_json(facts.get("window", {}))
        if release.contract_id == contract.id and theirs == window:
            continue
        if "memory" not in facts and theirs.overlaps(window) and _may_hold(release, None, contract, home):
            raise PrivacyError(
                f"Release refused: {release.release} holds cells of the same facts, and was published before the hall kept account "
                "of what cells are made of, so that nobody can say what the two tell together.",
                remedy="Take a window that doesn't overlap; or suspend or terminate the contract and delete that release.",
            )
        for name, digest in facts.get("memory", {}).items():
            if not name.startswith("cells-"):
                continue
            path = _folder(release.release, home) / name
            table, made = told_of(path, files)
            if (
                any(same_facts(made, theirs, contract, each, window) for each in tables)
                if made is not None
                else theirs.overlaps(window) and _may_hold(release, table, contract, home)
            ):
                found.append(_Cells(release=release.release, window=theirs, path=path, digest=digest))
    return found


def _may_hold(release: Release, table: str | None, contract: Contract, home: Home) -> bool:
    """Whether a release whose memory doesn't say holds cells of the contract's facts. table: the one that is asked about, None:
    any. Raises PrivacyError where no contract says any more what its tables hold."""
    other = _contract_of(release, contract, home)
    ours = [facts_of(contract, each) for each in contract.tables if each.cells is not None]
    return any(
        facts_of(other, each).meets(mine)
        for each in other.tables
        if each.cells is not None and table in (None, each.name)
        for mine in ours
    )


def _of_before(release: Release, contract: Contract, home: Home) -> tuple[Contract, Table] | None:
    """The contract and the subject table of a release without a memory; None where it shows no persons' rows.

    Raises PrivacyError where no contract says any more what its tables hold: they may be the same persons'.
    """
    contract = _contract_of(release, contract, home)
    table = _subjects(contract)
    return (contract, table) if table and table.name in {each.name for each in release.tables} else None


def _contract_of(release: Release, contract: Contract, home: Home) -> Contract:
    """The contract that says what a release's tables hold. contract: the one of this run. Raises PrivacyError when none does."""
    if release.contract_id != contract.id:
        try:
            contract = find_contract(release.contract_id, home.settings.contracts)
        except SluiceError:
            raise _unknown(release) from None
    contract = through(contract, "release")
    if not {each.name for each in release.tables} <= {each.name for each in contract.tables}:
        raise _unknown(release)
    return contract


def _unknown(release: Release) -> PrivacyError:
    return PrivacyError(
        f"Release refused: {release.release} was published before the hall kept account of whom a release shows, and no "
        f"contract {release.contract_id} says what its tables hold, so that nobody knows whether a further one would undo it.",
        remedy="Put the contract as it was back in SLUICE_CONTRACTS; or suspend or terminate it and delete that release.",
    )


def _rebuilt(release: Release, contract: Contract, home: Home, names: bytes, *, source: TableFile) -> Memory:
    found = _of_before(release, contract, home)
    keys = home.keys.contract_key_there(release.contract_id)
    if found is None or keys is None or contract.privacy is None or not can_be_rebuilt(*found):
        raise PrivacyError(
            f"Release refused: {release.release} shows the same persons, and was published before the hall kept account of "
            "whom a release shows, so that nobody can say whether a further one would undo it.",
            remedy="Suspend or terminate its contract and delete it; or take another hall for new releases.",
        )
    other, table = found
    assert other.privacy is not None  # it has a subject table
    return rebuilt(
        _file(next(each for each in release.tables if each.name == table.name)),
        other,
        table,
        plan=plan_of(other, table) if release.contract_digest == contract.digest else "",
        key=pseudonym_key(keys, other, table.column(other.privacy.unit)),
        source=names_of(source, contract.privacy.unit),
        names=names,
    )


def _shows_persons(contract: Contract) -> bool:
    return _subjects(contract) is not None or any(table.cells is not None for table in contract.tables)


def _subjects(contract: Contract) -> Table | None:
    return next((table for table in contract.tables if table.kind is TableKind.SUBJECTS), None)


def _keys(home: Home) -> tuple[bytes, FileKey]:
    """The hall's key for numbers of persons, and that of the files. Not a contract's: other contracts' releases are held
    against these, also after its own key was destroyed."""
    _, secret = home.keys.make_sealed("memory.json", "memory", "persons")
    keys = ContractKeys("memory", secret)
    return keys.derive("names", length=KEY_BYTES), FileKey(keys.derive("files"))


def _folder(release: str, home: Home) -> Path:
    return home.settings.memory / release


def _digests(release: Release, home: Home) -> Mapping[str, str] | None:
    """What the log says of a release's memory: digests by file name, {} for one without rows of persons, None when it says
    nothing, as before there were memories."""
    digests: Mapping[str, str] | None = _staged(release, home).get("memory")
    return digests if digests is None or ROWS in digests else {}


def _staged(release: Release, home: Home) -> Mapping[str, Any]:
    """What the log says of a release's staging; {} when it says nothing."""
    staged = home.ledger.receipt_for(EventKind.RELEASE_STAGED, release.release, digest=release.digest)
    return home.ledger.event(staged.index).facts if staged is not None else {}


def _file(table: ReleaseTable) -> TableFile:
    path = Path(table.uri) / table.file
    return TableFile(
        name=table.name,
        path=path,
        rows=table.rows,
        size_bytes=path.stat().st_size if path.exists() else 0,
        sha256=table.sha256,
    )
