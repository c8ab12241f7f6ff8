"""sluiceHierarchy: how a quasi-identifier may be coarsened, read and checked to be one order or one tree."""

from __future__ import annotations

from contracts.model import HierarchySpec, LogicalType
from contracts.problems import shown
from contracts.reading import Node, iso_date, iso_timestamp

# Labels that the engine itself gives: everything, no value, a range of leaves, a list of them.
_ALL, _MISSING, _RANGE, _LIST = "*", "(missing)", "..", " | "
_KINDS = {"natural": ("kind",), "ordered": ("kind", "values"), "tree": ("kind", "tree")}
MAX_LEAVES = 20_000


def read_hierarchy(node: Node, logical: LogicalType) -> HierarchySpec | None:
    """The hierarchy at `node` for a column of a logical type, or None when something in it is wrong (and said)."""
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
    node.mapping(_KINDS[kind], required=_KINDS[kind])
    leaves: list[Node] = []
    nodes: list[tuple[str, int, int]] = []
    if kind == "ordered":
        leaves = node.items("values", what=node.label)
        if not leaves and isinstance(node.get("values"), list):
            node.say(
                f"{node.label} has no values.",
                "List the column's values in the order that counts.",
                key="values",
            )
    elif kind == "tree" and node.has("tree"):
        _branches(node.at("tree").named(node.label), leaves, nodes)
        if not leaves and node.problems.told == before:
            node.say(f"{node.label} has no values.", "Write {name: [value, ...]}.", key="tree")
    texts = [text for leaf in leaves if (text := _leaf(leaf, logical)) is not None]
    if len(texts) > MAX_LEAVES:
        node.say(
            f"{node.label} has more than {MAX_LEAVES} values.", "Use kind: natural, or coarser source values."
        )
    if node.problems.told == before:
        _distinct(node, leaves, texts, nodes)
    if node.problems.told > before:
        return None
    return HierarchySpec(kind=kind, leaves=tuple(texts), nodes=tuple(nodes))


def leaf_values(spec: HierarchySpec, logical: LogicalType) -> list[str | int]:
    """The leaves as values of the column's type."""
    return [int(leaf) for leaf in spec.leaves] if logical is LogicalType.INTEGER else list(spec.leaves)


def _branches(node: Node, leaves: list[Node], nodes: list[tuple[str, int, int]]) -> None:
    """Walks {name: {name: [leaf, ...]}} depth first; each name covers the run of leaves under it."""
    if isinstance(node.value, list):
        leaves.extend(
            Node(item, (*node.where, i), node.problems, node.label) for i, item in enumerate(node.value)
        )
        return
    if not isinstance(node.value, dict):
        node.say(
            f"{node.label}: a branch of the tree is neither a mapping nor a list.",
            "Write {name: [value, ...]}.",
        )
        return
    for name in node.value:
        first, place = len(leaves), len(nodes)
        _branches(node.at(name).named(node.label), leaves, nodes)
        if len(leaves) == first:
            node.say(
                f"{node.label}: the branch `{shown(name)}` holds no values.",
                "Give it some, or take it out.",
                key=name,
            )
        else:
            nodes.insert(place, (name, first, len(leaves) - 1))


def _leaf(leaf: Node, logical: LogicalType) -> str | None:
    """A leaf as text; says so when the column's type can't have that value."""
    value = leaf.value
    fits = {
        LogicalType.STRING: isinstance(value, str) and bool(value),
        LogicalType.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        LogicalType.DATE: iso_date(value) is not None,
        LogicalType.TIMESTAMP: iso_timestamp(value) is not None,
    }
    if logical not in fits:
        leaf.say(f"{leaf.label}: a {logical.value} column has no listed values.", "Use kind: natural.")
        return None
    if value is None:
        leaf.say(f"{leaf.label}: null isn't listed, it's a value of its own.", "Take it out.")
        return None
    if not fits[logical]:
        remedy = (
            "Put it in quotes." if logical is LogicalType.STRING else f"Write values of type {logical.value}."
        )
        leaf.say(f"{leaf.label}: a value isn't of type {logical.value}.", remedy)
        return None
    return str(value)


def _distinct(node: Node, leaves: list[Node], texts: list[str], nodes: list[tuple[str, int, int]]) -> None:
    """No value twice, no name twice, and no label that could be mistaken for one the engine makes."""
    seen: set[str] = set()
    for leaf, text in zip(leaves, texts, strict=True):
        if text in seen:
            leaf.say(
                f"{node.label}: the value `{shown(text)}` stands twice.",
                "Each value has one place; keep one.",
            )
        seen.add(text)
    names: set[str] = set()
    for name, _, _ in nodes:
        if name in names or name in seen:
            node.say(
                f"{node.label}: the branch `{shown(name)}` has the name of another branch or value.",
                "Rename it.",
                key="tree",
            )
        names.add(name)
    labels = seen | names
    for label in sorted(labels):
        if label in (_ALL, _MISSING) or _looks_made(label, labels):
            node.say(
                f"{node.label}: the label `{shown(label)}` is one that coarsening itself gives.",
                f"Rename it: `{_ALL}` means all, `{_MISSING}` no value, `a{_RANGE}b` a range, `a{_LIST}b` a list.",
            )


def _looks_made(label: str, labels: set[str]) -> bool:
    """Whether a label reads as a range or list of other labels."""
    parts = label.split(_LIST)
    if len(parts) > 1 and all(part in labels or part == _MISSING for part in parts):
        return True
    cuts = [i for i in range(len(label)) if label.startswith(_RANGE, i)]
    return any(label[:i] in labels and label[i + len(_RANGE) :] in labels for i in cuts)
