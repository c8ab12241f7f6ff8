"""Documents drawn from a version's schema: valid ones mostly, and ones with something in them changed."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import Any

from contracts.editions import EDITIONS, schema
from contracts.shapes import Shape, resolve

SCHEMAS = {edition: schema(edition) for edition in EDITIONS}
KEYS = sorted(
    {key for each in SCHEMAS.values() for key in re.findall(r"'(\w+)': \{", str(each))} | {"foo", "1"}
)
VALUES: list[Any] = [
    None, 0, -1, 1.5, 1.0, True, "", "x", [], {}, [1], [1, 1], [1, True], [None], {"a": 1}, "a.b", [[]], [{}], {"name": None},
    2**60, "library", "sql", "string", ["a.b"], ["a"], "v3.1.0", "${X}", "a\x07", "local", {"kind": "tree"},
]  # fmt: skip
TEXTS = [
    "x",
    "string",
    "",
    "2020-01-01",
    "a.b",
    "schema/a/properties/b",
    "a-b.c.d",
    "x.yml#schema/a",
    "1.0.0",
]


def document(edition: str, random: Random) -> dict[str, Any]:
    """A document that the version's schema takes, but for rare branches."""
    drawn = _draw(SCHEMAS[edition], SCHEMAS[edition], random, 0)
    assert isinstance(drawn, dict)
    return drawn | {"apiVersion": edition, "kind": "DataContract"}


def changed(value: dict[str, Any], random: Random, times: int) -> dict[str, Any]:
    """The same with `times` things taken out, replaced or added."""
    value = copy.deepcopy(value)
    for _ in range(times):
        found = list(places(value))
        if not found:
            break
        where = random.choice(found)
        owner: Any = value
        for step in where[:-1]:
            owner = owner[step]
        match random.randrange(4):
            case 0:
                owner[where[-1]] = copy.deepcopy(random.choice(VALUES))
            case 1:
                del owner[where[-1]]
            case _:
                into = owner[where[-1]] if isinstance(owner[where[-1]], dict) else owner
                if isinstance(into, dict):
                    into[random.choice(KEYS)] = copy.deepcopy(random.choice(VALUES))
    return value


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document but the whole."""
    if where:
        yield where
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*where, step))


def _draw(part: Any, root: dict[str, Any], random: Random, depth: int) -> Any:
    if not isinstance(part, dict) or depth > 9:
        return random.choice(["x", 1, None, True])
    if "$ref" in part:
        drawn = _draw(resolve(root, part["$ref"]), root, random, depth)
        return drawn | _keys(part, root, random, depth, 0.3) if isinstance(drawn, dict) else drawn
    if "enum" in part:
        return random.choice(part["enum"])
    if "const" in part:
        return part["const"]
    for choice in ("oneOf", "anyOf"):
        if choice in part and "properties" not in part:
            return _draw(random.choice(part[choice]), root, random, depth)
    kind = part.get("type")
    kind = random.choice(kind) if isinstance(kind, list) else kind
    if kind == "object" or "properties" in part or "allOf" in part:
        return _object(part, root, random, depth)
    if kind == "array":
        count = random.choice([0, 1, 1, 2]) if depth < 6 else 0  # the library takes minutes beyond
        return [_draw(part.get("items", True), root, random, depth + 1) for _ in range(count)]
    if kind == "string":
        fitting = [text for text in TEXTS if re.search(part.get("pattern", ""), text)]
        return random.choice(fitting or TEXTS)
    plain: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}
    return random.choice(plain.get(str(kind), [0, 1, 2.0, 3, -1]))


def _keys(
    part: dict[str, Any], root: dict[str, Any], random: Random, depth: int, likely: float
) -> dict[str, Any]:
    return {
        key: _draw(inner, root, random, depth + 1)
        for key, inner in part.get("properties", {}).items()
        if key in part.get("required", []) or random.random() < likely
    }


def _object(part: dict[str, Any], root: dict[str, Any], random: Random, depth: int) -> dict[str, Any]:
    drawn = _keys(part, root, random, depth, 0.25 if depth < 5 else 0.05)
    for each in part.get("allOf", []):
        if "if" in each:
            if Shape({**each["if"], "$defs": root["$defs"]}).faults(drawn):
                continue
            branch = each["then"]
        else:
            branch = each
        more = _draw(branch if "$ref" in branch else {"type": "object", **branch}, root, random, depth + 1)
        if isinstance(more, dict):
            drawn = more | drawn
    for key in part.get("required", []):
        drawn.setdefault(key, "x")
    return drawn
