"""sluiceTransform: what is done to a column, with its parameters, as far as its role, its table and its type let it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from contracts.agreement.codes import bare_name
from contracts.model import Column, LogicalType, Role, TableKind
from contracts.own import own
from contracts.problems import choose, shown
from contracts.protection import Transform, Treatment
from contracts.reading import Node

# What a role lets be done to a column; the first is the default.
ALLOWED: dict[Role, tuple[Transform, ...]] = {
    Role.IDENTIFIER: (Transform.DROP, Transform.PSEUDONYM, Transform.TOKEN, Transform.REDACT),
    Role.QUASI_IDENTIFIER: (Transform.GENERALIZE, Transform.DROP, Transform.REDACT),
    Role.SENSITIVE: (
        Transform.KEEP, Transform.DROP, Transform.ROUND, Transform.CLAMP, Transform.NOISE, Transform.REDACT,
    ),
    Role.EXCLUDED: (Transform.DROP,),
    Role.ATTRIBUTE: (Transform.KEEP, Transform.DROP),
}  # fmt: skip
# What may be done besides to an attribute of facts that go out as rows.
OF_ROWS = (Transform.ROUND, Transform.CLAMP, Transform.NOISE, Transform.SHIFT, Transform.REDACT)
# After these nothing of what stood in a cell can be read.
HIDING = (Transform.DROP, Transform.PSEUDONYM, Transform.TOKEN, Transform.REDACT)
_NUMBERS = (LogicalType.INTEGER, LogicalType.NUMBER)
_FITS: dict[Transform, tuple[LogicalType, ...]] = {
    Transform.ROUND: _NUMBERS,
    Transform.CLAMP: _NUMBERS,
    Transform.NOISE: _NUMBERS,
    Transform.SHIFT: (LogicalType.DATE, LogicalType.TIMESTAMP),
    Transform.REDACT: (LogicalType.STRING,),
    Transform.TOKEN: (LogicalType.STRING, LogicalType.INTEGER),
}
PARAMETERS: dict[Transform, tuple[str, ...]] = {
    Transform.TOKEN: ("holder",),
    Transform.ROUND: ("to",),
    Transform.CLAMP: ("low", "high"),
    Transform.NOISE: ("scale", "step"),
    Transform.SHIFT: ("days",),
}
_EXAMPLES = {
    Transform.TOKEN: "{kind: token, holder: NAME}",
    Transform.ROUND: "{kind: round, to: 10}",
    Transform.CLAMP: "{kind: clamp, low: 0, high: 100}",
    Transform.NOISE: "{kind: noise, scale: 2.5, step: 0.1}",
    Transform.SHIFT: "{kind: shift, days: 30}",
}
MAX_SHIFT_DAYS = 3650
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a transform stands. kind: the table's, None when that is wrong. rows: whether facts go out as rows."""

    role: Role
    kind: TableKind | None
    type: LogicalType
    rows: bool

    @property
    def of_rows(self) -> bool:
        """Whether the column is one of facts that go out row by row."""
        return self.kind is TableKind.FACTS and self.rows

    @property
    def of_cells(self) -> bool:
        """Whether the column is one of facts of which cells are made."""
        return self.kind is TableKind.FACTS and not self.rows


def allowed(place: Place) -> tuple[Transform, ...]:
    """What may be done to a column, the default first."""
    fitting = ALLOWED[place.role]
    if not place.of_rows:
        return fitting
    if place.role is Role.ATTRIBUTE:
        return (*fitting, *OF_ROWS)
    if place.role in (Role.QUASI_IDENTIFIER, Role.SENSITIVE):
        return (Transform.DROP, Transform.REDACT)
    return fitting


def read_transform(node: Node, place: Place) -> tuple[Transform, Treatment | None]:
    """What is done to the column at `node`, and its parameters where it has some; what is wrong is said."""
    given = own(node, "sluiceTransform")
    default = ALLOWED[place.role][0]
    if given is None:
        _of_classes(node, place, default)
        return default, None
    transform = _named(node, given)
    if transform is None:
        return default, None
    if place.of_cells and transform not in (Transform.DROP, Transform.KEEP, Transform.GENERALIZE):
        what = "no pseudonym" if transform in (Transform.PSEUDONYM, Transform.TOKEN) else "no value of a row"
        given.say(
            f"{node.label}: facts are published as cells, in which {what} stands.",
            "Take sluiceTransform out: identifiers of facts are dropped."
            if place.role is Role.IDENTIFIER
            else "Take sluiceTransform out, or publish the facts as rows by sluiceRows.",
        )
        return Transform.DROP, None
    if transform not in ALLOWED[place.role] and transform not in allowed(place):
        fitting = " or ".join(f"`{fit.value}`" for fit in allowed(place))
        of_rows = transform in OF_ROWS and place.role is Role.ATTRIBUTE
        given.say(
            f"{node.label}: a column with the role {place.role.value} can't be `{transform.value}`"
            + (" outside of facts that go out as rows." if of_rows else "."),
            f"Use {fitting}.",
        )
        return default, None
    if not _of_classes(given, place, transform, label=node.label):
        return transform, None
    if place.type not in _FITS.get(transform, (place.type,)):
        _wrong_type(node, given, place, transform)
        return transform, None
    return transform, _treatment(given.named(f"{node.label}: sluiceTransform"), transform, place.type)


