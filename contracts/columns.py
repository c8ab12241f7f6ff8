"""A column of the contract: its type, its role, what is done to it, and how it may be coarsened."""

from __future__ import annotations

from pathlib import Path

from contracts.carried import OF_FIRMS, Kind
from contracts.compliance import read_doors, read_grade, read_sensitivity
from contracts.hierarchy import read_hierarchy
from contracts.model import Column, LogicalType, Role, TableKind
from contracts.own import own
from contracts.problems import choose, shown
from contracts.protection import HierarchySpec, Transform
from contracts.reading import Node
from contracts.transforms import HIDING, Place, read_transform

# Names that the route itself gives to columns.
_TAKEN = {
    "_rules": "the quarantine's list of broken rules",
    "sluice_unit": "the measures",
    "segment_of_row": "the cells",
}
MAX_NAME_BYTES = 120
ORDERS = ("ordered", "natural")  # hierarchies that are an order


def read_column(
    node: Node,
    *,
    table: str,
    kind: TableKind | None,
    segmented: bool,
    rows: bool = False,
    folder: Path | None = None,
) -> Column | None:
    """The column at `node`, or None when it has no usable name or type.

    kind: the table's, None when that is wrong. segmented: whether the published table gets a column `segment`. rows: whether
    facts go out as rows. folder: the contract's, None when only its text is at hand.
    """
    name = node.get("name")
    if not isinstance(name, str) or not good_name(node, name, of="column"):
        return None
    node = node.named(f"{table}.{shown(name)}")
    taken = _TAKEN.get(name.casefold()) or (
        "the segments" if segmented and name.casefold() == "segment" and kind is TableKind.SUBJECTS else None
    )
    if taken:
        node.say(
            f"{node.label}: the name `{shown(name)}` is taken by {taken}.", "Rename the column.", key="name"
        )
    logical = _logical_type(node)
    if logical is None:
        return None
    role = _role(node, kind)
    transform, treatment = read_transform(node, Place(role=role, kind=kind, type=logical, rows=rows))
    return Column(
        name=name,
        type=logical,
        physical_type=node.get("physicalType"),
        description=node.get("description") or "",
        required=bool(node.get("required")),
        role=role,
        transform=transform,
        treatment=treatment,
        hierarchy=_hierarchy(node, role, transform, logical, folder),
        carries=_carries(node, kind, transform),
        physical_name=_physical_name(node, name),
        grade=read_grade(node),
        sensitivity=read_sensitivity(node),
        doors=read_doors(node),
    )


