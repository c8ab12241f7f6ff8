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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.digest import file_digest
from core.errors import IntegrityError
from core.keys import FileKey
from core.parquet import read, schema, writer
from core.proof import TableFile
from privacy.history.links import FactOrigins
from privacy.subjects.names import Numbers, mixed

_ABOUT = b"sluice.facts"
_VERSION = 2
_ATOMS_ALONE = 1  # the version that had an atom's number, and not of which level and segment it is


@dataclass(frozen=True, kw_only=True)
class Made:
    """Of what cells are made, so that those of another contract can be held against them.

    origins: which facts. unit, time: the source's names of the column that says whose they are, and of the one that windows are cut by
    ("": none). apart: the columns that atoms are told apart by, and adds: those that their facts are added up of, each as the source
    calls it, with its type. k: fewest persons of a cell; limit: the share of persons that the contract bears to be told of as fewer.
    engine: whose hash `Facts.said` is.
    """

    origins: FactOrigins
    unit: str
    time: str
    apart: tuple[tuple[str, str], ...]
    adds: tuple[tuple[str, str], ...]
    k: int
    limit: float
    engine: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the hall remembers of a table of cells: n pairs of an atom and a person.

    table: its name; plan: how its cells are made, as a digest; made: of what, None in a memory that doesn't say.
    atoms, persons: (n,) keyed numbers of the atom and of the person. levels, segments: (n,) those that the atom's is mixed of,
    of its values and of its segment's name; none in a memory that doesn't say.
    valued: (n,) bit i says whether the person has a value of the i-th column that is added up (`Made.adds`).
    said, cells: (n,) in one pair of each atom a number for all that its facts add up to, and the atom's cell from 1, 0 where it
    is in none; 0 in its other pairs.
    """

    table: str
    plan: str
    atoms: Numbers
    persons: Numbers
    said: Numbers
    cells: npt.NDArray[np.int64]
    levels: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    segments: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    valued: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    made: Made | None = None

    @property
    def cell_of_pair(self) -> npt.NDArray[np.int64]:
        """(n,) the cell of each pair's atom from 0, -1 for none."""
        known, at = np.unique(self.atoms, return_inverse=True)
        return _of_atoms(known, self)[0][at]


def atoms_of(levels: Numbers, segments: Numbers) -> Numbers:
    """(n,) the numbers of the atoms of these levels and segments."""
    return mixed([levels, segments], len(levels)).view(np.int64)


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


def whole(pieces: Sequence[Facts], table: str, plan: str, made: Made) -> Facts:
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
        levels=joined([each.levels for each in pieces]),
        segments=joined([each.segments for each in pieces]),
        valued=joined([each.valued for each in pieces]),
        made=made,
    )


def write_facts(pieces: Iterable[Facts], table: str, plan: str, made: Made, path: Path, key: FileKey) -> str:
    """Writes what is remembered piece by piece, encrypted; gives the file's SHA-256."""
    about = {"version": _VERSION, "table": table, "plan": plan, "made": asdict(made)}
    names = ("level", "segment", "person", "valued", "said", "cell")
    fields = pa.schema([(name, pa.int64()) for name in names], {_ABOUT: json.dumps(about).encode()})
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writer(path, fields, key, few=("segment", "valued")) as sink:
        for piece in pieces:
            columns = [piece.levels, piece.segments, piece.persons, piece.valued, piece.said, piece.cells]
            sink.write(pa.table(columns, schema=fields))
    return file_digest(path)


def told_of(path: Path, key: FileKey) -> tuple[str, Made | None]:
    """The table whose cells are remembered in `path`, and of what they are made; None where it doesn't say. Raises IntegrityError
    when it can't be read."""
    try:
        said = _about(path, key)
        return str(said["table"]), _made(said)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        raise _unreadable(path) from None


def read_facts(path: Path, key: FileKey, digest: str) -> Facts:
    """What is remembered in `path`. digest: what `write_facts` gave. Raises IntegrityError for another file."""
    try:
        if file_digest(path) != digest:
            raise _unreadable(path)
        said, rows = _about(path, key), read(remembered_file(path, key))
        made = _made(said)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        raise _unreadable(path) from None
    if said["version"] == _ATOMS_ALONE:
        levels = segments = valued = np.empty(0, np.int64)
        atoms = rows["atom"].to_numpy()
    else:
        levels, segments, valued = (rows[name].to_numpy() for name in ("level", "segment", "valued"))
        atoms = atoms_of(levels, segments)
    persons, what, cells = (rows[name].to_numpy() for name in ("person", "said", "cell"))
    return Facts(
        table=said["table"],
        plan=said["plan"],
        atoms=atoms,
        persons=persons,
        said=what,
        cells=cells,
        levels=levels,
        segments=segments,
        valued=valued,
        made=made,
    )


def _about(path: Path, key: FileKey) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((schema(remembered_file(path, key)).metadata or {})[_ABOUT])
    if said.get("version") not in (_ATOMS_ALONE, _VERSION):
        raise _unreadable(path)
    return said


def _made(said: Mapping[str, Any]) -> Made | None:
    if said["version"] == _ATOMS_ALONE:
        return None
    told = said["made"]
    return Made(
        origins=FactOrigins(**told["origins"]),
        unit=told["unit"],
        time=told["time"],
        apart=tuple((name, kind) for name, kind in told["apart"]),
        adds=tuple((name, kind) for name, kind in told["adds"]),
        k=told["k"],
        limit=told["limit"],
        engine=told["engine"],
    )


def remembered_file(path: Path, key: FileKey) -> TableFile:
    """A file of what is remembered, to be read."""
    return TableFile(name=path.stem, path=path, rows=0, size_bytes=0, sha256="", key=key)


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
