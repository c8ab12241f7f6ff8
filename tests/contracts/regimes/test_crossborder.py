"""Abroad: each number from both sides, filings that end, and ways around the count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.declared import Filing, FilingKind, Grade
from contracts.protection import Transform
from contracts.regimes.crossborder import is_abroad
from contracts.regimes.finding import Facts, Headcount, china_date
from contracts.regimes.rules import findings, refusals
from core.errors import UsageError

Build = Callable[..., Facts]
UNTIL = date(2026, 12, 31)


def rules(facts: Facts) -> list[str]:
    return [finding.rule for finding in refusals(facts)]


def filing(kind: FilingKind, until: date | None = UNTIL) -> dict[str, object]:
    return {"filings": (Filing(kind=kind, reference="r-1", until=until),)}


@pytest.mark.parametrize(
    ("territories", "abroad"),
    [
        (("CN",), False), (("CN", "CN-SH"), False), (("CN-31",), False),
        (("SG",), True), (("CN", "SG"), True), (("HK",), True), (("MO",), True), (("TW",), True),
        (("CN-HK",), True), (("CN-MO",), True), (("CN-TW",), True), (("CN-91",), True), (("CN-92",), True), (("CN-71",), True),
        ((), True), (("cn",), True), (("CN ",), True), (("CN\n",), True), (("СN",), True), (("CN-",), True), (("CN-ZZ",), True), (("CN-NM", "CN-15", "CN-XZ"), False), (("CN-SHA",), True),
        (("CHN",), True), (("",), True), (("*",), True),
    ],
)  # fmt: skip
def test_only_the_mainland_is_home(territories: tuple[str, ...], abroad: bool) -> None:
    assert is_abroad(territories) == abroad


def test_nobody_said_where_it_goes(facts: Build) -> None:
    assert rules(facts(territories=())) == ["crossborder.territory"]
    assert "crossborder.assessed" in rules(
        facts(territories=(), headcount=Headcount(persons=10**6, sensitive=0))
    )


# (persons, sensitive) -> what is needed: nothing, the lesser filing or the greater.
NOTHING, LESSER, GREATER = [], ["crossborder.filed"], ["crossborder.assessed"]


@pytest.mark.parametrize(
    ("persons", "sensitive", "wanted"),
    [
        (0, 0, NOTHING), (99_999, 0, NOTHING), (100_000, 0, LESSER), (100_001, 0, LESSER),
        (999_999, 0, LESSER), (1_000_000, 0, GREATER), (1_000_001, 0, GREATER),
        (1, 1, LESSER), (9_999, 9_999, LESSER), (10_000, 10_000, GREATER), (99_999, 9_999, LESSER), (999_999, 10_000, GREATER),
    ],
)  # fmt: skip
def test_each_boundary(facts: Build, persons: int, sensitive: int, wanted: list[str]) -> None:
    count = Headcount(persons=persons, sensitive=sensitive)
    assert rules(facts(territories=("SG",), headcount=count)) == wanted
    assert rules(facts(territories=("CN",), headcount=count)) == []
    for kind in FilingKind:
        enough = wanted in (NOTHING, LESSER) or kind is FilingKind.SECURITY_ASSESSMENT
        got = rules(facts(territories=("SG",), headcount=count, declared=filing(kind)))
        assert got == ([] if enough else wanted)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.integers(0, 2 * 10**6),
    st.integers(0, 20_000),
    st.integers(0, 10**6),
    st.integers(0, 10**4),
    st.sampled_from(FilingKind),
)
def test_more_persons_never_make_it_easier(
    facts: Build, persons: int, sensitive: int, more: int, more_sensitive: int, kind: FilingKind
) -> None:
    def allowed(count: Headcount) -> bool:
        return not refusals(facts(territories=("SG",), headcount=count, declared=filing(kind)))

    fewer = Headcount(persons=persons, sensitive=sensitive)
    if not allowed(fewer):
        assert not allowed(Headcount(persons=persons + more, sensitive=sensitive + more_sensitive))


def test_a_refusal_says_how_many_and_where(facts: Build) -> None:
    (found,) = refusals(facts(territories=("SG",), headcount=Headcount(persons=123_456, sensitive=0)))
    assert str(found) == (
        "customProperties[4].value: The data goes abroad and needs a filing in force, standardContract or certification or "
        "securityAssessment: 123,456 persons since 1 January, and the limit is 100,000. Write its `kind`, `reference` and "
        "`until` under `filings` in sluiceCompliance once the authority gave it. "
        "[Provisions on cross-border data flows (CAC order 16, 2024), articles 5(4) and 8]"
    )


def test_important_data_and_critical_infrastructure_need_an_assessment_of_any_amount(facts: Build) -> None:
    columns = {"brand": {"grade": Grade.IMPORTANT}}
    said = {"approval": "a"}
    assert rules(facts(territories=("SG",), columns=columns, declared=said)) == GREATER
    dropped = {"brand": {"grade": Grade.IMPORTANT, "transform": Transform.DROP}}
    assert rules(facts(territories=("SG",), columns=dropped, declared=said)) == []
    other_door = {"brand": {"grade": Grade.IMPORTANT, "doors": ("query",)}}
    assert rules(facts(territories=("SG",), columns=other_door, declared=said)) == []
    assert rules(facts(territories=("SG",), columns=other_door, declared=said, door="query")) == GREATER
    critical = {"critical_infrastructure_operator": True}
    assert rules(facts(territories=("SG",), declared=critical)) == GREATER
    assert (
        rules(facts(territories=("SG",), declared=critical | filing(FilingKind.STANDARD_CONTRACT))) == GREATER
    )
    assert rules(facts(territories=("SG",), declared=critical | filing(FilingKind.SECURITY_ASSESSMENT))) == []
    assert rules(facts(territories=("SG",), columns={"age": {"grade": None}})) == [
        "grading.ungraded",
        *GREATER,
    ]


def test_what_nobody_said_is_asked_for(facts: Build) -> None:
    unsaid = {"critical_infrastructure_operator": None}
    assert rules(facts(territories=("SG",), declared=unsaid)) == ["crossborder.operator"]
    assert rules(facts(territories=("SG",), headcount=None)) == ["crossborder.counted"]
    assert rules(facts(territories=("SG",), declared={"members_per_unit": None})) == ["crossborder.members"]
    assert rules(facts(territories=("SG",), declared={"impact_assessment": None})) == [
        "crossborder.assessment"
    ]
    # A filing doesn't make up for a count that nobody made.
    assert rules(
        facts(territories=("SG",), headcount=None, declared=filing(FilingKind.SECURITY_ASSESSMENT))
    ) == ["crossborder.counted"]


# The last day is a whole day in China: it ends at 16:00 UTC.
@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (datetime(2026, 12, 31, 15, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), False),
    ],
)
@pytest.mark.parametrize("kind", FilingKind)
def test_a_filing_ends_with_its_last_day_in_china(
    facts: Build, at: datetime, counts: bool, kind: FilingKind
) -> None:
    count = Headcount(persons=100_000, sensitive=0)
    got = refusals(facts(territories=("SG",), headcount=count, declared=filing(kind), at=at))
    assert [found.rule for found in got] == ([] if counts else LESSER)
    if not counts:
        assert "customProperties[4].value.filings[0] ended with 2026-12-31" in got[0].what
        assert got[0].clause == "customProperties[4].value.filings"


@pytest.mark.parametrize("kind", FilingKind)
def test_a_filing_that_is_given_for_years_needs_its_end(facts: Build, kind: FilingKind) -> None:
    count = Headcount(persons=100_000, sensitive=0)
    got = rules(facts(territories=("SG",), headcount=count, declared=filing(kind, None)))
    assert got == ([] if kind is FilingKind.STANDARD_CONTRACT else LESSER)


def test_one_filing_in_force_is_enough(facts: Build) -> None:
    ended = Filing(kind=FilingKind.STANDARD_CONTRACT, reference="a", until=date(2026, 1, 1))
    valid = Filing(kind=FilingKind.CERTIFICATION, reference="b", until=UNTIL)
    count = Headcount(persons=100_000, sensitive=0)
    assert rules(facts(territories=("SG",), headcount=count, declared={"filings": (ended, valid)})) == []
    assert rules(facts(territories=("SG",), headcount=count, declared={"filings": (ended,)})) == LESSER


def test_the_year_begins_in_china() -> None:
    midnight = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert china_date(midnight - timedelta(microseconds=1)) == date(2026, 12, 31)
    assert china_date(midnight) == date(2027, 1, 1)
    with pytest.raises(UsageError):
        china_date(datetime(2026, 12, 31))


def test_findings_never_hold_what_no_one_asked_about(facts: Build) -> None:
    assert findings(facts(territories=("CN",), headcount=None)) == ()
