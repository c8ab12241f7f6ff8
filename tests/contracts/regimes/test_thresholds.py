"""The table of numbers, and an operator's changes: each with a reason, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from contracts.regimes.finding import Facts, Headcount
from contracts.regimes.rules import refusals
from contracts.regimes.thresholds import DEFAULT, TABLE, Override, Thresholds, load_thresholds
from core.errors import ContractError

Build = Callable[..., Facts]
WHY = 'reason: the zone allows it, who: legal@example, when: "2026-05-01"'


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Thresholds]:
    def read(text: str) -> Thresholds:
        path = tmp_path / "thresholds.yaml"
        path.write_text(text, encoding="utf-8")
        return load_thresholds(path)

    return read


def test_the_numbers_are_the_laws() -> None:
    assert {each.key: each.value for each in TABLE} == {
        "filedFromPersons": 100_000, "assessedFromPersons": 1_000_000, "filedFromSensitive": 1, "assessedFromSensitive": 10_000,
        "membersWhenUnknown": 10, "meterYearsKept": 3, "level3LargestRisk": 0.2, "level3MeanRisk": 0.2, "level3Unique": 0.0,
        "level4SmallestCell": 10,
    }  # fmt: skip
    assert all(each.least <= each.value <= each.most and each.source for each in TABLE)
    with pytest.raises(KeyError):
        DEFAULT["filedFromPerson"]


def test_a_change_is_taken_with_its_reason_and_kept_for_the_record(
    load: Callable[[str], Thresholds], facts: Build
) -> None:
    changed = load(f"filedFromPersons: {{value: 200000, {WHY}}}\n")
    assert changed["filedFromPersons"] == 200_000
    assert changed["assessedFromPersons"] == 1_000_000
    assert changed.overrides["filedFromPersons"] == Override(
        key="filedFromPersons",
        value=200_000,
        reason="the zone allows it",
        who="legal@example",
        when=date(2026, 5, 1),
    )
    for persons, count in ((199_999, 0), (200_000, 1)):
        given = facts(
            territories=("SG",), headcount=Headcount(persons=persons, sensitive=0), thresholds=changed
        )
        assert len(refusals(given)) == count


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("filedFromPersons: 200000", "`filedFromPersons` must be a mapping."),
        ('filedFromPersons: {value: 200000, who: a, when: "2026-05-01"}', "`filedFromPersons` lacks `reason`."),
        (f"filedFromPersons: {{value: 200000, {WHY.replace('the zone allows it', chr(34) * 2)}}}", "`reason` is blank"),
        (f"filedFromPersons: {{value: 200000, {WHY.replace('legal@example', chr(34) + ' ' + chr(34))}}}", "`who` is blank"),
        ('filedFromPersons: {value: 200000, reason: r, when: "2026-05-01"}', "lacks `who`."),
        ("filedFromPersons: {value: 200000, reason: r, who: a}", "lacks `when`."),
        ("filedFromPersons: {value: 200000, reason: r, who: a, when: lately}", "`when` isn't a day."),
        (f"filedFromPersons: {{{WHY}}}", "lacks `value`."),
        (f"filedFromPerson: {{value: 200000, {WHY}}}", "has no key `filedFromPerson`. Did you mean `filedFromPersons`?"),
        (f"filedFromPersons: {{value: 0, {WHY}}}", "must be a whole number from 1 to 1,000,000,000."),
        (f"filedFromPersons: {{value: -5, {WHY}}}", "must be a whole number"),
        (f"filedFromPersons: {{value: 1.5, {WHY}}}", "must be a whole number"),
        (f"filedFromPersons: {{value: true, {WHY}}}", "must be a whole number"),
        (f"filedFromPersons: {{value: '5', {WHY}}}", "must be a whole number"),
        (f"level3MeanRisk: {{value: .nan, {WHY}}}", "isn't finite"),
        (f"level3MeanRisk: {{value: .inf, {WHY}}}", "isn't finite"),
        (f"level3MeanRisk: {{value: 1.01, {WHY}}}", "must be a number from 0 to 1."),
        (f"meterYearsKept: {{value: 2, {WHY}}}", "must be a whole number from 3 to 30."),
        (f"filedFromPersons: {{value: 2000000, {WHY}}}", "`filedFromPersons` is over `assessedFromPersons`."),
        (f"filedFromPersons: {{value: 1, {WHY}}}\nfiledFromPersons: {{value: 2, {WHY}}}", "filedFromPersons"),
        ("- filedFromPersons", "must be a mapping."),
        ("filedFromPersons: [", "thresholds.yaml"),
    ],
)  # fmt: skip
def test_a_change_that_is_not_accounted_for_changes_nothing(
    load: Callable[[str], Thresholds], text: str, wanted: str
) -> None:
    with pytest.raises(ContractError) as caught:
        load(f"{text}\n")
    assert wanted in str(caught.value)


def test_no_file_and_an_empty_file_are_told(load: Callable[[str], Thresholds], tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        load("")
    with pytest.raises(ContractError):
        load_thresholds(tmp_path / "nowhere.yaml")
