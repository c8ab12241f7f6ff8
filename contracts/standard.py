"""The Open Data Contract Standard's own rules: the file against the version that it claims, said so that an author can act.

Whatever breaks that version's schema is `malformed`, and nothing else here is. Unknown keys are told with the nearest known
one, what a later version added with that version. Values that break the schema are taken out of the document, so that the
rest can still be read and everything wrong be told at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from contracts.editions import EDITIONS, schema, server_types, shape
from contracts.problems import MALFORMED, UNSHAREABLE, Problems, Where, choose, json_path, shown
from contracts.shapes import Fault, resolve

VERSIONS = ("v3.1.0", "v3.2.0")  # those that a shared contract is written in
MAX_TOLD = 500  # breaks of the standard; to look for the nearest known key of each takes its time

_BOUNDS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
    "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
_OF_A_METRIC = frozenset([*_BOUNDS, "metric", "rule", "arguments"])
# Keys that a server of some types lacks, and ours that says the same.
_OURS: dict[tuple[Where, str], str] = {
    (("servers",), "delimiter"): "Write it as sluiceDelimiter in the server's customProperties."
}


@dataclass(frozen=True)
class Owed:
    """A fault that the reading of rules and columns tells better than the schema can, at one of `places`; else as here."""

    places: tuple[Where, ...]
    where: Where
    what: str
    remedy: str
    kind: str


def check_standard(data: Mapping[str, Any], problems: Problems) -> tuple[dict[str, Any], tuple[Owed, ...]]:
    """The document without what breaks the standard, and what is still owed; each thing taken out is in `problems`.

    List items that break it become None, so that places keep their numbers. `settle` tells what is owed, once the rest
    has been read.
    """
    document: dict[str, Any] = dict(data)
    unfit = problems.dead  # values that YAML could read and nobody can use
    version = _version(document, problems)
    document, owed = _hold(document, version, problems, MALFORMED)
    if unfit:
        document = _without(copy.deepcopy(document), unfit)
    if version in VERSIONS:
        return document, owed
    lowest = VERSIONS[0]
    problems.add(
        ("apiVersion",),
        f"A shared contract is written in {' or '.join(VERSIONS)}; this one is in {version}.",
        f"Set apiVersion: {lowest}, and mend what that version has otherwise.",
    )
    document["apiVersion"] = lowest
    document, more = _hold(document, lowest, problems, UNSHAREABLE)
    return document, (*owed, *more)


def settle(owed: Iterable[Owed], problems: Problems) -> None:
    """Gives what was said in place of the schema its kind, and says what nobody said."""
    for each in owed:
        if not problems.claim(each.places, each.kind):
            problems.add(each.where, each.what, each.remedy, kind=each.kind)


def check_model(data: dict[str, Any], problems: Problems) -> None:
    """Holds the document against the standard's published model too, once nothing else is wrong with it."""
    try:
        OpenDataContractStandard.model_validate(data)
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
    if isinstance(version, str) and version in EDITIONS:
        return version
    told = (
        f"apiVersion `{shown(version)}` isn't read here." if version is not None else "apiVersion is missing."
    )
    meant = _meant(version)
    remedy = "Write apiVersion: v3.1.0 or v3.2.0" + (
        ", after moving the file to that version of the standard." if version else "."
    )
    if meant is not None:
        remedy = f"Write apiVersion: {meant}, as the standard names it."
    problems.add(("apiVersion",), told, remedy, dead=True, kind=MALFORMED)
    # The rest is held against what was meant: against another version, half of it would look wrong.
    document["apiVersion"] = meant or EDITIONS[-1]
    return meant or EDITIONS[-1]


def _meant(version: Any) -> str | None:
    """The version that `3.1.0`, `v3.1` or `V3.1.0` names; None when it's none of ours."""
    text = "v" + str(version).strip().lower().removeprefix("v")
    return next((edition for edition in EDITIONS if text in (edition, edition.removesuffix(".0"))), None)


