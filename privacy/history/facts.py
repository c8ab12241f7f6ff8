"""Cells of one window that are published again: what the difference between two versions tells, and of how many persons.

A reader adds and subtracts the cells of both versions. Cells are made of atoms (one combination of segment and values, all of
whose facts are in one cell). Atoms that lie in the same cell in either version are a piece; whatever can be had by adding and
subtracting cells is made of pieces: of one as the old version has it, as the new one has it, or of what changed in it. So each
of these has to be of nobody, or of at least k persons:

- behind a piece in a version that shows it;
- who came into a piece that both show, and who left it. Where facts of the same persons were corrected, it isn't known of how
  many: then at least k must have come or left besides.
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

    table: its name; plan: how its cells are made, as a digest. atoms, persons: (n,) keyed numbers of the atom and of the person.
    said, cells: (n,) in one pair of each atom a number for all that its facts add up to, and the atom's cell from 1, 0 where it
    is in none; 0 in its other pairs.
    """

    table: str
    plan: str
    atoms: Numbers
    persons: Numbers
    said: Numbers
    cells: npt.NDArray[np.int64]


def small_pieces(old: Facts, new: Facts, *, k: int) -> int:
    """How many pieces tell of too few persons."""
    atoms = np.unique(np.concatenate([old.atoms, new.atoms]))
    cell_before, said_before = _of_atoms(atoms, old)
    cell_now, said_now = _of_atoms(atoms, new)
    shown_before, shown_now = cell_before >= 0, cell_now >= 0
    _, piece = np.unique(np.stack([cell_before, cell_now]), axis=1, return_inverse=True)
    count = int(piece.max(initial=-1)) + 1
    at, person, is_new, twice = _pairs(atoms, old, new)

    def persons(rows: npt.NDArray[np.bool_], shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """(pieces,) the persons of some pairs, of those atoms that are shown."""
        told = np.flatnonzero(rows & shown[at])
        of, who = piece[at[told]], person[told]
        order = np.lexsort((who, of))
        of, who = of[order], who[order]
        first = np.ones(len(of), np.bool_)
        first[1:] = (of[1:] != of[:-1]) | (who[1:] != who[:-1])
        return np.bincount(of[first], minlength=count)

    both = shown_before & shown_now
    left, came = persons(~is_new & ~twice, both), persons(is_new & ~twice, both)
    bad = np.zeros(count, np.bool_)
    for each in (persons(~is_new, shown_before), persons(is_new, shown_now), left, came):
        bad |= (each > 0) & (each < k)
    corrected = np.zeros(count, np.bool_)
    corrected[piece[both & (said_before != said_now)]] = True
    return int((bad | (corrected & (left < k) & (came < k))).sum())


def _pairs(
    atoms: Numbers, old: Facts, new: Facts
) -> tuple[npt.NDArray[np.int64], Numbers, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """All pairs of both versions: the atom's place, the person, whether of the new version, and whether it's in both."""
    at = np.searchsorted(atoms, np.concatenate([old.atoms, new.atoms]))
    persons = np.concatenate([old.persons, new.persons])
    is_new = np.arange(len(at)) >= len(old.atoms)
    order = np.lexsort((is_new, persons, at))
    at, persons, is_new = at[order], persons[order], is_new[order]
    same = (at[1:] == at[:-1]) & (persons[1:] == persons[:-1]) & (is_new[1:] != is_new[:-1])
    twice = np.zeros(len(at), np.bool_)
    twice[1:] |= same
    twice[:-1] |= same
    return at, persons, is_new, twice


def _of_atoms(atoms: Numbers, facts: Facts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(atoms,) the cell of each, -1 for none, and what its facts add up to."""
    at = np.searchsorted(atoms, facts.atoms)
    cells, said = np.zeros(len(atoms), np.int64), np.zeros(len(atoms), np.int64)
    marked = np.flatnonzero((facts.cells != 0) | (facts.said != 0))
    cells[at[marked]], said[at[marked]] = facts.cells[marked], facts.said[marked]
    return cells - 1, said


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
