"""What keeps a contract file from being shared: also what the law asks, as far as files tell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.problems import MALFORMED, UNSHAREABLE
from contracts.sharing import Shareable, check_shareable, sheet_of
from core.settings import PUBLISHED
from tests.declared import declared
from tests.shop import CONTRACT

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXAMPLES = PUBLISHED.parent / "examples"
SHEET = """\
release:
  purpose: [planning]
  from: 2026-01-01
  until: 2026-12-31
  territory: [CN]
  grade: [SME]
  minGroupSize: 4
  diversity: 2
"""


def check(folder: Path, text: str, sheet: str | None = None) -> Shareable:
    file = folder / "shop.odcs.yaml"
    file.write_text(text, encoding="utf-8")
    if sheet is not None:
        (folder / "shop.terms.yaml").write_text(sheet, encoding="utf-8")
    return check_shareable(file, at=NOON)


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


def test_a_declared_contract_can_be_shared(tmp_path: Path) -> None:
    found = check(tmp_path, declared(CONTRACT), SHEET)
    assert (found.ok, found.problems) == (True, ())
    # What people should look at holds nothing back.
    assert ["level of de-identification" in note.what for note in found.warnings] == [True]
    assert found.sheet == tmp_path / "shop.terms.yaml"


def test_what_the_law_asks_is_told_at_its_line(tmp_path: Path) -> None:
    text = declared(CONTRACT).replace("{property: sluiceGrade, value: general}", "{property: x, value: y}", 1)
    found = check(tmp_path, text)
    [problem] = found.problems
    assert not found.ok
    assert found.contract is not None
    assert problem.kind == UNSHAREABLE
    assert "has no grade" in problem.what
    assert "GB/T 43697-2024" in problem.remedy
    assert problem.where == "schema[0].properties[0].customProperties"
    assert abs(problem.line - line_of(text, "value: y")) <= 3


def test_a_file_that_is_not_a_contract_is_told_without_the_law(tmp_path: Path) -> None:
    found = check(tmp_path, "kind: nothing\n")
    assert found.contract is None
    assert MALFORMED in {problem.kind for problem in found.problems}
    assert not any("GB/T" in problem.remedy for problem in found.problems)


def test_where_it_goes_is_the_sheets_to_say(tmp_path: Path) -> None:
    assert check(tmp_path, declared(CONTRACT)).ok
    abroad = check(tmp_path, declared(CONTRACT), SHEET.replace("[CN]", "[CN, SG]"))
    assert abroad.problems
    assert all("abroad" in problem.what for problem in abroad.problems)
    # No door that only counts are asked at: how many go abroad is known once there is data.
    assert not any("weren't counted" in problem.what for problem in abroad.problems)


def test_each_door_of_the_sheet_is_asked_and_told_once(tmp_path: Path) -> None:
    text = declared(CONTRACT).replace("value: general", "value: core", 1)
    other = SHEET.replace("release:", "train:")
    found = check(tmp_path, text, SHEET + other)
    assert sum("core data" in problem.what for problem in found.problems) == 1


@pytest.mark.parametrize(
    ("sheet", "words"),
    [("release: [", "YAML"), (SHEET.replace("  minGroupSize: 4\n", ""), "`minGroupSize`"), ("{}", "door")],
)
def test_a_sheet_that_lacks_something_is_a_finding_of_its_own(tmp_path: Path, sheet: str, words: str) -> None:
    found = check(tmp_path, declared(CONTRACT), sheet)
    assert not found.ok
    assert {problem.path.name for problem in found.problems} == {"shop.terms.yaml"}
    assert {problem.kind for problem in found.problems} == {UNSHAREABLE}
    assert words in " ".join(f"{problem.what} {problem.remedy}" for problem in found.problems)


@pytest.mark.parametrize(("limit", "key"), [("minGroupSize: 4", "k"), ("diversity: 2", "l")])
def test_terms_that_ask_for_more_than_the_contract_keeps_are_told(
    tmp_path: Path, limit: str, key: str
) -> None:
    sheet = SHEET.replace(limit, f"{limit[:-1]}9")
    [problem] = check(tmp_path, declared(CONTRACT), sheet).problems
    assert f"asks for 9, and the contract's {key} is" in problem.what
    assert problem.path.name == "shop.terms.yaml"


def test_a_sheet_may_stand_elsewhere(tmp_path: Path) -> None:
    file, sheet = tmp_path / "shop.odcs.yaml", tmp_path / "v2.yaml"
    file.write_text(declared(CONTRACT), encoding="utf-8")
    sheet.write_text("release: [", encoding="utf-8")
    assert check_shareable(file, at=NOON).ok
    assert not check_shareable(file, at=NOON, sheet=sheet).ok


@pytest.mark.parametrize("name", ["a.odcs.yaml", "a.yaml", "a.odcs.yml", "a.yml", "a"])
def test_a_sheet_stands_beside_its_contract(name: str) -> None:
    assert sheet_of(Path("x") / name) == Path("x/a.terms.yaml")


def test_of_what_ships_only_the_one_that_lacks_its_filing_is_held_back() -> None:
    files = [*PUBLISHED.glob("*.odcs.yaml"), *EXAMPLES.glob("*.odcs.yaml")]
    refused = {file.name: check_shareable(file, at=NOON).problems for file in files}
    [(name, problems)] = [entry for entry in refused.items() if entry[1]]
    assert name == "grocery-abroad.odcs.yaml"
    assert [problem.where for problem in problems] == ["customProperties[3].value"]
    assert "filing" in problems[0].what
