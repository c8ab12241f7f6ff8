"""sluiceRows: how facts of persons go out row by row under a pseudonym, with every name in it resolved against the table."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.model import Column, LogicalType, Role
from contracts.own import own
from contracts.problems import choose, shown
from contracts.protection import PrivacyTerms, RowPlan, Transform
from contracts.reading import Node

KEYS = ("pseudonym", "period", "periodColumn", "maxRows", "points", "maxUnicity")
LASTING, CHANGING = "lasting", "changing"
PERIODS = ("day", "week", "month", "quarter", "year")  # from short to long
MAX_POINTS = 5
_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)


def read_rows(
    node: Node,
    columns: Sequence[tuple[Column, Node]],
    *,
    table: str,
    time_column: str | None,
    terms: PrivacyTerms | None,
) -> RowPlan | None:
    """The plan at `node`, or None when something in it, or in the table's columns for it, is wrong (and said).

    columns: the fact table's, each with its place. table: its label. time_column: the one that sluiceTime names.
    """
    before = node.problems.told
    _check_columns(node, columns, table, terms)
    if node.get("pseudonym") == CHANGING:
        _check_tokens(columns)
    if not node.mapping(KEYS, required=("pseudonym", "points", "maxUnicity")):
        return None
    pseudonym = node.choice("pseudonym", (LASTING, CHANGING))
    period = node.choice("period", PERIODS)
    period_column = _period_column(node, {column.name: column for column, _ in columns})
    if pseudonym == LASTING:
        for key in ("period", "periodColumn"):
            if node.has(key):
                node.say(
                    f"{node.label}: `{key}` says when a pseudonym changes, and this one is lasting.",
                    "Take it out, or write pseudonym: changing.",
                    key=key,
                )
    elif pseudonym == CHANGING:
        if not node.has("period"):
            node.say(
                f"{node.label} lacks `period`, after which the pseudonym changes.",
                f"Add one of {', '.join(PERIODS)}.",
                key="period",
            )
        if not node.has("periodColumn"):
            period_column = time_column
            if time_column is None:
                node.say(
                    f"{node.label} lacks `periodColumn`, and the table has no sluiceTime.",
                    "Name the date or timestamp column whose periods count.",
                    key="periodColumn",
                )
    max_rows = node.whole("maxRows", least=1)
    points = node.whole("points", least=1, most=MAX_POINTS)
    max_unicity = node.share("maxUnicity", one=True)
    if node.problems.told > before or points is None or max_unicity is None:
        return None
    changing = pseudonym == CHANGING
    return RowPlan(
        period=period if changing else None,
        period_column=period_column if changing else None,
        max_rows=max_rows,
        points=points,
        max_unicity=max_unicity,
    )


def _period_column(node: Node, columns: dict[str, Column]) -> str | None:
    name = node.text("periodColumn")
    if name is None:
        return None
    if name not in columns:
        timed = [column.name for column in columns.values() if column.type in _TIMES]
        node.say(
            f"{node.label}: the table has no column `{shown(name)}`.", choose(name, timed), key="periodColumn"
        )
        return None
    if columns[name].type not in _TIMES:
        node.say(
            f"{node.label}: periodColumn names `{shown(name)}`, which is {columns[name].type.value}.",
            "Name a date or timestamp column.",
            key="periodColumn",
        )
        return None
    return name


def _check_columns(
    node: Node, columns: Sequence[tuple[Column, Node]], table: str, terms: PrivacyTerms | None
) -> None:
    """The unit goes out as the pseudonym, and something besides goes out with it."""
    for column, place in columns:
        if terms is None or column.name != terms.unit:
            continue
        if column.role is Role.IDENTIFIER and column.transform is not Transform.PSEUDONYM:
            place.say(
                f"{place.label} is the privacy unit of facts that go out as rows, and is `{column.transform.value}`.",
                "Set sluiceTransform: pseudonym: rows go out under the pseudonym of their unit.",
                key="customProperties",
            )
    if not any(_stays(column) for column, _ in columns):
        node.say(
            f"{table} would go out as rows of nothing but identifiers.",
            "Keep at least one column with the role attribute, or leave the table out.",
        )


def _check_tokens(columns: Sequence[tuple[Column, Node]]) -> None:
    """A token lasts: two pseudonyms of a person with the same token in their rows are one again."""
    for column, place in columns:
        if column.transform is Transform.TOKEN:
            (own(place, "sluiceTransform") or place).say(
                f"{place.label} goes out as a token, which stays the same where the pseudonym of its row changes.",
                "Use `pseudonym` or `drop` for the column, or pseudonym: lasting for the rows.",
            )


def check_apart(plans: Sequence[tuple[RowPlan, Node, str]]) -> None:
    """Says which tables' rows meet under one pseudonym: unicity is measured for each alone, and together they're longer traces.

    plans: those of a contract, each with its place and the label of its table. Pseudonyms are the same where both last, or
    change with the same period.
    """
    first: dict[str | None, str] = {}
    for plan, node, table in plans:
        if plan.period in first:
            how = (
                "lasting pseudonyms" if plan.period is None else f"the same pseudonyms in each {plan.period}"
            )
            node.say(
                f"{table} goes out as rows under {how}, as {first[plan.period]} does: joined by them, they tell more of a unit "
                "than either is measured for.",
                "Join the two into one table at the source, give one another period, or share it by a contract of its own.",
            )
        first.setdefault(plan.period, table)


def _stays(column: Column) -> bool:
    return column.role is Role.ATTRIBUTE and column.transform not in (Transform.DROP, Transform.REDACT)
