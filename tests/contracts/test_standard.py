"""What we read agrees with the standard's own schema, and no file, however broken, breaks the reading."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

from contracts.editions import EDITIONS, schema
from contracts.odcs import check_contract, load_contract
from contracts.problems import MALFORMED, UNSHAREABLE
from contracts.standard import VERSIONS
from core.errors import ContractError
from core.settings import PUBLISHED
from tests.contracts.drawn import changed, document, places

VECTORS = Path(os.environ.get("SLUICE_VECTORS") or "no-vectors") / "odcs"
SCHEMA = VECTORS / "odcs-json-schema-v3.1.0.json"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
SHOP: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "shop.odcs.yaml").read_text(encoding="utf-8"))
needs_schema = pytest.mark.skipif(
    not SCHEMA.exists(), reason=f"conformance left out: SLUICE_VECTORS has no {SCHEMA.name}"
)

VALUES: list[Any] = [
    None, 0, -1, 1.5, True, "", "x", "sluice", [], {}, [1], [None], {"a": 1}, {"kind": "tree"}, "${X}", "a\x01", [[]], [{}],
    {"name": None}, "2020-01-01", 10**15, "members", "week", "string", "all", "*",
]  # fmt: skip
KEYS = [
    "foo",
    "name",
    "type",
    "quality",
    "value",
    "enum",
    "vendor",
    "context",
    "rule",
    "metric",
    "mustBe",
    "properties",
    "items",
    "id",
]


PLACES = list(places(SHOP))


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """The shop's contract with one to three things in it taken out, replaced or added."""
    document = copy.deepcopy(SHOP)
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(PLACES))
        owner: Any = document
        try:
            for step in where[:-1]:
                owner = owner[step]
            match draw(st.sampled_from(["take", "replace", "add"])):
                case "take":
                    del owner[where[-1]]
                case "replace":
                    owner[where[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
                case _ if isinstance(owner, dict):
                    owner[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
                case _:
                    owner.append(copy.deepcopy(draw(st.sampled_from(VALUES))))
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took the place away
    return document


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(document=broken())
def test_a_broken_contract_is_refused_with_lines_or_is_one_that_loads(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.odcs.yaml"
        path.write_text(
            yaml.dump(document, Dumper=DUMPER, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        lines = path.read_text(encoding="utf-8").count("\n") + 1
        problems = check_contract(path)
        if problems:
            with pytest.raises(ContractError):
                load_contract(path)
        else:
            assert load_contract(path).digest
    for problem in problems:
        assert 1 <= problem.line <= lines
        assert problem.what.endswith(".")
        assert problem.remedy
    if SCHEMA.exists() and document.get("apiVersion") == "v3.1.0" and not problems:
        assert Draft201909Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).is_valid(document)


@needs_schema
def test_what_we_publish_keeps_the_schema_of_v3_1_0() -> None:
    validator = Draft201909Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for path in [*PUBLISHED.glob("*.odcs.yaml"), Path(__file__).parent / "shop.odcs.yaml"]:
        assert not list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8"))))


def published(edition: str) -> Draft201909Validator:
    path = VECTORS / f"odcs-json-schema-{edition}.json"
    return Draft201909Validator(json.loads(path.read_text(encoding="utf-8")) if path.exists() else schema(edition))  # fmt: skip


PUBLISHED_OF = {edition: published(edition) for edition in EDITIONS}


@pytest.mark.parametrize("edition", EDITIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), times=st.sampled_from([0, 0, 0, 1, 2]), ours=st.booleans())
def test_what_is_malformed_is_what_the_version_does_not_take(
    edition: str, seed: int, times: int, ours: bool
) -> None:
    random = Random(seed)
    drawn = SHOP | {"apiVersion": edition} if ours else document(edition, random)
    drawn = changed(drawn, random, times)
    drawn["apiVersion"] = edition
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.odcs.yaml"
        path.write_text(yaml.dump(drawn, Dumper=DUMPER, sort_keys=False), encoding="utf-8")
        problems = check_contract(path)
    malformed = [problem for problem in problems if problem.kind == MALFORMED]
    assert PUBLISHED_OF[edition].is_valid(drawn) == (not malformed)
    for problem in problems:
        assert problem.line >= 1
        assert problem.where
        assert problem.what.endswith(".")
        assert problem.remedy
    assert edition in VERSIONS or problems


def kinds(path: Path, text: str) -> dict[str, set[str]]:
    """The places of what is wrong, by kind."""
    path.write_text(text, encoding="utf-8")
    told: dict[str, set[str]] = {MALFORMED: set(), UNSHAREABLE: set()}
    for problem in check_contract(path):
        told[problem.kind].add(problem.where)
    return told


OLD = """\
apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.0.0
status: active
team: [{username: ada, role: owner}]
support: [{channel: chat, url: "https://chat.example/orders"}]
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, logicalTypeOptions: {minimum: 0, exclusiveMinimum: true}}
      - name: at
        logicalType: date
        quality: [{rule: nullCheck, mustBe: 0, mustBeLessThan: 5}]
"""


def test_an_older_version_is_valid_and_says_what_moving_takes(tmp_path: Path) -> None:
    told = kinds(tmp_path / "c.yaml", OLD)
    assert not told[MALFORMED]
    options = "schema[0].properties[0].logicalTypeOptions.exclusiveMinimum"
    assert {"apiVersion", options, "servers"} <= told[UNSHAREABLE]
    told = kinds(tmp_path / "c.yaml", OLD.replace("v3.0.2", "v3.1.0"))
    assert "schema[0].properties[0].logicalTypeOptions.exclusiveMinimum" in told[MALFORMED]
    assert any(where.startswith("schema[0].properties[1].quality[0]") for where in told[MALFORMED])
    told = kinds(tmp_path / "c.yaml", OLD.replace("v3.0.2", "v3.0.1").replace("ada", "ada, name: Ada"))
    assert not told[MALFORMED]  # a member was open


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("id: orders", "id: 7", "id"),
        ("status: active\n", "", "status"),
        ("logicalType: date", "logicalType: timestamp", "schema[0].properties[1].logicalType"),
        ("exclusiveMinimum: true", "exclusiveMinimum: 1", "schema[0].properties[0].logicalTypeOptions.exclusiveMinimum"),
        (", url:", ", uri:", "support[0].url"),
        ("rule: nullCheck, ", "", "schema[0].properties[1].quality[0].rule"),
        ("username: ada", "username: 1", "team[0].username"),
        ("name: at", "nam: at", "schema[0].properties[1].nam"),
        ("v3.0.2", "v3.0.3", "apiVersion"),
        ("v3.0.2", "3.0.2", "apiVersion"),
        ("apiVersion: v3.0.2\n", "", "apiVersion"),
        ("kind: DataContract", "kind: DataProduct", "kind"),
        ("schema:", "shcema:", "shcema"),
    ],
)  # fmt: skip
def test_what_an_older_version_does_not_take_is_malformed_at_its_place(
    old: str, new: str, where: str, tmp_path: Path
) -> None:
    assert OLD.count(old) == 1
    assert where in kinds(tmp_path / "c.yaml", OLD.replace(old, new))[MALFORMED]


def test_a_rule_of_v3_0_is_malformed_later(shop: Any) -> None:
    rule = "{metric: invalidValues, mustBe: 0, arguments: {validValues: [low, middle, high]}}"
    for later in (
        "{rule: nullCheck, mustBe: 0}",
        "{type: library, rule: nullCheck, mustBe: 0}",
        "{mustBe: 0}",
    ):
        shop.changed((rule, later))
        (problem,) = check_contract(shop.write())
        assert problem.kind == MALFORMED
        assert problem.where.startswith("schema[0].properties[3].quality[0]")
        assert "Write metric: one of" in problem.remedy
        shop.changed((later, rule))


def test_a_column_without_a_type_is_valid_and_cannot_be_shared(shop: Any) -> None:
    shop.changed(("{name: brand, logicalType: string}", "{name: brand, physicalType: varchar}"))
    assert {problem.kind for problem in check_contract(shop.write())} == {UNSHAREABLE}
    assert {problem.kind for problem in check_contract(shop.v32().write())} == {UNSHAREABLE}


def test_a_map_must_say_what_it_maps(shop: Any) -> None:
    shop.v32().changed(("{name: brand, logicalType: string}", "{name: brand, logicalType: map}"))
    told = [problem for problem in check_contract(shop.write()) if problem.kind == MALFORMED]
    assert [problem.where.rpartition(".")[2] for problem in told] == ["map"]
    assert "is missing" in told[0].what


@pytest.mark.parametrize(("stable_id", "versions"), [("a-b", VERSIONS), ("a:b", VERSIONS[1:]), ("商品", VERSIONS[1:]), ("a.b", ())])  # fmt: skip
def test_an_id_takes_more_signs_in_v3_2(stable_id: str, versions: tuple[str, ...], tmp_path: Path) -> None:
    for version in VERSIONS:
        document = SHOP | {"apiVersion": version, "roles": [{"role": "reader", "id": stable_id}]}
        told = kinds(tmp_path / "c.yaml", yaml.safe_dump(document, sort_keys=False))
        assert ("roles[0].id" in told[MALFORMED]) == (version not in versions)


def test_status_may_be_missing_in_v3_2(shop: Any) -> None:
    shop.changed(("status: active\n", ""))
    assert {problem.kind for problem in check_contract(shop.write())} == {MALFORMED}
    assert {problem.kind for problem in check_contract(shop.v32().write())} == {UNSHAREABLE}


ADDED: list[tuple[str, Any]] = [
    ("context", "Ask."),
    ("schema.0.context", "Ask."),
    ("schema.0.deprecated", True),
    ("schema.0.synonyms", [{"synonym": "x"}]),
    ("schema.2.properties.1.deprecated", True),
    ("schema.2.properties.1.synonyms", [{"synonym": "x"}]),
    ("schema.2.properties.1.semanticType", "column"),
    ("schema.2.properties.1.enum", [{"value": "x"}]),
    ("schema.2.properties.1.logicalType", "vector"),
    ("schema.2.relationships", [{"id": "r", "from": "articles.article", "to": "sales.article"}]),
    ("slaProperties", [{"property": "p", "value": 1, "customProperties": []}]),
    ("customProperties.1.vendor", "v"),
    ("servers.0.encoding", "utf-8"),
    ("servers.0", {"server": "h", "type": "hana", "host": "h"}),
]


@needs_schema
@pytest.mark.parametrize(("where", "value"), ADDED, ids=[where for where, _ in ADDED])
def test_what_v3_2_added_is_refused_under_v3_1_as_its_schema_does(
    where: str, value: Any, tmp_path: Path
) -> None:
    document = copy.deepcopy(SHOP)
    *steps, last = [int(step) if step.isdigit() else step for step in where.split(".")]
    owner: Any = document
    for step in steps:
        owner = owner[step]
    owner[last] = value
    assert not Draft201909Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).is_valid(document)
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert any("came with v3.2.0" in problem.what for problem in check_contract(path))
    document["apiVersion"] = "v3.2.0"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert not any("came with v3.2.0" in problem.what for problem in check_contract(path))


@pytest.mark.parametrize(
    ("written", "meant"), [("3.1.0", "v3.1.0"), ("3.1", "v3.1.0"), ("V3.0.2", "v3.0.2"), ("v3.2", "v3.2.0")]
)
def test_a_version_that_is_nearly_named_is_held_against_what_was_meant(
    written: str, meant: str, tmp_path: Path
) -> None:
    document = {"apiVersion": meant, "kind": "DataContract", "id": "x", "version": "1.0.0", "status": "draft"}
    if meant == "v3.0.2":
        document["team"] = [{"name": "Ada", "since": 1}]  # type: ignore[assignment]
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(document).replace(meant, written), encoding="utf-8")
    (told,) = [problem for problem in check_contract(path) if problem.kind == MALFORMED]
    assert told.where == "apiVersion"
    assert told.remedy == f"Write apiVersion: {meant}, as the standard names it."


