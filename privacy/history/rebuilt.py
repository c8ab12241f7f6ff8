"""A memory for a release that was published before the hall kept any: read back from the release by its pseudonyms.

What the source said then isn't known any more, so nobody counts as changed: rows go on as they are until their persons
leave. Who left has no name any more; a number made of their pseudonym stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column, Contract, Role, Table
from contracts.protection import Transform
from core.parquet import batches, read
from core.proof import TableFile
from privacy.facts.ladders import SEGMENT
from privacy.history.links import origins_of
from privacy.history.memory import UNKNOWN, About, Memory
from privacy.subjects.grouping import distinct
from privacy.subjects.names import Numbers, numbers
from privacy.subjects.units import folded
from privacy.transforms.pseudonym import pseudonymize


def can_be_rebuilt(contract: Contract, table: Table) -> bool:
    """Whether a release of this table says whose its rows are: the unit goes out as a pseudonym."""
    return _unit(contract, table) is not None


def rebuilt(
    file: TableFile,
    contract: Contract,
    table: Table,
    *,
    plan: str,
    key: bytes,
    source: Iterable[pa.Array],
    names: bytes,
) -> Memory:
    """The memory of a published file. contract, table: under which it was published; key: of its unit's pseudonyms; plan: see
    `About`, "" where it isn't known. source: the names of the persons there are now, in batches; names: the hall's key for
    their numbers.
    """
    unit = _unit(contract, table)
    assert unit is not None  # the caller has asked
    whole = read(file)
    told: dict[bytes, int] = {}
    for batch in source:
        once = pa.chunked_array([batch]).unique().drop_null()
        made = pseudonymize(once, key).to_pylist()
        told.update(zip(made, numbers(folded(once), names).tolist(), strict=True))
    shown = whole[unit.name].to_pylist()
    persons = np.array(
        [told.get(each, int.from_bytes(each[:8], "little", signed=True)) for each in shown], np.int64
    )
    labelled = [c.name for c in table.columns if c.transform is Transform.GENERALIZE]
    segmented = SEGMENT in whole.column_names
    words = [numbers(whole[name].combine_chunks(), names) for name in [*labelled, *[SEGMENT] * segmented]]
    classes, first = distinct(words or [np.zeros(whole.num_rows, np.int64)])
    secrets = [
        c.name
        for c in table.with_role(Role.SENSITIVE)
        if c.transform not in (Transform.DROP, Transform.REDACT)
    ]
    at = pa.array(first)
    return Memory(
        about=About(
            contract=contract.id,
            table=table.name,
            plan=plan,
            k=contract.privacy.k if contract.privacy else 2,
            origins=origins_of(contract, table),
            sha256=file.sha256,
        ),
        persons=persons,
        content=np.full(whole.num_rows, UNKNOWN, np.int64),
        classes=classes,
        rows=np.arange(whole.num_rows, dtype=np.int32),
        secrets=_columns(
            [numbers(folded(whole[name].combine_chunks()), names) for name in secrets], whole.num_rows
        ),
        labels=tuple(pc.cast(whole[name].combine_chunks(), pa.string()).take(at) for name in labelled),
        losses=np.ones((len(first), len(labelled))),  # nobody knows: all, at worst
        segments=whole[SEGMENT].combine_chunks().take(at) if segmented else None,
    )


def names_of(file: TableFile, unit: str) -> Iterable[pa.Array]:
    """The names of the persons in a source file, batch by batch."""
    return (batch.column(unit) for batch in batches(file, [unit]))


def _unit(contract: Contract, table: Table) -> Column | None:
    unit = contract.privacy.unit if contract.privacy else ""
    return next((c for c in table.columns if c.name == unit and c.transform is Transform.PSEUDONYM), None)


def _columns(columns: list[Numbers], rows: int) -> Numbers:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.int64)
