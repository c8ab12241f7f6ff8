"""Objects of a JSON-LD document by the short names of their keys, and the list of what wasn't understood in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.agreement.model import Unknown, clause_path
from contracts.agreement.vocabulary import ODRL, expand, expand_value, key_name
from contracts.problems import Where, shown


class Nodes:
    """The nodes of one document. ids: those that named themselves, which two nodes may not share.

    JSON-LD makes two objects of one `@id` into one node: read apart, each would hold less than the two parties signed.
    """

    def __init__(self, ids: set[str] | None = None) -> None:
        self.unknown: list[Unknown] = []
        self._ids = ids if ids is not None else set()

    def apart(self) -> Nodes:
        """The same document with a list of its own for what isn't understood."""
        return Nodes(self._ids)

    def node(self, value: object, where: Where, keys: Sequence[str]) -> Node | None:
        """The object at a place, its keys read; None, and told, for anything else."""
        if not isinstance(value, dict):
            self.say(where, value, "An object is needed here, written out in this document.")
            return None
        return self.of(value, where, keys)

    def of(self, value: dict[str, Any], where: Where, keys: Sequence[str]) -> Node:
        """An object with its keys read."""
        node = Node(self, where)
        for key, member in value.items():
            node.take(key, member, keys)
        self._named(node)
        return node

    def say(self, where: Where, found: object, why: str) -> None:
        """Takes one more thing that isn't understood."""
        self.unknown.append(Unknown(clause=clause_path(where), name=_called(found), why=why))

    def _named(self, node: Node) -> None:
        if "@id" not in node.members:
            return
        name = node.members["@id"][0]
        if not isinstance(name, str) or not name:
            self.say(node.place("@id"), name, "An @id is one text.")
        elif expand(name) in self._ids:
            self.say(node.place("@id"), name, "Another object has the same @id, which makes them one.")
        else:
            self._ids.add(expand(name))


class Node:
    """One object. members: short name to value and the key as it was written."""

    def __init__(self, nodes: Nodes, where: Where) -> None:
        self.nodes = nodes
        self.where = where
        self.members: dict[str, tuple[Any, str]] = {}

    def take(self, key: str, value: Any, keys: Sequence[str]) -> None:
        """Takes one key, if it's among those known here, holds something and stands once in whatever spelling."""
        name = key_name(key)
        place = (*self.where, key)
        if name is None or name not in keys:
            self.say(place, key, f"The keys that are understood here: {', '.join(keys)}.")
        elif value is None:
            self.say(place, key, "It has no value.")
        elif name in self.members:
            self.say(place, key, f"`{name}` stands here twice, in two spellings.")
        else:
            self.members[name] = (value, key)

    def say(self, where: Where, found: object, why: str) -> None:
        self.nodes.say(where, found, why)

    def lacks(self, key: str, why: str = "It has to be there.") -> None:
        """Takes note of a key that isn't there, at the object."""
        self.say(self.where, key, f"`{key}` is missing. {why}")

    def place(self, key: str) -> Where:
        """Where a member stands, or the object itself when it isn't there."""
        return (*self.where, self.members[key][1]) if key in self.members else self.where

    def items(self, key: str) -> list[tuple[Any, Where]]:
        """The values of a member with their places; one value is a list of one."""
        if key not in self.members:
            return []
        value, place = self.members[key][0], self.place(key)
        return (
            [(item, (*place, i)) for i, item in enumerate(value)]
            if isinstance(value, list)
            else [(value, place)]
        )

    def text(self, value: object) -> str | None:
        """A text, or the IRI of a plain reference; None for anything else."""
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict) and set(value) == {"@id"}:
            value = value["@id"]
        return value if isinstance(value, str) and value else None

    def word(self, key: str) -> str | None:
        """The text or IRI of a member; None, and told, for anything else."""
        value = self.members[key][0]
        text = self.text(value)
        if text is None:
            self.say(self.place(key), value, "One text or one plain reference is needed here.")
        return text

    def typed(self, kind: str, *, needed: bool = False) -> None:
        """Says when the object has a type other than this one of ODRL's: another type may bring another context."""
        if "@type" not in self.members:
            if needed:
                self.lacks("@type", f"It must be {kind}.")
            return
        value = self.members["@type"][0]
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, str) or expand_value(value) != ODRL + kind:
            self.say(self.place("@type"), value, f"The type that is understood here is {kind}.")


def _called(value: object) -> str:
    """A short name for what stands there; never a whole document."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return shown(value)
