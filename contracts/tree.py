"""Listed values and trees of them, as the contract writes them or as a file beside it does: each value and name once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts.locate import read_yaml
from contracts.model import LogicalType
from contracts.problems import Problems, shown
from contracts.protection import HierarchySpec, TreeFile
from contracts.reading import Node, iso_date, iso_timestamp
from contracts.treecsv import Fault, Tree, tree_of_csv
from contracts.treefile import CSV, MAX_BYTES, Bytes, named_file, read_bytes

# Labels that the engine itself gives: everything, no value, a range of leaves, a list of them.
_ALL, _MISSING, _RANGE, _LIST = "*", "(missing)", "..", " | "
MAX_LEAVES = 20_000
_MOST_TOLD = 10  # faults of one file

Runs = list[tuple[str, int, int]]


def listed_values(node: Node, leaves: Sequence[Node], logical: LogicalType) -> tuple[str, ...]:
    """The values listed under `values`, as texts; what is wrong with them is said."""
    return _told(node, leaves, [], logical)


def inline_tree(node: Node, logical: LogicalType) -> HierarchySpec:
    """The tree written under `tree`; what is wrong with it is said, and the spec isn't to be used then."""
    leaves, nodes = _grown(node.at("tree").named(node.label))
    return HierarchySpec(kind="tree", leaves=_told(node, leaves, nodes, logical), nodes=tuple(nodes))


def tree_in_file(node: Node, logical: LogicalType, folder: Path | None) -> HierarchySpec | None:
    """The tree in the file that `file` and `sha256` name. folder: the contract's; None leaves it unread."""
    file = named_file(node)
    if file is None:
        return None
    if logical not in _LISTED:
        _no_list(node, logical)
        return None
    if folder is None:
        return HierarchySpec(kind="tree", file=file)
    found = read_bytes(node, file, folder)
    if found is None:
        return None
    read = _of_csv if file.path.lower().endswith(CSV) else _of_yaml
    return read(node, found, logical)


def _of_csv(node: Node, found: Bytes, logical: LogicalType) -> HierarchySpec | None:
    try:
        text = found.raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found.raw[: error.start].count(b"\n") + 1
        _in_file(node, found.file, [Fault(line, "isn't UTF-8", "Save the file with the encoding UTF-8, and write its new digest.")])  # fmt: skip
        return None
    tree, faults = tree_of_csv(text)
    if tree is not None:
        faults = tuple(_labels_of_csv(tree, logical))
    if faults or tree is None:
        _in_file(node, found.file, faults)
        return None
    return HierarchySpec(kind="tree", leaves=tuple(leaf for leaf, _ in tree.leaves), nodes=tree.nodes, file=found.file)  # fmt: skip


def _labels_of_csv(tree: Tree, logical: LogicalType) -> Iterable[Fault]:
    """What a tree of other values than the column's, or of names that coarsening gives itself, is told."""
    if len(tree.leaves) > MAX_LEAVES:
        yield Fault(0, f"has more than {MAX_LEAVES} values", "Leave out values that don't occur, or use coarser source values.")  # fmt: skip
        return
    if not tree.nodes:
        yield Fault(0, "has no names over its values", _NO_TREE)
    moments: set[object] = set()
    for leaf, line in tree.leaves:
        if _moment(leaf, logical) in moments:
            yield Fault(
                line, "has a moment again, in another spelling", "Each value has one place; keep one."
            )
        moments.add(_moment(leaf, logical) or leaf)
        if not _LISTED[logical](_typed(leaf, logical)):
            yield Fault(line, f"has a value that isn't of type {logical.value}", f"Write values of type {logical.value}; the file has no header.")  # fmt: skip
    labels = {leaf for leaf, _ in tree.leaves} | {name for name, _, _ in tree.nodes}
    for label in _made(labels):
        yield Fault(0, f"has the label `{shown(label)}`, one that coarsening itself gives", _RENAME)


def _typed(leaf: str, logical: LogicalType) -> object:
    """A cell as YAML would give it: a whole number for an integer column, as it is written there."""
    if (
        logical is LogicalType.INTEGER
        and leaf.removeprefix("-").isdecimal()
        and leaf.isascii()
        and len(leaf) < 20
    ):
        number = int(leaf)
        return number if str(number) == leaf else None
    return leaf


def _of_yaml(node: Node, found: Bytes, logical: LogicalType) -> HierarchySpec | None:
    inner = Problems(Path(found.file.path))
    read = read_yaml(Path(found.file.path), inner, found.raw, most=MAX_BYTES)
    spec = None
    if read.data is None and (not inner.told or inner.marks == {}):
        _in_file(node, found.file, [Fault(0, "is empty", "Write {name: [value, ...]}.")])
        return None
    if not inner.told:
        root = Node(read.data, (), inner, "The tree")
        leaves, nodes = _grown(root)
        spec = HierarchySpec(kind="tree", leaves=_told(root, leaves, nodes, logical), nodes=tuple(nodes), file=found.file)  # fmt: skip
    if inner.told:
        _in_file(node, found.file, [Fault(each.line, f"says: {each.what.removesuffix('.')}", each.remedy) for each in inner.in_order()])  # fmt: skip
        return None
    return spec


