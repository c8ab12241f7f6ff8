"""Which live cells and rows of other releases hold the same facts as a run's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.release import Release
from contracts.model import Contract, Table
from core.errors import PrivacyError
from core.keys import FileKey
from core.proof import Window
from pipeline import remembered
from pipeline.home import Home
from privacy.facts.others import same_facts
from privacy.history.facts import Made, read_facts, told_of
from privacy.history.links import facts_of
from privacy.history.memory import CELLS, SHOWN, OtherCells, OtherRows
from privacy.history.shown import Shown, read_shown
from privacy.report.report import DISCLOSURE


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A live table of cells: of which release and window, and where it's remembered under which digest."""

    release: str
    window: Window
    path: Path
    digest: str

    def read(self, key: FileKey) -> OtherCells:
        """What is remembered of it. Raises IntegrityError when that was changed."""
        facts = read_facts(self.path, key, self.digest)
        return OtherCells(release=self.release, window=self.window, facts=facts)


@dataclass(kw_only=True)
class OtherFacts:
    """Where they're remembered, and the names of their releases."""

    cells: list[Kept] = field(default_factory=list)
    rows: list[OtherRows] = field(default_factory=list)

    @property
    def releases(self) -> list[str]:
        """Each once."""
        every = [each.release for each in self.cells] + [each.release for each in self.rows]
        return list(dict.fromkeys(every))


def other_facts(contract: Contract, window: Window, home: Home, *, but: str) -> OtherFacts:
    """The cells and rows that may hold facts of the contract's own tables in a window. Its own cells of that window aren't others:
    they are held against the new ones as an earlier version.

    Raises PrivacyError for a release of before the hall kept account of what facts are shown, where it may hold some of these.
    """
    _, key = remembered.keys_of(home)
    cells = [table for table in contract.tables if table.cells is not None]
    rows = [table for table in contract.tables if table.rows is not None]
    names = {table.name for table in cells}
    found = OtherFacts()
    for release in remembered.live_but(but, home) if cells or rows else ():
        staged = remembered.staged(release, home)
        theirs = Window.from_json(staged.get("window", {}))
        own = release.contract_id == contract.id and theirs == window
        if cells:
            files = _files(staged, CELLS)
            held = own and bool(names & {table.name for table in release.tables})
            if not (files or held or "memory" in staged):
                _refuse_unknown(release, "cells", theirs, contract, cells, window, home)
            for name, digest in files.items():
                path = remembered.folder_of(release.release, home) / name
                table, made = told_of(path, key)
                if own and table in names:
                    continue
                if made is None:
                    _refuse_unknown(release, "cells", theirs, contract, cells, window, home)
                elif _same(made, theirs, contract, cells, window):
                    found.cells.append(Kept(release=release.release, window=theirs, path=path, digest=digest))
        if rows:
            files = _files(staged, SHOWN)
            if not files:
                _refuse_unknown(release, "rows", theirs, contract, rows, window, home)
            for name, digest in files.items():
                shown = read_shown(remembered.folder_of(release.release, home) / name, key, digest)
                if _same(shown, theirs, contract, rows, window):
                    found.rows.append(OtherRows(release=release.release, window=theirs, shown=shown))
    return found


def _files(staged: Mapping[str, Any], form: str) -> dict[str, str]:
    """The digests of what is remembered of a release's tables of one form, by file name."""
    return {name: digest for name, digest in staged.get("memory", {}).items() if name.startswith(form)}


def _same(
    of: Made | Shown, theirs: Window, contract: Contract, tables: Sequence[Table], window: Window
) -> bool:
    return any(same_facts(of.origins, of.time, theirs, contract, each, window) for each in tables)


def _refuse_unknown(
    release: Release,
    form: str,
    theirs: Window,
    contract: Contract,
    tables: Sequence[Table],
    window: Window,
    home: Home,
) -> None:
    """Raises PrivacyError where a release of which nothing is remembered may hold the same facts in the same form: by its report
    it has such tables, and its contract says that they are of these facts, or isn't there any more."""
    report = home.catalog.documents(release.release).get(DISCLOSURE)
    listed = json.loads(report.read_bytes())["cells" if form == "cells" else "facts"] if report else [""]
    if not listed or not theirs.overlaps(window):
        return
    ours = [facts_of(contract, each) for each in tables]
    other = remembered.contract_of(release, contract, home)
    if any(
        facts_of(other, each).meets(mine)
        for each in other.tables
        if (each.cells if form == "cells" else each.rows) is not None
        for mine in ours
    ):
        raise PrivacyError(
            f"Release refused: {release.release} holds {form} of the same facts, and was published before the hall kept account of "
            "what they are made of, so that nobody can say what the two tell together.",
            remedy="Take a window that doesn't overlap; or suspend or terminate the contract and delete that release.",
        )
