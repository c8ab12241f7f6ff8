"""Facts of persons, row by row under a pseudonym: written, read back, and measured as an attacker would read them.

What a recipient could try, and what stands against it:
- know some facts of a person and look for the pseudonym that has them: unicity, measured on the written file over every
  column that stays, all of them together and each by itself; above the contract's limit nothing goes out.
- follow a pseudonym from one release to the next, and look for it by facts of both (`privacy.facts.rowsbefore`).
- narrow it down by the class of the subject table that goes out under the same lasting pseudonym, or by the period:
  candidates count only within the same class, or period.
- follow a person from one period to the next: every pseudonym in the row changes, rows stand in an order that only the
  keys know, and how often what a row shows gives the person away all the same is measured (`privacy.facts.relink`).
- read much of few: rows beyond the contract's cap stay out, by a draw (`privacy.facts.capped`).
A pseudonymised column besides the unit's tells which rows belong together; what it stands for nobody knows, so it's no point.
Noise and shifted days count as they are published: who knows the true value knows less.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Column, Contract, Role, Table, TableKind
from contracts.protection import PrivacyTerms, RowPlan, Transform
from core.errors import InternalError, PrivacyError
from core.keys import ContractKeys
from core.parquet import schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.facts.attackers import Attackers, Found, Seen, classes_of, seen
from privacy.facts.capped import KEY_BYTES, capped
from privacy.facts.coded import ranked, together
from privacy.facts.others import LET_GO
from privacy.facts.pseudonyms import Named, named
from privacy.facts.relink import Relinked, relinked
from privacy.facts.rowrisk import RowRisk, RowsBeside
from privacy.facts.rowsbefore import followed, measured_before
from privacy.facts.rowsbeside import beside_of, measured_beside
from privacy.facts.source import Facts, read_facts
from privacy.facts.treated import treated
from privacy.facts.unicity import unicity
from privacy.history.memory import History
from privacy.subjects.attach import Column as Given
from privacy.subjects.attach import attach, by_row
from privacy.subjects.columns import pseudonym_key
from privacy.subjects.order import Order, by_labels
from privacy.transforms.tokens import Tokens

_NAMES = (Transform.PSEUDONYM, Transform.TOKEN)  # what stands there is known to nobody outside


def build_rows(
    file: TableFile,
    contract: Contract,
    table: Table,
    keys: ContractKeys,
    *,
    target: Path,
    source_digest: str,
    subjects: Path | None = None,
    tokens: Tokens | None = None,
    history: History | None = None,
    progress: Progress = silent,
) -> RowRisk:
    """Writes the facts of `table` as rows under pseudonyms, and measures what they give away.

    file: the validated rows, of the source that `source_digest` names. contract: as the release door sees it. target: a
    Parquet file that isn't there yet; the caller removes it when this raises. subjects: the contract's subject table as
    written. tokens: what makes tokens, for each column that goes out as such. history: what the hall remembers of other rows of
    the same facts, and the contract's earlier releases.
    Raises PrivacyError when rows name nobody or no period, when there are too few units, and when more of them are singled
    out than the contract lets be.
    """
    terms, plan = _asked(contract, table)
    beside = beside_of(history, contract, table, schema(file))
    facts = read_facts(file, table, terms.unit, plan, more=beside.read, progress=progress)
    smallest = _enough(facts, contract, table, terms, plan)
    stays = np.ones(facts.rows, np.bool_)
    if plan.max_rows is not None:
        content = list(facts.columns.values())
        key = keys.derive("rows that stay", table.name, length=KEY_BYTES)
        stays = capped(facts.holder_of_row, content, plan.max_rows, key=key)
    columns, order = _columns(file, facts, contract, table, keys, stays, source_digest, tokens or {})
    attach(target, order, columns, progress=progress)
    shown = [c.name for c in table.columns if c.name in columns and c.transform not in _NAMES]
    written = seen(
        target,
        unit=terms.unit,
        columns=shown,
        owner_of_row=facts.owner_of_row[order.rows],
        period_of_row=facts.period_of_row[order.rows],
    )
    _hold(written, facts, contract, table, plan)
    classes = _classes(written, contract, terms, plan, subjects)
    secret = keys.derive("unicity", table.name)
    group = written.period if classes is None else classes
    attackers = Attackers(written, group=group, key=secret)
    after = attackers.measured(progress=progress)
    _, reached = after.strongest(plan.points)
    if reached.high > plan.max_unicity:
        raise _too_telling(contract, table, terms, plan, attackers, after)
    came = schema(file)
    read = {
        name: (values.cast(came.field(name).type), codes[order.rows])
        for name, (values, codes) in facts.more.items()
    }
    joined = measured_beside(beside, written, table, plan, read, group=group, key=secret, progress=progress)
    if joined is not None and joined.reached.high > joined.limit:
        raise _too_telling_together(contract, table, terms, joined)
    hidden = [column.name for column in table.columns if column.transform in _NAMES]
    found = followed(written, target, history, table, unit=terms.unit, hidden=hidden)
    earlier: RowsBeside | None = None
    if found is not None:
        apart = _classes(found.seen, contract, terms, plan, subjects)
        group = found.seen.period if apart is None else apart
        earlier = measured_before(found, contract, table, group=group, key=secret, progress=progress)
    raw = together([np.zeros(facts.rows, np.int8), *(ranked(facts.columns[name]) for name in shown)])
    return RowRisk(
        table=table.name,
        units=facts.owners,
        rows=len(order.rows),
        capped_rows=facts.rows - len(order.rows),
        traces=len(written.pseudonyms),
        smallest=smallest,
        before=unicity(raw, facts.owner_of_row, key=secret),
        after=after,
        in_classes=classes is not None,
        points=plan.points,
        limit=plan.max_unicity,
        reached=reached,
        relinked=_relinked(written, plan, keys.derive("relink", table.name)),
        beside=joined,
        earlier=earlier,
    )


def _asked(contract: Contract, table: Table) -> tuple[PrivacyTerms, RowPlan]:
    if contract.privacy is None or table.rows is None:
        raise PrivacyError(
            f"`{table.name}` holds facts of persons, and contract {contract.id} doesn't say how their rows may go out.",
            remedy="Add sluicePrivacy and sluiceRows.",
        )
    unit = table.column(contract.privacy.unit)
    if unit.transform is not Transform.PSEUDONYM:
        raise PrivacyError(
            f"`{table.name}.{unit.name}` tells whose a row is, and goes out as `{unit.transform.value}`.",
            remedy="Set sluiceTransform: pseudonym.",
        )
    lasting = [column.name for column in table.columns if column.transform is Transform.TOKEN]
    if lasting and table.rows.period is not None:
        raise PrivacyError(
            f"`{table.name}.{lasting[0]}` goes out as a token, which stays the same when the pseudonym changes.",
            remedy="Use `pseudonym` or `drop` for the column, or pseudonym: lasting for the rows.",
        )
    return contract.privacy, table.rows


def _enough(facts: Facts, contract: Contract, table: Table, terms: PrivacyTerms, plan: RowPlan) -> int:
    """Fewest units in a period, or in all. Raises PrivacyError where they are fewer than k."""
    if not facts.rows:
        return 0
    smallest = int(facts.units_by_period().min())
    if facts.owners < terms.k:
        raise PrivacyError(
            f"Release refused: `{table.name}` holds facts of fewer than {terms.k} `{terms.unit}`.",
            remedy="Ask for a longer window or a larger table, or lower k.",
        )
    if smallest < terms.k:
        few = int((facts.units_by_period() < terms.k).sum())
        raise PrivacyError(
            f"Release refused: in {few} of {len(facts.periods)} periods ({plan.period}) `{table.name}` holds facts of fewer "
            f"than {terms.k} `{terms.unit}`, which contract {contract.id} {contract.version} asks for.",
            remedy="Ask for a window of whole periods, or for a longer period.",
            periods=few,
        )
    return smallest


def _columns(
    file: TableFile,
    facts: Facts,
    contract: Contract,
    table: Table,
    keys: ContractKeys,
    stays: npt.NDArray[np.bool_],
    source_digest: str,
    tokens: Tokens,
) -> tuple[Mapping[str, tuple[pa.DataType, Given]], Order]:
    """The published columns in the contract's order, and the order of the rows.

    Rows of a pseudonym stand together, and pseudonyms in their own order: that is chance to all who lack the key, and no
    period lies beside another of the same person. Within a pseudonym the keys shuffle.
    """
    terms, plan = _asked(contract, table)
    made: dict[str, Named] = {}
    for column in table.columns:
        if column.transform is Transform.PSEUDONYM:
            made[column.name] = named(
                facts.columns[column.name],
                facts.period_of_row,
                [_key(keys, contract, column, plan, label) for label in facts.periods],
            )
    unit = made[terms.unit]
    order = by_labels(
        np.where(stays, unit.of_row, -1).astype(np.int32),
        [(unit.names, np.arange(len(unit.names), dtype=np.int32))],
        keys.derive("order", table.name, source_digest),
    )
    fields = schema(file)
    columns: dict[str, tuple[pa.DataType, Given]] = {}
    for column in table.columns:
        if column.name in made:
            columns[column.name] = by_row(made[column.name].of_row, made[column.name].names)
        elif column.transform is not Transform.DROP:
            values, codes = facts.columns[column.name]
            came = (values.cast(fields.field(column.name).type), codes)
            shift_key = keys.derive("shift of days", contract.recipient)
            names, of_row = treated(column, came, unit, shift_key=shift_key, tokens=tokens)
            columns[column.name] = by_row(of_row, names)
    return columns, order


def _key(keys: ContractKeys, contract: Contract, column: Column, plan: RowPlan, label: str) -> bytes:
    """The key of a column's pseudonyms: the subject table's where they last, else one for each period."""
    if plan.period is None:
        return pseudonym_key(keys, contract, column)
    return keys.derive("pseudonym of a period", contract.recipient, column.name, plan.period, label)


def _hold(written: Seen, facts: Facts, contract: Contract, table: Table, plan: RowPlan) -> None:
    """Holds the written rows against the plan once more: who is there, and how often."""
    if not facts.rows:
        return
    holder = written.owner.astype(np.int64) * len(facts.periods) + written.period
    rows = np.bincount(np.unique(holder, return_inverse=True)[1][written.trace_of_row])
    if plan.max_rows is not None and int(rows.max()) > plan.max_rows:
        raise PrivacyError(
            f"Release refused: `{table.name}` as written has more than {plan.max_rows} rows of a unit, which contract "
            f"{contract.id} {contract.version} doesn't allow.",
            remedy="Report this: the engine should have kept the limit.",
        )
    if len(rows) != len(np.unique(facts.holder_of_row)):
        raise PrivacyError(
            f"Release refused: units are missing in `{table.name}` as written.",
            remedy="Report this: it's a defect.",
        )


def _classes(
    written: Seen, contract: Contract, terms: PrivacyTerms, plan: RowPlan, subjects: Path | None
) -> npt.NDArray[np.int32] | None:
    """The class of each pseudonym, where the subject table goes out under the same ones."""
    plans = [table for table in contract.tables if table.kind is TableKind.SUBJECTS]
    if plan.period is not None or not plans:
        return None
    if plans[0].column(terms.unit).transform is not Transform.PSEUDONYM:
        return None
    if subjects is None:
        raise InternalError(
            f"`{plans[0].name}` goes out under the same pseudonyms, and its file wasn't given to measure by."
        )
    secret = {c.name for c in plans[0].columns if c.role is Role.SENSITIVE or c.transform in _NAMES}
    known = [name for name in pq.read_schema(subjects).names if name not in secret]
    return classes_of(written, subjects, unit=terms.unit, shown=known)


def _relinked(written: Seen, plan: RowPlan, key: bytes) -> Relinked | None:
    if plan.period is None:
        return None
    views = [codes for name, codes in written.columns.items() if name != plan.period_column]
    if len(views) > 1:
        views.append(together(views))
    return relinked(
        views,
        written.trace_of_row,
        owner_of_trace=written.owner,
        period_of_trace=written.period,
        key=key,
    )


def _too_telling_together(
    contract: Contract, table: Table, terms: PrivacyTerms, found: RowsBeside
) -> PrivacyError:
    """The refusal where it's the other contracts' columns, or their pseudonyms, that single out too many."""
    return PrivacyError(
        f"Release refused: read beside {found.live} live tables of rows of the same facts, {found.points} known rows of "
        f"`{table.name}` single out {found.reached.share:.1%} of `{terms.unit}` (95 %: up to {found.reached.high:.1%}); the "
        f"strictest of their contracts and {contract.id} {contract.version} allows {found.limit:.1%}.",
        remedy="Show the columns that the earlier contract shows, as coarse as there, and let the pseudonym change as there; "
        f"or {LET_GO}",
        table=table.name,
        share=found.reached.share,
        high=found.reached.high,
        limit=found.limit,
    )


def _too_telling(
    contract: Contract,
    table: Table,
    terms: PrivacyTerms,
    plan: RowPlan,
    attackers: Attackers,
    after: Found,
) -> PrivacyError:
    """The refusal, with the column that gives away most."""
    known, share = after.strongest(plan.points)
    column, then = attackers.most_telling(plan.points)
    interval = f" (95 %: {share.low:.1%} to {share.high:.1%})" if share.low < share.high else ""
    within = f" within a {plan.period}" if plan.period is not None else ""
    knows = "all columns" if known is None else f"only `{known}`"
    others = ["lower maxRows" if plan.max_rows is not None else "set maxRows"]
    others += ["let the pseudonym change" if plan.period is None else "take a shorter period"]
    return PrivacyError(
        f"Release refused: {plan.points} known rows of `{table.name}` ({knows}) single out {share.share:.1%}{interval} of "
        f"`{terms.unit}`{within}, contract {contract.id} {contract.version} allows {plan.max_unicity:.1%}.",
        remedy=f"Coarsen `{column}` first: without it it would be {then:.1%}. Or {', or '.join(others)}, or raise maxUnicity.",
        table=table.name,
        share=share.share,
        high=share.high,
        limit=plan.max_unicity,
        column=column,
    )
