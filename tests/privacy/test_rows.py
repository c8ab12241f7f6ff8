"""Facts as rows: what goes out, what doesn't, and the attacks on it."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, RowPlan, Transform, Treatment
from core.errors import InternalError, PrivacyError
from core.keys import ContractKeys
from privacy.facts.capped import KEY_BYTES, capped
from privacy.facts.periods import labels, numbered
from privacy.facts.relink import relinked
from privacy.facts.rowrisk import RowRisk
from privacy.facts.rows import build_rows
from privacy.facts.unicity import unicity
from privacy.transforms.pseudonym import pseudonymize
from tests.agreement import agreement
from tests.staged import table_file

KEYS = ContractKeys("trips-2026", bytes(range(32)))
LASTING = RowPlan(period=None, period_column=None, max_rows=None, points=2, max_unicity=1.0)
MONTHLY = replace(LASTING, period="month", period_column="day")


def column(name: str, role: Role, transform: Transform, kind: LogicalType = LogicalType.STRING) -> Column:
    return Column(name=name, type=kind, role=role, transform=transform)


TRIPS = Table(
    name="trips",
    physical_name="trips",
    kind=TableKind.FACTS,
    columns=(
        column("rider", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.INTEGER),
        column("day", Role.ATTRIBUTE, Transform.KEEP, LogicalType.DATE),
        column("stop", Role.ATTRIBUTE, Transform.KEEP),
        column("ticket", Role.IDENTIFIER, Transform.PSEUDONYM),
        column("phone", Role.IDENTIFIER, Transform.DROP),
    ),
    rows=LASTING,
)
RIDERS = Table(
    name="riders",
    physical_name="riders",
    kind=TableKind.SUBJECTS,
    columns=(
        column("rider", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.INTEGER),
        replace(
            column("age", Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
            hierarchy=HierarchySpec(kind="natural"),
        ),
        column("illness", Role.SENSITIVE, Transform.KEEP),
    ),
)


def contract(*tables: Table, k: int = 2) -> Contract:
    return agreement(*tables, id="trips-2026", recipient="firm", privacy=PrivacyTerms(unit="rider", k=k, l=2))


def trips(riders: int = 30, rows: int = 900, seed: int = 1, stops: int = 6) -> pa.Table:
    """Trips in January to March."""
    rng = np.random.default_rng(seed)
    first = dt.date(2026, 1, 1)
    return pa.table(
        {
            "rider": pa.array(1000 + np.arange(rows) % riders, pa.int64()),
            "day": pa.array([first + dt.timedelta(days=int(d)) for d in rng.integers(0, 90, rows)]),
            "stop": pa.array([f"stop {n}" for n in rng.integers(0, stops, rows)]),
            "ticket": pa.array([f"card {n % riders}" for n in range(rows)]),
            "phone": pa.array([f"+86-139-{n:08d}" for n in range(rows)]),
        }
    )


Build = Callable[..., tuple[RowRisk, pa.Table]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Runs a table through `build_rows`; gives the risk and what a reader gets."""
    made = iter(range(1000))

    def run(
        rows: pa.Table,
        plan: RowPlan = LASTING,
        *,
        k: int = 2,
        table: Table = TRIPS,
        beside: Any = None,
        **how: Any,
    ) -> tuple[RowRisk, pa.Table]:
        number = next(made)
        source, target = tmp_path / f"{number}.in.parquet", tmp_path / f"{number}.parquet"
        pq.write_table(rows, source)
        planned = replace(table, rows=plan)
        tables = (planned,) if beside is None else (RIDERS, planned)
        risk = build_rows(
            table_file(table.name, source, rows=rows.num_rows),
            contract(*tables, k=k),
            planned,
            KEYS,
            target=target,
            **({"source_digest": "1" * 64} | how),
        )
        return risk, pq.read_table(target)

    return run


def shown(table: pa.Table, *names: str) -> Counter[tuple[Any, ...]]:
    return Counter(zip(*(table[name].to_pylist() for name in names or table.column_names), strict=True))


def test_a_lasting_pseudonym_joins_with_the_subject_table(build: Build) -> None:
    rows = trips()
    _, out = build(rows)
    assert out.column_names == ["rider", "day", "stop", "ticket"]
    key = KEYS.derive("pseudonym", "firm", "rider")
    wanted = rows.set_column(0, "rider", pseudonymize(rows["rider"], key))
    assert shown(out, "rider", "day", "stop") == shown(wanted, "rider", "day", "stop")