def _in_file(node: Node, file: TreeFile, faults: Sequence[Fault]) -> None:
    """Says what is wrong in a tree's file, at its name in the contract, with the line in the file."""
    for fault in faults[:_MOST_TOLD]:
        place = f"`{shown(file.path)}`" + (f" line {fault.line}" if fault.line else "")
        node.say(f"{node.label}: {place} {fault.what}.", fault.remedy, key="file")


def _grown(node: Node) -> tuple[list[Node], Runs]:
    """The leaves under a place and the runs of them that each name covers."""
    leaves: list[Node] = []
    nodes: Runs = []
    before = node.problems.told
    _branches(node, leaves, nodes)
    if not leaves and node.problems.told == before:
        node.say(f"{node.label} has no values.", "Write {name: [value, ...]}.")
    elif not nodes and node.problems.told == before:
        node.say(f"{node.label} is no tree: it has no names over its values.", _NO_TREE)
    return leaves, nodes


def _branches(node: Node, leaves: list[Node], nodes: Runs) -> None:
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


def _told(node: Node, leaves: Sequence[Node], nodes: Runs, logical: LogicalType) -> tuple[str, ...]:
    """The leaves as texts; whatever is wrong with them or with the names over them is said."""
    before = node.problems.told
    texts = [text for leaf in leaves if (text := _leaf(leaf, logical)) is not None]
    if len(texts) > MAX_LEAVES:
        node.say(
            f"{node.label} has more than {MAX_LEAVES} values.", "Use kind: natural, or coarser source values."
        )
    if node.problems.told == before and len(texts) == len(leaves):
        _distinct(node, leaves, texts, nodes, logical)
    return tuple(texts)


# Types whose values can be listed, and what a value of them looks like.
_LISTED: dict[LogicalType, Callable[[object], bool]] = {
    LogicalType.STRING: lambda value: isinstance(value, str) and bool(value),
    LogicalType.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    LogicalType.DATE: lambda value: iso_date(value) is not None,
    LogicalType.TIMESTAMP: lambda value: iso_timestamp(value) is not None,
}


def _no_list(node: Node, logical: LogicalType) -> None:
    node.say(f"{node.label}: a {logical.value} column has no listed values.", "Use kind: natural.")


def _leaf(leaf: Node, logical: LogicalType) -> str | None:
    """A leaf as text; says so when the column's type can't have that value."""
    if logical not in _LISTED:
        _no_list(leaf, logical)
        return None
    if leaf.value is None:
        leaf.say(f"{leaf.label}: null isn't listed, it's a value of its own.", "Take it out.")
        return None
    if not _LISTED[logical](leaf.value):
        remedy = (
            "Put it in quotes." if logical is LogicalType.STRING else f"Write values of type {logical.value}."
        )
        leaf.say(f"{leaf.label}: a value isn't of type {logical.value}.", remedy)
        return None
    return str(leaf.value)


def _moment(text: str, logical: LogicalType) -> datetime | None:
    """What a leaf of a timestamp column means in UTC: 08:00+08:00 and 00:00Z are one value. None for other columns."""
    moment = iso_timestamp(text) if logical is LogicalType.TIMESTAMP else None
    if moment is None or moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:  # the first hours of the calendar
        return None


def _distinct(
    node: Node, leaves: Sequence[Node], texts: list[str], nodes: Runs, logical: LogicalType
) -> None:
    """No value twice, no name twice, and no label that could be mistaken for one the engine makes."""
    seen: set[str] = set()
    moments: set[object] = set()
    for leaf, text in zip(leaves, texts, strict=True):
        moment = _moment(text, logical) or text
        if moment in moments:
            leaf.say(
                f"{node.label}: the value `{shown(text)}` stands twice.",
                "Each value has one place; keep one.",
            )
        seen.add(text)
        moments.add(moment)
    names: set[str] = set()
    for name, _, _ in nodes:
        if not name.strip() or name != name.strip() or not name.isprintable():
            node.say(
                f"{node.label}: a branch has a blank name, or one with spaces around it or control characters.",
                "Write plain text.",
                key="tree",
            )
        if name in names or name in seen:
            node.say(
                f"{node.label}: the branch `{shown(name)}` has the name of another branch or value.",
                "Rename it.",
                key="tree",
            )
        names.add(name)
    for label in _made(seen | names):
        node.say(f"{node.label}: the label `{shown(label)}` is one that coarsening itself gives.", _RENAME)


_NO_TREE = "Write {name: [value, ...]}, each value under the names that it's coarsened to; or kind: ordered with values."
_RENAME = f"Rename it: `{_ALL}` means all, `{_MISSING}` no value, `a{_RANGE}b` a range, `a{_LIST}b` a list."


def _made(labels: set[str]) -> list[str]:
    """The labels that could be mistaken for one that the engine makes of others, in order."""
    return [
        label
        for label in sorted(labels)
        if label.casefold() in (_ALL, _MISSING) or _looks_made(label, labels)
    ]


def _looks_made(label: str, labels: set[str]) -> bool:
    """Whether a label reads as a range of other labels, or as a list: `a` beside `b | c` would be `a | b` beside `c`."""
    if _LIST in label:
        return True
    cuts = [i for i in range(len(label)) if label.startswith(_RANGE, i)]
    return any(label[:i] in labels and label[i + len(_RANGE) :] in labels for i in cuts)
