"""Drafts of contracts: cautious proposals, and texts that the check takes, whatever the dataset is called."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.agreement.lacks import lacks
from contracts.agreement.message import agreement_document
from contracts.agreement.read import read_agreement
from contracts.agreement.sheet import read_sheet
from contracts.declared import Grade, Sensitivity
from contracts.drafts.meanings import is_calendar, meaning_of, names_persons, names_things
from contracts.drafts.proposed import Proposed, ProposedTable, propose
from contracts.drafts.seen import Look, SeenColumn, SeenData, SeenTable
from contracts.drafts.text import Answers, contract_text, sheet_text
from contracts.model import LogicalType, Role, TableKind
from contracts.odcs import check_contract, load_contract
from contracts.protection import Transform
from tests.signed import ALWAYS, FIRM, PLATFORM

ANSWERS = Answers(
    id="draft",
    tenant="platform",
    recipient="small-firm",
    purpose="Plan what to make.",
    uses=("demand-forecast",),
    start=date(2026, 1, 1),
    end=date(2026, 12, 31),
    territories=("CN",),
    grades=("SME",),
)


def column(name: str, kind: LogicalType | None = LogicalType.STRING, *, filled: int = 1000, distinct: int = 5,
           look: Look | None = None, longest: int = 6) -> SeenColumn:  # fmt: skip
    return SeenColumn(name=name, type=kind, filled=filled, distinct=distinct, look=look, longest=longest)


def unit(name: str = "member_id", *, rows: int = 1000) -> SeenColumn:
    return column(name, LogicalType.INTEGER, filled=rows, distinct=1000)


def table(name: str, *columns: SeenColumn) -> SeenTable:
    return SeenTable(name=name, physical_name=name, columns=columns)


def of(name: str, proposed: Proposed) -> ProposedTable:
    return next(each for each in proposed.tables if each.name == name)


def roles(proposed: ProposedTable) -> dict[str, Role]:
    return {each.name: each.role for each in proposed.columns}


@pytest.mark.parametrize(
    ("name", "what", "sensitivity"),
    [
        ("email", "a way to reach somebody", Sensitivity.PERSONAL),
        ("CustomerPhoneNo", "a way to reach somebody", Sensitivity.PERSONAL),
        ("ID_CARD", "an identity document", Sensitivity.IDENTITY),
        ("用户身份证号", "an identity document", Sensitivity.IDENTITY),
        ("收入", "somebody's money", Sensitivity.FINANCIAL),
        ("gps_lat", "where somebody is", Sensitivity.WHEREABOUTS),
        ("diagnosis_code", "health", Sensitivity.MEDICAL),
        ("BirthDate", "an age", Sensitivity.PERSONAL),
        ("full_name", "a name", Sensitivity.PERSONAL),
    ],
)
def test_names_mean_something_in_either_language(name: str, what: str, sensitivity: Sensitivity) -> None:
    found = meaning_of(name)
    assert found is not None
    assert (found.what, found.sensitivity) == (what, sensitivity)


@pytest.mark.parametrize(
    "name", ["product_name", "quantity", "message_count_x9", "agent", "pages", "category"]
)
def test_a_word_within_a_word_means_nothing(name: str) -> None:
    assert name == "message_count_x9" or meaning_of(name) is None


def test_persons_and_things_are_told_apart() -> None:
    assert all(
        map(names_persons, ["member", "customer_id", "UserID", "household_id", "用户编号", "openid", "uid"])
    )
    assert not any(map(names_persons, ["household_size", "customer_city", "product_id", "id", "order_no"]))
    assert all(map(names_things, ["product_id", "storeCode", "商品编号"]))
    assert not names_things("customer_store_id")
    assert is_calendar("week_no")
    assert not is_calendar("weekly")


def test_one_row_each_is_subjects_and_several_are_facts() -> None:
    people = table(
        "people", unit(), column("town"), column("name", distinct=990), column("income"), column("plan")
    )
    sales = table("sales", unit(rows=20_000), column("goods"), column("price", LogicalType.NUMBER), column("week", LogicalType.INTEGER),
                  column("sold_on", LogicalType.DATE), column("order_id", distinct=900), column("gender"))  # fmt: skip
    goods = table("goods", column("product_id", distinct=1000), column("brand"))
    found = propose([sales, people, goods])
    assert found.unit == "member_id"
    assert [(each.name, each.kind) for each in found.tables] == [
        ("sales", TableKind.FACTS), ("people", TableKind.SUBJECTS), ("goods", TableKind.REFERENCE),
    ]  # fmt: skip
    assert roles(of("people", found)) == {
        "member_id": Role.IDENTIFIER, "town": Role.QUASI_IDENTIFIER, "name": Role.IDENTIFIER, "income": Role.SENSITIVE,
        "plan": Role.QUASI_IDENTIFIER,
    }  # fmt: skip
    sold = of("sales", found)
    assert roles(sold) == {
        "member_id": Role.IDENTIFIER, "goods": Role.ATTRIBUTE, "price": Role.ATTRIBUTE, "week": Role.ATTRIBUTE,
        "sold_on": Role.EXCLUDED, "order_id": Role.IDENTIFIER, "gender": Role.EXCLUDED,
    }  # fmt: skip
    assert (sold.time, sold.dimensions, sold.sums) == ("sold_on", ("goods", "week"), ("price",))
    income = next(each for each in of("people", found).columns if each.name == "income")
    assert income.transform is Transform.DROP
    assert all(each.why for one in found.tables for each in one.columns)
    assert any("`goods` is published as it is" in each for each in found.decide)


@pytest.mark.parametrize("look", Look)
def test_what_looks_like_a_person_is_an_identifier_whatever_its_name(look: Look) -> None:
    for rows in (1000, 5000):
        found = propose([table("t", unit(rows=rows), column("misc", look=look), column("goods"))])
        assert roles(found.tables[0])["misc"] is Role.IDENTIFIER


def test_values_of_their_own_and_long_texts_do_not_go_out() -> None:
    odd = (
        column("x", distinct=700),
        column("y", longest=300),
        column("z", LogicalType.INTEGER, distinct=900),
    )
    facts = roles(propose([table("t", unit(rows=5000), column("goods"), *odd)]).tables[0])
    assert [facts[name] for name in "xyz"] == [Role.IDENTIFIER, Role.EXCLUDED, Role.IDENTIFIER]
    subjects = roles(propose([table("t", unit(), *odd)]).tables[0])
    assert [subjects[name] for name in "xyz"] == [Role.IDENTIFIER, Role.EXCLUDED, Role.QUASI_IDENTIFIER]


def test_a_table_that_may_be_about_persons_is_no_reference_table() -> None:
    people = table("people", unit(), column("town"))
    strange = table("log", column("id", distinct=1000), column("action"))
    found = propose([people, strange])
    assert [each.name for each in found.tables] == ["people"]
    assert "may be about persons (`id`)" in found.decide[0]
    # Said otherwise, it's in; and left out, nobody speaks of it.
    said = propose([people, strange], kinds={"log": TableKind.REFERENCE})
    assert of("log", said).kind is TableKind.REFERENCE
    assert propose([people, strange], kinds={"log": None}).decide == ()
    # A table with the unit never is, whoever says so.
    refused = propose([people], kinds={"people": TableKind.REFERENCE})
    assert refused.tables == ()
    assert "no reference table" in refused.decide[0]


def test_an_id_of_nobody_knows_what_is_taken_for_a_persons() -> None:
    found = propose([table("t", column("id", distinct=1000), column("colour"))])
    assert (found.unit, found.tables[0].kind) == ("id", TableKind.SUBJECTS)
    assert propose([table("t", column("id", distinct=1000), column("x"))], unit="nope").tables == ()


def test_a_second_table_of_subjects_stays_out() -> None:
    found = propose([table("a", unit(), column("town")), table("b", unit(), column("age"))])
    assert [each.name for each in found.tables] == ["a"]
    assert "`b` is left out" in found.decide[0]


def test_heavy_columns_are_named_to_whoever_decides() -> None:
    found = propose(
        [table("t", unit(), column("latitude", LogicalType.NUMBER), column("fingerprint"), column("x", None))]
    )
    by_name = {each.name: each for each in found.tables[0].columns}
    assert by_name["latitude"].grade is by_name["fingerprint"].grade is Grade.IMPORTANT
    assert by_name["fingerprint"].sensitivity is Sensitivity.BIOMETRIC
    assert found.tables[0].left_out[0][0] == "x"
    assert any("important data" in each for each in found.decide)
    assert any("sensitive personal information" in each for each in found.decide)


def draft(folder: Path, found: Proposed, answers: Answers = ANSWERS) -> tuple[Path, Path]:
    seen = SeenData(tables=(), path="data/{table}.csv", format="csv")
    contract, sheet = folder / "draft.odcs.yaml", folder / "draft.terms.yaml"
    contract.write_text(contract_text(answers, found, seen), encoding="utf-8")
    sheet.write_text(sheet_text(answers, found), encoding="utf-8")
    return contract, sheet


def test_the_sheet_of_release_and_query_lacks_nothing_once_all_is_answered(tmp_path: Path) -> None:
    found = propose([table("people", unit(), column("town"), column("income"))])
    _, sheet = draft(tmp_path, found, replace(ANSWERS, doors=("release", "query"), l=2))
    code = {"assigner": PLATFORM.removeprefix("urn:uscc:"), "assignee": FIRM.removeprefix("urn:uscc:")}
    terms = replace(read_sheet(sheet), target="urn:sluice:contract:x")
    made = agreement_document(terms, agreement_id="urn:uuid:0", timestamp=ALWAYS[0], provider_pid="urn:a", consumer_pid="urn:b", **code)  # fmt: skip
    assert lacks(read_agreement(made)) == ()
    assert [door.door for door in terms.doors] == ["release", "query"]
    assert terms.delete_within_days == 30


def test_what_nobody_answered_is_open_and_not_made_up(tmp_path: Path) -> None:
    found = propose([table("people", unit(), column("town"))])
    contract, sheet = draft(tmp_path, found, Answers(id="draft", doors=("release", "train")))
    said = " ".join(str(problem) for problem in check_contract(contract))
    assert "lacks sluiceTerm" in said
    assert "lacks sluiceRecipient" in said
    document = yaml.safe_load(sheet.read_text(encoding="utf-8"))
    assert not {"purpose", "from", "until", "territory", "grade"} & document["release"].keys()
    assert not {"algorithm", "cohortPlatform", "feature", "label"} & document["train"].keys()


def test_every_column_says_why_in_a_comment(tmp_path: Path) -> None:
    found = propose([table("people", unit(), column("town"), column("email"))])
    contract, _ = draft(tmp_path, found)
    lines = contract.read_text(encoding="utf-8").splitlines()
    assert [
        line for line in lines if "sluiceRole" in line and "  # " not in line and not line.startswith("#")
    ] == []
    assert [line for line in lines if "sluiceKind" in line and "  # " not in line] == []


NAMES = st.one_of(
    st.sampled_from(["member_id", "id", "town", "income", "y", "no", "null", "2026", "价格", "week", "a: b", "#x", "it's", '"q"', "lines"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)  # fmt: skip
COLUMNS = st.builds(
    lambda name, kind, rows, look, longest: SeenColumn(
        name=name, type=kind, filled=rows[0], distinct=min(rows), longest=longest, look=look
    ),
    NAMES, st.sampled_from([*LogicalType, None]), st.tuples(st.integers(0, 900), st.integers(0, 900)),
    st.none() | st.sampled_from(Look), st.integers(0, 200),
)  # fmt: skip
TABLES = st.lists(
    st.builds(
        lambda name, columns: SeenTable(name=name, physical_name=name, columns=tuple(columns)),
        st.sampled_from(["people", "sales", "goods", "日志", "no"]),
        st.lists(COLUMNS, min_size=1, max_size=8, unique_by=lambda each: each.name),
    ),
    min_size=1, max_size=3, unique_by=lambda each: each.name,
)  # fmt: skip
_NAMES_ONLY = ("is taken", "names `", "Two columns", "Two published", "has the privacy unit")


@settings(max_examples=150, deadline=None)
@given(TABLES, st.sampled_from(["", "member_id"]))
def test_a_draft_is_always_a_contract_and_never_publishes_what_names_a_person(
    tables: list[SeenTable], said: str
) -> None:
    found = propose(tables, unit=said or None)
    seen = {(one.name, each.name): each for one in tables for each in one.columns}
    for one in found.tables:
        if one.kind is TableKind.REFERENCE:
            assert all(seen[one.name, each.name].look is None for each in one.columns)
            continue
        for each in one.columns:
            meaning = meaning_of(each.name)
            told = seen[one.name, each.name].look is not None or (
                meaning is not None and meaning.role is Role.IDENTIFIER and not names_things(each.name)
            )
            assert not told or each.role is Role.IDENTIFIER
    if not found.tables:
        assert found.decide
        return
    with tempfile.TemporaryDirectory() as folder:
        contract, sheet = draft(Path(folder), found)
        problems = check_contract(contract)
        # Only a name that no contract can carry may stand against it: the author renames the column.
        assert [str(each) for each in problems if not any(word in each.what for word in _NAMES_ONLY)] == []
        assert all(each.kind == "unshareable" for each in problems)
        if not problems:
            loaded = load_contract(contract)
            assert [each.name for each in loaded.tables] == [each.name for each in found.tables]
            assert [[c.role for c in t.columns] for t in loaded.tables] == [
                [c.role for c in t.columns] for t in found.tables
            ]
        assert read_sheet(sheet).doors


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_answers_are_text_whatever_stands_in_them(said: str) -> None:
    found = propose([table("people", unit(), column("town"))])
    seen = SeenData(tables=(), path="x.csv", format="csv")
    text = contract_text(replace(ANSWERS, purpose=said, recipient=said, tenant=said), found, seen)
    document = yaml.safe_load(text)
    if said:
        assert document["description"]["purpose"] == said
        assert document["tenant"] == said
