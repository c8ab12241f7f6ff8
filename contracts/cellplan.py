"""sluiceCells: how facts of persons become cells, with every name in it resolved against the table's columns."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.model import Column, LogicalType, Role
from contracts.problems import choose, shown
from contracts.protection import CellPlan, Dimension, Level, Measure, PrivacyTerms, Transform
from contracts.reading import Node

_KEYS = ("segmentsOf", "segmentMinUnits", "countAs", "dimensions", "measures")
_AGGREGATES = ("sum", "count", "countDistinct")
_ALL = "all"  # what the engine calls the level beyond the last
SEGMENT = "segment"
MAX_DECIMALS = 12


def read_cells(
    node: Node, columns: Mapping[str, Column], *, subjects: str | None, terms: PrivacyTerms | None
) -> CellPlan | None:
    """The plan at `node`, or None when something in it is wrong (and said).

    columns: the fact table's, by name. subjects: the name of the contract's subject table, if it has one.
    """
    before = node.problems.told
    if not node.mapping(_KEYS, required=("dimensions",)):
        return None
    k = terms.k if terms else 2
    segments_of = _segments_of(node, subjects)
    least = node.whole("segmentMinUnits", least=k)
    if node.has("segmentMinUnits") and not node.has("segmentsOf"):
        node.say(
            f"{node.label}: segmentMinUnits without segments.",
            "Name a subject table in segmentsOf, or take it out.",
            key="segmentMinUnits",
        )
    count_name = node.text("countAs") or "units"
    dimensions = [
        _dimension(item, columns, terms) for item in node.items("dimensions", what=f"{node.label} dimension")
    ]
    measures = [_measure(item, columns) for item in node.items("measures", what=f"{node.label} measure")]
    if node.get("dimensions") == []:
        node.say(
            f"{node.label} has no dimensions.",
            "Name at least one, such as a week or a category.",
            key="dimensions",
        )
    _no_collisions(node, count_name, dimensions, measures)
    if node.problems.told > before:
        return None
    return CellPlan(
        segments_of=segments_of,
        segment_min_units=least if least is not None else 10 * k,
        dimensions=tuple(dimension for dimension in dimensions if dimension),
        measures=tuple(measure for measure in measures if measure),
        count_name=count_name,
    )


def _segments_of(node: Node, subjects: str | None) -> str | None:
    named = node.text("segmentsOf")
    if named is None:
        if subjects is not None and not node.has("segmentsOf"):
            node.say(
                f"{node.label} doesn't say whose classes make the segments.",
                f"Add segmentsOf: {shown(subjects)}, the contract's subject table.",
                key="segmentsOf",
            )
        return None
    if subjects is None:
        node.say(f"{node.label}: segmentsOf names `{shown(named)}`, but the contract has no subject table.",
                 "Take it out, or set sluiceKind: subjects on that table.", key="segmentsOf")  # fmt: skip
        return None
    if named != subjects:
        node.say(
            f"{node.label}: segmentsOf names `{shown(named)}`, which isn't the subject table.",
            choose(named, [subjects]),
            key="segmentsOf",
        )
        return None
    return named


def _dimension(node: Node, columns: Mapping[str, Column], terms: PrivacyTerms | None) -> Dimension | None:
    if not node.mapping(("name", "levels"), required=("name", "levels")):
        return None
    name = node.text("name")
    node = node.named(f"dimension `{shown(name)}`") if name else node
    levels: list[Level] = []
    for item in node.items("levels", what=f"a level of {node.label}"):
        level = _level(item, columns, terms)
        if level is None:
            continue
        if _folded(level.label) in (_ALL, *(_folded(other.label) for other in levels)):
            item.say(
                f"{node.label}: the label `{shown(level.label)}` is taken.",
                f"Give each level a label of its own; `{_ALL}` stands for what lies beyond the last.",
                key="label",
            )
        if levels:
            _coarser(item, levels[-1], level, columns)
        levels.append(level)
    if node.get("levels") == []:
        node.say(
            f"{node.label} has no levels.", "Name at least one: {label: ..., column: ...}.", key="levels"
        )
    return Dimension(name=name, levels=tuple(levels)) if name and levels else None


def _folded(label: str) -> str:
    """A label as a reader of the cells takes it: neither capitals nor spaces around it make another."""
    return label.strip().casefold()


def _level(node: Node, columns: Mapping[str, Column], terms: PrivacyTerms | None) -> Level | None:
    if not node.mapping(("label", "column", "width", "origin"), required=("column",)):
        return None
    column = _column(node, columns)
    label = node.text("label") or (column.name if column and not node.has("label") else None)
    width, origin = node.whole("width", least=1), node.whole("origin")
    if column is None or label is None:
        return None
    if (terms and column.name == terms.unit) or column.role is not Role.ATTRIBUTE:
        what = (
            "the privacy unit"
            if terms and column.name == terms.unit
            else f"a column with the role {column.role.value}"
        )
        node.say(
            f"{node.label}: `{shown(column.name)}` is {what}, which no cell may show.",
            "Use a column with the role attribute.",
            key="column",
        )
        return None
    if column.transform is Transform.DROP:
        node.say(
            f"{node.label}: `{shown(column.name)}` is dropped.",
            "Take its sluiceTransform out, or use another column.",
            key="column",
        )
    if (width or 1) > 1 and column.type is not LogicalType.INTEGER:
        node.say(
            f"{node.label}: `width` groups whole numbers, and `{shown(column.name)}` is {column.type.value}.",
            "Take width out.",
            key="width",
        )
    if node.has("origin") and (width or 1) == 1:
        node.say(
            f"{node.label}: `origin` without a `width` over 1.",
            "Add the width, or take origin out.",
            key="origin",
        )
    return Level(label=label, column=column.name, width=width or 1, origin=origin or 0)


def _coarser(node: Node, finer: Level, level: Level, columns: Mapping[str, Column]) -> None:
    """A dimension has one logical type, and each level gathers whole groups of the one before."""
    if columns[finer.column].type is not columns[level.column].type:
        types = f"{columns[finer.column].type.value} and {columns[level.column].type.value}"
        node.say(
            f"{node.label}: levels of one dimension have one type, these are {types}.",
            "Make them two dimensions.",
            key="column",
        )
    if finer.column != level.column:
        return
    if level.width <= finer.width or level.width % finer.width:
        node.say(
            f"{node.label}: width {level.width} doesn't gather whole groups of width {finer.width}.",
            "Write levels from fine to coarse, each width a multiple of the one before.",
            key="width",
        )
    elif finer.width > 1 and (level.origin - finer.origin) % finer.width:
        node.say(
            f"{node.label}: its origin cuts the groups of the level before.",
            "Use the same origin.",
            key="origin",
        )


def _column(node: Node, columns: Mapping[str, Column]) -> Column | None:
    name = node.text("column")
    if name is None:
        return None
    if name not in columns:
        node.say(
            f"{node.label}: the table has no column `{shown(name)}`.", choose(name, columns), key="column"
        )
        return None
    return columns[name]


def _measure(node: Node, columns: Mapping[str, Column]) -> Measure | None:
    if not node.mapping(("name", "aggregate", "column", "decimals"), required=("name", "aggregate")):
        return None
    name = node.text("name")
    node = node.named(f"measure `{shown(name)}`") if name else node
    aggregate = node.choice("aggregate", _AGGREGATES)
    decimals = node.whole("decimals", least=0, most=MAX_DECIMALS)
    column = _column(node, columns)
    if aggregate is None or name is None:
        return None
    if aggregate == "count":
        if node.has("column"):
            node.say(
                f"{node.label}: count counts rows and takes no column.",
                "Take it out, or use countDistinct.",
                key="column",
            )
    elif not node.has("column"):
        node.say(f"{node.label}: {aggregate} needs a column.", "Add column: ....", key="column")
    if node.has("decimals") and aggregate != "sum":
        node.say(f"{node.label}: decimals are for sums.", "Take them out.", key="decimals")
    if column is not None:
        fitting = (Role.ATTRIBUTE, Role.IDENTIFIER) if aggregate == "countDistinct" else (Role.ATTRIBUTE,)
        if column.role not in fitting or (
            column.transform is Transform.DROP and column.role is Role.ATTRIBUTE
        ):
            told = "dropped" if column.role in fitting else f"of the role {column.role.value}"
            node.say(f"{node.label}: `{shown(column.name)}` is {told}, which can't be published by {aggregate}.",
                     f"Use a column with the role {' or '.join(role.value for role in fitting)}.", key="column")  # fmt: skip
        elif aggregate == "sum" and column.type not in (LogicalType.INTEGER, LogicalType.NUMBER):
            node.say(
                f"{node.label}: a sum needs numbers, `{shown(column.name)}` is {column.type.value}.",
                "Use count or countDistinct.",
                key="column",
            )
    return Measure(name=name, aggregate=aggregate, column=column.name if column else None, decimals=decimals)


def _no_collisions(
    node: Node, count_name: str, dimensions: list[Dimension | None], measures: list[Measure | None]
) -> None:
    """Each published column has a name of its own; SQL doesn't tell upper from lower case."""
    names: list[tuple[str, tuple[str | int, ...]]] = [(SEGMENT, ("dimensions",)), (count_name, ("countAs",))]
    for i, dimension in enumerate(dimensions):
        if dimension:
            names += [
                (dimension.name, ("dimensions", i, "name")),
                (f"{dimension.name}_level", ("dimensions", i, "name")),
            ]
    names += [(measure.name, ("measures", i, "name")) for i, measure in enumerate(measures) if measure]
    seen: set[str] = set()
    for name, place in names:
        if name.casefold() in seen:
            node.problems.add((*node.where, *place), f"{node.label}: two published columns would be called `{shown(name)}`.",
                              f"Rename one (`{SEGMENT}` and each dimension's `<name>_level` are taken).")  # fmt: skip
        seen.add(name.casefold())