BOUNDS = [
    ("mustBeBetween: [0]", "mustBeBetween", "must be two different numbers. Write mustBeBetween: [0, 10]."),
    ("mustBeLessThan: '5'", "mustBeLessThan", "must be a number. Write mustBeLessThan: 10, without quotes."),
    ("mustBe: 0, mustNotBe: 1", "mustNotBe", "has 2 bounds (mustBe, mustNotBe). Give exactly one"),
    ("unit: rows", "", "has no bound. Give exactly one"),
]


@pytest.mark.parametrize(("bound", "key", "words"), BOUNDS)
def test_a_broken_bound_is_told_where_it_stands(bound: str, key: str, words: str, tmp_path: Path) -> None:
    """Of a rule that can't be compiled here too: what keeps it from that isn't what breaks the standard."""
    text = OLD.replace("v3.0.2", "v3.1.0").replace("minimum: 0, exclusiveMinimum: true", "minimum: 0")
    rule = "rule: nullCheck, mustBe: 0, mustBeLessThan: 5"
    text = text.replace(rule, "metric: nullValues, mustBe: 0")
    path = tmp_path / "c.yaml"
    path.write_text(text + f"    quality: [{{metric: nullValues, {bound}}}]\n", encoding="utf-8")
    (told,) = [problem for problem in check_contract(path) if problem.kind == MALFORMED]
    assert told.where == f"schema[0].quality[0]{'.' if key else ''}{key}"
    assert words in f"{told.what} {told.remedy}"


