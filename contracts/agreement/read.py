"""A `ContractAgreementMessage` as an Agreement: all of it is understood, or kept as unknown with its place.

JSON-LD lets one thing be said in several ways: one value or a list of one, a prefixed word or its IRI, a text or an object
with `@id` or `@value`. Those are read alike. A word that the protocol's context doesn't carry is unknown, whatever it
looks like: it vanishes when the document is expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from contracts.agreement import values
from contracts.agreement.codes import code_of
from contracts.agreement.document import check_json, load_json, plain
from contracts.agreement.model import (
    Agreement,
    Constraint,
    Obligation,
    Permission,
    Prohibition,
    clause_path,
)
from contracts.agreement.nodes import Node, Nodes
from contracts.agreement.operands import read_constraint
from contracts.agreement.values import Period
from contracts.agreement.vocabulary import (
    COMBINE,
    CONTEXT,
    CONTEXTS,
    DATASET,
    DOORS,
    DUTIES,
    ODRL,
    OPERANDS,
    PROFILE,
    PROHIBITABLE,
    Door,
    expand_value,
)
from contracts.problems import Where
from core.digest import document_digest
from core.errors import ContractError, InternalError

MESSAGE = "ContractAgreementMessage"
_RULE_KEYS = ("@type", "@id", "action", "constraint", "target", "assigner", "assignee")


def load_agreement(path: Path) -> Agreement:
    """The agreement in a file. Raises ContractError when it can't be read as an agreement message at all."""
    return read_agreement(load_json(path), where=str(path))


def read_agreement(document: Mapping[str, Any], *, where: str = "") -> Agreement:
    """The agreement in a message, whoever wrote it.

    Raises ContractError for what isn't an agreement message at all: no JSON that has a canonical form, another type of
    message, no agreement in it. All else that is wrong or unknown stands in the agreement, and no door opens under it.
    """
    if not isinstance(document, Mapping):
        raise ContractError("The document isn't a JSON object.", where=where, remedy="Start it with `{`.")
    message = plain(document)
    check_json(message, where=where)
    kind = message.get("@type")
    if kind not in (MESSAGE, [MESSAGE]):
        raise ContractError(
            f"The document isn't a {MESSAGE}.",
            where=where,
            remedy=f"Write `@type`: `{MESSAGE}` as in the Dataspace Protocol 2025-1.",
        )
    if not isinstance(message.get("agreement"), dict):
        raise ContractError(
            f"The {MESSAGE} holds no agreement.",
            where=where,
            remedy="Add the object `agreement`, with `@type`: `Agreement`.",
        )
    return _read(message)


def _read(message: dict[str, Any]) -> Agreement:
    nodes = Nodes()
    top = nodes.of(message, (), ("@context", "@type", "@id", "providerPid", "consumerPid", "agreement"))
    _context(top)
    for key in ("providerPid", "consumerPid"):
        _required(top, key)
    head = nodes.of(
        message["agreement"],
        ("agreement",),
        ("@type", "@id", "profile", "target", "assigner", "assignee", "timestamp", "permission", "prohibition", "obligation"),
    )  # fmt: skip
    head.typed("Agreement", needed=True)
    assigner, assignee = _party(head, "assigner"), _party(head, "assignee")
    if assigner and assigner == assignee:
        head.say(head.place("assignee"), assignee, "The parties are one and the same; an agreement has two.")
    permissions = tuple(_permission(head, item, place) for item, place in head.items("permission"))
    prohibitions = [_prohibition(head, item, place) for item, place in head.items("prohibition")]
    obligations = [_obligation(head, item, place) for item, place in head.items("obligation")]
    return Agreement(
        id=_required(head, "@id"),
        profile=_profile(head),
        target=_required(head, "target"),
        assigner=assigner,
        assignee=assignee,
        timestamp=_timestamp(head),
        permissions=permissions,
        prohibitions=tuple(each for each in prohibitions if each is not None),
        obligations=tuple(each for each in obligations if each is not None),
        unknown=tuple(nodes.unknown),
        digest=document_digest(message),
        clauses=tuple((name, clause_path(head.place(name))) for name in head.members),
    )


def _context(top: Node) -> None:
    """Another context could give our words another meaning, and none leaves them without any."""
    if "@context" not in top.members:
        top.say((), "@context", f"There is no @context; it must name {CONTEXT}.")
        return
    entries = top.items("@context")
    for entry, place in entries:
        if entry not in CONTEXTS:
            top.say(place, entry, "This context could give the words of the agreement another meaning.")
    if all(entry != CONTEXT for entry, _ in entries):
        top.say(top.place("@context"), "@context", f"It must name {CONTEXT}.")


def _required(node: Node, key: str) -> str:
    """The text or IRI at a key that must be there; empty, and told, when it isn't."""
    if key not in node.members:
        node.lacks(key)
        return ""
    return node.word(key) or ""


