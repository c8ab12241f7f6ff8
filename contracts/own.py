"""Our keys in the standard's `customProperties`: where each one may stand, and finding it there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from contracts.problems import Problems, Where, choose, shown
from contracts.reading import Node

PREFIX = "sluice"
CONTRACT, SERVER, TABLE, COLUMN = "the contract", "a server", "a table (schema)", "a column (property)"

# Every key we know and the place it belongs to; docs/contract.md describes each.
KEYS: dict[str, str] = {
    "sluiceTerm": CONTRACT,
    "sluiceRecipient": CONTRACT,
    "sluicePrivacy": CONTRACT,
    "sluiceQuarantine": CONTRACT,
    "sluiceCompliance": CONTRACT,
    "sluiceProvision": CONTRACT,
    "sluiceConnector": SERVER,
    "sluiceDelimiter": SERVER,
    "sluiceEncoding": SERVER,
    "sluiceKind": TABLE,
    "sluiceTime": TABLE,
    "sluiceCells": TABLE,
    "sluiceRows": TABLE,
    "sluiceRole": COLUMN,
    "sluiceTransform": COLUMN,
    "sluiceHierarchy": COLUMN,
    "sluiceCarries": COLUMN,
    "sluiceGrade": COLUMN,
    "sluiceSensitivity": COLUMN,
    "sluiceDoors": COLUMN,
}


def own(node: Node, key: str) -> Node | None:
    """The value of one of our keys in a place's customProperties, or None when it isn't there or holds nothing."""
    for entry in node.each("customProperties"):
        if entry.get("property") == key:
            if entry.get("value") is None:
                entry.say(f"{key} has no value.", "Give it one, or take the property out.", key="value")
                return None
            return Node(entry.get("value"), (*entry.where, "value"), node.problems, key)
    return None


def check_own_keys(document: dict[str, Any], problems: Problems) -> None:
    """Says which of our keys are unknown, misspelt, in the wrong place or there twice; looks everywhere in the document."""
    for where, entries in _custom(document, ()):
        place = _place(where)
        seen: set[str] = set()
        for i, entry in enumerate(entries):
            name = entry.get("property") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                continue
            at = (*where, i, "property")
            if name in KEYS:
                if KEYS[name] != place:
                    problems.add(at, f"{name} means nothing here.", f"It belongs to {KEYS[name]}.")
                elif name in seen:
                    problems.add(at, f"{name} stands twice here.", "Keep one of them.")
                seen.add(name)
            elif name.lower().startswith(PREFIX) or difflib.get_close_matches(name, KEYS, n=1, cutoff=0.85):
                # A misspelt limit that is skipped would be a limit that nobody keeps.
                here = [key for key, belongs in KEYS.items() if belongs == place] or list(KEYS)
                problems.add(at, f"`{shown(name)}` isn't a key of Sluice.", choose(name, here))


def _custom(value: Any, where: Where) -> Iterator[tuple[Where, list[Any]]]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _custom(item, (*where, i))
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "customProperties" and isinstance(item, list):
                yield (*where, key), item
            else:
                yield from _custom(item, (*where, key))


def _place(where: Where) -> str:
    names = [step for step in where if isinstance(step, str)]
    places = {
        ("customProperties",): CONTRACT,
        ("servers", "customProperties"): SERVER,
        ("schema", "customProperties"): TABLE,
        ("schema", "properties", "customProperties"): COLUMN,
    }
    return places.get(tuple(names), "elsewhere")
