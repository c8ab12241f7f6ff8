"""The cells agree with a small, slow oracle that keeps all facts in a list and says the rules as the docstring does."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.protection import CellPlan, Dimension, Level, Measure
from privacy.facts.cells import ALL, REST, CellCounts, build_cells, columns_of
from privacy.facts.ladders import Ladder, ladders

Fact = dict[str, Any]
Key = tuple[Any, ...]
SCHEMA = pa.schema(
    [("who", pa.string()), ("good", pa.string()), ("dep't", pa.string()), ("week", pa.int64()),
     ("basket", pa.int64()), ("pieces", pa.int64()), ("sales", pa.decimal128(9, 2))]
)  # fmt: skip


def level_value(fact: Fact, level: Level) -> Any:
    value = fact[level.column]
    if value is None or level.width == 1:
        return value
    return level.origin + level.width * math.floor((value - level.origin) / level.width)


def in_order(key: Key) -> Key:
    """NULLs last, as the engine sorts."""
    return tuple((value is None, value if value is not None else 0) for value in key)


def publishable(facts: list[Fact], plan: CellPlan, k: int) -> bool:
    """At least k persons, and for each measure of a column nobody or at least k who have a value."""
    counts = [
        len({f["person"] for f in facts if m.column is None or f[m.column] is not None})
        for m in plan.measures
    ]
    return len({f["person"] for f in facts}) >= k and all(count == 0 or count >= k for count in counts)


def oracle(facts: list[Fact], plan: CellPlan, k: int) -> tuple[list[Fact], CellCounts]:
    """facts: with `person` and `segment` in each. Every ladder is walked, and the first that loses least is taken."""
    walked = [(rungs, *walk(facts, plan, k, rungs)) for rungs in ladders(plan)]
    return told(facts, plan, *min(walked, key=lambda each: loss(plan, *each)))


def loss(
    plan: CellPlan, rungs: Ladder, chosen: list[tuple[int, Key, list[Fact]]], left: list[Fact]
) -> Fraction:
    """What is lost over all persons and their finest cells: a share for the segment and one for each dimension."""
    columns = [level.column for dimension in plan.dimensions for level in dimension.levels]

    def pairs(held: list[Fact]) -> int:
        return len({(f["person"], f["segment"], *(f[column] for column in columns)) for f in held})

    total = Fraction((len(plan.dimensions) + 2) * pairs(left))
    for number, _, held in chosen:
        each = Fraction(0 if rungs[number].segments else 1)
        for level, dimension in zip(rungs[number].levels, plan.dimensions, strict=True):
            steps = len(dimension.levels)
            each += Fraction(steps if level is None else dimension.levels.index(level), steps)
        total += each * pairs(held)
    return total


def walk(
    facts: list[Fact], plan: CellPlan, k: int, rungs: Ladder
) -> tuple[list[tuple[int, Key, list[Fact]]], list[Fact]]:
    """(rung, key and facts of each cell; the facts in none) on one ladder."""
    left, chosen = list(facts), []
    for number, rung in enumerate(rungs):
        groups: dict[Key, list[Fact]] = defaultdict(list)
        for fact in left:
            values = [level_value(fact, level) for level in rung.levels if level]
            groups[(fact["segment"] if rung.segments else REST, *values)].append(fact)
        good = {key: group for key, group in groups.items() if publishable(group, plan, k)}
        chosen += [(number, key, group) for key, group in good.items()]
        left = [fact for key, group in groups.items() if key not in good for fact in group]
    while chosen and not (publishable(left, plan, k) or not left):
        chosen.sort(key=lambda cell: (-cell[0], len({f["person"] for f in cell[2]}), in_order(cell[1])))
        left += chosen.pop(0)[2]
    return chosen, left


def told(
    facts: list[Fact],
    plan: CellPlan,
    rungs: Ladder,
    chosen: list[tuple[int, Key, list[Fact]]],
    left: list[Fact],
) -> tuple[list[Fact], CellCounts]:
    cells = [row(rungs[number], key, group, plan) for number, key, group in chosen]
    cells.sort(key=lambda cell: in_order(tuple(cell.values())))
    persons = [len({f["person"] for f in group}) for _, _, group in chosen]
    by_rung = []
    for number, rung in enumerate(rungs):
        groups_there = [group for at, _, group in chosen if at == number]
        by_rung.append((rung.label(plan), len(groups_there), sum(map(len, groups_there))))
    return cells, CellCounts(
        facts=len(facts),
        units=len({f["person"] for f in facts}),
        cells=len(cells),
        smallest=min(persons, default=0),
        suppressed_facts=len(left),
        suppressed_units=len({f["person"] for f in left}),
        rungs=tuple(by_rung),
    )


def row(rung: Any, key: Key, facts: list[Fact], plan: CellPlan) -> Fact:
    values = iter(key[1:])
    cell: Fact = {"segment": key[0]}
    for dimension, level in zip(plan.dimensions, rung.levels, strict=True):
        cell[dimension.name] = next(values) if level else None
        cell[f"{dimension.name}_level"] = level.label if level else ALL
    cell[plan.count_name] = len({f["person"] for f in facts})
    for measure in plan.measures:
        if measure.column is None:
            cell[measure.name] = len(facts)
            continue
        have = [f[measure.column] for f in facts if f[measure.column] is not None]
        if measure.aggregate == "countDistinct":
            cell[measure.name] = len(set(have))
        else:
            total = sum(have) if have else None
            cell[measure.name] = float(total) if total is not None and measure.decimals else total
    return cell


GOODS = Dimension(
    name="goods", levels=(Level(label="good", column="good"), Level(label="part", column="dep't"))
)
DEPARTMENTS = Dimension(name="department", levels=(Level(label="part", column="dep't"),))
WEEKS = Dimension(
    name="week",
    levels=(
        Level(label="week", column="week"),
        Level(label="2 weeks", column="week", width=2, origin=1),
        Level(label="4 weeks", column="week", width=4, origin=1),
    ),
)
MEASURES = (
    Measure(name="lines", aggregate="count"),
    Measure(name="baskets", aggregate="countDistinct", column="basket"),
    Measure(name="pieces", aggregate="sum", column="pieces"),
    Measure(name="sales", aggregate="sum", column="sales", decimals=2),
)
PLANS = st.builds(
    lambda dimensions, measures: CellPlan(
        segments_of=None,
        segment_min_units=1,
        dimensions=tuple(dimensions),
        measures=tuple(measures),
        count_name="persons",
    ),
    st.lists(st.sampled_from([GOODS, DEPARTMENTS, WEEKS]), unique_by=lambda d: d.name, max_size=3),
    st.lists(st.sampled_from(MEASURES), unique_by=lambda m: m.name, max_size=4),
)
FACTS = st.lists(
    st.fixed_dictionaries(
        {
            "who": st.sampled_from(
                [f"{name}{spelling}" for name in "abcdefghijkl" for spelling in ("", "'")]
            ),
            "good": st.sampled_from(["milk", "bread", "soap", "Ωmega", None]),
            "dep't": st.sampled_from(["food", "drug", None]),  # of its own: a good may stand in several
            "week": st.one_of(st.none(), st.integers(-3, 9)),
            "basket": st.one_of(st.none(), st.integers(1, 30)),
            "pieces": st.one_of(st.none(), st.integers(-9, 9)),
            "sales": st.one_of(st.none(), st.integers(-500, 500).map(lambda cents: Decimal(cents) / 100)),
        }
    ),
    max_size=150,
)


@settings(max_examples=40, deadline=None)
@given(facts=FACTS, plan=PLANS, k=st.integers(2, 6), segments=st.integers(1, 4))
def test_the_cells_are_the_oracles(facts: list[Fact], plan: CellPlan, k: int, segments: int) -> None:
    people = {name: (ord(name[0]), f"S{ord(name[0]) % segments}") for name in {f["who"] for f in facts}}
    with duckdb.connect() as con:
        con.register("facts", pa.Table.from_pylist(facts, schema=SCHEMA))
        spelt = [
            {"spelt": who, "person": person, "segment": segment} for who, (person, segment) in people.items()
        ]
        con.register(
            "persons",
            pa.Table.from_pylist(
                spelt,
                schema=pa.schema([("spelt", pa.string()), ("person", pa.int64()), ("segment", pa.string())]),
            ),
        )
        counts = build_cells(con, facts="facts", unit="who", persons="persons", plan=plan, k=k)
        cells = con.sql("FROM cells").to_arrow_table()
    known = [{**f, "person": people[f["who"]][0], "segment": people[f["who"]][1]} for f in facts]
    expected, expected_counts = oracle(known, plan, k)
    assert tuple(cells.column_names) == columns_of(plan)
    assert cells.to_pylist() == expected
    assert counts == expected_counts
