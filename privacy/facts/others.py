"""Which live cells of other releases may hold the same facts as a table, and how they're found again among its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from contracts.model import Contract, Table
from core.errors import PrivacyError
from core.proof import Window
from privacy.facts.beside import Other, Others
from privacy.facts.numbered import level_columns, measured_columns
from privacy.history.facts import Made
from privacy.history.links import FactOrigins, facts_of
from privacy.history.memory import History, OtherCells
from privacy.subjects.names import Numbers

LET_GO = "suspend or terminate the contract of the earlier release, and delete it."


def made_of(contract: Contract, table: Table, types: Mapping[str, str]) -> Made:
    """Of what the table's cells are made. types: of its columns, by our names, as the engine calls them."""
    terms, plan = contract.privacy, table.cells
    assert terms is not None  # it holds facts of persons
    assert plan is not None  # as cells
    source = source_names(table)

    def columns(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        return tuple((source[name], types[name]) for name in names)

    return Made(
        origins=facts_of(contract, table),
        unit=source[terms.unit],
        time=source[table.time_column] if table.time_column is not None else "",
        apart=columns(level_columns(plan)),
        adds=columns([name for _, name in measured_columns(plan)]),
        k=terms.k,
        limit=terms.max_intersected,
        engine=duckdb.__version__,
    )


def same_facts(
    origins: FactOrigins, time: str, window: Window, contract: Contract, table: Table, ours: Window
) -> bool:
    """Whether a table of facts from these origins may hold, in a window of its own, facts of ours in a window of ours.

    time: the source's name of the column that it's cut by. Windows by one column of time tell; a table without one holds all
    facts whatever the window.
    """
    if not origins.meets(facts_of(contract, table)):
        return False
    cut_by = source_names(table)[table.time_column] if table.time_column is not None else ""
    return not cut_by or cut_by != time or window.overlaps(ours)


def source_names(table: Table) -> dict[str, str]:
    """What the source calls each column, by our name."""
    return {column.name: column.physical_name or column.name for column in table.columns}


def others_of(
    history: History, contract: Contract, table: Table, types: Mapping[str, str], persons: Numbers
) -> Others | None:
    """The cells that the table's are to be safe beside; None where there are none.

    types: of the facts' columns, by our names; persons: the number of each person, by code. Raises PrivacyError where some
    can't be found again among our facts.
    """
    terms = contract.privacy
    assert terms is not None  # the caller has looked
    same = [
        (each, made)
        for each in history.others
        if (made := each.facts.made) is not None
        and same_facts(made.origins, made.time, each.window, contract, table, history.window)
    ]
    every = [_other(each, made, contract, table, types, history.window) for each, made in same]
    limit = min([terms.max_intersected, *(made.limit for _, made in same)])
    if not every:
        return None
    return Others(every=every, names=history.names, persons=persons, limit=limit)


def _other(
    each: OtherCells, made: Made, contract: Contract, table: Table, types: Mapping[str, str], window: Window
) -> Other:
    source = source_names(table)
    ours = {theirs: name for name, theirs in source.items()}
    time = "" if made.time == "" or _within(window, each.window, made, table, ours) else made.time
    wanted = [*made.apart, *made.adds]
    kinds = {source[name]: kind for name, kind in types.items() if name in source}
    also = [(time, kinds.get(time, ""))] if time else []  # of any type that can be cut by, see below
    refuse_lacking(each.release, "cells", made.unit, [*wanted, *also], kinds, contract, table)
    if time and not types[ours[time]].startswith(("DATE", "TIMESTAMP")):
        raise apart(
            each.release,
            "cells",
            table,
            f"`{ours[time]}`, by which their window is cut, is neither a date nor a timestamp here",
            f"Declare it as one; or {LET_GO}",
        )
    if made.engine != duckdb.__version__:
        raise apart(
            each.release,
            "cells",
            table,
            f"whether its facts were corrected since can be told by DuckDB {made.engine} alone",
            f"Take a window that doesn't overlap; or {LET_GO}",
        )
    return Other(
        apart=tuple(ours[name] for name, _ in made.apart),
        adds=tuple(ours[name] for name, _ in made.adds),
        k=made.k,
        facts=each.facts,
        time=ours[time] if time else None,
        window=each.window,
    )


def refuse_lacking(
    release: str,
    what: str,
    unit: str,
    wanted: Sequence[tuple[str, str]],
    kinds: Mapping[str, str],
    contract: Contract,
    table: Table,
) -> None:
    """Raises PrivacyError where a release's `what` can't be found again among the facts of our table. unit, wanted: the source's names
    of the column that says whose they are there, and of those that tell them apart, with their types. kinds: of ours, likewise.
    """
    ours = {theirs: name for name, theirs in source_names(table).items()}
    if contract.privacy is None or ours.get(unit) != contract.privacy.unit:
        why, remedy = "they count other persons", "Name the same column as the unit"
        raise apart(release, what, table, why, f"{remedy}; or {LET_GO}")
    missing = list(dict.fromkeys(f"`{name}`" for name, _ in wanted if name not in ours))
    if missing:
        names = ", ".join(missing)
        why = f"`{table.name}` doesn't have {names} of the source"
        remedy = f"Declare {names} as columns that don't go out (sluiceTransform: drop), or take a window that doesn't overlap"
        raise apart(release, what, table, why, f"{remedy}; or {LET_GO}")
    other = list(dict.fromkeys(f"`{ours[name]}`" for name, kind in wanted if kinds[name] != kind))
    if other:
        why = f"{', '.join(other)} had another type there"
        raise apart(release, what, table, why, f"Declare the same type in both contracts; or {LET_GO}")


def _within(window: Window, theirs: Window, made: Made, table: Table, ours: Mapping[str, str]) -> bool:
    """Whether all facts of our window lie in theirs."""
    if theirs == Window():
        return True
    if table.time_column is None or ours.get(made.time) != table.time_column:
        return False
    begins = theirs.start is None or (window.start is not None and theirs.start <= window.start)
    return begins and (theirs.end is None or (window.end is not None and window.end <= theirs.end))


def apart(release: str, what: str, table: Table, why: str, remedy: str) -> PrivacyError:
    """The refusal where a release holds `what` of the same facts, and nobody can say what the two tell together."""
    return PrivacyError(
        f"Release refused: {release} holds {what} of the facts of `{table.name}`, and the two can't be held against each "
        f"other: {why}.",
        remedy=remedy,
    )
