"""Our reading of a schema gives the library jsonschema's verdicts, and says where and why."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

from contracts.editions import EDITIONS, schema, shape
from contracts.shapes import Fault, Shape, same
from tests.contracts.drawn import changed, document

CALM = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def library(edition: str) -> Draft201909Validator:
    return Draft201909Validator(schema(edition))


@pytest.mark.parametrize("edition", EDITIONS)
@CALM
@given(seed=st.integers(0, 2**32), times=st.sampled_from([0, 0, 1, 1, 2]))
def test_verdicts_are_those_of_the_library(edition: str, seed: int, times: int) -> None:
    random = Random(seed)
    drawn = changed(document(edition, random), random, times)
    assert library(edition).is_valid(drawn) == (not shape(edition).faults(drawn))


def test_what_is_drawn_is_valid_and_broken_in_turn() -> None:
    whole = broken = 0
    for seed in range(200):
        random = Random(seed)
        drawn = document("v3.1.0", random)
        whole += not shape("v3.1.0").faults(drawn)
        broken += bool(shape("v3.1.0").faults(changed(drawn, random, 2)))
    assert whole > 20
    assert broken > 60


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text("ab\n", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PARTS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["b"], "unevaluatedProperties": False},
    {"allOf": [{"properties": {"a": {}}}, {"oneOf": [{"properties": {"b": {"type": "number"}}, "required": ["b"]}, {"required": ["c"]}]}],
     "unevaluatedProperties": False},
    {"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": {"type": "string"}}}, "else": {"required": ["c"]},
     "unevaluatedProperties": False},
    {"type": ["array", "null"], "items": {"enum": [1, True, "a", None, [0], {"a": 0}]}, "uniqueItems": True, "minItems": 1, "maxItems": 2},
    {"anyOf": [{"type": "string", "pattern": "^a$"}, {"type": "number", "minimum": 0}, {"properties": {"a": {}}, "additionalProperties": False}]},
    {"not": {"required": ["a"]}, "properties": {"b": {"exclusiveMinimum": 0}}},
    {"$ref": "#/$defs/node", "properties": {"c": {}}, "unevaluatedProperties": False,
     "$defs": {"node": {"properties": {"a": {"$ref": "#/$defs/node"}}}}},
    {"properties": {"a": False, "b": True}},
    {"const": {"a": [1.0, False]}},
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@CALM
@given(value=JSON)
def test_each_keyword_is_the_librarys(part: dict[str, Any], value: Any) -> None:
    assert Draft201909Validator(part).is_valid(value) == (not Shape(part).faults(value))


def test_a_fault_says_where_and_what_was_wanted() -> None:
    wanted = {
        "properties": {"a": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": False,
        "required": ["b", "c"],
    }
    assert sorted(Shape(wanted).faults({"a": ["x", 1], "d": None})) == [
        Fault((), "required", "b", {"a": ["x", 1], "d": None}),
        Fault((), "required", "c", {"a": ["x", 1], "d": None}),
        Fault(("a", 1), "type", "string", 1),
        Fault(("d",), "unknown", ["a"], None),
    ]


def test_of_alternatives_the_one_that_was_meant_is_told() -> None:
    wanted = {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "array"}]}
    assert Shape(wanted).faults({}) == [Fault((), "required", "a", {})]
    (neither,) = Shape(wanted).faults("x")
    assert neither.keyword == "oneOf"


@pytest.mark.parametrize(
    "part",
    [{"minLength": 1}, {"patternProperties": {}}, {"additionalProperties": {"type": "string"}},
     {"properties": {"a": {"dependentRequired": {}}}}, {"items": [{}]}, {"unevaluatedProperties": {}}],
)  # fmt: skip
def test_a_keyword_that_is_not_known_is_never_skipped(part: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError, match="JSON schema keyword"):
        Shape(part)


def test_true_is_not_one() -> None:
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same([0], [False])
    assert same({"a": [1]}, {"a": [1.0]})
    assert not same({"a": 1}, {"b": 1})
