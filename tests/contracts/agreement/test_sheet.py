"""The term sheet that people write, and the words that they read before they sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.agreement.lacks import lacks
from contracts.agreement.message import agreement_document
from contracts.agreement.read import read_agreement
from contracts.agreement.sheet import read_sheet
from contracts.agreement.words import in_words
from core.errors import ContractError

WHOLE = """
release:
  purpose: [demand-forecast, supply-chain-credit]
  from: 2026-01-01
  until: 2026-12-31
  territory: CN
  grade: [SME, LittleGiant]
  minGroupSize: 5
  diversity: 2
query:
  purpose: demand-forecast
  from: "2026-01-01T00:00:00+08:00"
  until: "2026-12-31T12:00:00Z"
  territory: [CN]
  grade: SME
  minGroupSize: 10
  epsilonPerQuestion: 0.1
  epsilonPerPeriod: 1.5
  epsilonPeriod: P1M
  epsilonForLife: 10
  deltaForLife: 1e-6
  privacyUnit: month-of-unit
forbidden: [reidentify, distribute]
notCombinedWith: [loyalty-cards]
deleteWithinDays: 30
reportEvery: P1M
"""


def sheet(folder: Path, text: str) -> Path:
    path = folder / "terms.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ContractError) as caught:
        read_sheet(sheet(folder, text))
    return caught.value.what


def agreed(folder: Path, text: str = WHOLE) -> list[tuple[str, str]]:
    message = agreement_document(
        replace(read_sheet(sheet(folder, text)), target="urn:sluice:contract:shop"),
        agreement_id="urn:uuid:0190a0b0-0000-4000-8000-000000000001",
        assigner="91110000100000001W",
        assignee="91310000100000002D",
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        provider_pid="urn:uuid:p",
        consumer_pid="urn:uuid:c",
    )
    agreement = read_agreement(message)
    assert lacks(agreement) == ()
    assert agreement.all_unknown == ()
    return list(in_words(agreement))


def test_a_whole_sheet_becomes_an_agreement_without_a_gap(tmp_path: Path) -> None:
    terms = read_sheet(sheet(tmp_path, WHOLE))
    release, query = terms.doors
    assert release.purposes == ("demand-forecast", "supply-chain-credit")
    assert (release.start, release.end) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    )
    assert query.start == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert query.limits["epsilonPerQuestion"] == Decimal("0.1")
    assert Decimal(str(query.limits["deltaForLife"])) == Decimal("0.000001")
    assert (terms.delete_within_days, terms.report_every) == (30, "P1M")


def test_people_read_what_they_sign(tmp_path: Path) -> None:
    assert agreed(tmp_path) == [
        ("provider", "91110000100000001W"),
        ("recipient", "91310000100000002D"),
        (
            "release",
            "purposes demand-forecast, supply-chain-credit; from 2026-01-01 00:00:00 UTC; until 2026-12-31 23:59:59 UTC; "
            "territory CN; recipients' grades LittleGiant, SME; k at least 5; l at least 2",
        ),
        (
            "query",
            "purposes demand-forecast; from 2025-12-31 16:00:00 UTC; until 2026-12-31 12:00:00 UTC; territory CN; "
            "recipients' grades SME; k at least 10; epsilon per question at most 0.1; epsilon per period at most 1.5; "
            "the period of epsilon P1M; epsilon for life at most 10; delta for life at most 0.000001; "
            "what epsilon protects month-of-unit",
        ),
        ("never", "reidentify"),
        ("never", "distribute"),
        ("never", "combine with loyalty-cards"),
        ("duty", "delete within 30 days"),
        ("duty", "reportUse every P1M"),
    ]


def test_reidentifying_and_handing_on_are_forbidden_unless_a_sheet_says_otherwise(tmp_path: Path) -> None:
    text = WHOLE.replace("forbidden: [reidentify, distribute]\n", "")
    assert read_sheet(sheet(tmp_path, text)).forbidden == ("reidentify", "distribute")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("release:", "relase:", "has no key `relase`"),
        ("  minGroupSize: 5\n", "  minGroupsize: 5\n", "has no key `minGroupsize`"),
        ("  purpose: [demand-forecast, supply-chain-credit]\n", "", "lacks `purpose`"),
        ("from: 2026-01-01\n", "from: soon\n", "isn't a day or a moment"),
        ("from: 2026-01-01\n", "from: 2027-01-01\n", "ends before it begins"),
        ('"2026-01-01T00:00:00+08:00"', '"2026-01-01T00:00:00"', "isn't a day or a moment"),
        ("  minGroupSize: 5\n", "  minGroupSize: true\n", "can't be true or false"),
        ("  minGroupSize: 5\n", "  minGroupSize: {at: 5}\n", "must be a number, a word, or a list"),
        ("grade: SME", "grade: [SME, 3]", "must be one word, or a list of them"),
        ("[reidentify, distribute]", "[reidentify, laugh]", "`laugh` can't be forbidden"),
        ("deleteWithinDays: 30", "deleteWithinDays: soon", "must be a whole number"),
        ("deleteWithinDays: 30", "deleteWithinDays: 30\ndeleteWithinDays: 300", "twice"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in WHOLE
    text = refused(tmp_path, WHOLE.replace(old, new, 1))
    assert told in text
    assert f"{tmp_path / 'terms.yaml'}:" in text


@pytest.mark.parametrize("text", ["", "[]", "3", "deleteWithinDays: 3\n", "{", "\x00"])
def test_what_is_no_sheet_is_refused(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_a_door_without_a_limit_that_it_needs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        agreed(tmp_path, WHOLE.replace("  minGroupSize: 5\n", "", 1))
    assert caught.value.facts["clause"].startswith("agreement.permission[0]")


def test_what_is_not_understood_is_read_out_too(tmp_path: Path) -> None:
    message = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "ContractAgreementMessage",
        "providerPid": "p",
        "consumerPid": "c",
        "agreement": {"@type": "Agreement", "permission": [{"action": "odrl:conquer"}]},
    }
    words = dict(in_words(read_agreement(message)))
    assert words["unknown"] == "without any limit"
    assert "isn't understood" in words["refused"]
