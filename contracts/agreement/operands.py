"""A constraint: one operand, one operator, and values of the kind that the operand takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from contracts.agreement.model import Constraint, Limit, clause_path
from contracts.agreement.nodes import Node, Nodes
from contracts.agreement.values import Kind, Period, Value
from contracts.agreement.vocabulary import ODRL, Operand, Operator, expand, expand_value
from contracts.problems import Where

_KEYS = ("@type", "@id", "leftOperand", "operator", "rightOperand")
_LOGICAL = ("and", "andSequence", "or", "xone")
_OPERATORS = {ODRL + operator: operator for operator in Operator}


def read_constraint(
    nodes: Nodes, item: object, place: Where, operands: Mapping[str, Operand]
) -> Constraint | None:
    """The constraint at a place; None, and told, when any part of it isn't understood. operands: those known here, by IRI."""
    node = nodes.node(item, place, (*_KEYS, *_LOGICAL))
    if node is None:
        return None
    node.typed("Constraint")
    logical = [key for key in _LOGICAL if key in node.members]
    for key in logical:
        node.say(node.place(key), key, "Constraints are understood one by one, all of which must hold.")
    if logical:
        return None
    missing = [key for key in ("leftOperand", "operator", "rightOperand") if key not in node.members]
    for key in missing:
        node.lacks(key)
    if missing:
        return None
    operand, operator = _operand(node, operands), _operator(node)
    if operand is None or operator is None:
        return None
    if operator not in operand.operators:
        taken = " or ".join(operand.operators)
        node.say(node.place("operator"), operator, f"`{operand.name}` takes the operator {taken}.")
        return None
    limit = _limit(node, operand, operator)
    if limit is None:
        return None
    return Constraint(operand=operand, operator=operator, value=limit, clause=clause_path(place))


def _operand(node: Node, operands: Mapping[str, Operand]) -> Operand | None:
    word = node.word("leftOperand")
    if word is None:
        return None
    operand = operands.get(expand_value(word))
    if operand is None:
        bare = operands.get(ODRL + word)
        why = (
            f"A bare word vanishes when the document is expanded: write `odrl:{word}`."
            if bare
            else f"The operands that are understood here: {_names(operands)}."
        )
        node.say(node.place("leftOperand"), word, why)
    return operand


def _names(operands: Mapping[str, Operand]) -> str:
    return ", ".join(iri.replace(ODRL, "odrl:") for iri in operands) or "none"


def _operator(node: Node) -> Operator | None:
    word = node.word("operator")
    if word is None:
        return None
    operator = _OPERATORS.get(expand_value(word))
    if operator is not None:
        return operator
    node.say(node.place("operator"), word, f"The operators that are understood: {', '.join(Operator)}.")
    return None


def _limit(node: Node, operand: Operand, operator: Operator) -> Limit | None:
    place = node.place("rightOperand")
    written = node.members["rightOperand"][0]
    if isinstance(written, dict) and len(written) == 1 and next(iter(written)) in ("@set", "@list"):
        written = next(iter(written.values()))
        if not isinstance(written, list):
            written = [written]
    items = written if isinstance(written, list) else [written]
    if not items:
        # Nothing is among none, and a prohibition on nothing would forbid nothing: neither is what anyone means.
        node.say(place, items, "It names no value.")
        return None
    if len(items) > 1 and operator is not Operator.IS_ANY_OF:
        node.say(place, items, f"`{operator}` takes one value.")
        return None
    found: list[Value] = []
    for item in items:
        value = _value(item, operand.kind)
        if value is None:
            node.say(place, item, f"`{operand.name}` takes {operand.kind.takes}.")
            return None
        found.append(value)
    if operator in (Operator.EQ, Operator.IS_ANY_OF):
        return _among(found)
    first = found[0]
    return first if isinstance(first, (Decimal, datetime)) else None


def _among(found: list[Value]) -> Limit | None:
    texts = frozenset(value for value in found if isinstance(value, str))
    periods = frozenset(value for value in found if isinstance(value, Period))
    return texts or periods or None


def _value(item: object, kind: Kind) -> Value | None:
    """A value as it stands, or from an object with `@value` and its datatype, or with `@id` alone."""
    if not isinstance(item, dict):
        return kind.read(item)
    if set(item) == {"@id"}:
        return kind.read(item["@id"]) if kind.iri else None
    if not {"@value"} <= set(item) <= {"@value", "@type"}:
        return None
    datatype = item.get("@type")
    if "@type" in item and (not isinstance(datatype, str) or expand(datatype) not in kind.datatypes):
        return None
    return kind.read(item["@value"])
