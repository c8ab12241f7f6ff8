"""A contract as it is read: frozen values, digest, versions of the standard."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.model import LogicalType, Role, TableKind, Term
from contracts.odcs import check_contract, load_contract
from contracts.problems import Problem, nearest
from contracts.protection import HierarchySpec, Transform
from core.errors import ContractError
from core.settings import PUBLISHED


def test_each_published_contract_loads() -> None:
    for path in sorted(PUBLISHED.glob("*.odcs.yaml")):
        assert check_contract(path) == ()
        assert load_contract(path).path == path.resolve()


def test_the_grocery_contract_says_what_it_says() -> None:
    contract = load_contract(PUBLISHED / "grocery-demand.odcs.yaml")
    assert (contract.id, contract.status, contract.recipient) == (
        "grocery-demand",
        "active",
        "small-supplier",
    )
    assert contract.privacy is not None
    assert (contract.privacy.unit, contract.privacy.k, contract.privacy.l) == ("household_id", 5, 2)
    assert [(t.name, t.kind.value, len(t.columns)) for t in contract.tables] == [
        ("households", "subjects", 8),
        ("demand", "facts", 10),
        ("products", "reference", 7),
    ]


def test_the_shop_is_read_whole(shop: Any) -> None:
    contract = shop.load()
    assert contract.term == Term(start=date(2026, 1, 1), end=date(2026, 12, 31))
    assert contract.purpose == "Weekly demand for a supplier."
    assert (contract.max_quarantined, contract.quarantine_days) == (0.1, 30)
    assert contract.source.connector == "files"
    assert (contract.source.path, contract.source.format) == ("./data/{table}.csv", "csv")
    assert contract.source.base == shop.path.parent.resolve()
    members, sales, articles = contract.tables
    assert (members.physical_name, sales.physical_name) == ("people", "sales")
    assert sales.time_column == "sold_at"
    assert [(c.role, c.transform) for c in members.columns] == [
        (Role.IDENTIFIER, Transform.PSEUDONYM),
        (Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
        (Role.QUASI_IDENTIFIER, Transform.GENERALIZE),
        (Role.SENSITIVE, Transform.KEEP),
    ]
    assert members.column("age").hierarchy == HierarchySpec(kind="natural")
    assert members.column("town").hierarchy == HierarchySpec(
        kind="tree",
        leaves=("Abay", "Bree", "Cove", "Dell"),
        nodes=(("coast", 0, 2), ("north", 0, 1), ("south", 2, 2), ("inland", 3, 3)),
    )
    assert sales.cells is not None
    assert (sales.cells.segments_of, sales.cells.segment_min_units, sales.cells.count_name) == (
        "members",
        20,
        "members",
    )
    assert [(d.name, [(s.label, s.width, s.origin) for s in d.levels]) for d in sales.cells.dimensions] == [
        ("week", [("week", 1, 0), ("4 weeks", 4, 1)]),
        ("goods", [("article", 1, 0), ("family", 1, 0)]),
    ]
    assert [(m.name, m.aggregate, m.column, m.decimals) for m in sales.cells.measures] == [
        ("baskets", "countDistinct", "basket", None),
        ("amount", "sum", "amount", 2),
        ("lines", "count", None, None),
    ]
    assert articles.kind is TableKind.REFERENCE
    assert {c.role for c in articles.columns} == {Role.ATTRIBUTE}


@pytest.mark.parametrize("days", [0, 1, 365])
def test_a_contract_says_for_how_many_days_rows_are_kept(shop: Any, days: int) -> None:
    contract = shop.changed(("{maxShare: 0.1}", f"{{maxShare: 0.1, days: {days}}}")).load()
    assert (contract.max_quarantined, contract.quarantine_days) == (0.1, days)


def test_defaults_are_the_strict_ones(shop: Any) -> None:
    contract = shop.changed(
        ("{unit: member, k: 5, l: 3, maxSuppressed: 0.05}", "{unit: member, k: 7}"),
        ("  - {property: sluiceQuarantine, value: {maxShare: 0.1}}\n", ""),
        ("          segmentMinUnits: 20\n          countAs: members\n", ""),
        ("tenant: shop-platform\n", ""),
        ("description:\n  purpose: Weekly demand for a supplier.\n", ""),
        ("name: Shop demand\n", ""),
        ("          - {property: sluiceTransform, value: pseudonym}\n", ""),
    ).load()
    assert contract.privacy is not None
    assert (contract.privacy.l, contract.privacy.max_suppressed, contract.max_quarantined) == (2, 0.0, 0.0)
    assert contract.quarantine_days == 30
    assert (contract.name, contract.tenant, contract.purpose) == ("shop-demand", "unknown", "")
    cells = contract.table("sales").cells
    assert cells is not None
    assert (cells.segment_min_units, cells.count_name) == (70, "units")
    assert contract.table("members").column("member").transform is Transform.DROP


def test_l_is_one_where_nothing_is_sensitive(shop: Any) -> None:
    contract = shop.changed(("value: sensitive", "value: excluded"), (", l: 3", "")).load()
    assert contract.privacy is not None
    assert contract.privacy.l == 1
    assert shop.changed(("k: 5,", "k: 5, l: 1,")).says() == []


def test_tables_without_persons_need_no_privacy_terms(shop: Any) -> None:
    start, end = shop.text.index("  - name: members"), shop.text.index("  - name: articles")
    shop.text = shop.text[:start] + shop.text[end:]
    shop.changed(
        ("  - property: sluicePrivacy\n    value: {unit: member, k: 5, l: 3, maxSuppressed: 0.05}\n", "")
    )
    assert shop.load().privacy is None


def test_facts_without_a_subject_table_are_one_segment(shop: Any) -> None:
    start, end = shop.text.index("  - name: members"), shop.text.index("  - name: sales")
    shop.text = shop.text[:start] + shop.text[end:]
    shop.changed(("          segmentsOf: members\n          segmentMinUnits: 20\n", ""))
    cells = shop.load().table("sales").cells
    assert cells is not None
    assert cells.segments_of is None


def test_an_error_lists_all_problems_and_survives_pickling(shop: Any) -> None:
    path = shop.changed(("k: 5", "k: 1"), ("value: pseudonym", "value: keep")).write()
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert str(caught.value) == (
        "The contract can't be used, 2 problems:\n"
        f"{path}:20: sluicePrivacy: `k` is 1. It must be at least 2.\n"
        f"{path}:34: members.member: a column with the role identifier can't be `keep`. Use `drop` or `pseudonym` or `token` or `redact`."
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.facts["problems"] == check_contract(path)


def test_a_problem_has_its_place_as_values(shop: Any) -> None:
    (problem,) = check_contract(shop.changed(("k: 5", "k: 1")).write())
    assert problem == Problem(
        path=shop.path,
        line=20,
        column=27,
        where="customProperties[2].value.k",
        what="sluicePrivacy: `k` is 1.",
        remedy="It must be at least 2.",
    )


def test_the_digest_is_of_what_is_said_not_of_how(shop: Any) -> None:
    first = shop.load().digest
    reordered = (
        "# a comment\n" + shop.text.replace("tenant: shop-platform\n", "") + "tenant:   'shop-platform'\n"
    )
    shop.text = reordered
    assert shop.load().digest == first
    assert shop.changed(("k: 5", "k: 6")).load().digest != first


def test_the_digest_is_pinned(shop: Any) -> None:
    # The RFC 8785 form of the document as YAML gives it, dates as text: other tools can compute it too.
    assert shop.load().digest == "6a9cdbe67b3dc080a4129df7e1f037358ee13b505c4c6ee10e3d859e36c750a0"


@pytest.mark.parametrize("key", ["physicalName: 日期", "physicalName: when", "classification: internal"])
def test_names_may_be_of_any_script(shop: Any, key: str) -> None:
    contract = shop.changed(
        ("{name: brand, logicalType: string}", f"{{name: '品牌 \"x\"', {key}, logicalType: string}}"),
        ("  - name: articles", "  - name: 商品 表"),
    ).load()
    column = contract.tables[2].columns[1]
    assert (contract.tables[2].name, column.name, column.type) == ("商品 表", '品牌 "x"', LogicalType.STRING)
    assert column.physical_name == (key.split(": ")[1] if key.startswith("physical") else None)


def test_a_custom_server_names_its_connector_and_options(shop: Any) -> None:
    old = "    type: local\n    path: ./data/{table}.csv\n    format: csv\n"
    new = (
        "    type: custom\n    path: ./data/{table}.csv\n    delimiter: ';'\n    port: 5\n"
        "    customProperties: [{property: sluiceConnector, value: files}, {property: theirs, value: 1}]\n"
        "  - {server: other, type: s3, location: 's3://bucket/x'}\n"
    )
    source = shop.changed((old, new)).load().source
    assert (source.connector, source.format) == ("files", None)
    assert source.options == {"delimiter": ";", "port": "5"}


def test_one_file_may_hold_several_tables(shop: Any) -> None:
    shop.changed(("./data/{table}.csv", "./data/all.csv"))
    shop.text = shop.text[: shop.text.index("  - name: articles")]
    assert shop.says() == []


def test_other_parties_properties_are_left_alone(shop: Any) -> None:
    shop.changed(
        ("tenant: shop-platform", "tenant: shop-platform\nteam: {name: t, members: [{username: '${USER}'}]}"),
        ("{name: brand, logicalType: string}", "{name: brand, logicalType: string, customProperties: "
         "[{property: slug, value: '${X}'}, {property: source, value: {a: [null]}}]}"),
    )  # fmt: skip
    assert shop.says() == []


def test_v3_2_is_read_with_what_it_added(shop: Any) -> None:
    contract = (
        shop.v32()
        .changed(
            ("tenant: shop-platform", "tenant: shop-platform\ncontext: Ask politely."),
            ("{name: brand, logicalType: string}", "{name: brand, logicalType: string, semanticType: column, "
             "enum: [{value: Acme, label: A}, {value: null}]}"),
        )
    )  # fmt: skip
    assert contract.says() == ["100: articles.brand: a value of enum isn't of type string. Put it in quotes."]
    loaded = contract.changed((", {value: null}", "")).load()
    check = next(c for c in loaded.table("articles").checks if c.name == "brand is one of its values")
    assert check.params == {"values": ["Acme"]}


def test_v3_2_needs_a_status_too(shop: Any) -> None:
    assert shop.v32().changed(("status: active\n", "")).says() == [
        "1: `status` is missing. Add status: draft, and status: active once both parties agreed."
    ]


def test_a_source_measure_is_refused(shop: Any) -> None:
    shop.v32().changed(
        ("{name: brand, logicalType: string}", "{name: brand, logicalType: string, semanticType: measure}")
    )
    assert shop.says() == [
        "99: articles.brand is a measure, which no source column holds. "
        "Describe the physical column; published measures stand in sluiceCells."
    ]


def test_the_path_may_be_text(shop: Any) -> None:
    assert load_contract(Path(str(shop.write()))).id == "shop-demand"


def test_nothing_near_is_no_suggestion() -> None:
    assert nearest("zzz", ["member", "week"]) is None
    assert nearest("MEMBERS", ["member", "week"]) == "member"


def test_privacy_terms_are_asked_for_only_where_a_table_is_known_to_be_about_persons(shop: Any) -> None:
    start, end = shop.text.index("  - name: members"), shop.text.index("  - name: articles")
    shop.text = shop.text[:start] + shop.text[end:]
    shop.changed(
        ("  - property: sluicePrivacy\n    value: {unit: member, k: 5, l: 3, maxSuppressed: 0.05}\n", ""),
        ("    customProperties:\n      - {property: sluiceKind, value: reference}\n", ""),
    )
    assert shop.says() == [
        "21: articles doesn't say what it is about. Add the customProperty sluiceKind: subjects (rows describe "
        "persons), facts (what persons did) or reference (no persons)."
    ]


SERVER = "    path: ./data/{table}.csv\n    format: csv\n"


def served(shop: Any, more: str, *, format: str = "csv") -> Any:
    return shop.changed((SERVER, SERVER.replace("csv\n", f"{format}\n") + f"    {more}\n"))


def properties(**ours: str) -> str:
    listed = ", ".join(f"{{property: {key}, value: {value}}}" for key, value in ours.items())
    return f"customProperties: [{listed}]"


def test_a_local_server_says_delimiter_and_encoding_by_our_keys(shop: Any) -> None:
    served(shop, properties(sluiceDelimiter="';'", sluiceEncoding="gb18030"))
    assert shop.says() == []
    assert shop.load().source.options == {"delimiter": ";", "encoding": "gb18030"}


def test_a_local_server_may_say_its_encoding_as_v3_2_does(shop: Any) -> None:
    served(shop.v32(), "encoding: GB18030")
    assert shop.load().source.options == {"encoding": "GB18030"}


def test_the_standard_lets_no_local_server_say_its_delimiter(shop: Any) -> None:
    assert served(shop, "delimiter: ';'").says() == [
        "15: `servers[0].delimiter` isn't a key of the standard. "
        "Write it as sluiceDelimiter in the server's customProperties."
    ]


@pytest.mark.parametrize("value", ["nonsense", "base64", "undefined", "''", "5", "[utf-8]"])
def test_an_encoding_that_nobody_knows_is_refused(shop: Any, value: str) -> None:
    (told,) = served(shop, properties(sluiceEncoding=value)).says()
    assert told.startswith("15: There is no encoding `")
    assert told.endswith("Write utf-8, gb18030 or another encoding that Python knows.")


def test_an_encoding_of_the_standard_is_looked_at_too(shop: Any) -> None:
    assert served(shop.v32(), "encoding: nonsense").says() == [
        "15: There is no encoding `nonsense`. Write utf-8, gb18030 or another encoding that Python knows."
    ]


@pytest.mark.parametrize("value", ["'||'", "''", "'\"'", '"\\n"', "；", "5"])
def test_a_delimiter_that_can_part_nothing_is_refused(shop: Any, value: str) -> None:
    (told,) = served(shop, properties(sluiceDelimiter=value)).says()
    assert told.startswith("15: There is no delimiter `")


@pytest.mark.parametrize("value", ["tab", "'\\t'", '"\\t"', "'|'", "' '"])
def test_a_delimiter_is_one_character_or_a_tab(shop: Any, value: str) -> None:
    assert served(shop, properties(sluiceDelimiter=value)).says() == []


def test_an_option_stands_once(shop: Any) -> None:
    served(shop.v32(), "encoding: utf-8\n    " + properties(sluiceEncoding="utf-8"))
    assert shop.says() == [
        "16: The encoding stands twice, as `encoding` and as sluiceEncoding. Keep one of them."
    ]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_options_of_csv_are_refused_elsewhere(shop: Any, kind: str) -> None:
    told = served(shop, properties(sluiceDelimiter="';'", sluiceEncoding="gb18030"), format=kind).says()
    assert [line.split(".")[0] for line in told] == [
        f"15: Files of the format `{kind}` have no {option} of their own"
        for option in ("delimiter", "encoding")
    ]


def test_json_may_say_that_it_is_utf_8(shop: Any) -> None:
    assert served(shop, properties(sluiceEncoding="UTF-8"), format="jsonl").says() == []


@pytest.mark.parametrize("wide", ["u64", "i128", "u128"])
def test_an_integer_wider_than_we_carry_is_refused(shop: Any, wide: str) -> None:
    shop.changed(("{minimum: 0, exclusiveMaximum: 130}", f"{{format: {wide}}}"))
    (told,) = shop.says()
    assert told.startswith(
        "37: members.age: logicalTypeOptions: integers are carried in 64 bits with a sign, and"
    )
    assert "physicalType: DECIMAL(p,0)" in told
