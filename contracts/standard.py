"""The Open Data Contract Standard's own rules: the file against its JSON schema, said so that an author can act.

The schema of v3.2.0 comes with the package open-data-contract-standard and covers v3.1.0 but for what v3.2.0 added; that
is listed here and refused under v3.1.0. Unknown keys are told with the nearest known one. Values that break the schema
are taken out of the document, so that the rest can still be read and everything wrong be told at once.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft201909Validator  # type: ignore[import-untyped]
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from contracts.problems import Problems, Where, choose, json_path, shown

VERSIONS = ("v3.1.0", "v3.2.0")

# What v3.2.0 added to objects: the place's last named key (list items go by their list's key) and the new keys.
_NEW_IN_3_2: dict[str, frozenset[str]] = {
    "$": frozenset({"context"}),
    "schema": frozenset({"deprecated", "synonyms", "context"}),
    "properties": frozenset({"deprecated", "synonyms", "semanticType", "enum", "map"}),
    "items": frozenset({"deprecated", "synonyms", "semanticType", "enum", "map"}),
    "slaProperties": frozenset({"customProperties", "authoritativeDefinitions"}),
    "customProperties": frozenset({"vendor"}),
    "relationships": frozenset({"id"}),
    "servers": frozenset({"encoding", "workgroup"}),
}
_TYPES_NEW_IN_3_2 = frozenset({"map", "vector"})
_SERVERS_NEW_IN_3_2 = frozenset(
    [
        "btrieve",
        "exasol",
        "fastobjects",
        "hana",
        "iceberg",
        "ingres",
        "poet",
        "teradata",
        "vectorwise",
        "versant",
    ]
)
# The old `rule` names of v3.0 that a metric of v3.1 replaced.
OLD_RULES = {
    "rowCount": "rowCount",
    "duplicateCount": "duplicateValues",
    "duplicateValues": "duplicateValues",
    "nullCount": "nullValues",
    "nullCheck": "nullValues",
    "nullValues": "nullValues",
    "missingCount": "missingValues",
    "missingValues": "missingValues",
    "invalidCount": "invalidValues",
    "invalidValues": "invalidValues",
    "validValues": "invalidValues",
}
_OPERATORS = "DataQualityOperators"
# Keys that a server of some types lacks, and ours that says the same.
_OURS: dict[tuple[Where, str], str] = {
    (("servers",), "delimiter"): "Write it as sluiceDelimiter in the server's customProperties."
}


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(OpenDataContractStandard.json_schema())
    return schema


@cache
def _server_types() -> tuple[str, ...]:
    return tuple(_schema()["$defs"]["Server"]["properties"]["type"]["enum"])


@cache
def _validator() -> Draft201909Validator:
    return Draft201909Validator(_opened(_schema()))


def _opened(schema: Any) -> Any:
    """The schema without its closing of objects, most of its cost: _unknown_keys tells what is too much, and nearer."""
    if isinstance(schema, list):
        return [_opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closing = ("additionalProperties", "unevaluatedProperties")
    return {key: _opened(part) for key, part in schema.items() if key not in closing}


def check_standard(data: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """The document without what breaks the standard; each thing taken out is in `problems`.

    List items that break it become None, so that places keep their numbers. Old rule names are replaced by metrics.
    """
    document = copy.deepcopy(data)
    version = _version(document, problems)
    _modernise(document)
    bad: list[Where] = []
    for where, key, known in list(_unknown_keys(document, _schema(), ())):
        problems.add(
            (*where, key),
            f"`{json_path((*where, key))}` isn't a key of the standard.",
            _OURS.get((where[:1], key)) or choose(key, known),
            dead=True,
        )
        bad.append((*where, key))
    if version == "v3.1.0":
        for place, what in list(_too_new(document, ())):
            problems.add(
                place, f"{what} came with v3.2.0.", "Set apiVersion: v3.2.0, or take it out.", dead=True
            )
            bad.append(place)
    document = _without(document, bad)
    errors = [error for error in _validator().iter_errors(document) if not _told_elsewhere(error, document)]
    bad = [place for error in errors for place in _tell(error, problems)]
    return _without(document, [place for place in bad if place])


def check_model(data: dict[str, Any], problems: Problems) -> None:
    """Holds the document against the standard's published model too, once nothing else is wrong with it."""
    document = copy.deepcopy(data)
    _modernise(document)
    try:
        OpenDataContractStandard.model_validate(document)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_context=False, include_url=False):
            where = tuple(step for step in fault["loc"] if isinstance(step, (str, int)))
            problems.add(
                where,
                f"`{json_path(where)}` isn't as the standard's model has it.",
                f"{shown(fault['msg'])}.",
            )


