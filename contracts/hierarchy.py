"""sluiceHierarchy: how a column's values may be coarsened, read and checked to be one order, one tree or one rule."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from contracts.model import LogicalType
from contracts.problems import shown
from contracts.protection import HierarchySpec
from contracts.reading import Node, exact
from contracts.tree import inline_tree, listed_values, tree_in_file

_KINDS = {
    "natural": ("kind",),
    "ordered": ("kind", "values"),
    "tree": ("kind", "tree", "file", "sha256"),
    "intervals": ("kind", "widths", "origin"),
    "dates": ("kind", "parts"),
    "prefix": ("kind", "lengths"),
    "built": ("kind", "groups", "fan"),
}
_REQUIRED = {
    "ordered": ("values",),
    "intervals": ("widths",),
    "dates": ("parts",),
    "prefix": ("lengths",),
    "built": ("groups",),
}
_NUMBERS = (LogicalType.INTEGER, LogicalType.NUMBER)
_DAYS = (LogicalType.DATE, LogicalType.TIMESTAMP)
# The types that a kind of rule fits.
_FITS = {
    "intervals": _NUMBERS,
    "dates": _DAYS,
    "prefix": (LogicalType.STRING,),
    "built": (*_NUMBERS, *_DAYS, LogicalType.STRING),
}
_INSTEAD = {
    LogicalType.INTEGER: "intervals, built or natural",
    LogicalType.NUMBER: "intervals, built or natural",
    LogicalType.DATE: "dates, built or natural",
    LogicalType.TIMESTAMP: "dates, built or natural",
    LogicalType.STRING: "prefix, tree, built or natural",
    LogicalType.BOOLEAN: "natural",
}
PARTS = ("day", "month", "quarter", "year", "decade")  # from fine to coarse
GROUPS, FAN, MAX_LEVELS = (2, 1000), (2, 10), 30


def read_hierarchy(node: Node, logical: LogicalType, folder: Path | None = None) -> HierarchySpec | None:
    """The hierarchy at `node` for a column of a logical type, or None when something in it is wrong (and said).

    folder: the contract's, in which a tree's file stands; None when only the contract's text is at hand: then such a tree
    stays unread, and is known by its digest.
    """
    before = node.problems.told
    if not isinstance(node.value, dict):
        node.say(
            f"{node.label} must be a mapping.",
            "Write {kind: ordered, values: [...]}, {kind: tree, tree: {...}} or {kind: natural}.",
        )
        return None
    kind = node.choice("kind", _KINDS)
    if kind is None:
        if not node.has("kind"):
            node.say(f"{node.label} lacks `kind`.", "Add kind: natural, ordered or tree.", key="kind")
        return None
    node.mapping(_known(node, kind), required=_REQUIRED.get(kind, ()))
    if logical not in _FITS.get(kind, (logical,)):
        node.say(
            f"{node.label}: `{kind}` is for {' and '.join(fit.value for fit in _FITS[kind])} columns, and this one is {logical.value}.",
            f"Use kind: {_INSTEAD[logical]}.",
            key="kind",
        )
        return None
    spec = _READERS[kind](node, logical, folder)
    return spec if node.problems.told == before else None


def leaf_values(spec: HierarchySpec, logical: LogicalType) -> list[str | int]:
    """The leaves as values of the column's type."""
    return [int(leaf) for leaf in spec.leaves] if logical is LogicalType.INTEGER else list(spec.leaves)


def _known(node: Node, kind: str) -> tuple[str, ...]:
    """The keys that a kind may have; a tree stands here or in a file."""
    if kind != "tree" or (node.has("tree") and (node.has("file") or node.has("sha256"))):
        return _KINDS[kind]
    return ("kind", "file", "sha256") if node.has("file") or node.has("sha256") else ("kind", "tree")


def _natural(_node: Node, _logical: LogicalType, _folder: Path | None) -> HierarchySpec:
    return HierarchySpec(kind="natural")


def _ordered(node: Node, logical: LogicalType, _folder: Path | None) -> HierarchySpec | None:
    leaves = node.items("values", what=node.label)
    if not leaves and isinstance(node.get("values"), list):
        node.say(
            f"{node.label} has no values.",
            "List the column's values in the order that counts.",
            key="values",
        )
    texts = listed_values(node, leaves, logical)
    return HierarchySpec(kind="ordered", leaves=texts)