def _profile(head: Node) -> str:
    if "profile" not in head.members:
        head.lacks("profile", f"It must be {PROFILE}, or its terms have no agreed meaning.")
        return ""
    for item, place in head.items("profile"):
        if head.text(item) != PROFILE:
            head.say(place, item, f"The profile that is understood is {PROFILE}.")
    if not head.items("profile"):
        head.say(head.place("profile"), "[]", f"The profile that is understood is {PROFILE}.")
    return PROFILE


def _party(head: Node, key: str) -> str:
    named = _required(head, key)
    if not named:
        return ""
    try:
        return code_of(named)
    except ContractError as error:
        head.say(head.place(key), named, error.what)
        return ""


def _timestamp(head: Node) -> datetime | None:
    if "timestamp" not in head.members:
        return None
    written = head.members["timestamp"][0]
    moment = values.time(written)
    if moment is None:
        head.say(head.place("timestamp"), written, f"It takes {values.TIME.takes}.")
    return moment


def _rule(head: Node, item: object, place: Where, nodes: Nodes, kind: str) -> Node | None:
    """A permission, a prohibition or an obligation as a node: one that speaks of the agreement's own target and parties."""
    node = nodes.node(item, place, _RULE_KEYS)
    if node is None:
        return None
    node.typed(kind)
    for key in ("target", "assigner", "assignee"):
        # Its own target or party would make it another agreement within this one.
        if key in node.members and node.text(node.members[key][0]) != head.text(
            head.members.get(key, ("",))[0]
        ):
            node.say(node.place(key), node.members[key][0], f"It isn't the agreement's own {key}.")
    return node


def _action(node: Node) -> str:
    word = _required(node, "action")
    return expand_value(word)


def _permission(head: Node, item: object, place: Where) -> Permission:
    """What isn't understood in a permission stays in it: it opens nothing, and others may still open something."""
    nodes = head.nodes.apart()
    node = _rule(head, item, place, nodes, "Permission")
    action = ""
    door: Door | None = None
    constraints: tuple[Constraint, ...] = ()
    if node is not None:
        action = _action(node)
        door = DOORS.get(action)
        if door is None and action:
            node.say(node.place("action"), action, f"The actions that are understood: {', '.join(DOORS)}.")
        constraints = tuple(_constraints(node, door))
    return Permission(
        door=door,
        action=action,
        constraints=constraints,
        clause=clause_path(place),
        unknown=tuple(nodes.unknown),
    )


def _constraints(node: Node, door: Door | None) -> list[Constraint]:
    found = []
    for item, place in node.items("constraint"):
        constraint = read_constraint(node.nodes, item, place, OPERANDS)
        if constraint is None:
            continue
        if door is not None and door not in constraint.operand.doors:
            # A limit that nothing at this door keeps must not look as if it were kept.
            why = f"It isn't enforced at the door {door}, only at {', '.join(constraint.operand.doors)}."
            node.say(place, constraint.operand.name, why)
        found.append(constraint)
    return found


def _prohibition(head: Node, item: object, place: Where) -> Prohibition | None:
    node = _rule(head, item, place, head.nodes, "Prohibition")
    if node is None:
        return None
    action = _action(node)
    act = PROHIBITABLE.get(action)
    if act is None:
        if action:
            node.say(node.place("action"), action, f"What can be forbidden: {', '.join(PROHIBITABLE)}.")
        return None
    datasets: frozenset[str] | None = None
    operands = {DATASET.iri: DATASET} if act == COMBINE else {}
    for inner, where in node.items("constraint"):
        constraint = read_constraint(node.nodes, inner, where, operands)
        if constraint is None:
            continue
        if datasets is not None:
            # Two conditions on a prohibition narrow it; which of them its authors meant must not be guessed.
            node.say(where, DATASET.name, "The datasets are named twice; name them in one constraint.")
        datasets = frozenset(map(str, constraint.value)) if isinstance(constraint.value, frozenset) else None
    return Prohibition(act=act, datasets=datasets, clause=clause_path(place))


def _obligation(head: Node, item: object, place: Where) -> Obligation | None:
    node = _rule(head, item, place, head.nodes, "Duty")
    if node is None:
        return None
    action = _action(node)
    if action not in DUTIES:
        if action:
            node.say(node.place("action"), action, f"What can be an obligation: {', '.join(DUTIES)}.")
        return None
    duty, operands = DUTIES[action]
    inner = node.items("constraint")
    found = [read_constraint(node.nodes, each, where, operands) for each, where in inner]
    if len(inner) != 1:
        wanted = " or ".join(iri.replace(ODRL, "odrl:") for iri in operands)
        node.say(place, duty, f"It takes exactly one constraint, {wanted}.")
    constraint = found[0] if len(found) == 1 else None
    if constraint is None:
        return None
    limit = next(iter(constraint.value)) if isinstance(constraint.value, frozenset) else constraint.value
    if not isinstance(limit, (Decimal, datetime, Period)):
        raise InternalError(f"An obligation `{duty}` has a limit of a kind that no obligation takes.")
    return Obligation(duty=duty, limit=limit, clause=clause_path(place))
