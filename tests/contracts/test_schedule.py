from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from croniter import croniter
from hypothesis import assume, example, given
from hypothesis import strategies as st

from contracts.odcs import load_contract
from contracts.schedule import UnclearError, cron_of, interval_before, one_cron

MOMENT = datetime(2026, 5, 20, 10, 30, tzinfo=UTC)  # a Wednesday


def level(value: object = None, unit: object = None, **more: object) -> dict[str, object]:
    return {"property": "frequency", "value": value, "unit": unit, **more}


def cron(schedule: object) -> dict[str, object]:
    return level(scheduler="cron", schedule=schedule)


@pytest.mark.parametrize(
    ("value", "unit", "start", "end"),
    [
        (15, "min", (5, 20, 10, 15), (5, 20, 10, 30)),
        (1, "h", (5, 20, 9), (5, 20, 10)),
        (6, "hours", (5, 20, 0), (5, 20, 6)),
        (1, "d", (5, 19), (5, 20)),
        ("1", "Day", (5, 19), (5, 20)),
        (1, "w", (5, 11), (5, 18)),  # Monday to Monday
        (1, "mo", (4, 1), (5, 1)),
        (3, "months", (1, 1), (4, 1)),
        (1, "y", None, (1, 1)),
    ],
)
def test_a_frequency_parts_time_as_the_calendar_does(
    value: object, unit: str, start: tuple[int, ...] | None, end: tuple[int, ...]
) -> None:
    begun = datetime(2026, *start, tzinfo=UTC) if start else datetime(2025, 1, 1, tzinfo=UTC)
    assert interval_before(cron_of(level(value, unit)), MOMENT) == (begun, datetime(2026, *end, tzinfo=UTC))


@pytest.mark.parametrize(
    "said",
    [
        level(2, "d"),  # would be counted from nowhere
        level(5, "h"),
        level(0, "h"),
        level(True, "d"),
        level(1.5, "d"),
        level(None, "d"),
        level(1, "m"),  # a minute or a month?
        level(1, None),
        level(1, ["d"]),
        level("9" * 5000, "d"),
        level(1, "d", schedule="0 0 * * *"),  # whose?
        cron(None),
        cron(7),
        cron(""),
        cron("0 20 * *"),
        cron("0 0 20 * * *"),
        cron("@daily"),
        cron("60 0 * * *"),
        cron("0 24 * * *"),
        cron("0 0 0 * *"),
        cron("0 0 * 13 *"),
        cron("0 0 * * 8"),
        cron("0 0 * * MAN"),
        cron("0 0 L * *"),
        cron("0 0 * * 1#2"),
        cron("0 0 5-1 * *"),
        cron("0 0 * * 7-7"),  # every day, to Airflow
        cron("*/0 0 * * *"),
        cron("*/70 0 * * *"),
        cron("5/15 0 * * *"),
        cron("0 0 30 2 *"),
        cron("0 0 31 4,6 *"),
        cron("0 0 13 * 5"),  # the 13th, or Fridays, or both?
        cron("٠ 0 * * *"),
        cron("9" * 5000 + " * * * *"),
        cron("0 0 * * *; rm"),
    ],
)
def test_what_gives_no_schedule_is_told(said: dict[str, object]) -> None:
    with pytest.raises(UnclearError) as caught:
        cron_of(said)
    assert caught.value.what.endswith(".")
    assert caught.value.remedy.endswith(".")
    assert caught.value.key in said or caught.value.key == "unit"


def test_cron_decides_where_both_are_said_and_other_schedulers_are_not_ours() -> None:
    assert cron_of(level(1, "d", scheduler="cron", schedule=" 0  20 * * * ")) == "0 20 * * *"
    assert cron_of(level(1, "d", scheduler="theirs", schedule="every full moon")) == "0 0 * * *"


def test_one_frequency_a_contract() -> None:
    other = {"property": "latency", "value": 4, "unit": "fortnight"}
    assert one_cron([]) is None
    assert one_cron([other]) is None
    assert one_cron([level(1, "d"), other, level(1, "day", element="goods.id")]) == "0 0 * * *"
    with pytest.raises(UnclearError, match="different things"):
        one_cron([level(1, "d"), level(1, "w")])


def test_an_interval_is_the_same_whoever_asks_and_wherever() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=8)))
    assert interval_before("0 20 * * *", there) == interval_before("0 20 * * *", MOMENT)
    end = datetime(2026, 5, 20, tzinfo=UTC)
    assert interval_before("0 0 * * *", end)[1] == end  # it ends at this moment
    assert interval_before("0 0 * * *", end - timedelta(microseconds=1))[1] == end - timedelta(days=1)


def fields(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    spans = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map(lambda p: f"{p[0]}-{p[1]}")
    steps = st.integers(1, most).map(lambda n: f"/{n}")
    part = st.one_of(number.map(str), spans, st.builds(str.__add__, spans, steps), steps.map("*".__add__))
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


@given(
    st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 7)).map(" ".join),
    st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)),
)
@example("0 0 29 2 *", datetime(2004, 2, 29))
@example("0 0 * * SUN,TUE-FRI", datetime(2026, 5, 20))
def test_every_expression_taken_is_one_that_airflow_reads_the_same(text: str, moment: datetime) -> None:
    try:
        expression = cron_of(cron(text))
    except UnclearError:
        assume(False)
    start, end = interval_before(expression, moment.replace(tzinfo=UTC))
    theirs = croniter(expression, moment + timedelta(microseconds=1))
    assert theirs.get_prev(datetime) == end.replace(tzinfo=None)
    assert theirs.get_prev(datetime) == start.replace(tzinfo=None)
    assert croniter(expression, start.replace(tzinfo=None)).get_next(datetime) == end.replace(tzinfo=None)


def test_a_contract_says_it_with_the_standards_own_words(shop: Any) -> None:
    assert load_contract(shop.write()).schedule is None
    levels = (
        "slaProperties: [{property: frequency, value: 1, unit: w}, {property: latency, value: 4, unit: d}]\n"
    )
    shop.text += levels
    assert load_contract(shop.write()).schedule == "0 0 * * 1"


def test_a_broken_one_is_told_with_its_line(shop: Any) -> None:
    line = len(shop.text.splitlines()) + 2
    shop.text += 'slaProperties:\n  - {property: frequency, value: 1, unit: d, scheduler: cron, schedule: "0 25 * * *"}\n'
    assert shop.says() == [
        f"{line}: The schedule isn't a cron expression that can be run. Its hour is a number from 0 to 23."
    ]
    shop.text = shop.text.replace('schedule: "0 25 * * *"', 'schedule: "0 5 * * *"')
    shop.text += "  - {property: frequency, value: 1, unit: h}\n"
    (said,) = shop.says()
    assert said.startswith(f"{line + 1}: Service levels say different things of how often data comes.")