def _hold(
    document: dict[str, Any], version: str, problems: Problems, kind: str
) -> tuple[dict[str, Any], tuple[Owed, ...]]:
    """Tells what breaks `version`; the document without it, and what is owed."""
    faults = shape(version).faults(document)
    if not faults:
        return document, ()
    later = [
        (edition, _found(shape(edition).faults({**document, "apiVersion": edition})))
        for edition in EDITIONS[EDITIONS.index(version) + 1 :]
    ]
    owed: list[Owed] = []
    bad = [fault.where for fault in faults[MAX_TOLD:] if fault.where and fault.keyword != "required"]
    if len(faults) > MAX_TOLD:
        what = f"{len(faults) - MAX_TOLD} more breaks of the standard aren't listed."
        problems.add((), what, "Mend those that are listed first.", kind=kind)
    for fault in faults[:MAX_TOLD]:
        if fault.keyword == "unknown" and _of_unknown_server(fault, document, version):
            continue  # which keys a server has follows from its type, and that is told
        places = _told_elsewhere(fault, document, version)
        came = next((edition for edition, found in later if _is_new(fault, found)), None)
        what, remedy, where = _words(fault, came, version)
        if places:
            owed.append(Owed(places, where, what, remedy, kind))
            continue
        is_missing = fault.keyword == "required"
        problems.add(where, what, remedy, dead=not is_missing, kind=kind)
        if not is_missing:
            bad.append(where)
    return _without(copy.deepcopy(document), bad), tuple(owed)


def _found(faults: list[Fault]) -> tuple[set[Where], set[Where]]:
    """Where anything is wrong, and where a key is unknown."""
    return {fault.where for fault in faults}, {fault.where for fault in faults if fault.keyword == "unknown"}


def _is_new(fault: Fault, found: tuple[set[Where], set[Where]]) -> bool:
    """Whether a later version, where `found` is wrong, takes what this one doesn't."""
    anything, unknown = found
    if fault.keyword == "unknown":
        # Nor in something that isn't known there as a whole.
        return not any(fault.where[:depth] in unknown for depth in range(1, len(fault.where) + 1))
    return fault.keyword in ("enum", "type", "required") and fault.where not in anything


def _told_elsewhere(fault: Fault, document: Any, version: str) -> tuple[Where, ...]:
    """The places at one of which our own rules tell this fault better; none when it's told here.

    Whether a rule has one bound, and which metrics there are, is told by contracts.rules; that a column has no type by
    contracts.tables (without it every type's rules apply in the schema, and the faults would speak of all of them).
    """
    where = fault.where
    owner = where[:-1] if fault.keyword == "unknown" else where
    if owner[-2:-1] == ("quality",) and version in VERSIONS:
        rule = _at(document, owner)
        if fault.keyword == "oneOf":
            return (owner, *((*owner, key) for key in _BOUNDS))
        if fault.keyword == "required" and fault.wanted == "metric":
            return ((*owner, "metric"), (*owner, "rule"))
        loose = isinstance(rule, dict) and "metric" not in rule and "type" not in rule
        if fault.keyword == "unknown" and loose and where[-1] in _OF_A_METRIC:
            return ((*owner, "metric"), (*owner, "rule"))
    if fault.keyword == "required" and where == () and fault.wanted == "status":
        return (("status",),)
    column = where[: where.index("logicalTypeOptions")] if "logicalTypeOptions" in where else where
    if column != where:
        holder = _at(document, column)
        if isinstance(holder, dict) and "logicalType" not in holder:
            return ((*column, "logicalType"),)
    return ()


def _of_unknown_server(fault: Fault, document: Any, version: str) -> bool:
    server = fault.where[:2]
    return server[:1] == ("servers",) and _at(document, server).get("type") not in server_types(version)


def _at(document: Any, where: Where) -> Any:
    for step in where:
        document = document[step]
    return document


_WRITTEN = ((dict, "a mapping"), (list, "a list"), (str, "text"), (bool, "a truth value"))
_KINDS = {
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "null": "null",
}


def _words(fault: Fault, came: str | None, version: str) -> tuple[str, str, Where]:
    """What is wrong, what to do about it, and where."""
    where = fault.where
    name = json_path(where)
    if came is not None and fault.keyword != "required":
        return f"{_new(fault)} came with {came}.", f"Set apiVersion: {came}, or take it out.", where
    if fault.keyword == "required":
        where = (*where, fault.wanted)
        remedy = (
            f"{version} requires it, {came} doesn't; add it, or set apiVersion: {came}."
            if came
            else "The standard requires it; add it."
        )
        return f"`{json_path(where)}` is missing.", remedy, where
    if fault.keyword == "unknown":
        remedy = _OURS.get((where[:1], str(where[-1]))) or choose(str(where[-1]), fault.wanted)
        return f"`{name}` isn't a key of the standard.", remedy, where
    if fault.keyword == "oneOf" and where[-2:-1] == ("quality",) and isinstance(fault.value, dict):
        return _bound_words(fault)
    if fault.keyword in ("oneOf", "anyOf"):
        what, remedy = _forms(fault, version)
    else:
        what, remedy = _WORDS.get(fault.keyword, _other_form)(fault)
    return f"`{name}` {what}.", remedy, where