FORMS = [
    ({"slaProperties": [{"property": "p", "value": [1]}]}, "slaProperties[0].value", "must be text, a number, a boolean or null. Write text"),
    ({"team": "ada"}, "team", "must be a mapping or a list. Write a mapping or a list there."),
    ({"schema": [{"name": "t", "relationships": [{"from": "a.b", "to": "nowhere"}]}]}, "schema[0].relationships[0].to", "Write table.column, or schema/<id>/properties/<id>."),
    ({"schema": [{"name": "t", "relationships": [{"from": "a.b", "to": ["a.c"]}]}]}, "schema[0].relationships[0]", "Write from and to both as text, or both as lists of columns."),
    ({"roles": [{"role": "r", "id": "a b"}]}, "roles[0].id", "Use letters, digits, hyphens and underscores only."),
]  # fmt: skip


@pytest.mark.parametrize(("part", "where", "words"), FORMS, ids=[where for _, where, _ in FORMS])
def test_what_fits_no_form_is_told_with_those_that_there_are(
    part: dict[str, Any], where: str, words: str, tmp_path: Path
) -> None:
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1.0.0", "status": "draft"}
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(head | part), encoding="utf-8")
    told = [problem for problem in check_contract(path) if problem.kind == MALFORMED]
    assert any(each.where == where and words in f"{each.what} {each.remedy}" for each in told), told


LEAVES = [where for where in PLACES if len(where) > 2]


@pytest.mark.parametrize("put", ["99999999999999999999", "!!set {a}"], ids=["too large", "tagged"])
def test_a_value_that_nobody_can_use_never_breaks_the_reading(put: str, tmp_path: Path) -> None:
    """Wherever it stands: it was told when the YAML was read, so nothing more is said about it."""
    path = tmp_path / "c.yaml"
    for where in LEAVES:
        document = copy.deepcopy(SHOP)
        owner: Any = document
        for step in where[:-1]:
            owner = owner[step]
        owner[where[-1]] = "PUT-IN"
        text = yaml.dump(document, Dumper=DUMPER, sort_keys=False).replace("PUT-IN", put)
        path.write_text(text, encoding="utf-8")
        assert check_contract(path)
