"""The diff of what protects persons: tighter never widens, looser and what can't be judged always does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.changes.protection import treatment
from contracts.diff import Sharing, diff, widens
from contracts.model import Column, LogicalType, Role
from contracts.odcs import load_contract
from contracts.protection import RowPlan, Search, Transform, Treatment

CONTRACT = load_contract(Path(__file__).parent / "shop.odcs.yaml")
PLAN = RowPlan(period="month", period_column="sold_at", max_rows=100, points=3, max_unicity=0.05)


def privacy(**changes: Any) -> Sharing:
    assert CONTRACT.privacy is not None
    return Sharing(contract=replace(CONTRACT, privacy=replace(CONTRACT.privacy, **changes)))


def rows(plan: RowPlan | None) -> Sharing:
    tables = list(CONTRACT.tables)
    tables[1] = replace(tables[1], rows=plan, cells=None if plan else tables[1].cells)
    return Sharing(contract=replace(CONTRACT, tables=tuple(tables)))


@pytest.mark.parametrize(
    ("looser", "tighter"),
    [
        ({"entropy_l": None}, {"entropy_l": 2.0}),
        ({"entropy_l": 2.0}, {"entropy_l": 2.5}),
        ({"t": None}, {"t": 0.3}),
        ({"t": 0.3}, {"t": 0.2}),
        ({"max_intersected": 0.1}, {"max_intersected": 0.0}),
    ],
)
def test_limits_have_a_direction(looser: dict[str, Any], tighter: dict[str, Any]) -> None:
    down, up = diff(privacy(**looser), privacy(**tighter)), diff(privacy(**tighter), privacy(**looser))
    assert (len(down), len(up)) == (1, 1)
    assert not widens(down)
    assert widens(up)


def test_another_search_cannot_be_judged() -> None:
    for one, other in ((Search.AUTO, Search.FULL_DOMAIN), (Search.FULL_DOMAIN, Search.AUTO)):
        assert widens(diff(privacy(search=one), privacy(search=other)))


@pytest.mark.parametrize(
    ("looser", "tighter"),
    [
        ({"period": None, "period_column": None}, {}),
        ({"period": "year"}, {"period": "month"}),
        ({"max_rows": None}, {"max_rows": 50}),
        ({"max_rows": 100}, {"max_rows": 50}),
        ({"points": 2}, {"points": 3}),
        ({"max_unicity": 0.05}, {"max_unicity": 0.01}),
    ],
)
def test_plans_of_rows_have_a_direction(looser: dict[str, Any], tighter: dict[str, Any]) -> None:
    loose, tight = rows(replace(PLAN, **looser)), rows(replace(PLAN, **tighter))
    assert len(diff(loose, tight)) == len(diff(tight, loose)) == 1
    assert not widens(diff(loose, tight))
    assert widens(diff(tight, loose))


def test_another_form_of_facts_widens() -> None:
    assert widens(diff(rows(None), rows(PLAN)))
    assert widens(diff(rows(PLAN), rows(None)))
    assert widens(diff(rows(PLAN), rows(replace(PLAN, period_column="other"))))
    assert diff(rows(PLAN), rows(PLAN)) == ()


def widened(one: tuple[Transform, Treatment | None], other: tuple[Transform, Treatment | None]) -> bool:
    old, new = (
        Column(name="c", type=LogicalType.NUMBER, role=Role.ATTRIBUTE, transform=transform, treatment=given)
        for transform, given in (one, other)
    )
    changes = list(treatment("`c`", old, new, "old", "new"))
    assert len(changes) == 1
    return changes[0].widens


def d(value: str) -> Decimal:
    return Decimal(value)


@pytest.mark.parametrize(
    ("transform", "looser", "tighter"),
    [
        (Transform.ROUND, Treatment(step=d("0.1")), Treatment(step=d("0.3"))),
        (Transform.CLAMP, Treatment(low=d("0")), Treatment(low=d("0"), high=d("9"))),
        (Transform.CLAMP, Treatment(low=d("0"), high=d("10")), Treatment(low=d("1"), high=d("9"))),
        (Transform.NOISE, Treatment(scale=d("1"), step=d("1")), Treatment(scale=d("2"), step=d("1"))),
        (Transform.NOISE, Treatment(scale=d("1"), step=d("1")), Treatment(scale=d("1"), step=d("2"))),
        (Transform.SHIFT, Treatment(days=10), Treatment(days=30)),
    ],
)
def test_parameters_have_a_direction(transform: Transform, looser: Treatment, tighter: Treatment) -> None:
    assert not widened((transform, looser), (transform, tighter))
    assert widened((transform, tighter), (transform, looser))


@pytest.mark.parametrize(
    ("transform", "one", "other"),
    [
        (Transform.ROUND, Treatment(step=d("2")), Treatment(step=d("3"))),
        (Transform.CLAMP, Treatment(low=d("0"), high=d("5")), Treatment(low=d("1"), high=d("6"))),
        (Transform.NOISE, Treatment(scale=d("1"), step=d("2")), Treatment(scale=d("2"), step=d("1"))),
        (Transform.TOKEN, Treatment(holder="one"), Treatment(holder="other")),
    ],
)
def test_what_cannot_be_judged_widens(transform: Transform, one: Treatment, other: Treatment) -> None:
    assert widened((transform, one), (transform, other))
    assert widened((transform, other), (transform, one))


def test_transforms_are_ordered_where_it_is_sure() -> None:
    less = [
        (Transform.KEEP, Transform.NOISE),
        (Transform.KEEP, Transform.GENERALIZE),
        (Transform.ROUND, Transform.REDACT),
        (Transform.TOKEN, Transform.PSEUDONYM),
    ]
    for one, other in less:
        assert not widened((one, None), (other, None))
        assert widened((other, None), (one, None))
    for one, other in ((Transform.ROUND, Transform.NOISE), (Transform.CLAMP, Transform.GENERALIZE)):
        assert widened((one, None), (other, None))
        assert widened((other, None), (one, None))


def test_what_is_declared_to_be_carried_is_looked_at() -> None:
    def carrying(*kinds: str) -> Sharing:
        tables = list(CONTRACT.tables)
        columns = list(tables[2].columns)
        columns[1] = replace(columns[1], carries=kinds)
        tables[2] = replace(tables[2], columns=tuple(columns))
        return Sharing(contract=replace(CONTRACT, tables=tuple(tables)))

    assert widens(diff(carrying(), carrying("landline")))
    assert not widens(diff(carrying("landline", "uscc"), carrying("uscc")))
