"""A fact table as it comes, in codes: whose each row is, in which period, and what its columns say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.model import Table
from contracts.protection import RowPlan, Transform
from core.errors import PrivacyError
from core.parquet import batches, schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.facts.coded import Coded
from privacy.facts.periods import labels, numbered
from privacy.subjects.encode import Encoder
from privacy.subjects.units import Units


@dataclass(frozen=True)
class Facts:
    """owner_of_row: (rows,) whose each row is, codes from 0 to `owners` - 1. period_of_row: (rows,) places in `periods`,
    the first days of the periods in order; one nameless period where pseudonyms last. columns: those that go out, and
    the unit's, by name; more: those that were asked for besides."""

    owner_of_row: npt.NDArray[np.int32]
    owners: int
    period_of_row: npt.NDArray[np.int32]
    periods: Sequence[str]
    columns: Mapping[str, Coded]
    more: Mapping[str, Coded]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.owner_of_row)

    @property
    def holder_of_row(self) -> npt.NDArray[np.int64]:
        """(rows,) a code of each row's person and period together."""
        return self.owner_of_row.astype(np.int64) * len(self.periods) + self.period_of_row

    def units_by_period(self) -> npt.NDArray[np.int64]:
        """(periods,) how many persons have a row in each."""
        held = np.unique(self.period_of_row.astype(np.int64) * max(1, self.owners) + self.owner_of_row)
        return np.bincount(held // max(1, self.owners), minlength=len(self.periods)).astype(np.int64)


def read_facts(
    file: TableFile,
    table: Table,
    unit: str,
    plan: RowPlan,
    *,
    more: Sequence[str] = (),
    progress: Progress = silent,
) -> Facts:
    """The rows that count, in one pass. more: columns to be read besides. Raises PrivacyError when a row names nobody, or no period where one is asked for."""
    wanted = {column.name for column in table.columns if column.transform is not Transform.DROP} | {unit}
    out = [column.name for column in table.columns if column.name in wanted]
    read = [name for name in dict.fromkeys([*out, plan.period_column, *more]) if name]
    came = schema(file)
    texts = [name for name in read if str(came.field(name).type) in ("string", "large_string")]
    encoders = {name: Encoder() for name in dict.fromkeys([*out, *more])}
    units = Units(table=table.name, unit=unit)
    numbers: list[npt.NDArray[np.int64]] = []
    rows = timeless = 0
    for batch in batches(file, read, encoded=[name for name in texts if name != unit]):
        progress(f"read {table.name}", rows / max(1, file.rows))
        rows += batch.num_rows
        units.add(batch.column(unit))
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
        if plan.period is not None and plan.period_column is not None:
            times = batch.column(plan.period_column)
            timeless += times.null_count
            numbers.append(numbered(times, plan.period))
    if timeless:
        raise PrivacyError(
            f"{timeless} rows of `{table.name}` have no `{plan.period_column}`, so nobody can say which pseudonym is theirs.",
            remedy=f"Make `{plan.period_column}` required in the contract: such rows then go to quarantine.",
            table=table.name,
            rows=timeless,
        )
    owners = units.owners()
    periods, period_of_row = np.zeros(1, np.int64), np.zeros(rows, np.int64)
    if numbers:
        periods, period_of_row = np.unique(np.concatenate(numbers), return_inverse=True)
    coded = {name: encoder.finish() for name, encoder in encoders.items()}
    return Facts(
        owner_of_row=np.arange(rows, dtype=np.int32) if owners.of_row is None else owners.of_row,
        owners=owners.count,
        period_of_row=period_of_row.astype(np.int32),
        periods=labels(periods, plan.period) if plan.period is not None else [""],
        columns={name: coded[name] for name in out},
        more={name: coded[name] for name in more},
    )