def _tree(node: Node, logical: LogicalType, folder: Path | None) -> HierarchySpec | None:
    if node.has("tree") and (node.has("file") or node.has("sha256")):
        node.say(f"{node.label} has a tree here and one in a file.", "Keep one of them.", key="file")
        return None
    if node.has("file") or node.has("sha256"):
        for key in ("file", "sha256"):
            if not node.has(key):
                node.say(
                    f"{node.label} lacks `{key}`.",
                    "Write the tree's file and its digest: {kind: tree, file: regions.csv, sha256: ...}.",
                    key=key,
                )
                return None
        return tree_in_file(node, logical, folder)
    if not node.has("tree"):
        node.say(f"{node.label} lacks `tree`.", "Add it.", key="tree")
        return None
    return inline_tree(node, logical)


def _intervals(node: Node, logical: LogicalType, _folder: Path | None) -> HierarchySpec | None:
    widths = _steps(node, "widths", "a width", _positive)
    origin = node.number("origin")
    if widths is None:
        return None
    whole = logical is LogicalType.INTEGER
    if whole and any(width != width.to_integral_value() for width in widths):
        node.say(
            f"{node.label}: a width has decimals, and the column is integer.",
            "Write whole numbers.",
            key="widths",
        )
    if whole and origin is not None and origin != origin.to_integral_value():
        node.say(
            f"{node.label}: `origin` has decimals, and the column is integer.",
            "Write a whole number.",
            key="origin",
        )
    for finer, coarser in pairwise(widths):
        # As fractions: a quotient of decimals may have more digits than their context carries.
        times = Fraction(coarser) / Fraction(finer)
        if times.denominator != 1 or times < 2:
            node.say(
                f"{node.label}: width {coarser} doesn't gather whole groups of width {finer}.",
                "Write widths from fine to coarse, each a multiple of the one before: [5, 10, 20].",
                key="widths",
            )
            break
    return HierarchySpec(kind="intervals", widths=widths, origin=origin if origin is not None else Decimal(0))


def _dates(node: Node, _logical: LogicalType, _folder: Path | None) -> HierarchySpec | None:
    parts = _steps(node, "parts", "a part", lambda value: value if value in PARTS else None)
    if parts is None:
        return None
    if list(parts) != [part for part in PARTS if part in parts]:
        node.say(
            f"{node.label}: the parts aren't from fine to coarse, each once.",
            f"Write some of {', '.join(PARTS)} in this order.",
            key="parts",
        )
    return HierarchySpec(kind="dates", parts=parts)


def _prefix(node: Node, _logical: LogicalType, _folder: Path | None) -> HierarchySpec | None:
    lengths = _steps(node, "lengths", "a length", _count)
    if lengths is None:
        return None
    if any(shorter >= longer for longer, shorter in pairwise(lengths)):
        node.say(
            f"{node.label}: the lengths don't fall.",
            "Write them from long to short, as each level keeps fewer characters: [4, 2].",
            key="lengths",
        )
    return HierarchySpec(kind="prefix", lengths=lengths)


def _built(node: Node, _logical: LogicalType, _folder: Path | None) -> HierarchySpec | None:
    groups = node.whole("groups", least=GROUPS[0], most=GROUPS[1])
    fan = node.whole("fan", least=FAN[0], most=FAN[1])
    return HierarchySpec(kind="built", groups=groups or 0, fan=fan if fan is not None else 2)


_READERS: dict[str, Callable[[Node, LogicalType, Path | None], HierarchySpec | None]] = {
    "natural": _natural,
    "ordered": _ordered,
    "tree": _tree,
    "intervals": _intervals,
    "dates": _dates,
    "prefix": _prefix,
    "built": _built,
}
_WANTED = {
    "widths": "a number over 0",
    "parts": f"one of {', '.join(PARTS)}",
    "lengths": "a whole number from 1 on",
}


def _steps(node: Node, key: str, what: str, read: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """The list at a key, one value a level; None when it isn't one, or a value in it isn't what it should be (and said)."""
    items = node.items(key, what=f"{node.label}: {what}")
    if not isinstance(node.get(key), list):
        return None
    if not 0 < len(items) <= MAX_LEVELS:
        told = "is empty" if not items else f"has more than {MAX_LEVELS} levels"
        node.say(f"{node.label}: `{key}` {told}.", f"Write one to {MAX_LEVELS} levels.", key=key)
        return None
    values = [read(item.value) for item in items]
    for item, value in zip(items, values, strict=True):
        if value is None:
            item.say(f"{item.label} can't be `{shown(item.value)}`.", f"Write {_WANTED[key]}.")
            return None
    return tuple(values)


def _positive(value: Any) -> Decimal | None:
    number = exact(value)
    return number if number is not None and number > 0 else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None