def _version(document: dict[str, Any], problems: Problems) -> str:
    version = document.get("apiVersion")
    if version in VERSIONS:
        return str(version)
    told = (
        f"apiVersion `{shown(version)}` isn't read here." if version is not None else "apiVersion is missing."
    )
    remedy = "Write apiVersion: v3.1.0 or v3.2.0" + (
        ", after moving the file to that version of the standard." if version else "."
    )
    problems.add(("apiVersion",), told, remedy, dead=True)
    document["apiVersion"] = VERSIONS[-1]
    return VERSIONS[-1]


def _modernise(document: Any) -> None:
    """Writes out the default type of quality rules, and gives rules of v3.0 (`rule: duplicateCount`) their metric."""
    if isinstance(document, list):
        for item in document:
            _modernise(item)
        return
    if not isinstance(document, dict):
        return
    quality = document.get("quality")
    for rule in quality if isinstance(quality, list) else []:
        if not isinstance(rule, dict) or rule.setdefault("type", "library") != "library" or "metric" in rule:
            continue  # the default is written out, because the schema looks for it
        old = rule.get("rule")
        if not isinstance(old, str) or old not in OLD_RULES:
            continue
        rule["metric"] = OLD_RULES[old]
        if "validValues" in rule and "arguments" not in rule:
            rule["arguments"] = {"validValues": rule.pop("validValues")}
    for key in ("schema", "properties", "items"):
        _modernise(document.get(key))


def _too_new(value: Any, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _too_new(item, (*where, i))
    if not isinstance(value, dict):
        return
    owner = next((step for step in reversed(where) if isinstance(step, str)), "$")
    if owner == "customProperties":
        if "vendor" in value:
            yield (*where, "vendor"), "`vendor` of a custom property"
        return  # what a custom property holds isn't the standard's
    for key, item in value.items():
        place = (*where, key)
        if key in _NEW_IN_3_2.get(owner, frozenset()):
            yield place, f"`{json_path(place)}`"
        elif key == "logicalType" and str(item) in _TYPES_NEW_IN_3_2:
            yield place, f"Logical type `{item}`"
        elif owner == "servers" and key == "type" and str(item) in _SERVERS_NEW_IN_3_2:
            yield place, f"Server type `{item}`"
        elif owner == "servers" and key == "port" and isinstance(item, str):
            yield place, "A port as text"
        elif key == "arguments":
            continue
        else:
            yield from _too_new(item, place)


def _parts(schema: Any, value: Any) -> Iterator[dict[str, Any]]:
    """The schema and every part of it that speaks about `value`: references, all of allOf, fitting branches of `if`."""
    if not isinstance(schema, dict):
        return
    yield schema
    if "$ref" in schema:
        target: Any = _schema()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _parts(target, value)
    for part in schema.get("allOf", []):
        yield from _parts(part, value)
    for part in [*schema.get("oneOf", []), *schema.get("anyOf", [])]:
        if not isinstance(part, dict) or part.get("type") in (None, _json_type(value)):
            yield from _parts(part, value)
    if "if" in schema and _validator().evolve(schema=schema["if"]).is_valid(value):
        yield from _parts(schema.get("then"), value)


def _json_type(value: Any) -> str:
    kinds: dict[type, str] = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "boolean",
        type(None): "null",
    }
    return kinds.get(type(value), "number")


def _unknown_keys(value: Any, schema: Any, where: Where) -> Iterator[tuple[Where, str, list[str]]]:
    """Keys that no part of the schema names, in objects that the schema closes: (place, key, known keys)."""
    parts = list(_parts(schema, value))
    if isinstance(value, list):
        items = [part["items"] for part in parts if isinstance(part.get("items"), dict)]
        for i, item in enumerate(value):
            for schema_of_item in items[:1]:
                yield from _unknown_keys(item, schema_of_item, (*where, i))
    if not isinstance(value, dict):
        return
    if where[-2:-1] == ("servers",) and value.get("type") not in _server_types():
        return  # which keys a server has follows from its type
    known: dict[str, Any] = {}
    for part in parts:
        known |= part.get("properties", {})
    closed = any(
        part.get("additionalProperties") is False or part.get("unevaluatedProperties") is False
        for part in parts
    )
    for key, item in value.items():
        if key in known:
            yield from _unknown_keys(item, known[key], (*where, key))
        elif closed:
            yield where, key, sorted(known)


