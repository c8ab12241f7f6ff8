"""Cells of one window that are published again: what the difference between two versions tells, and of how many persons.

A reader subtracts the cells of one version from those of another. Cells are made of atoms (one combination of segment and
values, all of whose facts are in one cell), so what can be had by subtraction are the cells of both versions that share
atoms, taken together: a region. It is safe when

- one version's cells in it are a single one, the whole or a part of the other's. Chains of cells that overlap tell of pieces
  that neither version shows;
- the persons whose facts changed in it, and those behind atoms that one version shows in it and the other doesn't, are
  nobody or at least k.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.digest import file_digest
from core.errors import IntegrityError
from core.keys import FileKey
from core.parquet import read, schema, writer
from core.proof import TableFile
from privacy.subjects.names import Numbers

_ABOUT = b"sluice.facts"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the hall remembers of a table of cells: n pairs of an atom and a person.

    table: its name; plan: how its cells are made, as a digest. atoms, persons, said: (n,) keyed numbers of the atom, of the
    person, and of what the person adds to the cells there. cells: (n,) the cell of the atom, -1 where it's in none.
    """

    table: str
    plan: str
    atoms: Numbers
    persons: Numbers
    said: Numbers
    cells: npt.NDArray[np.int64]


def small_regions(old: Facts, new: Facts, *, k: int) -> int:
    """How many regions tell of too few persons, or of pieces that neither version shows."""
    atoms = np.unique(np.concatenate([old.atoms, new.atoms]))
    cell_before, there_before = _cell_of(atoms, old)
    cell_now, there_now = _cell_of(atoms, new)
    both = np.flatnonzero((cell_before >= 0) & (cell_now >= 0))
    olds, news = int(cell_before.max(initial=-1)) + 1, int(cell_now.max(initial=-1)) + 1
    region = _regions(cell_before[both], olds + cell_now[both], olds + news)
    count = olds + news
    having_old = np.bincount(region[:olds], minlength=count)
    having_new = np.bincount(region[olds:], minlength=count)
    shared = (having_old > 0) & (having_new > 0)
    tangled = shared & (having_old > 1) & (having_new > 1)
    # The region of each atom: of the cell that it is in, in whichever version shows it.
    of_atom = np.full(len(atoms), -1, np.int64)
    of_atom[cell_now >= 0] = region[olds + cell_now[cell_now >= 0]]
    of_atom[cell_before >= 0] = region[cell_before[cell_before >= 0]]
    half = ((cell_before >= 0) & there_now & (cell_now < 0)) | (
        (cell_now >= 0) & there_before & (cell_before < 0)
    )
    at, person = _told_apart(old, new, atoms, half)
    region_of = of_atom[at]
    counts = region_of >= 0
    pairs = np.unique(np.stack([region_of[counts], person[counts]], axis=1), axis=0)
    persons = np.bincount(pairs[:, 0], minlength=count)
    return int((tangled | (shared & (persons > 0) & (persons < k))).sum())


def _regions(ones: npt.NDArray[np.int64], others: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """(count,) a number for each set of cells that are linked, by pairs of `ones` and `others`."""
    region = np.arange(count)
    while True:
        least = np.minimum(region[ones], region[others])
        linked = region.copy()
        np.minimum.at(linked, ones, least)
        np.minimum.at(linked, others, least)
        linked = linked[linked]
        if np.array_equal(linked, region):
            return region
        region = linked


def _cell_of(atoms: Numbers, facts: Facts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(atoms,) the cell of each, numbered from 0, -1 for none; and whether the version has facts there at all."""
    there = np.zeros(len(atoms), np.bool_)
    cells = np.full(len(atoms), -1, np.int64)
    names, first = np.unique(facts.atoms, return_index=True)
    at = np.searchsorted(atoms, names)
    there[at] = True
    shown = facts.cells[first]
    numbered = np.full(len(shown), -1, np.int64)
    numbered[shown >= 0] = np.unique(shown[shown >= 0], return_inverse=True)[1]
    cells[at] = numbered
    return cells, there


def _told_apart(
    old: Facts, new: Facts, atoms: Numbers, half: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], Numbers]:
    """Pairs of an atom's place and a person: who adds something else there now, and everyone where one version shows less."""
    at = np.concatenate([np.searchsorted(atoms, old.atoms), np.searchsorted(atoms, new.atoms)])
    persons = np.concatenate([old.persons, new.persons])
    said = np.concatenate([old.said, new.said])
    order = np.lexsort((said, persons, at))
    at, persons, said = at[order], persons[order], said[order]
    same = (at[1:] == at[:-1]) & (persons[1:] == persons[:-1]) & (said[1:] == said[:-1])
    twice = np.zeros(len(at), np.bool_)
    twice[1:] |= same
    twice[:-1] |= same
    tells = ~twice | half[at]
    return at[tells], persons[tells]


def whole(pieces: Sequence[Facts], table: str, plan: str) -> Facts:
    """Pieces of one table's facts as one."""
    none = np.empty(0, np.int64)

    def joined(arrays: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
        return np.concatenate(arrays) if arrays else none

    return Facts(
        table=table,
        plan=plan,
        atoms=joined([each.atoms for each in pieces]),
        persons=joined([each.persons for each in pieces]),
        said=joined([each.said for each in pieces]),
        cells=joined([each.cells for each in pieces]),
    )


def write_facts(pieces: Iterable[Facts], table: str, plan: str, path: Path, key: FileKey) -> str:
    """Writes what is remembered piece by piece, encrypted; gives the file's SHA-256."""
    about = {_ABOUT: json.dumps({"version": _VERSION, "table": table, "plan": plan}).encode()}
    fields = pa.schema([(name, pa.int64()) for name in ("atom", "person", "said", "cell")], about)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writer(path, fields, key) as sink:
        for piece in pieces:
            sink.write(pa.table([piece.atoms, piece.persons, piece.said, piece.cells], schema=fields))
    return file_digest(path)


def read_facts(path: Path, key: FileKey, digest: str) -> Facts:
    """What is remembered in `path`. digest: what `write_facts` gave. Raises IntegrityError for another file."""
    file = TableFile(name=path.stem, path=path, rows=0, size_bytes=0, sha256=digest, key=key)
    try:
        if file_digest(path) != digest:
            raise _unreadable(path)
        said = json.loads((schema(file).metadata or {})[_ABOUT])
        rows = read(file)
    except (OSError, pa.ArrowException, ValueError, KeyError):
        raise _unreadable(path) from None
    if said.get("version") != _VERSION:
        raise _unreadable(path)
    atoms, persons, what, cells = (rows[name].to_numpy() for name in ("atom", "person", "said", "cell"))
    return Facts(table=said["table"], plan=said["plan"], atoms=atoms, persons=persons, said=what, cells=cells)


def of_table(facts: Sequence[Facts], table: str) -> list[Facts]:
    """Those of one table."""
    return [each for each in facts if each.table == table]


def _unreadable(path: Path) -> IntegrityError:
    return IntegrityError(
        "What is remembered of an earlier release's cells can't be read, or was changed, so that nobody can say what a further "
        "one would tell.",
        where=str(path),
        remedy="Put the file back from its backup; or withhold and delete that release first.",
    )
