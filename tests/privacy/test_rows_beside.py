"""Rows of facts of two contracts, laid side by side: what a reader of both knows of a person, counted anew in plain Python."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Contract, LogicalType, Role, Table, TableKind
from contracts.protection import PrivacyTerms, RowPlan, Transform, Treatment
from core.errors import IntegrityError, PrivacyError
from core.keys import ContractKeys, FileKey
from core.proof import Window
from privacy.facts.rowrisk import RowRisk
from privacy.facts.rows import build_rows
from privacy.facts.rowsbeside import shown_of
from privacy.history.memory import History, OtherRows
from privacy.history.shown import Shown, read_shown, write_shown
from tests.agreement import agreement
from tests.privacy.test_rows import column
from tests.staged import table_file

KEYS = ContractKeys("trips-2026", bytes(range(32)))
PLAN = RowPlan(period=None, period_column=None, max_rows=None, points=1, max_unicity=1.0)
MONTHLY = replace(PLAN, period="month", period_column="day")
DAY, STOP, FARE = "day", "stop", "fare"
Trip = tuple[int, dt.date, str, int]


def table(*shown: str, plan: RowPlan = PLAN, lacks: tuple[str, ...] = (), **how: Transform) -> Table:
    """Trips, of which some columns go out; the others are dropped, or aren't in the contract."""
    kinds = {DAY: LogicalType.DATE, STOP: LogicalType.STRING, FARE: LogicalType.INTEGER}
    return Table(
        name="trips",
        physical_name="trips",
        kind=TableKind.FACTS,
        columns=(
            column("rider", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.INTEGER),
            *(
                column(
                    name,
                    Role.ATTRIBUTE,
                    how.get(name, Transform.KEEP if name in shown else Transform.DROP),
                    kind,
                )
                for name, kind in kinds.items()
                if name not in lacks
            ),
        ),
        rows=plan,
        time_column=DAY,
    )


def contract(of: Table) -> Contract:
    return agreement(of, id="trips-2026", recipient="firm", privacy=PrivacyTerms(unit="rider", k=2, l=2))


def trips(rows: list[Trip]) -> pa.Table:
    riders, days, stops, fares = zip(*rows, strict=True)
    return pa.table(
        {
            "rider": pa.array(riders, pa.int64()),
            DAY: pa.array(days, pa.date32()),
            STOP: pa.array(stops, pa.string()),
            FARE: pa.array(fares, pa.int64()),
        }
    )


def shown(of: Table) -> Shown:
    return shown_of(contract(of), of, trips([(1, dt.date(2026, 1, 1), "a", 1)]).schema)


def other(of: Table, window: Window | None = None) -> OtherRows:
    return OtherRows(release="earlier_0123456789", window=window or Window(), shown=shown(of))


Build = Callable[..., RowRisk]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    made = iter(range(10_000))

    def run(rows: list[Trip], of: Table, *others: OtherRows, window: Window | None = None) -> RowRisk:
        number = next(made)
        source = tmp_path / f"{number}.in.parquet"
        data = trips(rows)
        pq.write_table(data.select([c.name for c in of.columns]), source)
        history = History(names=bytes(16), files=FileKey(bytes(32)), rows=others, window=window or Window())
        return build_rows(
            table_file("trips", source, rows=data.num_rows),
            contract(of),
            of,
            KEYS,
            target=tmp_path / f"{number}.parquet",
            source_digest="1" * 64,
            history=history,
        )

    return run


def day(month: int, of: int = 1) -> dt.date:
    return dt.date(2026, month, of)


# Each stop and each fare is four riders', each pair of them one rider's.
GRID: list[Trip] = [(rider, day(1), f"stop {rider // 4}", rider % 4) for rider in range(16)]


def test_two_harmless_tables_single_everybody_out_together(build: Build) -> None:
    """The attack: one firm has day and stop, the other day and fare; a rider is one of four in each, and alone in both."""
    alone = build(GRID, table(DAY, FARE))
    assert (alone.reached.share, alone.beside) == (0.0, None)
    beside = build(GRID, table(DAY, FARE), other(table(DAY, STOP))).beside
    assert beside is not None
    assert (beside.live, beside.reached.share) == (1, 1.0)
    strict = replace(PLAN, max_unicity=0.5)
    with pytest.raises(PrivacyError, match=r"beside 1 live tables of rows .* single out 100\.0%") as refused:
        build(GRID, table(DAY, FARE, plan=strict), other(table(DAY, STOP)))
    assert "as coarse as there" in refused.value.remedy
    assert build(GRID, table(DAY, FARE, plan=strict)).beside is None


def test_the_earlier_contracts_limit_holds_too(build: Build) -> None:
    with pytest.raises(PrivacyError, match=r"allows 50\.0%"):
        build(GRID, table(DAY, FARE), other(table(DAY, STOP, plan=replace(PLAN, max_unicity=0.5))))


def test_the_same_columns_for_another_firm_add_nothing(build: Build) -> None:
    risk = build(GRID, table(DAY, STOP), other(table(DAY, STOP)))
    assert risk.beside is not None
    assert risk.beside.reached == risk.reached