def _told_elsewhere(error: Any, document: dict[str, Any]) -> bool:
    """Errors that only echo another one, or that our own rules tell better."""
    path = [str(step) for step in error.absolute_schema_path]
    if error.validator == "oneOf" and (_OPERATORS in path or path[-2:-1] == ["allOf"] or _is_bound(error)):
        return True  # how many bounds a rule has is told by contracts.rules
    if error.validator == "required" and error.validator_value == ["metric"]:
        return True  # told by contracts.rules with the metrics there are
    if error.validator == "required" and error.validator_value == ["map"]:
        return not isinstance(error.instance, dict) or error.instance.get("logicalType") != "map"
    if "logicalTypeOptions" in error.absolute_path:
        owner: Any = document
        for step in list(error.absolute_path)[: list(error.absolute_path).index("logicalTypeOptions")]:
            owner = owner[step]
        return "logicalType" not in owner  # every branch of the schema applies then; the missing type is told
    return False


def _is_bound(error: Any) -> bool:
    return any(
        "required" in branch and branch["required"][0].startswith("must") for branch in error.validator_value
    )


_KINDS = {"string": "text", "object": "a mapping", "array": "a list", "integer": "a whole number"}


def _tell(error: Any, problems: Problems) -> list[Where]:
    """Says one error of the schema; the places to take out."""
    where: Where = tuple(error.absolute_path)
    name = json_path(where)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        for key in missing:
            problems.add(
                (*where, key),
                f"`{json_path((*where, key))}` is missing.",
                "The standard requires it; add it.",
            )
        return []
    tell = _WORDS.get(error.validator)
    what, remedy = (
        tell(error) if tell else ("isn't as the standard has it", "See the standard's page for this key.")
    )
    problems.add(where, f"`{name}` {what}.", remedy, dead=True)
    return [where]


def _wrong_type(error: Any) -> tuple[str, str]:
    wanted = (
        [error.validator_value] if isinstance(error.validator_value, str) else list(error.validator_value)
    )
    names = " or ".join(_KINDS.get(kind, f"a {kind}") for kind in wanted)
    if error.instance is None:
        return "is empty", f"Give {names}, or take the key out."
    quoted = wanted == ["string"] and isinstance(error.instance, (int, float, bool))
    return f"must be {names}", "Put it in quotes." if quoted else f"Write {names} there."


_WORDS: dict[str, Callable[[Any], tuple[str, str]]] = {
    "type": _wrong_type,
    "enum": lambda e: (
        f"can't be `{shown(e.instance)}`",
        choose(str(e.instance), [str(choice) for choice in e.validator_value]),
    ),
    "pattern": lambda e: (
        "isn't written as the standard wants it",
        f"It must fit the pattern {e.validator_value}",
    ),
    "oneOf": lambda e: (
        "fits none of the forms that the standard has for it",
        "See the standard's page for this key.",
    ),
    "anyOf": lambda e: (
        "fits none of the forms that the standard has for it",
        "See the standard's page for this key.",
    ),
    "minItems": lambda e: (
        f"has fewer than {e.validator_value} items",
        "Add what is missing, or take the key out.",
    ),
    "maxItems": lambda e: (f"has more than {e.validator_value} items", "Take out what is too much."),
    "uniqueItems": lambda e: ("names something twice", "Keep each item once."),
    "minimum": lambda e: (f"is under {e.validator_value}", "Write a larger number."),
    "exclusiveMinimum": lambda e: (f"must be over {e.validator_value}", "Write a larger number."),
}


def _without(document: dict[str, Any], places: list[Where]) -> dict[str, Any]:
    """The document with keys taken out and list items made None at `places`."""
    for place in places:
        owner: Any = document
        for step in place[:-1]:
            inside = isinstance(owner, dict) or (isinstance(step, int) and isinstance(owner, list))
            owner = (owner.get(step) if isinstance(owner, dict) else owner[step]) if inside else None
        if isinstance(owner, dict):
            owner.pop(place[-1], None)
        elif isinstance(owner, list) and isinstance(place[-1], int):
            owner[place[-1]] = None
    return document