def good_name(node: Node, name: str, *, of: str, key: str = "name") -> bool:
    """Whether a table's or column's name can be carried into files, SQL and tables; says so when not."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        node.say(
            f"A {of} has a blank name, or one with spaces around it or control characters.",
            "Rename it.",
            key=key,
        )
        return False
    if len(name.encode()) > MAX_NAME_BYTES:
        node.say(f"A {of}'s name is longer than {MAX_NAME_BYTES} bytes.", "Shorten it.", key=key)
        return False
    return True


def _physical_name(node: Node, name: str) -> str | None:
    physical = node.get("physicalName")
    if not isinstance(physical, str) or physical == name:
        return None
    return physical if good_name(node, physical, of="column", key="physicalName") else None


def _logical_type(node: Node) -> LogicalType | None:
    value = node.get("logicalType")
    types = [kind.value for kind in LogicalType]
    if value is None:
        node.say(f"{node.label} has no logicalType.", f"Give one of {', '.join(types)}.", key="logicalType")
        return None
    if value not in types:
        remedy = f"Sluice carries {', '.join(types)}: flatten or split the column, or leave it out of the contract."
        node.say(
            f"{node.label} is of logical type `{shown(value)}`, which isn't carried.",
            remedy,
            key="logicalType",
        )
        return None
    for key in ("properties", "items", "map"):
        if node.has(key):
            node.say(f"{node.label} has `{key}`, but is a plain column.", "Take it out.", key=key)
    if node.get("semanticType") in ("measure", "dimension"):
        node.say(
            f"{node.label} is a {node.get('semanticType')}, which no source column holds.",
            "Describe the physical column; published measures stand in sluiceCells.",
            key="semanticType",
        )
    return LogicalType(value)


def _role(node: Node, kind: TableKind | None) -> Role:
    given = own(node, "sluiceRole")
    if given is None:
        if kind is not None and kind.about_persons:
            node.say(
                f"{node.label} has no role, and its table is about persons.",
                "Give it the customProperty sluiceRole: identifier, quasiIdentifier, sensitive, excluded"
                + (" or attribute." if kind is TableKind.FACTS else "."),
                key="customProperties",
            )
        return Role.ATTRIBUTE if kind is TableKind.REFERENCE else Role.EXCLUDED
    roles = [role.value for role in Role]
    if given.value not in roles:
        given.say(
            f"{node.label}: sluiceRole can't be `{shown(given.value)}`.", choose(str(given.value), roles)
        )
        return Role.EXCLUDED
    role = Role(given.value)
    if kind is TableKind.SUBJECTS and role is Role.ATTRIBUTE:
        given.say(
            f"{node.label}: a subject table has no plain attributes, each column tells of its person.",
            "Choose quasiIdentifier, sensitive, identifier or excluded.",
        )
    if kind is TableKind.REFERENCE and role in (Role.QUASI_IDENTIFIER, Role.SENSITIVE):
        given.say(
            f"{node.label}: {role.value} speaks of persons, and a reference table holds none.",
            "Set sluiceKind: subjects for a table about persons, or the role attribute.",
        )
    return role


def _hierarchy(
    node: Node, role: Role, transform: Transform, logical: LogicalType, folder: Path | None
) -> HierarchySpec | None:
    given = own(node, "sluiceHierarchy")
    if given is None:
        return HierarchySpec(kind="natural") if transform is Transform.GENERALIZE else None
    if role not in (Role.QUASI_IDENTIFIER, Role.SENSITIVE):
        given.say(
            f"{node.label}: only a quasi-identifier has a hierarchy, and its role is {role.value}.",
            "Take sluiceHierarchy out, or set sluiceRole: quasiIdentifier.",
        )
        return None
    spec = read_hierarchy(given.named(f"{node.label}: sluiceHierarchy"), logical, folder)
    if spec is not None and role is Role.SENSITIVE and spec.kind not in ORDERS:
        given.say(
            f"{node.label}: a sensitive column isn't coarsened; its hierarchy only says in what order its values lie.",
            f"Use kind: {' or '.join(ORDERS)}, or take sluiceHierarchy out.",
            key="kind",
        )
        return None
    return spec


def _carries(node: Node, kind: TableKind | None, transform: Transform) -> tuple[str, ...]:
    """sluiceCarries: the kinds of personal data that are said to stand in the column, in our order."""
    given = own(node, "sluiceCarries")
    if given is None:
        return ()
    known = [each.value for each in Kind]
    if not isinstance(given.value, list) or not given.value:
        given.say(f"{node.label}: sluiceCarries must be a list.", f"Write some of [{', '.join(known)}].")
        return ()
    for i, each in enumerate(given.value):
        if each not in known:
            given.say(
                f"{node.label}: sluiceCarries can't hold `{shown(each)}`.", choose(str(each), known), key=i
            )
        elif each in given.value[:i]:
            given.say(f"{node.label}: `{each}` stands twice.", "Keep one of them.", key=i)
    carried = tuple(each for each in Kind if each in given.value)
    of_persons = [each.value for each in carried if each not in OF_FIRMS]
    if of_persons and kind is not None and kind.about_persons and transform not in HIDING:
        given.say(
            f"{node.label} carries {', '.join(of_persons)} of persons, and goes out as `{transform.value}`.",
            "Drop it, or make it an identifier that is pseudonymised, tokenised or redacted.",
        )
    return tuple(each.value for each in carried)
