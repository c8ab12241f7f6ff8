"""Cells hold what the contract says, whoever counts: everything here is counted anew from the facts, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.protection import CellPlan, Dimension, Level, Measure
from core.errors import PrivacyError
from privacy.facts.cells import CellCounts, build_cells, columns_of
from privacy.facts.ladders import ladder, ladders, losses

PLAN = CellPlan(
    segments_of="people",
    segment_min_units=1,
    count_name="persons",
    dimensions=(
        Dimension(
            name="goods",
            levels=(Level(label="goods", column="good"), Level(label="department", column="dep't")),
        ),
        Dimension(
            name="week",
            levels=(
                Level(label="week", column="week"),
                Level(label="4 weeks", column="week", width=4, origin=1),
            ),
        ),
    ),
    measures=(
        Measure(name="lines", aggregate="count"),
        Measure(name="baskets", aggregate="countDistinct", column="basket"),
        Measure(name="pieces", aggregate="sum", column="pieces"),
        Measure(name="sales", aggregate="sum", column="sales", decimals=2),
    ),
)
Fact = tuple[int, str, str | None, str | None, int | None, int, int | None, float]
SCHEMA = pa.schema(
    [("person", pa.int64()), ("segment", pa.string()), ("good", pa.string()), ("dep't", pa.string()),
     ("week", pa.int64()), ("basket", pa.int64()), ("pieces", pa.int64()), ("sales", pa.float64())]
)  # fmt: skip


def publish(facts: list[Fact], k: int, plan: CellPlan = PLAN) -> tuple[list[dict[str, Any]], CellCounts]:
    with duckdb.connect() as con:
        columns = zip(*facts, strict=True) if facts else [[] for _ in SCHEMA]
        con.register(
            "facts",
            pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA),
        )
        con.execute("CREATE TABLE persons AS SELECT DISTINCT person AS spelt, person, segment FROM facts")
        counts = build_cells(con, facts="facts", unit="person", persons="persons", plan=plan, k=k)
        cells = con.sql("FROM cells").to_arrow_table()
    assert tuple(cells.column_names) == columns_of(plan)
    return cells.to_pylist(), counts


def as_seen_by_a_recipient(
    facts: list[Fact], cells: list[dict[str, Any]], counts: CellCounts
) -> tuple[dict[int, list[Fact]], list[Fact]]:
    """Each fact's cell: the finest published cell whose key the fact has, on the ladder that the report tells.

    Returns facts by cell, and those in none.
    """
    (rungs,) = (
        each
        for each in ladders(PLAN)
        if [r.label(PLAN) for r in each] == [label for label, *_ in counts.rungs]
    )

    def keys(fact: Fact) -> list[tuple[Any, ...]]:
        _, segment, good, department, week, *_ = fact
        month = None if week is None else 1 + 4 * ((week - 1) // 4)
        goods = {"goods": good, "department": department, "all": None}
        weeks = {"week": week, "4 weeks": month, "all": None}
        named = [
            (rung.segments, *(level.label if level else "all" for level in rung.levels)) for rung in rungs
        ]
        return [(segment if apart else "(rest)", goods[g], g, weeks[w], w) for apart, g, w in named]

    at = {
        tuple(cell[name] for name in ("segment", "goods", "goods_level", "week", "week_level")): number
        for number, cell in enumerate(cells)
    }
    assert len(at) == len(cells), "a cell is named twice"
    inside: dict[int, list[Fact]] = defaultdict(list)
    outside = []
    for fact in facts:
        cell = next((at[key] for key in keys(fact) if key in at), None)
        if cell is None:
            outside.append(fact)
        else:
            inside[cell].append(fact)
    return inside, outside


FACTS = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.just("?"),
        st.sampled_from(["milk", "bread", "soap", None]),
        st.just("?"),
        st.one_of(st.none(), st.integers(1, 9)),
        st.integers(1, 30),
        st.one_of(st.none(), st.integers(0, 9)),
        st.integers(-500, 500).map(lambda cents: cents / 100),
    ),
    max_size=120,
).map(
    lambda rows: [
        (p, f"S{p % 3}", g, {"milk": "food", "bread": "food", "soap": "drug"}.get(g or ""), w, b, n, s)
        for p, _, g, _, w, b, n, s in rows
    ]
)


@settings(max_examples=25, deadline=None)
@given(facts=FACTS, k=st.integers(2, 6))
def test_every_cell_has_k_persons_and_the_numbers_of_its_facts(facts: list[Fact], k: int) -> None:
    cells, counts = publish(facts, k)
    inside, outside = as_seen_by_a_recipient(facts, cells, counts)
    assert len(inside) == len(cells) == counts.cells
    for number, cell in enumerate(cells):
        own = inside[number]
        assert cell["persons"] == len({fact[0] for fact in own}) >= k
        assert cell["lines"] == len(own)
        assert cell["baskets"] == len({fact[5] for fact in own})
        pieces = [fact[6] for fact in own if fact[6] is not None]
        assert cell["pieces"] == (sum(pieces) if pieces else None)
        assert not pieces or len({fact[0] for fact in own if fact[6] is not None}) >= k, (
            "a sum over fewer than k persons"
        )
        assert cell["sales"] == pytest.approx(sum(fact[7] for fact in own), abs=1e-9)
    assert counts.facts == len(facts)
    assert counts.suppressed_facts == len(outside)
    assert sum(number for _, number, _ in counts.rungs) == counts.cells
    assert sum(held for _, _, held in counts.rungs) + counts.suppressed_facts == len(facts)


@settings(max_examples=25, deadline=None)
@given(facts=FACTS, k=st.integers(2, 6))
def test_a_total_from_elsewhere_gives_back_nobody_or_a_group_of_k(facts: list[Fact], k: int) -> None:
    """The attack: total of all facts minus all published cells. What is left must not be a few persons' facts."""
    cells, counts = publish(facts, k)
    _, outside = as_seen_by_a_recipient(facts, cells, counts)
    rest = {fact[0] for fact in outside}
    assert counts.suppressed_units == len(rest)
    assert not rest or len(rest) >= k or not cells
    with_pieces = {fact[0] for fact in outside if fact[6] is not None}
    assert not with_pieces or len(with_pieces) >= k or not cells