def test_what_they_round_counts_as_rounded(build: Build) -> None:
    """Fares to the next ten are one fare."""
    of = table(DAY, STOP, fare=Transform.ROUND)
    rounds = replace(
        of, columns=(*of.columns[:-1], replace(of.columns[-1], treatment=Treatment(step=Decimal(10))))
    )
    coarse = build(GRID, table(DAY, STOP), other(rounds)).beside
    fine = build(GRID, table(DAY, STOP), other(table(DAY, STOP, FARE))).beside
    assert coarse is not None
    assert fine is not None
    assert (coarse.reached.share, fine.reached.share) == (0.0, 1.0)


def test_a_lasting_pseudonym_joins_what_ours_keeps_apart(build: Build) -> None:
    """In each month two riders are at each stop; nobody else was where a rider was in January and in February."""
    rows = [(r, day(1), f"stop {r // 2}", 1) for r in range(4)]
    rows += [(r, day(2), f"stop {r % 2}", 1) for r in range(4)]
    two = replace(MONTHLY, points=2)
    alone = build(rows, table(DAY, STOP, plan=two))
    assert alone.reached.share == 0.0
    alike = build(rows, table(DAY, STOP, plan=two), other(table(DAY, STOP, plan=two))).beside
    assert alike is not None
    assert alike.reached.share == 0.0
    joined = build(rows, table(DAY, STOP, plan=two), other(table(DAY, STOP, plan=PLAN))).beside
    assert joined is not None
    assert joined.reached.share == 1.0


def test_what_lies_outside_their_window_is_known_by_our_columns_alone(build: Build) -> None:
    rows = GRID + [(rider, day(2), stop, fare) for rider, _, stop, fare in GRID]
    january = Window(start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), end=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    both, one = (
        build(rows, table(DAY, FARE, plan=MONTHLY), other(table(DAY, STOP, plan=MONTHLY), window)).beside
        for window in (None, january)
    )
    assert both is not None
    assert one is not None
    assert (both.reached.share, one.reached.share) == (1.0, 0.5), "the traces of February hide"
    february = Window(start=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    assert build(rows, table(DAY, FARE), other(table(DAY, STOP), january), window=february).beside is None


def test_a_column_that_is_lacking_is_named(build: Build) -> None:
    with pytest.raises(PrivacyError, match="`trips` doesn't have `stop` of the source") as refused:
        build(GRID, table(DAY, FARE, lacks=(STOP,)), other(table(DAY, STOP)))
    assert "sluiceTransform: drop" in refused.value.remedy
    assert "earlier_0123456789" in str(refused.value)


def test_another_type_or_another_unit_is_refused(build: Build) -> None:
    texts = shown(table(DAY, STOP))
    typed = replace(texts, columns=tuple(replace(c, type="int64") for c in texts.columns))
    with pytest.raises(PrivacyError, match="`stop` had another type there"):
        build(GRID, table(DAY, FARE), OtherRows(release="e_0123456789", window=Window(), shown=typed))
    with pytest.raises(PrivacyError, match="they count other persons"):
        build(
            GRID, table(DAY, FARE),
            OtherRows(release="e_0123456789", window=Window(), shown=replace(texts, unit="household")),
        )  # fmt: skip


def test_what_is_remembered_comes_back_or_is_refused(tmp_path: Path) -> None:
    of = table(DAY, STOP, plan=MONTHLY, fare=Transform.NOISE)
    treated = replace(of.columns[-1], treatment=Treatment(step=Decimal("0.1"), scale=Decimal(2)))
    what = shown(replace(of, columns=(*of.columns[:-1], treated)))
    path, key = tmp_path / "memory" / "shown-0.parquet", FileKey(bytes(range(32)))
    digest = write_shown(what, path, key)
    assert read_shown(path, key, digest) == what
    assert b"stop" not in path.read_bytes()
    nothing = replace(what, columns=())
    assert read_shown(path, key, write_shown(nothing, path, key)) == nothing
    for wrong in (lambda: read_shown(path, key, digest), lambda: read_shown(tmp_path / "none", key, digest)):
        with pytest.raises(IntegrityError, match="rows of facts can't be read, or was changed"):
            wrong()


def singled_out(rows: list[Trip], known: Callable[[Trip], Any], points: int) -> float:
    """The mean share of a rider's ways to pick so many distinct known facts that nobody else has."""
    traces: dict[int, set[Any]] = defaultdict(set)
    for row in rows:
        traces[row[0]].add(known(row))
    shares = []
    for rider, facts in traces.items():
        ways = list(combinations(sorted(facts), min(points, len(facts))))
        alone = [
            not any(set(way) <= theirs for other, theirs in traces.items() if other != rider) for way in ways
        ]
        shares.append(sum(alone) / len(ways))
    return sum(shares) / len(shares)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 3).map(day), st.sampled_from("abc"), st.integers(1, 3)),
        min_size=8,
        max_size=40,
    ).filter(lambda rows: len({row[0] for row in rows}) > 1),
    points=st.integers(1, 3),
)
def test_what_both_single_out_is_what_plain_counting_finds(
    build: Build, rows: list[Trip], points: int
) -> None:
    plan = replace(PLAN, points=points)
    risk = build(rows, table(DAY, FARE, plan=plan), other(table(DAY, STOP, plan=plan)))
    assert risk.beside is not None
    kinds: list[Callable[[Trip], Any]] = [
        lambda row: row[1:],
        lambda row: row[1],
        lambda row: row[2],
        lambda row: row[3],
    ]
    strongest = max(singled_out(rows, known, points) for known in kinds)
    assert risk.beside.reached.share == pytest.approx(strongest)