def _bound_words(fault: Fault) -> tuple[str, str, Where]:
    """What is wrong with the bounds of a quality rule: it has one, of one form."""
    name = json_path(fault.where)
    present = [key for key in _BOUNDS if key in fault.value]
    if len(present) != 1:
        told = f"has {len(present)} bounds ({', '.join(present)})" if present else "has no bound"
        remedy = "Give exactly one, such as mustBe: 0; write a second rule for a second bound."
        return f"`{name}` {told}.", remedy, (*fault.where, *present[1:2])
    bound = present[0]
    if bound.endswith("Between"):
        return f"`{name}.{bound}` must be two different numbers.", f"Write {bound}: [0, 10].", (*fault.where, bound)  # fmt: skip
    return f"`{name}.{bound}` must be a number.", f"Write {bound}: 10, without quotes.", (*fault.where, bound)


def _new(fault: Fault) -> str:
    """What a later version has brought, as the subject of a sentence."""
    last = fault.where[-1]
    if fault.keyword == "enum" and last == "logicalType":
        return f"Logical type `{shown(fault.value)}`"
    if fault.keyword == "enum" and last == "type" and fault.where[:1] == ("servers",):
        return f"Server type `{shown(fault.value)}`"
    if fault.keyword == "type" and last == "port":
        return "A port as text"
    if fault.keyword == "type":
        kind = next((name for kind, name in _WRITTEN if isinstance(fault.value, kind)), "a number")
        return f"`{json_path(fault.where)}` as {kind}"
    if last == "vendor":
        return "`vendor` of a custom property"
    return f"`{json_path(fault.where)}`"


def _wrong_type(fault: Fault) -> tuple[str, str]:
    wanted = [fault.wanted] if isinstance(fault.wanted, str) else list(fault.wanted)
    names = " or ".join(_KINDS.get(kind, f"a {kind}") for kind in wanted)
    if fault.value is None:
        return "is empty", f"Give {names}, or take the key out."
    quoted = wanted == ["string"] and isinstance(fault.value, (int, float, bool))
    return f"must be {names}", "Put it in quotes." if quoted else f"Write {names} there."


# Where the forms that a key may have aren't told apart by their kinds.
_FORMS = {
    "from": "Write table.column, or schema/<id>/properties/<id>.",
    "to": "Write table.column, or schema/<id>/properties/<id>.",
    "relationships": "Write from and to both as text, or both as lists of columns.",
}


def _forms(fault: Fault, version: str) -> tuple[str, str]:
    """What is wrong with a value that fits none of several forms."""
    key = next((step for step in reversed(fault.where) if isinstance(step, str)), "")
    root = schema(version)
    parts = [resolve(root, part["$ref"]) if "$ref" in part else part for part in fault.wanted]
    kinds = list(dict.fromkeys(_KINDS.get(part.get("type"), f"a {part.get('type')}") for part in parts))
    if key in _FORMS:
        return _other_form(fault)[0], _FORMS[key]
    if "a None" in kinds or len(kinds) < 2:
        return _other_form(fault)
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != _KINDS["integer"]]
    named = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    return f"must be {named}", f"Write {named} there."


def _other_form(_fault: Fault) -> tuple[str, str]:
    return "fits none of the forms that the standard has for it", "See the standard's page for this key."


_IDS = {
    "^[A-Za-z0-9_-]+$": "Use letters, digits, hyphens and underscores only.",
    r"^[^\s.#/\\@!%&^]+$": r"Leave out blanks and the signs . # / \ @ ! % & ^",
}
_WORDS: dict[str, Callable[[Fault], tuple[str, str]]] = {
    "type": _wrong_type,
    "enum": lambda f: (
        f"can't be `{shown(f.value)}`",
        choose(str(f.value), [str(choice) for choice in f.wanted]),
    ),
    "pattern": lambda f: (
        "isn't written as the standard wants it",
        _IDS.get(f.wanted, f"It must fit the pattern {f.wanted}"),
    ),
    "not": lambda f: (
        f"can't have {' and '.join(f'`{key}`' for key in f.wanted.get('required', ()))} here",
        "Take it out: it follows from the place.",
    ),
    "minItems": lambda f: (
        f"has fewer than {f.wanted} items",
        "Add what is missing, or take the key out.",
    ),
    "maxItems": lambda f: (f"has more than {f.wanted} items", "Take out what is too much."),
    "uniqueItems": lambda _: ("names something twice", "Keep each item once."),
    "minimum": lambda f: (f"is under {f.wanted}", "Write a larger number."),
    "exclusiveMinimum": lambda f: (f"must be over {f.wanted}", "Write a larger number."),
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
