"""What a contract may say of protection one by one, and not together: refused before anybody signs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.agreement.sheet import read_sheet
from contracts.agreement.vocabulary import BY_NAME
from contracts.hierarchy import read_hierarchy
from contracts.model import LogicalType
from contracts.odcs import check_contract
from contracts.problems import Problems
from contracts.reading import Node
from core.errors import ContractError
from privacy.budget.periods import period_of

PRIVACY = "{unit: member, k: 5, l: 3, maxSuppressed: 0.05}"
CELLS_FROM, CELLS_TO = (
    "      - property: sluiceCells\n",
    "    properties:\n      - {name: member, logicalType: integer, required",
)
UNIT = "{name: member, logicalType: integer, required: true, customProperties: [{property: sluiceRole, value: identifier}"
BASKET = "{name: basket, logicalType: string, customProperties: [{property: sluiceRole, value: identifier}"
LASTING = "{pseudonym: lasting, points: 3, maxUnicity: 0.05}"
CHANGING = "{pseudonym: changing, period: month, points: 3, maxUnicity: 0.05}"
TOKEN = ", {property: sluiceTransform, value: {kind: token, holder: notary-office}}"


def as_rows(shop: Any, plan: str) -> Any:
    start, end = shop.text.index(CELLS_FROM), shop.text.index(CELLS_TO)
    shop.text = shop.text[:start] + f"      - {{property: sluiceRows, value: {plan}}}\n" + shop.text[end:]
    return shop.changed((UNIT, UNIT + ", {property: sluiceTransform, value: pseudonym}"))


def twice(shop: Any, first: str, second: str) -> Any:
    """The contract with a second table of rows, `visits`, that is the first one again from a source of its own."""
    as_rows(shop, first)
    start, end = shop.text.index("  - name: sales\n"), shop.text.index("  - name: articles\n")
    again = shop.text[start:end].partition("    quality:\n")[0].replace("name: sales", "name: visits")
    shop.text = shop.text[:end] + again.replace(first, second) + shop.text[end:]
    return shop


def test_a_token_would_join_pseudonyms_that_change(shop: Any) -> None:
    as_rows(shop, CHANGING).changed((BASKET, BASKET + TOKEN))
    (told,) = shop.says()
    assert told.endswith(
        "sales.basket goes out as a token, which stays the same where the pseudonym of its row changes. "
        "Use `pseudonym` or `drop` for the column, or pseudonym: lasting for the rows."
    )
    assert shop.changed((CHANGING, LASTING)).says() == []


@pytest.mark.parametrize(
    ("first", "second", "how"),
    [
        (LASTING, LASTING, "lasting pseudonyms"),
        (CHANGING, CHANGING, "the same pseudonyms in each month"),
        (CHANGING, LASTING, None),
        (CHANGING, CHANGING.replace("month", "week"), None),
    ],
)
def test_rows_of_two_tables_under_one_pseudonym_are_longer_traces(shop: Any, first: str, second: str, how: str | None) -> None:  # fmt: skip
    told = twice(shop, first, second).says()
    assert len(told) == (how is not None)
    if how:
        assert f"visits goes out as rows under {how}, as sales does: joined by them, they tell more of a unit than either is measured for." in told[0]  # fmt: skip
        assert "share it by a contract of its own" in told[0]


@pytest.mark.parametrize("logical", ["timestamp", "number", "boolean", "date"])
def test_tokens_stand_for_names_and_numbers_of_persons(shop: Any, logical: str) -> None:
    as_rows(shop, LASTING).changed((BASKET, BASKET.replace("string", logical) + TOKEN))
    (told,) = shop.says()
    assert f"sales.basket: `token` is for string or integer columns, and this one is {logical}. Use `drop`." in told  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "values", "refused"),
    [
        ("l: 4", "[low, middle, high]", "3 values at most, and sluicePrivacy asks for `l` 4 in every class. Lower `l` to 3"),
        ("entropyL: 3.5", "[low, middle, high]", "3 values at most, and sluicePrivacy asks for `entropyL` 3.5"),
        ("entropyL: 3", "[low, middle, high]", None),
        ("l: 3", "[low, low, high]", "2 values at most, and sluicePrivacy asks for `l` 3"),
    ],
)  # fmt: skip
def test_no_class_shows_more_values_than_there_are(shop: Any, asked: str, values: str, refused: str | None) -> None:  # fmt: skip
    shop.changed((PRIVACY, f"{{unit: member, k: 5, {asked}}}"), ("validValues: [low, middle, high]", f"validValues: {values}"))  # fmt: skip
    told = shop.says()
    assert len(told) == (refused is not None)
    if refused:
        assert f"members.income can have {refused}" in told[0]


def test_a_truth_value_has_two_values_and_a_warning_bounds_nothing(shop: Any) -> None:
    rule = "          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [low, middle, high]}}\n"
    counted = rule.replace("mustBe: 0,", "mustBe: 0, severity: warning,").replace(
        "[low, middle, high]", "[low]"
    )
    shop.changed((rule, counted))
    assert shop.says() == []
    shop.changed(("        quality:\n" + counted, ""), ("      - name: income\n        logicalType: string\n", "      - name: income\n        logicalType: boolean\n"))  # fmt: skip
    (told,) = shop.says()
    assert "members.income can have 2 values at most" in told


def hierarchy(value: Any, logical: LogicalType = LogicalType.STRING) -> list[str]:
    problems = Problems(Path("c.yaml"))
    read_hierarchy(Node(value, (), problems, "it"), logical)
    return [each.what for each in problems.found]


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (["Abay", "Bree"], "it is no tree: it has no names over its values."),
        ({"": ["Abay"]}, "it: a branch has a blank name, or one with spaces around it or control characters."),
        ({" * ": ["Abay"]}, "it: a branch has a blank name, or one with spaces around it or control characters."),
        ({"coast\u202e": ["Abay"]}, "it: a branch has a blank name, or one with spaces around it or control characters."),
        ({"(Missing)": ["Abay"]}, "it: the label `(Missing)` is one that coarsening itself gives."),
        # `a` beside `b | c`, or `a | b` beside `c`: nobody could say which.
        ({"x": ["a", "b | c"], "y": ["c", "d"]}, "it: the label `b | c` is one that coarsening itself gives."),
    ],
)  # fmt: skip
def test_labels_that_read_as_others_are_refused(tree: Any, says: str) -> None:
    assert hierarchy({"kind": "tree", "tree": tree}) == [says]


@pytest.mark.parametrize("name", ["<5", ">=5", "10*", "[0, 5)"])
def test_labels_that_only_other_kinds_make_are_taken(name: str) -> None:
    """A tree's column never gets them: each column has one kind of hierarchy."""
    assert hierarchy({"kind": "tree", "tree": {name: ["a", "b"], "rest": ["c"]}}) == []


