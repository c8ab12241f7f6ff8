"""What the hall remembers of its releases, so that a further one of the same persons doesn't undo them.

    <memory>/<release>/rows.parquet, classes.parquet      of the table of persons, see `privacy.history.memory`
                       cells-<n>.parquet                  of the n-th table, where it holds cells, see `privacy.history.facts`
                       shown-<n>.parquet                  of the n-th table, where it holds rows of facts: `privacy.history.shown`

All of it is encrypted under a key of the hall, and lies apart from the catalog, whose files the doors hand out. The log has the
digests, in the event of the staging.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from catalog.release import Release, ReleaseTable
from contracts.model import Contract, Table, TableKind
from core.errors import ConflictError, PrivacyError, StateError
from core.files import sync
from core.folder import usable
from core.lock import exclusive
from core.proof import TableFile, Window
from pipeline import remembered
from pipeline.home import Home
from pipeline.otherfacts import other_facts
from privacy.history.facts import read_facts
from privacy.history.links import origins_of, plan_of
from privacy.history.memory import (
    CELLS,
    ROWS,
    SHOWN,
    Earlier,
    History,
    Memory,
    RowsBefore,
    about_of,
    read_memory,
)
from privacy.history.rebuilt import can_be_rebuilt, names_of, rebuilt
from privacy.history.shown import read_shown
from privacy.subjects.columns import pseudonym_key

_LOCK = "lock"
_WAIT_S = 120.0


def history_of(
    contract: Contract, home: Home, *, but: str, tables: Mapping[str, TableFile], window: Window
) -> History | None:
    """The live releases that tell of the same persons as the contract's subject table, the oldest first, its own cells of the
    window, its own rows of facts of any, and all other cells and rows of the same facts; None where it shows neither persons nor cells. but: the release that is being made, which is no earlier one when a run is
    repeated. tables: its source.

    A withheld release counts until it's deleted: its readers had it. Raises PrivacyError when nobody knows any more what one
    of them shows, IntegrityError when what is remembered was changed.
    """
    if not _shows_persons(contract) or contract.privacy is None:
        return None
    names, files = remembered.keys_of(home)
    table = _subjects(contract)
    live = []
    for release, digests in _live(contract, home, but=but):
        assert table is not None  # else there are none
        if digests is None:
            memory = _rebuilt(release, contract, home, names, source=tables[table.name])
        else:
            memory = read_memory(remembered.folder_of(release.release, home), files, digests)
        shown = next(each for each in release.tables if each.name == memory.about.table)
        live.append(Earlier(release=release.release, memory=memory, file=_file(shown)))
    cells = []
    for release, digests in _of_window(contract, window, home, but=but):
        for name, digest in (digests or {}).items():
            if name.startswith(CELLS):
                cells.append(read_facts(remembered.folder_of(release.release, home) / name, files, digest))
    others = other_facts(contract, window, home, but=but)
    return History(
        names=names,
        files=files,
        live=tuple(live),
        cells=tuple(cells),
        others=tuple(each.read(files) for each in others.cells),
        rows=tuple(others.rows),
        before=tuple(_rows_before(contract, home, but=but)),
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
    others = other_facts(contract, window, home, but=but).releases
    before = [each.release for each in _rows_before(contract, home, but=but)]
    return list(dict.fromkeys([*(release.release for release, _ in every), *others, *before]))


def keep(files: Mapping[str, Path], release: str, home: Home) -> None:
    """Puts what is to be remembered of a release where it stays, durably, before anybody is shown the release."""
    if not files:
        return
    folder = remembered.folder_of(release, home)
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
    shutil.rmtree(remembered.folder_of(release, home), ignore_errors=True)


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
    ours, (_, files) = origins_of(contract, table), remembered.keys_of(home)
    live: list[tuple[Release, Mapping[str, str] | None]] = []
    for release in sorted(remembered.live_but(but, home), key=lambda each: (each.published_at, each.release)):
        digests = _digests(release, home)
        if digests is None:
            other = _of_before(release, contract, home)
            if other is not None and origins_of(*other).meets(ours):
                live.append((release, None))
        elif digests and about_of(remembered.folder_of(release.release, home), files).origins.meets(ours):
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
    for release in remembered.live_but(but, home):
        if release.contract_id != contract.id or not any(each.name in tables for each in release.tables):
            continue
        facts = remembered.staged(release, home)
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


def _rows_before(contract: Contract, home: Home, *, but: str) -> Iterator[RowsBefore]:
    """The tables of rows in the contract's live releases, of any window and name: its pseudonyms may be in several."""
    now = {table.name for table in contract.tables if table.rows is not None}
    if not now:
        return
    _, key = remembered.keys_of(home)
    for release in remembered.live_but(but, home):
        if release.contract_id != contract.id:
            continue
        lasting: dict[str, bool] = dict.fromkeys(now, False)  # as it is where nothing is remembered
        for name, digest in (remembered.staged(release, home).get("memory") or {}).items():
            if name.startswith(SHOWN):
                shown = read_shown(remembered.folder_of(release.release, home) / name, key, digest)
                lasting[shown.table] = not shown.period
        for table in release.tables:
            if table.name in lasting:
                yield RowsBefore(
                    release=release.release,
                    table=table.name,
                    lasting=lasting[table.name],
                    file=_file(table),
                )


def _of_before(release: Release, contract: Contract, home: Home) -> tuple[Contract, Table] | None:
    """The contract and the subject table of a release without a memory; None where it shows no persons' rows.

    Raises PrivacyError where no contract says any more what its tables hold: they may be the same persons'.
    """
    contract = remembered.contract_of(release, contract, home)
    table = _subjects(contract)
    return (contract, table) if table and table.name in {each.name for each in release.tables} else None


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
    return any(table.kind in (TableKind.SUBJECTS, TableKind.FACTS) for table in contract.tables)


def _subjects(contract: Contract) -> Table | None:
    return next((table for table in contract.tables if table.kind is TableKind.SUBJECTS), None)


def _digests(release: Release, home: Home) -> Mapping[str, str] | None:
    """What the log says of a release's memory: digests by file name, {} for one without rows of persons, None when it says
    nothing, as before there were memories."""
    digests: Mapping[str, str] | None = remembered.staged(release, home).get("memory")
    return digests if digests is None or ROWS in digests else {}


def _file(table: ReleaseTable) -> TableFile:
    path = Path(table.uri) / table.file
    return TableFile(
        name=table.name,
        path=path,
        rows=table.rows,
        size_bytes=path.stat().st_size if path.exists() else 0,
        sha256=table.sha256,
    )
