"""How a contract protects persons, as it is read: limits, transforms, hierarchies, rows, and what a column carries."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.agreement.words import facts_in_words
from contracts.diff import Sharing, diff, widens
from contracts.hierarchy import read_hierarchy
from contracts.model import LogicalType, Role, TableKind, may_share_source
from contracts.odcs import load_contract
from contracts.problems import Problems
from contracts.protection import (
    HierarchySpec,
    PrivacyTerms,
    RowPlan,
    Search,
    Transform,
    Treatment,
    TreeFile,
)
from contracts.reading import Node
from contracts.through import through
from contracts.transforms import Place, read_transform
from core.digest import sha256_hex
from core.errors import ContractError

PRIVACY = "{unit: member, k: 5, l: 3, maxSuppressed: 0.05}"
CSV = "Abay,north,coast\nBree,north,coast\nCove,south,coast\nDell,inland\n"
INLINE = "              kind: tree\n              tree: {coast: {north: [Abay, Bree], south: [Cove]}, inland: [Dell]}\n"


def read(value: Any, role: Role, logical: LogicalType, kind: TableKind = TableKind.SUBJECTS, *, rows: bool = False) -> Any:  # fmt: skip
    """The transform and its parameters, or what is wrong with it."""
    problems = Problems(Path("c.yaml"))
    node = Node({"customProperties": [{"property": "sluiceTransform", "value": value}]}, (), problems, "t.c")
    found = read_transform(node, Place(role=role, kind=kind, type=logical, rows=rows))
    return [f"{each.what} {each.remedy}" for each in problems.found] or found


def hierarchy(value: Any, logical: LogicalType) -> Any:
    problems = Problems(Path("c.yaml"))
    found = read_hierarchy(Node(value, (), problems, "it"), logical)
    return [f"{each.what} {each.remedy}" for each in problems.found] or found


def test_privacy_terms_are_read(shop: Any) -> None:
    more = "{unit: member, k: 5, l: 3, entropyL: 2.5, t: 0.3, search: fullDomain, maxSuppressed: 0.05, maxIntersected: 0.1}"
    assert shop.changed((PRIVACY, more)).load().privacy == PrivacyTerms(
        unit="member", k=5, l=3, entropy_l=2.5, t=0.3, search=Search.FULL_DOMAIN, max_suppressed=0.05, max_intersected=0.1
    )  # fmt: skip


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("entropyL: 1", "`entropyL` is 1. It must be over 1."),
        ("entropyL: '2'", "`entropyL` must be a number. Write it without quotes."),
        ("t: 0", "`t` is 0. It must be over 0 and at most 1."),
        ("t: 1.1", "`t` is 1.1. It must be over 0 and at most 1."),
        ("t: true", "`t` must be a number. Write it without quotes."),
        ("search: best", "`search` can't be `best`. Choose from `auto`, `fullDomain`, `multidimensional`."),
        ("maxIntersected: 1.5", "`maxIntersected` is 1.5. A share runs from 0 to 1: 0.02 for 2 %."),
    ],
)
def test_a_limit_out_of_bounds_is_refused(shop: Any, term: str, says: str) -> None:
    assert shop.changed(("k: 5,", f"k: 5, {term},")).says() == [f"20: sluicePrivacy: {says}"]


@pytest.mark.parametrize("term", ["entropyL: 2", "t: 0.2"])
def test_a_limit_on_sensitive_values_needs_some(shop: Any, term: str) -> None:
    shop.changed(("value: sensitive", "value: excluded"), (", l: 3", f", {term}"))
    key = term.partition(":")[0]
    assert shop.says() == [
        f"20: sluicePrivacy: `{key}` limits what a class tells of a sensitive column, and no subject table has one. "
        "Take it out, or set sluiceRole: sensitive on the column that it's meant for."
    ]


def test_a_unit_that_may_be_null_is_refused(shop: Any) -> None:
    shop.changed(("        unique: true\n        required: true\n", "        unique: true\n"))
    assert shop.says() == [
        "28: members.member is the privacy unit and may be NULL: such a row is nobody's, and no limit counts it. "
        "Set required: true; rows without it are set aside then."
    ]
    assert shop.changed(("        unique: true\n", "        primaryKey: true\n")).says() == []


NUMBER, INTEGER, STRING, DATE = (
    LogicalType.NUMBER,
    LogicalType.INTEGER,
    LogicalType.STRING,
    LogicalType.DATE,
)


@pytest.mark.parametrize(
    ("value", "role", "logical", "treatment"),
    [
        ({"kind": "round", "to": 0.1}, Role.SENSITIVE, NUMBER, Treatment(step=Decimal("0.1"))),
        ({"kind": "clamp", "low": -1.1, "high": 2.2}, Role.SENSITIVE, NUMBER, Treatment(low=Decimal("-1.1"), high=Decimal("2.2"))),
        ({"kind": "clamp", "high": 90}, Role.SENSITIVE, INTEGER, Treatment(high=Decimal(90))),
        ({"kind": "noise", "scale": 2.5, "step": 0.1}, Role.SENSITIVE, NUMBER, Treatment(scale=Decimal("2.5"), step=Decimal("0.1"))),
        ({"kind": "noise", "scale": 2.5}, Role.SENSITIVE, INTEGER, Treatment(scale=Decimal("2.5"), step=Decimal(1))),
        ({"kind": "token", "holder": "notary-office"}, Role.IDENTIFIER, STRING, Treatment(holder="notary-office")),
        ("redact", Role.QUASI_IDENTIFIER, STRING, None),
        ({"kind": "redact"}, Role.IDENTIFIER, STRING, None),
    ],
)  # fmt: skip
def test_parameters_are_read_exactly(value: Any, role: Role, logical: LogicalType, treatment: Any) -> None:
    word = value if isinstance(value, str) else value["kind"]
    assert read(value, role, logical) == (Transform(word), treatment)


def test_attributes_of_rows_may_be_shifted() -> None:
    value = {"kind": "shift", "days": 30}
    found = read(value, Role.ATTRIBUTE, DATE, TableKind.FACTS, rows=True)
    assert found == (Transform.SHIFT, Treatment(days=30))
    assert read(value, Role.ATTRIBUTE, DATE, TableKind.FACTS) == [
        "t.c: facts are published as cells, in which no value of a row stands. Take sluiceTransform out, or publish the facts as rows by sluiceRows."
    ]
    assert read(value, Role.ATTRIBUTE, DATE, TableKind.REFERENCE) == [
        "t.c: a column with the role attribute can't be `shift` outside of facts that go out as rows. Use `keep` or `drop`."
    ]


@pytest.mark.parametrize(
    ("value", "role", "logical", "says"),
    [
        ("round", Role.SENSITIVE, NUMBER, "t.c: sluiceTransform: `round` lacks its parameters. Write {kind: round, to: 10}."),
        ({"to": 1}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform lacks `kind`. Write {kind: round, to: 10}."),
        ({"kind": "blur"}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform can't be `blur`. Choose from `clamp`, `drop`, `generalize`, `keep`, `noise`, `pseudonym`, `redact`, `round`, `shift`, `token`."),
        ({"kind": "round", "to": 0}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform: `to` is 0. It must be over 0."),
        ({"kind": "round", "to": 1.5}, Role.SENSITIVE, INTEGER, "t.c: sluiceTransform: `to` has decimals, and the column is integer. Write a whole number."),
        ({"kind": "round", "by": 1, "to": 1}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform has no key `by`. Choose from `kind`, `to`."),
        ({"kind": "clamp"}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform: `clamp` has no bound. Give low, high or both."),
        ({"kind": "clamp", "low": 1, "high": 1}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform: `low` isn't under `high`. Swap or widen them."),
        ({"kind": "noise", "scale": 1}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform lacks `step`. Add the grid that values lie on, such as 0.01 for cents: noise off the grid would tell the value."),
        ({"kind": "noise", "scale": 1, "step": 2}, Role.SENSITIVE, INTEGER, "t.c: sluiceTransform: `step` is over `scale`, so that most values would go out as they are. Write a finer step, or a larger scale."),
        ({"kind": "noise", "step": 1}, Role.SENSITIVE, NUMBER, "t.c: sluiceTransform lacks `scale`. Add it, in the column's unit: {kind: noise, scale: 2.5, step: 0.1}."),
        ({"kind": "redact", "mark": "x"}, Role.IDENTIFIER, STRING, "t.c: sluiceTransform has no key `mark`. Did you mean `kind`?"),
        ("redact", Role.IDENTIFIER, INTEGER, "t.c: `redact` is for string columns, and this one is integer. Use `drop`."),
        ({"kind": "noise", "scale": 1}, Role.SENSITIVE, STRING, "t.c: `noise` is for integer or number columns, and this one is string. Use another transform, or take it out: it's for integer or number."),
        ({"kind": "token", "holder": "a b"}, Role.IDENTIFIER, STRING, "t.c: sluiceTransform: `holder` isn't a plain name. Use up to 64 letters, digits, dots, hyphens and underscores, like `notary-office`."),
        ({"kind": "token"}, Role.IDENTIFIER, STRING, "t.c: sluiceTransform lacks `holder`. Add it."),
        ("pseudonym", Role.SENSITIVE, STRING, "t.c: a column with the role sensitive can't be `pseudonym`. Use `keep` or `drop` or `round` or `clamp` or `noise` or `redact`."),
    ],
)  # fmt: skip
def test_a_wrong_transform_is_refused(value: Any, role: Role, logical: LogicalType, says: str) -> None:
    told = read(value, role, logical)
    if "Did you mean" in says or "Choose from `kind`" in says:
        assert [line.partition(". ")[0] for line in told] == [says.partition(". ")[0]]
    else:
        assert told == [says]


@pytest.mark.parametrize(
    ("holder", "refused"),
    [
        ("small-supplier", "the recipient"),
        ("Small-Supplier", "the recipient"),
        ("shop-platform", "the tenant"),
        ("notary-office", None),
        ("shop-platform-trust", None),
    ],
)
def test_the_second_key_lies_with_a_third(shop: Any, holder: str, refused: str | None) -> None:
    shop.changed(("value: pseudonym}", f"value: {{kind: token, holder: {holder}}}}}"))
    told = shop.says()
    assert len(told) == (refused is not None)
    if refused:
        assert told[0].startswith(f"34: members.member: the holder of the second key is {refused}")
        assert told[0].endswith("Name a third party, or a department of the platform that keeps keys and sees no data.")  # fmt: skip


@pytest.mark.parametrize(
    ("value", "logical", "spec"),
    [
        ({"kind": "intervals", "widths": [5, 10, 20]}, INTEGER, HierarchySpec(kind="intervals", widths=(Decimal(5), Decimal(10), Decimal(20)))),
        ({"kind": "intervals", "widths": [0.1, 0.3], "origin": -0.5}, NUMBER, HierarchySpec(kind="intervals", widths=(Decimal("0.1"), Decimal("0.3")), origin=Decimal("-0.5"))),
        ({"kind": "dates", "parts": ["month", "year"]}, DATE, HierarchySpec(kind="dates", parts=("month", "year"))),
        ({"kind": "prefix", "lengths": [4, 2]}, STRING, HierarchySpec(kind="prefix", lengths=(4, 2))),
        ({"kind": "built", "groups": 16}, NUMBER, HierarchySpec(kind="built", groups=16, fan=2)),
        ({"kind": "built", "groups": 1000, "fan": 10}, DATE, HierarchySpec(kind="built", groups=1000, fan=10)),
    ],
)  # fmt: skip
def test_rules_of_coarsening_are_read(value: Any, logical: LogicalType, spec: HierarchySpec) -> None:
    assert hierarchy(value, logical) == spec


@pytest.mark.parametrize(
    ("value", "logical", "says"),
    [
        ({"kind": "intervals", "widths": [5, 12]}, INTEGER, "it: width 12 doesn't gather whole groups of width 5. Write widths from fine to coarse, each a multiple of the one before: [5, 10, 20]."),
        ({"kind": "intervals", "widths": [5, 5]}, INTEGER, "it: width 5 doesn't gather whole groups of width 5. Write widths from fine to coarse, each a multiple of the one before: [5, 10, 20]."),
        ({"kind": "intervals", "widths": [0.1, 1e300]}, INTEGER, "it: a width has decimals, and the column is integer. Write whole numbers."),
        ({"kind": "intervals", "widths": [0]}, NUMBER, "it: a width can't be `0`. Write a number over 0."),
        ({"kind": "intervals", "widths": []}, NUMBER, "it: `widths` is empty. Write one to 30 levels."),
        ({"kind": "intervals", "widths": [2], "origin": 0.5}, INTEGER, "it: `origin` has decimals, and the column is integer. Write a whole number."),
        ({"kind": "intervals"}, INTEGER, "it lacks `widths`. Add it."),
        ({"kind": "intervals", "widths": [2]}, STRING, "it: `intervals` is for integer and number columns, and this one is string. Use kind: prefix, tree, built or natural."),
        ({"kind": "dates", "parts": ["year", "month"]}, DATE, "it: the parts aren't from fine to coarse, each once. Write some of day, month, quarter, year, decade in this order."),
        ({"kind": "dates", "parts": ["week"]}, DATE, "it: a part can't be `week`. Write one of day, month, quarter, year, decade."),
        ({"kind": "dates", "parts": [["day"]]}, DATE, "it: a part can't be `['day']`. Write one of day, month, quarter, year, decade."),
        ({"kind": "dates", "parts": ["month"]}, INTEGER, "it: `dates` is for date and timestamp columns, and this one is integer. Use kind: intervals, built or natural."),
        ({"kind": "prefix", "lengths": [2, 4]}, STRING, "it: the lengths don't fall. Write them from long to short, as each level keeps fewer characters: [4, 2]."),
        ({"kind": "prefix", "lengths": [2, 0]}, STRING, "it: a length can't be `0`. Write a whole number from 1 on."),
        ({"kind": "built", "groups": 1}, INTEGER, "it: `groups` is 1. It must be 2 to 1000."),
        ({"kind": "built", "groups": 4, "fan": 11}, INTEGER, "it: `fan` is 11. It must be 2 to 10."),
        ({"kind": "built", "groups": 4}, LogicalType.BOOLEAN, "it: `built` is for integer and number and date and timestamp and string columns, and this one is boolean. Use kind: natural."),
        ({"kind": "tree", "tree": {"a": ["b"]}, "file": "x.csv"}, STRING, "it has a tree here and one in a file. Keep one of them."),
        ({"kind": "tree", "file": "x.csv"}, STRING, "it lacks `sha256`. Write the tree's file and its digest: {kind: tree, file: regions.csv, sha256: ...}."),
        ({"kind": "tree"}, STRING, "it lacks `tree`. Add it."),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused(value: Any, logical: LogicalType, says: str) -> None:
    told = hierarchy(value, logical)
    assert isinstance(told, list), told
    assert says in told


def tree_file(shop: Any, content: bytes, name: str = "regions.csv", *, digest: str | None = None) -> Any:
    path = shop.path.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    named = f"              kind: tree\n              file: {name}\n              sha256: '{digest or sha256_hex(content)}'\n"
    return shop.changed((INLINE, named))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("regions.csv", CSV.encode()),
        ("trees/regions.csv", b"\xef\xbb\xbf" + CSV.replace(",", ";").encode()),
        ("regions.yaml", b"coast: {north: [Abay, Bree], south: [Cove]}\ninland: [Dell]\n"),
    ],
)
def test_a_tree_in_a_file_is_the_one_written_out(shop: Any, name: str, content: bytes) -> None:
    inline = shop.load()
    read = tree_file(shop, content, name).load()
    spec = read.table("members").column("town").hierarchy
    assert spec == replace(inline.table("members").column("town").hierarchy, file=TreeFile(path=name, sha256=sha256_hex(content)))  # fmt: skip
    assert read.table("members").checks == inline.table("members").checks
    assert not [change for change in diff(Sharing(contract=inline), Sharing(contract=read)) if change.widens]


def test_a_negotiation_knows_the_tree_by_its_digest(shop: Any) -> None:
    """A dossier holds the text and not the folder: the text can be read, compared and signed there, and nothing more."""
    here = tree_file(shop, CSV.encode()).load()
    away = load_contract(Path("contract.odcs.yaml"), shop.path.read_bytes())
    spec = away.table("members").column("town").hierarchy
    assert spec is not None
    assert (spec.unread, spec.leaves, away.digest) == (True, (), here.digest)
    assert diff(Sharing(contract=here), Sharing(contract=away)) == ()
    assert diff(Sharing(contract=away), Sharing(contract=here)) == ()
    assert ("tree", f"members.town: regions.csv, SHA-256 {sha256_hex(CSV.encode())}; ask for the file and read it") in facts_in_words(away)  # fmt: skip
    changed = shop.changed((sha256_hex(CSV.encode()), "0" * 64)).write().read_bytes()
    assert widens(diff(Sharing(contract=here), Sharing(contract=load_contract(Path("c"), changed))))


AT = "47: members.town: sluiceHierarchy: "


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"Abay,x\nBree,y,x\nCove,y\n", "r.csv", "`r.csv` line 3 puts `y` at the top, and line 2 puts it under `x`."),
        (b"Abay,x\nAbay,x\n", "r.csv", "`r.csv` line 2 has the value `Abay` again, first seen on line 1."),
        (b"", "r.csv", "`r.csv` holds no values."),
        (b"\xff\xfe", "r.csv", "`r.csv` line 1 isn't UTF-8."),
        (b"Abay,(missing)\n", "r.csv", "`r.csv` has the label `(missing)`, one that coarsening itself gives."),
        (b"coast: [Abay]\ninland: [Abay]\n", "r.yaml", "`r.yaml` line 2 says: The tree: the value `Abay` stands twice."),
        (b"coast: [Abay]\ncoast: [Bree]\n", "r.yaml", "`r.yaml` line 2 says: `coast` stands twice here."),
        (b"coast: [5]\n", "r.yaml", "`r.yaml` line 1 says: The tree: a value isn't of type string."),
        (b"a: &a [*a]\n", "r.yaml", "`r.yaml` line 1 says: An alias points at a value that holds it."),
        (b"# nothing\n", "r.yaml", "`r.yaml` is empty."),
        (b"", "r.yaml", "`r.yaml` is empty."),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_tree_is_refused(shop: Any, content: bytes, name: str, says: str) -> None:
    (told,) = tree_file(shop, content, name).says()
    assert told.startswith(AT + says)


def test_a_file_of_another_digest_is_not_read(shop: Any) -> None:
    """Nothing of it gets into the message: it may be any file of the folder."""
    assert tree_file(shop, b"secret,secret\n", digest="0" * 64).says() == [
        "48: members.town: sluiceHierarchy: the file `regions.csv` isn't the one whose SHA-256 stands here. Put the agreed "
        "file back; or write its digest (`sha256sum FILE`) into a new version, and agree on that."
    ]


def test_a_file_that_is_not_there_is_told(shop: Any) -> None:
    tree_file(shop, CSV.encode())
    (shop.path.parent / "regions.csv").unlink()
    (told,) = shop.says()
    assert told.startswith(f"{AT}the file `regions.csv` isn't there. Put it beside the contract")
    (shop.path.parent / "regions.csv").mkdir()
    (told,) = shop.says()
    assert told.startswith(f"{AT}the file `regions.csv` can't be read")


def test_links_do_not_lead_out(shop: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("away") / "regions.csv"
    away.write_text(CSV, encoding="utf-8")
    tree_file(shop, CSV.encode())
    link = shop.path.parent / "regions.csv"
    link.unlink()
    link.symlink_to(away)
    assert shop.says() == [
        f"{AT}the file `regions.csv` is a link that leads out of the contract's folder. Copy the file there."
    ]
    link.unlink()
    link.symlink_to(link)
    assert len(shop.says()) == 1


@pytest.mark.parametrize(
    "path",
    ["../r.csv", "/etc/r.csv", "a/../../r.csv", "./r.csv", "~/r.csv", "a\\\\r.csv", "C:r.csv", "a//r.csv"],
)
def test_a_path_out_of_the_folder_is_refused(shop: Any, path: str) -> None:
    shop.changed(
        (
            INLINE,
            f'              kind: tree\n              file: "{path}"\n              sha256: "{"0" * 64}"\n',
        )
    )
    assert shop.says() == [
        f"{AT}`file` isn't a path inside the contract's folder. "
        "Put the file beside the contract, and write its path from there, with slashes: trees/regions.csv."
    ]


def test_a_large_file_is_refused(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.treefile.MAX_BYTES", 20)
    (told,) = tree_file(shop, CSV.encode()).says()
    assert told.startswith(f"{AT}the file `regions.csv` is larger than 20 bytes.")


def test_a_sensitive_column_has_an_order_for_t(shop: Any) -> None:
    role = "          - {property: sluiceRole, value: sensitive}\n"
    order = "          - {property: sluiceHierarchy, value: {kind: ordered, values: [low, middle, high]}}\n"
    shop.changed((role, role + order))
    (told,) = shop.says()
    assert "counts for t-closeness only" in told
    column = shop.changed(("k: 5,", "k: 5, t: 0.3,")).load().table("members").column("income")
    assert column.hierarchy == HierarchySpec(kind="ordered", leaves=("low", "middle", "high"))
    (told,) = shop.changed(
        ("kind: ordered, values: [low, middle, high]", "kind: prefix, lengths: [1]")
    ).says()
    assert told.endswith("Use kind: ordered or natural, or take sluiceHierarchy out.")


# Rows.

CELLS_FROM, CELLS_TO = (
    "      - property: sluiceCells\n",
    "    properties:\n      - {name: member, logicalType: integer, required",
)
UNIT = "{name: member, logicalType: integer, required: true, customProperties: [{property: sluiceRole, value: identifier}"
CHANGING = "{pseudonym: changing, period: month, maxRows: 100, points: 3, maxUnicity: 0.05}"


def as_rows(shop: Any, plan: str = CHANGING) -> Any:
    start, end = shop.text.index(CELLS_FROM), shop.text.index(CELLS_TO)
    shop.text = shop.text[:start] + f"      - {{property: sluiceRows, value: {plan}}}\n" + shop.text[end:]
    return shop.changed((UNIT, UNIT + ", {property: sluiceTransform, value: pseudonym}"))


def test_rows_are_read(shop: Any) -> None:
    contract = as_rows(shop).load()
    table = contract.table("sales")
    assert table.cells is None
    assert table.rows == RowPlan(period="month", period_column="sold_at", max_rows=100, points=3, max_unicity=0.05)  # fmt: skip
    assert table.column("member").transform is Transform.PSEUDONYM
    said = dict(facts_in_words(contract))["rows"]
    assert said == "sales: row by row under a pseudonym, another each month, at most 100 rows of each; 3 known rows single out at most 5% of them"  # fmt: skip


def test_a_lasting_pseudonym_has_no_period(shop: Any) -> None:
    contract = as_rows(shop, "{pseudonym: lasting, points: 1, maxUnicity: 1}").load()
    assert contract.table("sales").rows == RowPlan(period=None, period_column=None, max_rows=None, points=1, max_unicity=1.0)  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("{pseudonym: lasting, period: month, points: 3, maxUnicity: 0.05}", "`period` says when a pseudonym changes, and this one is lasting. Take it out, or write pseudonym: changing."),
        ("{pseudonym: lasting, periodColumn: sold_at, points: 3, maxUnicity: 0.05}", "`periodColumn` says when a pseudonym changes, and this one is lasting. Take it out, or write pseudonym: changing."),
        ("{pseudonym: changing, points: 3, maxUnicity: 0.05}", "lacks `period`, after which the pseudonym changes. Add one of day, week, month, quarter, year."),
        ("{pseudonym: changing, period: hour, points: 3, maxUnicity: 0.05}", "`period` can't be `hour`."),
        ("{pseudonym: changing, period: day, periodColumn: week, points: 3, maxUnicity: 0.05}", "periodColumn names `week`, which is integer. Name a date or timestamp column."),
        ("{pseudonym: changing, period: day, periodColumn: sold, points: 3, maxUnicity: 0.05}", "the table has no column `sold`. Did you mean `sold_at`?"),
        ("{pseudonym: lasting, points: 6, maxUnicity: 0.05}", "`points` is 6. It must be 1 to 5."),
        ("{pseudonym: lasting, points: 0, maxUnicity: 0.05}", "`points` is 0. It must be 1 to 5."),
        ("{pseudonym: lasting, points: 3, maxUnicity: 1.05}", "`maxUnicity` is 1.05. A share runs from 0 to 1: 0.02 for 2 %."),
        ("{pseudonym: lasting, points: 3, maxRows: 0, maxUnicity: 0}", "`maxRows` is 0. It must be at least 1."),
        ("{pseudonym: lasting, points: 3}", "lacks `maxUnicity`. Add it."),
        ("{pseudonym: lasting, maxUnicity: 0}", "lacks `points`. Add it."),
        ("{points: 3, maxUnicity: 0}", "lacks `pseudonym`. Add it."),
    ],
)  # fmt: skip
def test_a_wrong_plan_of_rows_is_refused(shop: Any, plan: str, says: str) -> None:
    (told,) = as_rows(shop, plan).says()
    assert told.partition("sluiceRows")[2].removeprefix(":").strip().startswith(says)


def test_a_period_needs_a_column(shop: Any) -> None:
    as_rows(shop).changed(("      - {property: sluiceTime, value: sold_at}\n", ""))
    (told,) = shop.says()
    assert told.endswith("lacks `periodColumn`, and the table has no sluiceTime. Name the date or timestamp column whose periods count.")  # fmt: skip


def test_the_unit_of_rows_is_a_pseudonym(shop: Any) -> None:
    as_rows(shop).changed((UNIT + ", {property: sluiceTransform, value: pseudonym}", UNIT))
    (told,) = shop.says()
    assert "sales.member is the privacy unit of facts that go out as rows, and is `drop`. Set sluiceTransform: pseudonym" in told  # fmt: skip


def test_something_must_stay_in_rows(shop: Any) -> None:
    as_rows(shop)
    shop.text = shop.text.replace("value: attribute}", "value: excluded}")
    (told,) = shop.says()
    assert "sales would go out as rows of nothing but identifiers." in told


@pytest.mark.parametrize("role", ["quasiIdentifier", "sensitive"])
def test_rows_have_no_classes(shop: Any, role: str) -> None:
    old = "{name: family, logicalType: string, customProperties: [{property: sluiceRole, value: "
    as_rows(shop).changed((old + "attribute}", old + role + "}"))
    (told,) = shop.says()
    assert f"sales.family: rows of facts have no classes, so a column with the role {role} can't be" in told
    shop.changed((old + role + "}", old + role + "}, {property: sluiceTransform, value: drop}"))
    assert shop.says() == []


def test_facts_go_out_in_one_form(shop: Any) -> None:
    rows = f"      - {{property: sluiceRows, value: {CHANGING}}}\n"
    shop.changed(("      - property: sluiceCells\n", rows + "      - property: sluiceCells\n"))
    told = shop.says()
    assert any("sales has both sluiceCells and sluiceRows: rows beside cells of the same facts subtract" in line for line in told)  # fmt: skip


def test_only_facts_go_out_as_rows(shop: Any) -> None:
    kind = "      - {property: sluiceKind, value: subjects}\n"
    shop.changed((kind, f"{kind}      - {{property: sluiceRows, value: {CHANGING}}}\n"))
    assert any("members: only facts are published as rows under a pseudonym." in line for line in shop.says())


def test_rows_have_a_source_of_their_own(shop: Any) -> None:
    as_rows(shop).changed(("physicalName: people", "physicalName: sales"))
    (told,) = shop.says()
    assert "a row of facts would undo what is generalised in the same row of the subject table" in told
    assert may_share_source(TableKind.SUBJECTS, TableKind.FACTS)
    assert not may_share_source(TableKind.SUBJECTS, TableKind.FACTS, rows=True)
    assert not may_share_source(TableKind.FACTS, TableKind.FACTS, rows=True)
    assert may_share_source(TableKind.REFERENCE, TableKind.REFERENCE, rows=True)


def test_a_door_may_not_take_the_pseudonym_from_rows(shop: Any) -> None:
    contract = as_rows(shop).load()
    table = contract.table("sales")

    def kept_back(*names: str) -> Any:
        columns = tuple(
            replace(each, doors=("query",)) if each.name in names else each for each in table.columns
        )
        return replace(contract, tables=(replace(table, columns=columns),))

    assert through(kept_back("family"), "release").tables[0].column("family").transform is Transform.DROP
    with pytest.raises(
        ContractError, match=r"`sales\.member` may not pass the door release, and its rows need it"
    ):
        through(kept_back("member"), "release")
    with pytest.raises(ContractError, match="No attribute of `sales` may pass the door release"):
        through(kept_back("week", "article", "family", "amount"), "release")


# What a column carries.


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ("[uscc]", None),
        ("[mobile, name]", "members.income carries mobile, name of persons, and goes out as `keep`. Drop it, or make it an identifier that is pseudonymised, tokenised or redacted."),
        ("[phone]", "members.income: sluiceCarries can't hold `phone`."),
        ("[uscc, uscc]", "members.income: `uscc` stands twice. Keep one of them."),
        ("[]", "members.income: sluiceCarries must be a list."),
        ("mobile", "members.income: sluiceCarries must be a list."),
    ],
)  # fmt: skip
def test_what_a_column_carries(shop: Any, kinds: str, says: str | None) -> None:
    role = "          - {property: sluiceRole, value: sensitive}\n"
    shop.changed((role, f"{role}          - {{property: sluiceCarries, value: {kinds}}}\n"))
    told = shop.says()
    assert len(told) == (says is not None)
    if says is None:
        assert shop.load().table("members").column("income").carries == ("uscc",)
    else:
        assert told[0].startswith(f"53: {says}")


def test_what_is_hidden_or_of_no_table_of_persons_may_carry(shop: Any) -> None:
    pseudonym = "          - {property: sluiceTransform, value: pseudonym}\n"
    shop.changed(
        (pseudonym, f"{pseudonym}          - {{property: sluiceCarries, value: [mobile]}}\n"),
        ("{name: brand, logicalType: string}", "{name: brand, logicalType: string, customProperties: [{property: sluiceCarries, value: [landline]}]}"),
    )  # fmt: skip
    assert shop.load().table("articles").column("brand").carries == ("landline",)
