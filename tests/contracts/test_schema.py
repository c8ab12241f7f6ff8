"""The published schema of our customProperties takes what the reader takes, form for form."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

import contracts
from contracts.carried import Kind
from contracts.columns import read_column
from contracts.compliance import read_provision
from contracts.hierarchy import read_hierarchy
from contracts.model import Column, LogicalType, Role, TableKind
from contracts.own import KEYS
from contracts.problems import Problems
from contracts.protection import Transform
from contracts.reading import Node
from contracts.rowplan import read_rows
from contracts.terms import CONNECTORS, read_privacy, read_quarantine, read_recipient, read_term
from contracts.transforms import Place, read_transform
from core.settings import PUBLISHED

SCHEMA: dict[str, Any] = json.loads(
    (Path(contracts.__file__).parent / "schema" / "sluice-1.schema.json").read_text(encoding="utf-8")
)
ENTRY = Draft201909Validator(SCHEMA)


def fits(key: str, value: Any) -> bool:
    return bool(ENTRY.is_valid({"property": key, "value": value}))


def test_it_is_a_schema_with_every_key_we_read() -> None:
    Draft201909Validator.check_schema(SCHEMA)
    described = {name for name in SCHEMA["$defs"] if name.startswith("sluice")}
    assert set(KEYS) - described == set(), "keys that have no schema yet"
    assert described - set(KEYS) == set(), "keys that nothing reads any more"
    for key, place in KEYS.items():
        assert f"Belongs to the {place.split()[1]}." in SCHEMA["$defs"][key]["description"]


def test_a_misspelt_key_is_refused_and_those_of_others_pass() -> None:
    assert not fits("sluiceRoll", "identifier")
    assert not ENTRY.is_valid({"property": "sluiceRole"})
    assert fits("owner", {"anything": 1})


def test_what_we_ship_fits() -> None:
    entries: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            entries.extend(value.get("customProperties") or [])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for path in [*PUBLISHED.glob("*.odcs.yaml"), Path(__file__).parent / "shop.odcs.yaml"]:
        walk(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert len(entries) > 40
    for entry in entries:
        assert list(ENTRY.iter_errors(entry)) == []


def taken(read: Callable[[Node], Any], key: str, value: Any) -> bool:
    """Whether the reader says nothing about an entry of ours."""
    problems = Problems(Path("c.yaml"))
    read(Node({"customProperties": [{"property": key, "value": value}]}, (), problems, "it"))
    return not problems.found


def _column(node: Node) -> Any:
    node.value.update({"name": "a", "logicalType": "string"})
    given = {entry["property"] for entry in node.value["customProperties"]}
    if "sluiceRole" not in given:
        node.value["customProperties"].append({"property": "sluiceRole", "value": "excluded"})
    return read_column(node, table="t", kind=TableKind.FACTS, segmented=False)


READERS: dict[str, Callable[[Node], Any]] = {
    "sluiceTerm": read_term,
    "sluiceRecipient": read_recipient,
    "sluicePrivacy": lambda node: read_privacy(node, persons=False, sensitive=None),
    "sluiceQuarantine": read_quarantine,
    "sluiceProvision": read_provision,
    "sluiceGrade": _column,
    "sluiceSensitivity": _column,
    "sluiceDoors": _column,
    "sluiceRole": _column,
}
# A share as a whole number in a float (1.0) is one number in JSON and two in YAML; letters beyond ASCII may not be printable.
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 400),
    st.sampled_from([0.5, -0.5, 1.5, 0.02, "", " ", "x", "a b", "a\tb", "\n", "5", "2026-02-28", "2026-13-01", "26-1-1"]),
    st.sampled_from(["release", "query", "core", "personal", "sensitive:medical", "identifier", "attribute", "train"]),
)  # fmt: skip
NAMES = [
    "from",
    "until",
    "unit",
    "k",
    "l",
    "maxSuppressed",
    "maxShare",
    "days",
    "description",
    "rights",
    "notice",
    "x",
]
DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31)).map(str)
VALUES = st.one_of(
    SCALARS,
    st.lists(st.sampled_from(["release", "query", "train", "x"]) | SCALARS, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), SCALARS, max_size=3),
    st.fixed_dictionaries({"from": st.just("1999-01-01"), "until": DAYS | SCALARS}),
    st.fixed_dictionaries(
        {"unit": SCALARS, "k": SCALARS}, optional={"l": SCALARS, "maxSuppressed": SCALARS, "x": SCALARS}
    ),
    st.fixed_dictionaries({"maxShare": SCALARS}, optional={"days": SCALARS}),
)


@pytest.mark.parametrize("key", READERS)
@settings(max_examples=150, deadline=None)
@given(value=VALUES.filter(lambda value: value is not None))
def test_the_schema_takes_what_the_reader_takes_and_nothing_else(key: str, value: Any) -> None:
    if isinstance(value, dict) and value.get("from") == "2026-02-28":
        value = value | {"from": "1999-01-01"}  # a term that ends before it starts is no matter of form
    assert fits(key, value) == taken(READERS[key], key, value)


LEAVES = st.sampled_from(["a", "b", "c d", 5, None, True, 1.5, ["a"]])
BRANCHES: st.SearchStrategy[Any] = st.recursive(
    st.lists(LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["p", "q", "r"]), inner, max_size=2),
    max_leaves=4,
)
HIERARCHIES = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["natural", "ordered", "tree", "x", None]),
        "values": st.lists(LEAVES, max_size=3) | st.just("x"),
        "tree": BRANCHES,
        "y": st.just(1),
    },
)
SMALL = st.sampled_from([None, 0, 1, 2, 4, 8, 0.5, 1.5, -1, True, "day", "year", "x"])
STEPS = st.lists(SMALL, max_size=3) | SMALL
RULES = st.one_of(
    st.fixed_dictionaries({"kind": st.just("intervals")}, optional={"widths": STEPS, "origin": SMALL}),
    st.fixed_dictionaries(
        {"kind": st.just("dates")},
        optional={"parts": st.lists(st.sampled_from(["day", "month", "year"])) | STEPS},
    ),
    st.fixed_dictionaries({"kind": st.just("prefix")}, optional={"lengths": STEPS, "x": SMALL}),
    st.fixed_dictionaries({"kind": st.just("built")}, optional={"groups": SMALL, "fan": SMALL}),
    st.fixed_dictionaries(
        {"kind": st.just("tree")},
        optional={
            "file": st.sampled_from(["r.csv", "a/r.YML", "r.txt", "", None, 5]),
            "sha256": st.sampled_from(["0" * 64, "0" * 63, "A" * 64, None]),
            "tree": BRANCHES | st.none(),
        },
    ),
)
TRANSFORMS = st.one_of(
    st.sampled_from([each.value for each in Transform]),
    st.fixed_dictionaries({"kind": st.just("round")}, optional={"to": SMALL, "x": SMALL}),
    st.fixed_dictionaries({"kind": st.just("clamp")}, optional={"low": SMALL, "high": SMALL}),
    st.fixed_dictionaries({"kind": st.just("noise")}, optional={"scale": SMALL, "step": SMALL}),
    st.fixed_dictionaries({"kind": st.just("shift")}, optional={"days": SMALL}),
    st.fixed_dictionaries({"kind": st.just("token")}, optional={"holder": st.just("a-b") | SMALL}),
    st.fixed_dictionaries({"kind": st.sampled_from(["drop", "redact", "x", None])}, optional={"x": SMALL}),
)
PLANS = st.fixed_dictionaries(
    {
        "pseudonym": st.sampled_from(["lasting", "changing", "x", None]),
        "points": st.sampled_from([0, 1, 5, 6, None, 1.5]),
        "maxUnicity": st.sampled_from([0, 1, 0.5, 1.5, -1, None, "x"]),
    },
    optional={"period": st.sampled_from(["day", "week", "x", None]), "maxRows": SMALL, "x": SMALL},
)
SENSITIVE_LIMITS = st.fixed_dictionaries(
    {"unit": st.just("u"), "k": st.just(2)},
    optional={
        "entropyL": SMALL,
        "t": SMALL,
        "search": st.sampled_from(["auto", "fullDomain", "x", None]),
        "maxIntersected": SMALL,
    },
)


@settings(max_examples=150, deadline=None)
@given(value=HIERARCHIES)
def test_what_the_reader_takes_as_a_hierarchy_fits(value: dict[str, Any]) -> None:
    problems = Problems(Path("c.yaml"))
    read_hierarchy(Node(value, (), problems, "it"), LogicalType.STRING)
    if not problems.found:
        assert fits("sluiceHierarchy", value)


@settings(max_examples=150, deadline=None)
@given(value=RULES, logical=st.sampled_from(LogicalType))
def test_what_the_reader_takes_as_a_rule_fits(value: dict[str, Any], logical: LogicalType) -> None:
    problems = Problems(Path("c.yaml"))
    read_hierarchy(Node(value, (), problems, "it"), logical)
    if not problems.found:
        assert fits("sluiceHierarchy", value)


@settings(max_examples=150, deadline=None)
@given(value=TRANSFORMS, role=st.sampled_from(Role), logical=st.sampled_from(LogicalType))
def test_what_the_reader_takes_as_a_transform_fits(value: Any, role: Role, logical: LogicalType) -> None:
    for kind in TableKind:
        place = Place(role=role, kind=kind, type=logical, rows=True)
        if taken(partial(read_transform, place=place), "sluiceTransform", value):
            assert fits("sluiceTransform", value)


@settings(max_examples=150, deadline=None)
@given(value=PLANS)
def test_a_plan_of_rows_fits_when_the_reader_takes_it(value: dict[str, Any]) -> None:
    problems = Problems(Path("c.yaml"))
    place = Node({}, (), problems, "it")
    column = Column(name="a", type=LogicalType.STRING, role=Role.ATTRIBUTE, transform=Transform.KEEP)
    read_rows(Node(value, (), problems, "it"), [(column, place)], table="t", time_column="at", terms=None)
    assert fits("sluiceRows", value) == (not problems.found)


@settings(max_examples=150, deadline=None)
@given(value=SENSITIVE_LIMITS)
def test_limits_on_sensitive_values_fit_when_the_reader_takes_them(value: dict[str, Any]) -> None:
    def read(node: Node) -> Any:
        return read_privacy(node, persons=True, sensitive=node)

    assert fits("sluicePrivacy", value) == taken(read, "sluicePrivacy", value)


@given(value=st.lists(st.sampled_from([*Kind, "phone", 5]), max_size=3) | st.sampled_from(["uscc", None, 5]))
def test_kinds_that_are_carried_fit_when_the_reader_takes_them(value: Any) -> None:
    if value is not None:
        assert fits("sluiceCarries", value) == taken(_column, "sluiceCarries", value)


def test_words_are_the_readers() -> None:
    defs = SCHEMA["$defs"]
    assert defs["sluiceConnector"]["enum"] == list(CONNECTORS)
    assert not fits("sluiceKind", "people")
    assert not fits("sluiceCells", {"dimensions": []})
    assert not fits("sluiceCells", {"dimensions": [{"name": "w", "levels": [{"column": "w", "width": 0}]}]})
    assert not fits("sluiceHierarchy", {"kind": "ordered", "values": ["a", "a"]})
    assert not fits("sluiceHierarchy", {"kind": "natural", "values": ["a"]})
    assert not fits("sluiceCompliance", {"filings": [{"kind": "standardContract"}]})
    assert not fits("sluiceCompliance", {"exclusions": "ids.txt"})
    assert fits("sluiceCompliance", {"exclusions": {"path": "ids.csv"}, "membersPerUnit": 3})
