"""The term sheet: what two parties negotiate about, as a short YAML file that people write; `message` makes ODRL of it.

release:                          a door; query and train the same way
  purpose: [demand-forecast]
  from: 2026-01-01                first and last day, whole days in UTC; or moments with a zone
  until: 2026-12-31
  territory: [CN]
  grade: [SME, LittleGiant]
  minGroupSize: 5                 every other limit of the door by its name (docs/policy.md)
forbidden: [reidentify, distribute]
notCombinedWith: [loyalty-cards]
deleteWithinDays: 30
reportEvery: P1M
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from contracts.agreement.message import DoorTerms, Terms, Written
from contracts.agreement.values import PARTY
from contracts.agreement.vocabulary import BY_NAME, DISTRIBUTE, INTERVAL, PROHIBITABLE, REIDENTIFY, Door
from contracts.locate import read_yaml
from contracts.problems import Problems, shown
from contracts.reading import Node
from core.errors import ContractError

_TERMS = ("forbidden", "notCombinedWith", "deleteWithinDays", "reportEvery")
_DOOR = ("purpose", "from", "until", "territory", "grade")
_LIMITS = tuple(name for name in BY_NAME if name not in ("purpose", "dateTime", "spatial", "recipientGrade"))
_LAST = time(23, 59, 59)


def read_sheet(path: Path) -> Terms:
    """The terms in a file; their target is set when they're put forward. Raises ContractError listing every problem."""
    problems = Problems(path)
    node = Node(read_yaml(path, problems).data, (), problems, "The term sheet")
    terms = _terms(node) if node.mapping((*Door, *_TERMS)) else None
    if terms is None or problems.found:
        listed = "\n".join(str(problem) for problem in problems.in_order())
        raise ContractError(
            f"The term sheet can't be used:\n{listed}", problems=problems.in_order(), where=str(path)
        )
    return terms


def _terms(node: Node) -> Terms:
    doors = [door for name in Door if node.has(name) and (door := _door(node.at(name), name)) is not None]
    if not any(node.has(name) for name in Door):
        node.say("No door is opened.", "Write release, query or train, with what it's opened for.")
    forbidden = _texts(node, "forbidden")
    for act in forbidden:
        if act not in PROHIBITABLE.values():
            node.say(
                f"`{act}` can't be forbidden.", f"Use {', '.join(PROHIBITABLE.values())}.", key="forbidden"
            )
    return Terms(
        target="",
        doors=tuple(doors),
        forbidden=forbidden if node.has("forbidden") else (REIDENTIFY, DISTRIBUTE),
        not_combined_with=_texts(node, "notCombinedWith"),
        delete_within_days=node.whole("deleteWithinDays", least=0, most=36_500),
        report_every=_report_every(node),
    )


def _report_every(node: Node) -> str | None:
    written = node.text("reportEvery")
    if written is not None and INTERVAL.kind.read(written) is None:
        node.say(
            f"`reportEvery` can't be `{shown(written)}`.", f"Write {INTERVAL.kind.takes}.", key="reportEvery"
        )
    return written


def _door(node: Node, door: Door) -> DoorTerms | None:
    known = (*_DOOR, *_LIMITS)
    if not node.mapping(known, required=_DOOR):
        return None
    start, end = _moment(node, "from", time()), _moment(node, "until", _LAST)
    if start is None or end is None:
        return None
    if start > end:
        node.say(f"{node.label} ends before it begins.", "Swap `from` and `until`.", key="until")
    return DoorTerms(
        door=door,
        purposes=_texts(node, "purpose"),
        start=start,
        end=end,
        territories=_texts(node, "territory"),
        grades=_texts(node, "grade"),
        limits={name: written for name in _LIMITS if (written := _known(node, name)) is not None},
    )


def _moment(node: Node, key: str, at: time) -> datetime | None:
    value: Any = node.get(key)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    elif isinstance(value, date):
        return datetime.combine(value, at, UTC)
    if node.get(key) is not None:
        node.say(
            f"{node.label}: `{key}` isn't a day or a moment.",
            'Write "2026-12-31", or "2026-12-31T12:00:00+08:00" with its zone.',
            key=key,
        )
    return None


def _texts(node: Node, key: str) -> tuple[str, ...]:
    value = node.get(key)
    items = [value] if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list) or not items or not all(isinstance(item, str) and item for item in items):
        node.say(f"{node.label}: `{key}` must be one word, or a list of them.", "Write [..., ...].", key=key)
        return ()
    return tuple(items)


def _known(node: Node, name: str) -> Written | None:
    """A limit whose every value is of the kind that its operand takes: what no door understands isn't put forward."""
    written, kind = _limit(node, name), BY_NAME[name].kind
    for each in written if isinstance(written, tuple) else () if written is None else (written,):
        if (
            kind is not PARTY and kind.read(str(each)) is None
        ):  # `message` makes ids of parties, and checks them
            node.say(f"{node.label}: `{name}` can't be `{shown(each)}`.", f"Write {kind.takes}.", key=name)
            return None
    return written


def _limit(node: Node, name: str) -> Written | None:
    value = node.get(name)
    if isinstance(value, bool) or value is None:
        if value is not None:
            node.say(f"{node.label}: `{name}` can't be true or false.", "Write its limit.", key=name)
        return None
    if isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return _texts(node, name)
    node.say(
        f"{node.label}: `{name}` must be a number, a word, or a list of words.", "Write it so.", key=name
    )
    return None
