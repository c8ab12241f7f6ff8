"""A column of the contract: its type, its role, what is done to it, and how it may be coarsened."""

from __future__ import annotations

from contracts.compliance import read_doors, read_grade, read_sensitivity
from contracts.hierarchy import read_hierarchy
from contracts.model import Column, HierarchySpec, LogicalType, Role, TableKind, Transform
from contracts.own import own
from contracts.problems import choose, shown
from contracts.reading import Node

# What a role lets be done to a column; the first is the default.
ALLOWED: dict[Role, tuple[Transform, ...]] = {
    Role.IDENTIFIER: (Transform.DROP, Transform.PSEUDONYM),
    Role.QUASI_IDENTIFIER: (Transform.GENERALIZE, Transform.DROP),
    Role.SENSITIVE: (Transform.KEEP, Transform.DROP),
    Role.EXCLUDED: (Transform.DROP,),
    Role.ATTRIBUTE: (Transform.KEEP, Transform.DROP),
}
# Names that the route itself gives to columns.
_TAKEN = {
    "_rules": "the quarantine's list of broken rules",
    "sluice_unit": "the measures",
    "segment_of_row": "the cells",
}
MAX_NAME_BYTES = 120


def read_column(node: Node, *, table: str, kind: TableKind | None, segmented: bool) -> Column | None:
    """The column at `node`, or None when it has no usable name or type.

    kind: the table's, None when that is wrong. segmented: whether the published table gets a column `segment`.
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
    transform = _transform(node, role, kind)
    return Column(
        name=name,
        type=logical,
        physical_type=node.get("physicalType"),
        description=node.get("description") or "",
        required=bool(node.get("required")),
        role=role,
        transform=transform,
        hierarchy=_hierarchy(node, role, transform, logical),
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


def _transform(node: Node, role: Role, kind: TableKind | None) -> Transform:
    allowed = ALLOWED[role]
    given = own(node, "sluiceTransform")
    if given is None:
        return allowed[0]
    known = [transform.value for transform in Transform]
    if given.value not in known:
        given.say(
            f"{node.label}: sluiceTransform can't be `{shown(given.value)}`.", choose(str(given.value), known)
        )
        return allowed[0]
    transform = Transform(given.value)
    if transform not in allowed:
        fitting = " or ".join(f"`{fit.value}`" for fit in allowed)
        given.say(
            f"{node.label}: a column with the role {role.value} can't be `{transform.value}`.",
            f"Use {fitting}.",
        )
        return allowed[0]
    if kind is TableKind.FACTS and transform is Transform.PSEUDONYM:
        given.say(
            f"{node.label}: facts are published as cells, in which no pseudonym stands.",
            "Take sluiceTransform out: identifiers of facts are dropped.",
        )
        return Transform.DROP
    return transform


def _hierarchy(node: Node, role: Role, transform: Transform, logical: LogicalType) -> HierarchySpec | None:
    given = own(node, "sluiceHierarchy")
    if given is None:
        return HierarchySpec(kind="natural") if transform is Transform.GENERALIZE else None
    if role is not Role.QUASI_IDENTIFIER:
        given.say(
            f"{node.label}: only a quasi-identifier has a hierarchy, and its role is {role.value}.",
            "Take sluiceHierarchy out, or set sluiceRole: quasiIdentifier.",
        )
        return None
    return read_hierarchy(given.named(f"{node.label}: sluiceHierarchy"), logical)