@settings(max_examples=25, deadline=None)
@given(facts=FACTS, k=st.integers(2, 5))
def test_one_person_with_many_rows_never_makes_a_cell(facts: list[Fact], k: int) -> None:
    """Counting rows instead of persons is the oldest mistake: every fact ten times over must change no cell's key."""
    once, _ = publish(facts, k)
    often, _ = publish(facts * 10, k)
    names = ("segment", "goods", "goods_level", "week", "week_level", "persons", "baskets")
    assert [[cell[n] for n in names] for cell in once] == [[cell[n] for n in names] for cell in often]


def fact(person: int, good: str, week: int, segment: str = "S0") -> Fact:
    return (person, segment, good, "food", week, person, 1, 1.0)


def test_a_sum_over_one_person_among_many_without_a_value_is_not_published() -> None:
    """The attack: five persons in a cell, four of them without the measure; the sum is the fifth's own number."""
    facts = [(p, "S0", "milk", "food", 1, p, None if p > 1 else 1234, 1.0) for p in range(1, 6)]
    cells, counts = publish(facts, 5)
    assert cells == []
    assert counts.suppressed_facts == 5


def test_a_contract_may_call_its_measures_anything() -> None:
    names = ("atom", "rung", "cell", "n", "m0", "a0", "r1", "s0", "seg", "facts", "level", "person", "spelt")
    for name in names:
        plan = CellPlan(
            segments_of=None,
            segment_min_units=1,
            dimensions=(),
            measures=(Measure(name=name, aggregate="sum", column="pieces"),),
            count_name="people",
        )
        cells, _ = publish([fact(p, "milk", 1) for p in range(4)], 2, plan)
        assert cells == [{"segment": "S0", "people": 4, name: 4}]


def test_a_small_cell_gives_up_its_segment_first() -> None:
    facts = [fact(p, "milk", 1, "A") for p in (1, 2, 3)] + [fact(p, "milk", 1, "B") for p in (4, 5)]
    facts += [fact(6, "milk", 1, "C")]
    cells, _ = publish(facts, 3)
    assert [(cell["segment"], cell["goods"], cell["persons"]) for cell in cells] == [
        ("(rest)", "milk", 3),
        ("A", "milk", 3),
    ]


def test_then_the_goods_and_then_the_week() -> None:
    facts = [fact(1, "milk", 1), fact(2, "bread", 1), fact(3, "milk", 6), fact(4, "milk", 7)]
    cells, counts = publish(facts, 2)
    assert [(c["goods"], c["goods_level"], c["week"], c["week_level"]) for c in cells] == [
        ("food", "department", 1, "week"),
        (None, "all", 5, "4 weeks"),
    ]
    assert counts.suppressed_facts == 0


def test_the_order_that_loses_less_is_taken_for_all() -> None:
    """Goods first would give up all goods; the weeks lie side by side, so they go first."""
    facts = [fact(1, "milk", 1), fact(2, "milk", 2), fact(3, "bread", 5), fact(4, "bread", 6)]
    facts = [(p, s, g, {"milk": "food", "bread": "bakery"}[g], *more) for p, s, g, _, *more in facts]
    cells, counts = publish(facts, 2)
    assert [(c["goods"], c["goods_level"], c["week"], c["week_level"]) for c in cells] == [
        ("bread", "goods", 5, "4 weeks"),
        ("milk", "goods", 1, "4 weeks"),
    ]
    assert [label for label, *_ in counts.rungs][2] == "all segments x goods x 4 weeks"