def test_a_changing_pseudonym_lasts_one_period(build: Build) -> None:
    risk, out = build(trips(), MONTHLY)
    months: dict[bytes, set[int]] = {}
    for rider, day in zip(out["rider"].to_pylist(), out["day"].to_pylist(), strict=True):
        months.setdefault(rider, set()).add(day.month)
    assert {len(each) for each in months.values()} == {1}
    assert len(months) == risk.traces == 90
    assert risk.units == 30


def test_no_other_pseudonym_bridges_the_periods(build: Build) -> None:
    """A card that is always the same person's would join what the changing pseudonym keeps apart."""
    _, out = build(trips(), MONTHLY)
    months: dict[bytes, set[int]] = {}
    for ticket, day in zip(out["ticket"].to_pylist(), out["day"].to_pylist(), strict=True):
        months.setdefault(ticket, set()).add(day.month)
    assert {len(each) for each in months.values()} == {1}


def test_a_token_under_a_changing_pseudonym_is_refused(build: Build) -> None:
    token = replace(TRIPS, columns=(*TRIPS.columns[:3], replace(TRIPS.columns[3], transform=Transform.TOKEN)))
    with pytest.raises(PrivacyError, match=r"`trips\.ticket` goes out as a token, which stays the same"):
        build(trips(), MONTHLY, table=token)
    with pytest.raises(InternalError, match="`ticket` lacks what its transform `token` needs"):
        build(trips(), table=token)
    _, out = build(trips(), table=token, tokens={"ticket": lambda values: pc.utf8_upper(values)})
    assert out["ticket"][0].as_py().startswith("CARD")


def test_the_order_of_rows_tells_nothing(build: Build) -> None:
    """The source's order neither shows in the file nor changes what's in it; pseudonyms stand in their own order."""
    rows = trips()
    mixed = rows.take(np.random.default_rng(9).permutation(rows.num_rows))
    (one, first), (other, second) = build(rows, MONTHLY), build(mixed, MONTHLY)
    assert shown(first) == shown(second)
    assert one == other
    riders = first["rider"].to_pylist()
    assert riders == sorted(riders)
    days = first.filter(pc.equal(first["rider"], riders[0]))["day"].to_pylist()
    assert days != sorted(days)
    _, elsewhere = build(rows, MONTHLY, source_digest="2" * 64)
    assert elsewhere["day"].to_pylist() != first["day"].to_pylist()


def test_the_risk_is_json_without_a_value(build: Build) -> None:
    told = json.dumps(asdict(build(trips(), MONTHLY)[0]))
    assert "stop 1" not in told
    assert {"whole", "by_column"} == set(json.loads(told)["after"])


def test_the_cap_holds_for_each_unit_and_period(build: Build) -> None:
    rows = trips()
    risk, out = build(rows, replace(MONTHLY, max_rows=4))
    counts = Counter(out["rider"].to_pylist())
    assert set(counts.values()) <= {1, 2, 3, 4}
    assert max(counts.values()) == 4
    assert risk.capped_rows == rows.num_rows - out.num_rows > 0
    risk, out = build(rows, replace(LASTING, max_rows=7))
    assert set(Counter(out["rider"].to_pylist()).values()) == {7}


def test_the_cap_keeps_the_same_rows_in_any_order(build: Build) -> None:
    rows = trips()
    plan = replace(LASTING, max_rows=5)
    _, first = build(rows, plan)
    _, second = build(rows.take(np.arange(rows.num_rows)[::-1]), plan, source_digest="2" * 64)
    assert shown(first) == shown(second)


def test_two_overlapping_releases_show_little_more_than_one(build: Build) -> None:
    """Were the draw another each time, ten releases would show nearly all rows of a unit."""
    rows, plan = trips(riders=10), replace(LASTING, max_rows=10)
    seen: set[tuple[Any, ...]] = set()
    for left_out in range(10):
        some = rows.filter(pa.array(np.arange(rows.num_rows) % 97 != left_out))
        seen |= set(shown(build(some, plan, source_digest=str(left_out) * 64)[1]))
    assert len(seen) < 1.3 * 10 * 10


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None])), max_size=40), st.integers(1, 5)
)
def test_rows_alike_are_drawn_one_by_one(facts: list[tuple[int, str | None]], most: int) -> None:
    holders = np.array([holder for holder, _ in facts], np.int64)
    values = pa.array(["a", "b"])
    codes = np.array([{"a": 0, "b": 1, None: -1}[text] for _, text in facts], np.int8)
    stays = capped(holders, [(values, codes)], most, key=bytes(KEY_BYTES))
    kept = Counter(holders[stays].tolist())
    assert kept == {h: min(most, n) for h, n in Counter(holders.tolist()).items()}


