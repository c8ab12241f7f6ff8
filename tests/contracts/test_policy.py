"""docs/policy.md names every clause that can be signed, and only what is there enforces one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.agreement.vocabulary import DUTIES, PERMISSION_OPERANDS, PROHIBITABLE, Operand
from contracts.life.state import Standing
from contracts.own import KEYS
from contracts.regimes.rules import RULES, Rule

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = DOC.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found
    return found


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(title: str) -> list[str]:
    """What stands in backticks in the first column."""
    return [word for row in rows(title) for word in re.findall(r"`([^`]+)`", row[0])]


def test_the_operands_are_the_codes_in_its_order() -> None:
    assert words("Permissions: the limits of a door") == [operand.name for operand in PERMISSION_OPERANDS]


@pytest.mark.parametrize("operand", PERMISSION_OPERANDS, ids=lambda operand: operand.name)
def test_an_operands_doors_are_the_codes(operand: Operand) -> None:
    (row,) = (row for row in rows("Permissions: the limits of a door") if row[0] == f"`{operand.name}`")
    assert row[1] == ", ".join(operand.doors)
    assert row[2] == ", ".join(operand.needed)
    assert "decide" in row[3]


def test_every_standing_prohibition_duty_and_key_has_its_row() -> None:
    assert set(words("Standing")) == {standing.value for standing in Standing}
    assert set(words("Prohibitions")) == set(PROHIBITABLE.values())
    assert set(words("Obligations")) == {duty for duty, _ in DUTIES.values()}
    assert set(words("Our keys in the contract")) == set(KEYS)


def test_the_rules_are_the_codes_in_its_order() -> None:
    assert words("Rules of the land") == [_name(rule) for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: _name(rule))
def test_what_a_refusal_says_is_what_the_code_says(rule: Rule) -> None:
    """Each part of the sentence that stands on the page stands in the rule's module."""
    (row,) = (row for row in rows("Rules of the land") if row[0] == f"`{_name(rule)}`")
    text = (ROOT / f"{rule.__module__.replace('.', '/')}.py").read_text(encoding="utf-8")
    said = row[2].removeprefix("Only a warning: ").split(" (")[0]
    # Numbers and names are filled in, and a quotation may go on in the next line.
    parts = re.split(
        r"\.\.\.|`|; or: |, standardContract.*|, securityAssessment.*|\blevel \d|The contract asks for no level",
        said,
    )
    wanted = [part.strip(" ,:") for part in parts if len(part.strip(" ,:")) > 12]
    assert [part for part in wanted if part not in text] == []


def test_what_enforces_a_clause_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)`(?:,| \()\s*`(\w+)`", DOC)
    assert len(named) > 20
    for path, name in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:def|class) {name}\b", source, re.MULTILINE), (path, name)


def test_the_page_says_what_no_program_keeps() -> None:
    for title in ("Permissions: the limits of a door", "Prohibitions", "Obligations"):
        assert "recipient's own duty" in section(title)
    assert "legal advice" in DOC


def _name(rule: Rule) -> str:
    return f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