def test_of_orders_that_lose_the_same_the_contracts_own_is_taken() -> None:
    facts = [fact(1, "milk", 1), fact(2, "milk", 1)]
    assert [label for label, *_ in publish(facts, 2)[1].rungs] == [r.label(PLAN) for r in ladder(PLAN)]


@settings(max_examples=12, deadline=None)
@given(facts=FACTS, k=st.integers(2, 6), random=st.randoms(use_true_random=False))
def test_the_order_of_facts_chooses_nothing(facts: list[Fact], k: int, random: Any) -> None:
    mixed = list(facts)
    random.shuffle(mixed)
    assert publish(mixed, k) == publish(facts, k)


def test_a_persons_many_facts_of_one_kind_choose_nothing() -> None:
    """The attack: a person who buys one thing a thousand times would turn a choice that counts facts."""
    facts = [fact(1, "milk", 1), fact(2, "milk", 2), fact(3, "bread", 5), fact(4, "soap", 5)]
    once, often = publish(facts, 2)[1], publish([*facts, *[fact(4, "soap", 5)] * 1000], 2)[1]
    assert [label for label, *_ in once.rungs] == [label for label, *_ in often.rungs]


def test_every_order_is_a_ladder_and_the_plans_own_is_first() -> None:
    def dimension(name: str) -> Dimension:
        return Dimension(name=name, levels=(Level(label=name, column=name),))

    for count, orders in ((0, 1), (1, 1), (2, 2), (3, 6), (5, 5)):
        plan = replace(PLAN, dimensions=tuple(dimension(f"d{n}") for n in range(count)))
        found = ladders(plan)
        assert (len(set(found)), found[0]) == (orders, ladder(plan))
        for rungs in found:
            lost, suppressed = losses(plan, rungs)
            assert list(lost) == sorted(lost)
            assert suppressed > lost[-1]


def test_a_published_cell_joins_a_rest_that_would_be_too_small() -> None:
    facts = [fact(p, "milk", 1) for p in (1, 2, 3)] + [fact(9, "milk", 30)]
    cells, counts = publish(facts, 3)
    assert cells == []
    assert (counts.suppressed_facts, counts.suppressed_units) == (4, 4)


def test_the_coarsest_cell_joins_such_a_rest_first() -> None:
    fine = [fact(p, "milk", 1, "A") for p in (1, 2, 3)]
    coarse = [
        fact(4, "bread", 1, "A"),
        fact(5, "bread", 1, "B"),
        fact(6, "bread", 1, "C"),
        fact(7, "bread", 1, "D"),
    ]
    cells, counts = publish([*fine, *coarse, fact(9, "soap", 30, "A")], 3)
    assert [(cell["segment"], cell["goods"], cell["persons"]) for cell in cells] == [("A", "milk", 3)]
    assert (counts.suppressed_facts, counts.suppressed_units) == (5, 5)


def test_fewer_than_k_persons_in_all_publish_nothing() -> None:
    cells, counts = publish([fact(1, "milk", 1)] * 50, 2)
    assert (cells, counts.cells, counts.smallest, counts.suppressed_units) == ([], 0, 0, 1)


def test_no_facts_no_cells() -> None:
    cells, counts = publish([], 2)
    assert (cells, counts.facts, counts.units) == ([], 0, 0)


def test_sums_are_exact_whatever_the_order() -> None:
    facts = [(*fact(p, "milk", 1)[:7], 0.1) for p in range(10)] * 3
    forward, _ = publish(facts, 2)
    backward, _ = publish(facts[::-1], 2)
    assert forward == backward
    assert forward[0]["sales"] == 3.0


def test_the_ladder_can_be_read() -> None:
    assert [rung.label(PLAN) for rung in ladder(PLAN)] == [
        "segment x goods x week",
        "all segments x goods x week",
        "all segments x department x week",
        "all segments x all of goods x week",
        "all segments x all of goods x 4 weeks",
        "all segments x all of goods x all of week",
    ]


def test_an_aggregate_that_cells_do_not_have_is_refused() -> None:
    plan = CellPlan(
        segments_of=None,
        segment_min_units=1,
        dimensions=(),
        measures=(Measure(name="top", aggregate="max", column="sales"),),
    )
    with pytest.raises(PrivacyError, match="Use sum, count or countDistinct"):
        publish([fact(1, "milk", 1), fact(2, "milk", 1)], 2, plan)


def test_without_dimensions_the_segments_are_the_cells() -> None:
    plan = CellPlan(segments_of=None, segment_min_units=1, dimensions=(), measures=())
    cells, _ = publish([fact(p, "milk", 1, "A") for p in range(4)], 2, plan)
    assert cells == [{"segment": "A", "units": 4}]
