"""Cells of a window that was published before: remembered, and held against what was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np

from contracts.model import Contract, Table
from core.errors import PrivacyError
from privacy.facts.cells import Pairs
from privacy.facts.others import made_of
from privacy.history.facts import Facts, atoms_of, of_table, small_pieces, whole, write_facts
from privacy.history.links import cells_plan_of
from privacy.history.memory import History
from privacy.subjects.names import Numbers, mixed, numbers


def remember_cells(
    pairs: Pairs,
    persons: Numbers,
    contract: Contract,
    table: Table,
    history: History,
    path: Path,
    types: Mapping[str, str],
) -> str:
    """Writes what is to be remembered of a table's cells to `path`; gives the file's SHA-256.

    persons: the number of each person, by the persons' codes. types: of the facts' columns. Raises PrivacyError where an
    earlier release of the window, subtracted from this one, tells of fewer than k persons.
    """
    plan = cells_plan_of(contract, table)
    made = made_of(contract, table, types)
    pieces: Iterable[Facts] = remembered(pairs, persons, table.name, plan, history.names)
    if of_table(history.cells, table.name):
        now = whole(list(pieces), table.name, plan, made)
        _refuse_small_differences(now, contract, history)
        pieces = [now]
    return write_facts(pieces, table.name, plan, made, path, history.files)


def remembered(pairs: Pairs, persons: Numbers, table: str, plan: str, key: bytes) -> Iterator[Facts]:
    """What is to be remembered of a table's cells, piece by piece. persons: the number of each, by code; key: of numbers."""
    level_numbers = mixed([numbers(column, key) for column in pairs.levels.columns], pairs.levels.num_rows)
    segment_numbers = numbers(pairs.segments, key)
    known, said, cells = (pairs.atoms[name].to_numpy() for name in ("atom", "said", "cell"))
    level, segment = np.divmod(known, max(1, len(segment_numbers)))
    levels, segments = level_numbers.view(np.int64)[level], segment_numbers[segment]
    named = atoms_of(levels, segments)
    waits = np.ones(len(known), np.bool_)  # atoms that no pair has spoken for yet
    for batch in pairs.rows:
        at = np.searchsorted(known, batch.column("atom").to_numpy(zero_copy_only=False))
        once, first = np.unique(at, return_index=True)
        marks = first[waits[once]]
        waits[once] = False
        here = {name: np.zeros(batch.num_rows, np.int64) for name in ("said", "cells")}
        here["said"][marks], here["cells"][marks] = said[at[marks]], cells[at[marks]] + 1
        yield Facts(
            table=table,
            plan=plan,
            atoms=named[at],
            persons=persons[batch.column("person").to_numpy(zero_copy_only=False)],
            levels=levels[at],
            segments=segments[at],
            valued=batch.column("valued").to_numpy(zero_copy_only=False),
            said=here["said"],
            cells=here["cells"],
        )


def _refuse_small_differences(now: Facts, contract: Contract, history: History) -> None:
    """Raises PrivacyError where an earlier release of the window, subtracted from this one, tells of fewer than k persons."""
    assert contract.privacy is not None  # there are facts of persons
    for earlier in of_table(history.cells, now.table):
        if earlier.plan != now.plan:
            raise PrivacyError(
                f"Release refused: the cells of `{now.table}` were published for this window already, and made in another way, "
                "so that pieces of them could be had by subtraction.",
                remedy="Take the next window; or suspend or terminate the contract of the earlier release, and delete it.",
            )
        pieces = small_pieces(earlier, now, k=contract.privacy.k)
        if pieces:
            raise PrivacyError(
                f"Release refused: the cells of `{now.table}` were published for this window already, and in {pieces} places the "
                f"difference would tell of fewer than {contract.privacy.k} `{contract.privacy.unit}`.",
                remedy="Take the next window, or wait until the facts of more of them changed.",
            )


def person_numbers(con: duckdb.DuckDBPyConnection) -> Numbers:
    """The number of each person in the tables `persons` and `named`, by code. Spellings of one name are one person."""
    once = con.sql(
        "SELECT person, any_value(n.number) AS number FROM persons JOIN named n USING (spelt) GROUP BY person"
    ).to_arrow_table()
    made = np.zeros(int(once["person"].to_numpy().max(initial=-1)) + 1, np.int64)
    made[once["person"].to_numpy()] = once["number"].to_numpy()
    return made
