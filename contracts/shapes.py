"""A JSON schema as functions: each place of a value that breaks it, and why.

Of JSON Schema 2019-09 what data contracts' schemas use; another keyword is refused when the schema is taken in, so that
none is ever skipped. Verdicts are those of the library jsonschema, which tests hold this against: it takes several times as
long, because it builds an object at each step, and of alternatives it tells only that none fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contracts.problems import Where

_NOTES = frozenset(
    [
        "$schema",
        "$id",
        "$defs",
        "$comment",
        "title",
        "description",
        "examples",
        "default",
        "deprecated",
        "format",
    ]
)  # a format is a note in 2019-09, unless somebody asks for more
_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int, float),
}


class Fault(NamedTuple):
    """One break of the schema. keyword, wanted: the schema's; value: what stands at `where`.

    required: one fault a missing key, which is `wanted`.
    unknown: keyword of a key that an object doesn't have, `wanted` are those it has and `where` ends with the key.
    """

    where: Where
    keyword: str
    wanted: Any
    value: Any


# Appends faults and gives the keys of `value`, when it's a mapping, that the schema speaks about.
Check = Callable[[Any, Where, list[Fault]], frozenset[str]]
_NO_KEYS: frozenset[str] = frozenset()


class Shape:
    """A schema, ready to be held against values."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._named: dict[str, Check] = {}
        self._check = self._compile(schema)

    def faults(self, value: Any) -> list[Fault]:
        """Everything in `value` that breaks the schema, in no promised order; empty when it's valid."""
        found: list[Fault] = []
        self._check(value, (), found)
        return found

    def _compile(self, schema: Any) -> Check:
        if schema is True or schema is False:
            return _anything if schema else _nothing
        checks = [
            check
            for keyword in schema
            if keyword not in _NOTES and (check := self._keyword(keyword, schema)) is not None
        ]
        if schema.get("unevaluatedProperties") is False:
            return _closed(checks, schema, self._root)
        if len(checks) == 1:
            return checks[0]

        def all_of_them(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
            keys = _NO_KEYS
            for check in checks:
                spoken = check(value, where, found)
                if spoken:
                    keys = keys | spoken if keys else spoken
            return keys

        return all_of_them

    def _keyword(self, keyword: str, schema: Mapping[str, Any]) -> Check | None:
        wanted = schema[keyword]
        if keyword in _SIMPLE:
            return _simple(keyword, wanted)
        if keyword == "$ref":
            return self._reference(wanted)
        if keyword == "properties":
            return _properties({key: self._compile(part) for key, part in wanted.items()})
        if keyword == "required":
            return _required(tuple(wanted))
        if keyword == "items" and isinstance(wanted, dict):
            return _items(self._compile(wanted))
        if keyword == "allOf":
            return self._compile_all(wanted)
        if keyword in ("anyOf", "oneOf"):
            return _choice(keyword, wanted, [self._compile(part) for part in wanted])
        if keyword == "not":
            return _not(wanted, self._compile(wanted))
        if keyword == "if":
            yes, no = schema.get("then", True), schema.get("else", True)
            return _if(self._compile(wanted), self._compile(yes), self._compile(no))
        if keyword == "additionalProperties" and wanted is False:
            return _additional(frozenset(schema.get("properties", {})))
        if keyword in ("then", "else") or (keyword == "unevaluatedProperties" and wanted is False):
            return None  # with its `if`; around all the others
        raise NotImplementedError(f"JSON schema keyword {keyword}: {wanted!r:.60}")

    def _compile_all(self, parts: list[Any]) -> Check:
        checks = [self._compile(part) for part in parts]

        def all_of(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
            return _NO_KEYS.union(*[check(value, where, found) for check in checks])

        return all_of

    def _reference(self, name: str) -> Check:
        if name not in self._named:
            ready: list[Check] = []  # filled below: a schema may refer to itself
            self._named[name] = lambda value, where, found: ready[0](value, where, found)
            ready.append(self._compile(resolve(self._root, name)))
        return self._named[name]


def resolve(root: Mapping[str, Any], name: str) -> Any:
    """The part of a schema that `#/$defs/Name` names."""
    target: Any = root
    for step in name.removeprefix("#/").split("/"):
        target = target[step]
    return target


def _anything(_value: Any, _where: Where, _found: list[Fault]) -> frozenset[str]:
    return _NO_KEYS


def _nothing(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
    found.append(Fault(where, "false", None, value))
    return _NO_KEYS


def _is_kind(value: Any, kind: str) -> bool:
    if kind in ("number", "integer") and (isinstance(value, bool) or not isinstance(value, (int, float))):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def same(a: Any, b: Any) -> bool:
    """Whether two values are one in JSON: true isn't 1, but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _twice(items: list[Any]) -> bool:
    return len({_frozen(item) for item in items}) < len(items)


def _frozen(value: Any) -> Any:
    """A value that can stand in a set, equal where `same` is true."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list):
        return (list, tuple(map(_frozen, value)))
    if isinstance(value, dict):
        return (dict, frozenset((key, _frozen(item)) for key, item in value.items()))
    return value


# Whether `value` keeps the keyword.
_SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, wanted: any(
        _is_kind(value, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)
    ),
    "enum": lambda value, wanted: any(same(value, choice) for choice in wanted),
    "const": same,
    "pattern": lambda value, wanted: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minItems": lambda value, wanted: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda value, wanted: not isinstance(value, list) or len(value) <= wanted,
    "uniqueItems": lambda value, wanted: not (wanted and isinstance(value, list) and _twice(value)),
    "minimum": lambda value, wanted: not _is_number(value) or value >= wanted,
    "exclusiveMinimum": lambda value, wanted: not _is_number(value) or value > wanted,
}


def _simple(keyword: str, wanted: Any) -> Check:
    keeps = _SIMPLE[keyword]

    def simple(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if not keeps(value, wanted):
            found.append(Fault(where, keyword, wanted, value))
        return _NO_KEYS

    def kind(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if not isinstance(value, plain):
            found.append(Fault(where, keyword, wanted, value))
        return _NO_KEYS

    if keyword == "type" and isinstance(wanted, str) and wanted not in ("number", "integer"):
        plain = _KINDS[wanted]  # the commonest check by far
        return kind
    return simple


def _required(wanted: tuple[str, ...]) -> Check:
    def required(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if isinstance(value, dict):
            for key in wanted:
                if key not in value:
                    found.append(Fault(where, "required", key, value))
        return _NO_KEYS

    return required


def _properties(checks: dict[str, Check]) -> Check:
    def properties(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if not isinstance(value, dict):
            return _NO_KEYS
        keys = []
        for key, item in value.items():
            check = checks.get(key)
            if check is not None:
                keys.append(key)
                check(item, (*where, key), found)
        return frozenset(keys)

    return properties


def _items(check: Check) -> Check:
    def items(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if isinstance(value, list):
            for i, item in enumerate(value):
                check(item, (*where, i), found)
        return _NO_KEYS

    return items


def _additional(known: frozenset[str]) -> Check:
    def additional(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        if not isinstance(value, dict):
            return _NO_KEYS
        found += [
            Fault((*where, key), "unknown", sorted(known), item)
            for key, item in value.items()
            if key not in known
        ]
        return frozenset(value)

    return additional


def _choice(keyword: str, parts: list[Any], checks: list[Check]) -> Check:
    """anyOf and oneOf. Where nothing fits and one branch alone is of the value's type, what breaks that is told."""

    def choice(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        tried: list[tuple[list[Fault], frozenset[str]]] = []
        for check in checks:
            faults: list[Fault] = []
            keys = check(value, where, faults)
            if not faults and keyword == "anyOf" and not isinstance(value, dict):
                return _NO_KEYS
            tried.append((faults, keys))
        fit = [keys for faults, keys in tried if not faults]
        if not fit:
            near = [faults for faults, _ in tried if not any(_is_other(fault, where) for fault in faults)]
            found += near[0] if len(near) == 1 else [Fault(where, keyword, parts, value)]
        elif len(fit) > 1 and keyword == "oneOf":
            found.append(Fault(where, keyword, parts, value))
        # A value that fits nothing is told once: its keys aren't told as unknown on top of that.
        return _NO_KEYS.union(*(fit or [keys for _, keys in tried]))

    return choice


def _is_other(fault: Fault, where: Where) -> bool:
    """Whether a fault says that the value isn't of a branch's kind at all."""
    return fault.where == where and fault.keyword in ("type", "anyOf", "oneOf", "const", "pattern")


def _not(part: Any, check: Check) -> Check:
    def no(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        faults: list[Fault] = []
        check(value, where, faults)
        if not faults:
            found.append(Fault(where, "not", part, value))
        return _NO_KEYS

    return no


def _if(condition: Check, yes: Check, no: Check) -> Check:
    def branch(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        faults: list[Fault] = []
        keys = condition(value, where, faults)
        return no(value, where, found) if faults else keys | yes(value, where, found)

    return branch


def _closed(checks: list[Check], schema: Mapping[str, Any], root: Mapping[str, Any]) -> Check:
    def closed(value: Any, where: Where, found: list[Fault]) -> frozenset[str]:
        spoken = _NO_KEYS.union(*[check(value, where, found) for check in checks])
        if not isinstance(value, dict) or len(spoken) == len(value):
            return spoken
        known = sorted(_keys(schema, value, root))
        found += [
            Fault((*where, key), "unknown", known, item) for key, item in value.items() if key not in spoken
        ]
        return frozenset(value)

    return closed


def _keys(schema: Any, value: Any, root: Mapping[str, Any]) -> set[str]:
    """The keys that an object like `value` may have: of all parts of the schema, where an `if` holds or may come to hold."""
    if not isinstance(schema, dict):
        return set()
    keys = set(schema.get("properties", ()))
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if "$ref" in schema:
        parts.append(resolve(root, schema["$ref"]))
    if "if" in schema:
        holds = not Shape({**schema["if"], "$defs": root.get("$defs", {})}).faults(value)
        parts.append(schema.get("then" if holds else "else"))
    return keys.union(*(_keys(part, value, root) for part in parts))