def test_the_draw_is_fair_and_secret() -> None:
    """One value in four rows alike and three others: each row stays as often, and another key keeps others."""
    values = pa.array([1.5, 2.5, 3.5, 4.5])
    codes = np.array([0, 0, 0, 0, 1, 2, 3], np.int8)
    holders = np.repeat(np.arange(3000), 7)
    people = np.repeat(np.arange(3000), 7)
    columns = [(pa.array(np.arange(3000)), people), (values, np.tile(codes, 3000))]
    stays = capped(holders, columns, 3, key=bytes(KEY_BYTES)).reshape(-1, 7)
    assert np.allclose([stays[:, :4].mean(), stays[:, 4:].mean()], 3 / 7, atol=0.02)
    assert (capped(holders, columns, 3, key=bytes([1]) * KEY_BYTES).reshape(-1, 7) != stays).any(
        axis=1
    ).mean() > 0.5


def with_fare(transform: Transform, name: str = "fare", **parameters: Any) -> Table:
    kind = LogicalType.DATE if name == "day" else LogicalType.NUMBER
    changed = replace(
        column(name, Role.ATTRIBUTE, transform, kind),
        treatment=Treatment(**parameters) if parameters else None,
    )
    kept = [each for each in TRIPS.columns[:4] if each.name != name]
    return replace(TRIPS, columns=(*kept, changed))


def fares(rows: int = 900) -> pa.Table:
    amounts = [None if n % 100 == 0 else n / 8 for n in range(rows)]
    return trips(rows=rows).append_column("fare", pa.array(amounts, pa.float64()))


def test_rounding_and_coding_lower_what_is_singled_out(build: Build) -> None:
    raw, _ = build(fares(), table=with_fare(Transform.KEEP))
    risk, out = build(fares(), table=with_fare(Transform.ROUND, step=Decimal(50)))
    assert set(out["fare"].to_pylist()) == {None, 0.0, 50.0, 100.0}
    assert risk.before == raw.after.whole
    assert risk.after.by_column["fare"].shares[0].share < raw.after.by_column["fare"].shares[0].share
    _, out = build(fares(), table=with_fare(Transform.CLAMP, low=Decimal(30), high=None))
    assert min(each for each in out["fare"].to_pylist() if each is not None) == 30.0
    assert out["fare"].null_count == 9


def test_noise_is_drawn_for_each_row(build: Build) -> None:
    same = trips().append_column("fare", pa.array([5.0] * 900))
    _, out = build(same, table=with_fare(Transform.NOISE, scale=Decimal(10), step=Decimal(1)))
    moved = out["fare"].to_pylist()
    assert len(set(moved)) > 10
    assert abs(np.mean(moved) - 5) < 3


def test_redacted_values_show_only_that_they_are_there(build: Build) -> None:
    rows = trips().append_column("note", pa.array([None, "a", "b"] * 300))
    table = replace(TRIPS, columns=(*TRIPS.columns, column("note", Role.ATTRIBUTE, Transform.REDACT)))
    _, out = build(rows, table=table)
    assert Counter(out["note"].to_pylist()) == {None: 300, "(redacted)": 600}


def test_days_of_a_unit_move_alike_and_of_its_next_pseudonym_otherwise(build: Build) -> None:
    """One move for good would be learnt from one known day, and bring all days back."""
    rows, table = trips(rows=900), with_fare(Transform.SHIFT, "day", days=300)
    pseudonym = dict(
        zip(
            pseudonymize(rows["rider"], KEYS.derive("pseudonym", "firm", "rider")).to_pylist(),
            rows["rider"].to_pylist(),
            strict=True,
        )
    )
    _, out = build(rows, table=table)
    moves = set()
    for name, rider in pseudonym.items():
        before = sorted(rows.filter(pc.equal(rows["rider"], rider))["day"].to_pylist())
        after = sorted(out.filter(pc.equal(out["rider"], pa.scalar(name, pa.binary(16))))["day"].to_pylist())
        assert len({b - a for a, b in zip(before, after, strict=True)}) == 1
        moves.add(after[0] - before[0])
    assert len(moves) > 20
    risk, out = build(rows, MONTHLY, table=table)
    assert risk.traces == 90
    firsts = out.group_by("rider").aggregate([("day", "min"), ("day", "max")])
    spans = pc.subtract(firsts["day_max"].cast(pa.int32()), firsts["day_min"].cast(pa.int32()))
    assert max(spans.to_pylist()) <= 30
    years = {day.year for day in firsts["day_min"].to_pylist()}
    assert len(years) > 1