def check_holders(columns: Sequence[tuple[Column, Node]], *, recipient: str, tenant: str | None) -> None:
    """Says which tokens' second key would lie with a party that must not have it."""
    for column, node in columns:
        holder = column.treatment.holder if column.treatment is not None else None
        given = own(node, "sluiceTransform") if holder is not None else None
        if holder is None or given is None:
            continue
        if recipient and bare_name(holder) == bare_name(recipient):
            given.say(
                f"{node.label}: the holder of the second key is the recipient, who holds the tokens too: then only one key stands between it and the persons.",
                "Name a third party, or a department of the platform that keeps keys and sees no data.",
                key="holder",
            )
        elif tenant and bare_name(holder) == bare_name(tenant):
            given.say(
                f"{node.label}: the holder of the second key is the tenant, who holds the first: one party alone could read the tokens.",
                "Name a third party, or a department of the platform that keeps keys and sees no data.",
                key="holder",
            )


def _named(node: Node, given: Node) -> Transform | None:
    """The transform that a word or the `kind` of a mapping names."""
    word = given.value
    if isinstance(word, dict):
        if not given.has("kind"):
            given.say(f"{node.label}: sluiceTransform lacks `kind`.", f"Write {_EXAMPLES[Transform.ROUND]}.", key="kind")  # fmt: skip
            return None
        word = given.get("kind")
    known = [transform.value for transform in Transform]
    if not isinstance(word, str) or word not in known:
        given.say(f"{node.label}: sluiceTransform can't be `{shown(word)}`.", choose(str(word), known))
        return None
    return Transform(word)


def _of_classes(node: Node, place: Place, transform: Transform, *, label: str | None = None) -> bool:
    """Whether the role holds in the table: rows of facts have no classes, so nothing in them is generalised or l-diverse."""
    if not place.of_rows or transform in allowed(place):
        return True
    node.say(
        f"{label or node.label}: rows of facts have no classes, so a column with the role {place.role.value} can't be `{transform.value}` there.",
        "Use `drop`; or set sluiceRole: attribute: unicity counts the column among what an attacker knows then.",
        key=None if label else "customProperties",
    )
    return False


def _wrong_type(node: Node, given: Node, place: Place, transform: Transform) -> None:
    fits = " or ".join(fit.value for fit in _FITS[transform])
    remedy = "Use `drop`." if transform in HIDING else f"Use another transform, or take it out: it's for {fits}."  # fmt: skip
    given.say(
        f"{node.label}: `{transform.value}` is for {fits} columns, and this one is {place.type.value}.",
        remedy,
    )


def _treatment(node: Node, transform: Transform, logical: LogicalType) -> Treatment | None:
    """The parameters at `node`; None for a transform without, and where some are wrong."""
    keys = PARAMETERS.get(transform, ())
    if not isinstance(node.value, dict):
        if keys:
            node.say(
                f"{node.label}: `{transform.value}` lacks its parameters.", f"Write {_EXAMPLES[transform]}."
            )
        return None
    before = node.problems.told
    required = () if transform in (Transform.CLAMP, Transform.NOISE) else keys
    node.mapping(("kind", *keys), required=required)
    if not keys or node.problems.told > before:
        return None
    read = _READERS[transform](node, logical)
    return read if node.problems.told == before else None


def _token(node: Node, _logical: LogicalType) -> Treatment:
    holder = node.text("holder")
    if holder is not None and not _HOLDER.fullmatch(holder):
        node.say(
            f"{node.label}: `holder` isn't a plain name.",
            "Use up to 64 letters, digits, dots, hyphens and underscores, like `notary-office`.",
            key="holder",
        )
    return Treatment(holder=holder)


def _round(node: Node, logical: LogicalType) -> Treatment:
    step = node.number("to", above=0)
    _whole(node, logical, "to")
    return Treatment(step=step)


def _clamp(node: Node, logical: LogicalType) -> Treatment:
    low, high = node.number("low"), node.number("high")
    if not node.has("low") and not node.has("high"):
        node.say(f"{node.label}: `clamp` has no bound.", "Give low, high or both.")
    if low is not None and high is not None and low >= high:
        node.say(f"{node.label}: `low` isn't under `high`.", "Swap or widen them.", key="low")
    _whole(node, logical, "low", "high")
    return Treatment(low=low, high=high)


def _noise(node: Node, logical: LogicalType) -> Treatment:
    scale, step = node.number("scale", above=0), node.number("step", above=0)
    if not node.has("scale"):
        node.say(
            f"{node.label} lacks `scale`.",
            f"Add it, in the column's unit: {_EXAMPLES[Transform.NOISE]}.",
            key="scale",
        )
    if not node.has("step") and logical is LogicalType.NUMBER:
        node.say(
            f"{node.label} lacks `step`.",
            "Add the grid that values lie on, such as 0.01 for cents: noise off the grid would tell the value.",
            key="step",
        )
    _whole(node, logical, "step")
    if step is None and logical is LogicalType.INTEGER:
        step = Decimal(1)
    if scale is not None and step is not None and step > scale:
        node.say(
            f"{node.label}: `step` is over `scale`, so that most values would go out as they are.",
            "Write a finer step, or a larger scale.",
            key="step",
        )
    return Treatment(scale=scale, step=step)


def _shift(node: Node, _logical: LogicalType) -> Treatment:
    return Treatment(days=node.whole("days", least=1, most=MAX_SHIFT_DAYS))


_READERS = {
    Transform.TOKEN: _token,
    Transform.ROUND: _round,
    Transform.CLAMP: _clamp,
    Transform.NOISE: _noise,
    Transform.SHIFT: _shift,
}


def _whole(node: Node, logical: LogicalType, *keys: str) -> None:
    """Says where a parameter would give an integer column decimals."""
    for key in keys:
        value = node.get(key)
        if logical is LogicalType.INTEGER and isinstance(value, float) and not value.is_integer():
            node.say(
                f"{node.label}: `{key}` has decimals, and the column is integer.",
                "Write a whole number.",
                key=key,
            )