def test_one_value_in_two_spellings_stands_twice() -> None:
    moments = ["2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00Z"]
    assert hierarchy({"kind": "ordered", "values": moments}, LogicalType.TIMESTAMP) == [
        "it: the value `2026-01-01T00:00:00Z` stands twice."
    ]
    assert hierarchy({"kind": "ordered", "values": ["2026-01-01", "2026-W01-4"]}, LogicalType.DATE) == [
        "it: a value isn't of type date."
    ]


@pytest.mark.parametrize("label", ["all", "All", " ALL", "Article", "article "])
def test_levels_of_cells_look_apart(shop: Any, label: str) -> None:
    shop.changed(("{label: family, column: family}", f"{{label: '{label}', column: family}}"))
    assert any(f"dimension `goods`: the label `{label}` is taken." in line for line in shop.says())


@pytest.mark.parametrize(
    "rule", ["widths: [1.0e+300]", "widths: [5], origin: 1.0e+300", "widths: [5, 1.0e+300]"]
)
def test_numbers_of_any_size_get_an_answer(shop: Any, rule: str) -> None:
    role = "          - {property: sluiceRole, value: quasiIdentifier}\n      - name: town"
    here = f"          - {{property: sluiceHierarchy, value: {{kind: intervals, {rule}}}}}\n"
    shop.changed((role, role.replace("      - name: town", here + "      - name: town")))
    assert check_contract(shop.write()) == ()


SHEET = """
train:
  purpose: demand-forecast
  from: 2026-01-01
  until: 2026-12-31
  territory: CN
  grade: SME
  epsilonPerPeriod: 1.5
  epsilonPeriod: {period}
reportEvery: {every}
"""


@pytest.mark.parametrize(
    ("period", "every", "says"),
    [
        *((good, "P6M", None) for good in ("P1D", "P1W", "P7D", "P1M", "P3M", "P1Y", "P12M")),
        *((bad, "P1M", f"`epsilonPeriod` can't be `{bad}`. Write a period of the calendar: P1D, P1W, P1M, P3M or P1Y.") for bad in ("P10D", "P2M", "P6M", "P30D", "month", "P1M1D")),
        ("P1M", "sometimes", "`reportEvery` can't be `sometimes`. Write a period such as P1M, P7D or P1Y."),
    ],
)  # fmt: skip
def test_a_budget_renews_itself_by_the_calendar(tmp_path: Path, period: str, every: str, says: str | None) -> None:  # fmt: skip
    path = tmp_path / "shop.terms.yaml"
    path.write_text(SHEET.format(period=period, every=every), encoding="utf-8")
    if says is None:
        assert read_sheet(path).doors[0].limits["epsilonPeriod"] == period
        return
    with pytest.raises(ContractError) as caught:
        read_sheet(path)
    assert caught.value.what.endswith(says)


def test_an_agreement_names_a_period_of_the_calendar_too() -> None:
    written = BY_NAME["epsilonPeriod"].kind
    assert [text for text in ("P1D", "P7D", "P1W", "P1M", "P3M", "P12M", "P1Y", "P2D", "P13W", "P6M") if written.read(text)] == [
        "P1D", "P7D", "P1W", "P1M", "P3M", "P12M", "P1Y"
    ]  # fmt: skip
    # The budget itself counts in the same ones.
    for text in ("P1D", "P7D", "P1M", "P3M", "P12M"):
        assert period_of(str(written.read(text))) is period_of(text)