def test_a_row_without_its_period_is_refused(build: Build) -> None:
    rows = trips(rows=90)
    day = pa.array([None, None, *rows["day"].to_pylist()[2:]], pa.date32())
    with pytest.raises(PrivacyError) as refused:
        build(rows.set_column(1, "day", day), MONTHLY)
    assert str(refused.value) == (
        "2 rows of `trips` have no `day`, so nobody can say which pseudonym is theirs. "
        "Make `day` required in the contract: such rows then go to quarantine."
    )
    risk, out = build(rows.set_column(1, "day", day))
    assert out["day"].null_count == 2
    assert risk.rows == 90


def test_a_row_of_nobody_is_refused(build: Build) -> None:
    rows = trips(rows=90)
    rider = pa.array([None, *rows["rider"].to_pylist()[1:]], pa.int64())
    with pytest.raises(PrivacyError, match="1 rows of `trips` name no `rider`"):
        build(rows.set_column(0, "rider", rider))


def test_too_few_units_are_refused(build: Build) -> None:
    with pytest.raises(PrivacyError, match="facts of fewer than 5 `rider`"):
        build(trips(riders=4), k=5)
    with pytest.raises(PrivacyError, match="facts of fewer than 2 `rider`"):
        build(trips(riders=1))


def test_a_period_with_too_few_units_is_refused(build: Build) -> None:
    rows = trips()
    alone = pa.table({name: rows[name].slice(0, 1) for name in rows.column_names})
    alone = alone.set_column(1, "day", pa.array([dt.date(2026, 7, 1)]))
    with pytest.raises(
        PrivacyError, match=r"in 1 of 4 periods \(month\) `trips` holds facts of fewer than 2"
    ):
        build(pa.concat_tables([rows, alone]), MONTHLY)


def test_an_empty_table_goes_out_empty(build: Build) -> None:
    for plan in (LASTING, replace(MONTHLY, max_rows=3)):
        risk, out = build(trips().slice(0, 0), plan)
        assert (risk.units, risk.rows, risk.traces, out.num_rows) == (0, 0, 0, 0)
        assert out.column_names == ["rider", "day", "stop", "ticket"]
        assert out.schema.field("day").type == pa.date32()


def alike(riders: int = 20) -> pa.Table:
    """All riders do the same, but for the stop that each has to himself."""
    facts = [
        (rider, dt.date(2026, 1, 1 + visit), f"stop {visit}") for rider in range(riders) for visit in range(8)
    ]
    facts += [(rider, dt.date(2026, 1, 20), f"home of {rider}") for rider in range(riders)]
    rider, day, stop = zip(*facts, strict=True)
    none = pa.array(["x"] * len(facts))
    return pa.table(
        {
            "rider": pa.array(rider, pa.int64()),
            "day": pa.array(day),
            "stop": stop,
            "ticket": none,
            "phone": none,
        }
    )


def test_too_many_singled_out_are_refused_with_the_column_that_does_it(build: Build) -> None:
    """Nine points a rider, one of them his own: two known points hold it with chance 2/9."""
    with pytest.raises(PrivacyError) as refused:
        build(alike(), replace(LASTING, max_unicity=0.2))
    assert str(refused.value) == (
        "Release refused: 2 known rows of `trips` (all columns) single out 22.2% of `rider`, contract trips-2026 1.0.0 "
        "allows 20.0%. Coarsen `stop` first: without it it would be 0.0%. "
        "Or set maxRows, or let the pseudonym change, or raise maxUnicity."
    )
    assert "home of" not in repr(refused.value.facts)
    risk, _ = build(alike(), replace(LASTING, max_unicity=0.23))
    assert risk.reached.share == pytest.approx(2 / 9)
    assert risk.after.whole.shares[0].share == pytest.approx(1 / 9)
    assert risk.after.by_column["day"].shares[4].share == 0.0
    assert risk.before == risk.after.whole


