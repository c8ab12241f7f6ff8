"""What we read agrees with the standard's own schema, and no file, however broken, breaks the reading."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

from contracts.odcs import check_contract, load_contract
from core.errors import ContractError
from core.settings import PUBLISHED

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


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if where:
        yield where
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*where, step))


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