def test_one_column_may_tell_more_than_a_whole_row(build: Build) -> None:
    """Many common rows and one rare stop: of rows drawn one in a hundred is rare, of stops one in two."""
    rows = trips(riders=5, rows=5, stops=1)
    facts = [(r, dt.date(2026, 1, 1) + dt.timedelta(days=d), "all") for r in range(5) for d in range(99)]
    facts += [(r, dt.date(2026, 1, 1), f"own {r}") for r in range(5)]
    rider, day, stop = zip(*facts, strict=True)
    same = pa.array(["x"] * len(facts))
    rows = pa.table(
        {"rider": pa.array(rider, pa.int64()), "day": day, "stop": stop, "ticket": same, "phone": same}
    )
    with pytest.raises(PrivacyError, match=r"only `stop`\) single out 50\.0%"):
        build(rows, replace(LASTING, points=1, max_unicity=0.3))


def test_the_refusal_takes_the_upper_end(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(unicity.__kwdefaults__, "exact", 0)
    monkeypatch.setitem(unicity.__kwdefaults__, "tests", 400)
    with pytest.raises(PrivacyError, match=r"\(95 %: \d\d\.\d% to \d\d\.\d%\)") as refused:
        build(alike(), replace(LASTING, max_unicity=2 / 9 + 0.01))
    assert refused.value.facts["high"] > 2 / 9 + 0.01


def test_a_period_hides_behind_its_own_units_only(build: Build) -> None:
    """Each of the two shops at its own time: who knows the month knows that nobody else was there in it."""
    facts = [(r, dt.date(2026, m, 1), f"stop {r if m == 1 else 1 - r}") for m in (1, 2) for r in (0, 1)]
    rider, day, stop = zip(*facts, strict=True)
    same = pa.array(["x"] * 4)
    rows = pa.table(
        {"rider": pa.array(rider, pa.int64()), "day": day, "stop": stop, "ticket": same, "phone": same}
    )
    table = replace(
        TRIPS,
        columns=(TRIPS.columns[0], replace(TRIPS.columns[1], transform=Transform.DROP), TRIPS.columns[2]),
    )
    risk, _ = build(rows, MONTHLY, table=table)
    assert risk.reached.share == 1.0
    risk, _ = build(rows, LASTING, table=table)
    assert risk.reached.share == 0.0


def test_the_same_person_under_two_spellings_hides_nobody(build: Build) -> None:
    table = replace(TRIPS, columns=(replace(TRIPS.columns[0], type=LogicalType.STRING), *TRIPS.columns[1:]))
    rows = trips(riders=6, rows=60, stops=50)
    riders = [f"R{r}" for r in rows["rider"].to_pylist()]
    once = rows.set_column(0, "rider", pa.array(riders))
    twice = pa.concat_tables([once, rows.set_column(0, "rider", pa.array([r.lower() for r in riders]))])
    assert build(once, table=table)[0].reached == build(twice, table=table)[0].reached
    risk, out = build(twice, replace(LASTING, max_rows=3), table=table)
    assert (risk.units, out.num_rows) == (6, 18)


def subjects(folder: Path, ages: dict[int, str]) -> Path:
    path = folder / "riders.parquet"
    riders = pa.array(list(ages), pa.int64())
    names = pseudonymize(riders, KEYS.derive("pseudonym", "firm", "rider"))
    pq.write_table(
        pa.table({"rider": names, "age": list(ages.values()), "illness": ["flu"] * len(ages)}), path
    )
    return path


def test_the_class_in_the_subject_table_narrows_the_search(build: Build, tmp_path: Path) -> None:
    """Each shares his stops with one of the other class only: rows alone hide him, rows beside classes don't."""
    facts = [(r, dt.date(2026, 1, 1 + v), f"stop {r % 2} {v}") for r in range(4) for v in range(3)]
    rider, day, stop = zip(*facts, strict=True)
    same = pa.array(["x"] * len(facts))
    rows = pa.table(
        {"rider": pa.array(rider, pa.int64()), "day": day, "stop": stop, "ticket": same, "phone": same}
    )
    assert build(rows)[0].reached.share == 0.0
    path = subjects(tmp_path, {0: "young", 1: "young", 2: "old", 3: "old"})
    risk, _ = build(rows, beside=True, subjects=path)
    assert (risk.reached.share, risk.in_classes) == (1.0, True)
    with pytest.raises(PrivacyError, match=r"single out 100\.0%"):
        build(rows, replace(LASTING, max_unicity=0.5), beside=True, subjects=path)
    with pytest.raises(InternalError, match="its file wasn't given"):
        build(rows, beside=True)
    changing, _ = build(rows, MONTHLY, beside=True)
    assert not changing.in_classes


def test_who_is_not_in_the_subject_table_has_no_class(build: Build, tmp_path: Path) -> None:
    rows = alike()
    path = subjects(tmp_path, dict.fromkeys(range(19), "any"))
    risk, _ = build(rows, beside=True, subjects=path)
    assert risk.after.whole.shares[4].share > build(rows)[0].after.whole.shares[4].share


def habits(months: int, *, own: bool) -> pa.Table:
    """Forty riders who ride each month between the same stops; own: each also to a stop that nobody else goes to."""
    rng = np.random.default_rng(4)
    facts = []
    for rider in range(40):
        for month in range(1, months + 1):
            facts += [
                (rider, dt.date(2026, month, 1 + int(d)), f"stop {s}") for d, s in rng.integers(0, 9, (12, 2))
            ]
            if own:
                facts.append((rider, dt.date(2026, month, 3), f"home of {rider}"))
    rider, day, stop = zip(*facts, strict=True)
    same = pa.array(["x"] * len(facts))
    return pa.table(
        {"rider": pa.array(rider, pa.int64()), "day": day, "stop": stop, "ticket": same, "phone": same}
    )


def test_a_habit_joins_the_periods_again_and_the_report_says_so(build: Build) -> None:
    followed = build(habits(3, own=True), MONTHLY)[0].relinked
    lost = build(habits(3, own=False), MONTHLY)[0].relinked
    assert followed is not None
    assert lost is not None
    assert followed.share.share > 0.95
    assert lost.share.share < 0.3
    assert followed.tests == 80
    assert followed.by_chance == pytest.approx(1 / 40)
    assert build(habits(1, own=True), MONTHLY)[0].relinked is None
    assert build(habits(2, own=True), LASTING)[0].relinked is None


def test_traces_all_alike_are_followed_by_chance_only() -> None:
    traces = np.arange(100, dtype=np.int32)
    found = relinked(
        [np.zeros(100, np.int32)],
        traces,
        owner_of_trace=traces % 50,
        period_of_trace=traces // 50,
        key=bytes(32),
    )
    assert found is not None
    assert found.share.share == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("period", "first", "last", "begins"),
    [
        ("day", "2026-02-28", "2026-02-28", "2026-02-28"),
        ("week", "2025-12-29", "2026-01-04", "2025-12-29"),  # ISO: the first week of 2026
        ("month", "2024-02-01", "2024-02-29", "2024-02-01"),
        ("quarter", "2026-04-01", "2026-06-30", "2026-04-01"),
        ("year", "1969-01-01", "1969-12-31", "1969-01-01"),
    ],
)
def test_periods_are_the_calendars(period: str, first: str, last: str, begins: str) -> None:
    one, other = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    day = dt.timedelta(days=1)
    numbers = numbered(pa.array([one - day, one, other, other + day]), period)
    assert numbers.tolist() == [numbers[1] - 1, numbers[1], numbers[1], numbers[1] + 1]
    assert labels(numbers[1:2], period) == [begins]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dates(min_value=dt.date(1000, 1, 1)))
def test_weeks_are_isos(day: dt.date) -> None:
    monday = dt.date.fromisoformat(labels(numbered(pa.array([day]), "week"), "week")[0])
    assert monday.isocalendar()[:2] == day.isocalendar()[:2]
    assert monday.isoweekday() == 1


def test_moments_count_in_utc() -> None:
    """Half past midnight in Shanghai is still the day before."""
    moment = dt.datetime(2026, 3, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    there = pa.array([moment], pa.timestamp("ms", "Asia/Shanghai"))
    plain = pa.array([dt.datetime(2026, 2, 28, 23, 59, 59, 999_999)], pa.timestamp("us"))
    before = pa.array([dt.datetime(1969, 12, 31, 23)], pa.timestamp("s"))
    assert labels(numbered(there, "day"), "day") == labels(numbered(plain, "day"), "day") == ["2026-02-28"]
    assert labels(numbered(before, "month"), "month") == ["1969-12-01"]
