"""YAML to plain values, with the line of every key and item.

Read as YAML tools of the standard do (YAML 1.1 by PyYAML), but stricter where a contract could say two things at once:
a key may stand once, dates stay text, no tags beyond the plain ones, one document, aliases within bounds. What is valid
and yet can't be signed (merge keys, integers that JSON can't carry) is read, and told as unshareable.
"""

from __future__ import annotations

import math
import os
import select
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts.problems import MALFORMED, UNSHAREABLE, Mark, Problems, Where, shown

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 100_000  # values after aliases are followed: an alias bomb ends here
MAX_DEPTH = 60
WAIT_S = 10.0  # for a pipe that says nothing
_SAFE_INTEGER = 2**53 - 1  # beyond it RFC 8785 (and JSON) can't tell neighbours apart

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = "tag:yaml.org,2002:"


@dataclass
class Located:
    """A document as plain values and the marks of its places. data is None when it couldn't be read at all."""

    data: Any
    marks: dict[Where, Mark] = field(default_factory=dict)


def read_yaml(
    path: Path, problems: Problems, content: bytes | None = None, *, most: int = MAX_BYTES
) -> Located:
    """The document in a file. What is wrong with it as YAML goes to `problems`; what could be read is given all the same.

    content: the file's bytes where they came another way; then `path` is only what messages call it. most: bytes.
    """
    text = _text(path, problems, content, most)
    if text is None or not _shallow(text, problems):
        return Located(None)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        _not_yaml(error, text, problems)
        return Located(None)
    if node is None:
        problems.add((), "The file is empty.", "Write a data contract in it, or remove it.", kind=MALFORMED)
        return Located(None)
    builder = _Builder(problems)
    problems.marks = builder.marks
    try:
        return Located(builder.build(node, ()), builder.marks)
    except _TooMuchError:
        what = f"The document holds more than {MAX_NODES} values once its aliases are followed."
        problems.add((), what, "Write out what is meant; a contract is a few pages.", kind=MALFORMED)
        return Located(None)


def read_text_block(text: str) -> Any:
    """The value of a YAML text inside the contract (no marks). Raises ValueError when it can't be read or says things twice."""
    inner = Problems(Path("block"))
    try:
        if _shallow(text, inner):
            node = yaml.compose(text, Loader=_Loader)
            value = _Builder(inner).build(node, ()) if node is not None else None
            if not inner.found:
                return value
    except (yaml.YAMLError, _TooMuchError):
        pass  # its text may quote the block; the caller says what is wrong without it
    raise ValueError("not one plain YAML value")


def _text(path: Path, problems: Problems, content: bytes | None, most: int) -> str | None:
    try:
        raw = _bytes(path) if content is None else content
    except FileNotFoundError:
        _whole(problems, "There is no such file.", "Check the path.")
        return None
    except TimeoutError:
        _whole(problems, f"Nothing came through the pipe in {WAIT_S:g} s.", "Check what writes into it.")
        return None
    except OSError as error:
        _whole(
            problems,
            f"The file can't be read ({error.strerror or type(error).__name__}).",
            "Check what it is and its mode.",
        )
        return None
    if len(raw) > most:
        what = f"The file is larger than {most} bytes."
        problems.add((), what, "A contract is a few pages; split it.", kind=MALFORMED)
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problems.marks = {(): (line, 1)}
        problems.add((), "The file isn't UTF-8.", "Save it with the encoding UTF-8.", kind=MALFORMED)
        return None


def _bytes(path: Path) -> bytes:
    """What a file or a pipe holds, as far as one byte past the bound. Raises OSError, TimeoutError for a silent pipe."""
    # Else the opening of a pipe that nobody writes into would never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as stream:
        may_wait = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        raw = bytearray()
        heard = time.monotonic()
        while len(raw) <= MAX_BYTES:
            if may_wait and not ready.poll(int(WAIT_S * 1000)):
                raise TimeoutError
            part = stream.read(MAX_BYTES + 1 - len(raw))
            if part == b"":
                break
            if part is None:  # said to be ready, and isn't: so do some files of the kernel
                if time.monotonic() - heard > WAIT_S:
                    raise TimeoutError
                time.sleep(0.05)
                continue
            raw += part
            heard = time.monotonic()
        return bytes(raw)


def _whole(problems: Problems, what: str, remedy: str) -> None:
    problems.marks = {(): (0, 0)}
    problems.add((), what, remedy, kind=MALFORMED)


def _shallow(text: str, problems: Problems) -> bool:
    """Whether the nesting is within bounds; looked at as events first, because composing recurses."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > MAX_DEPTH:
                    problems.marks = {(): _mark(event.start_mark)}
                    what = f"The document nests deeper than {MAX_DEPTH} levels."
                    problems.add((), what, "Flatten it.", kind=MALFORMED)
                    return False
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
    except yaml.YAMLError as error:
        _not_yaml(error, text, problems)
        return False
    return True


def _not_yaml(error: yaml.YAMLError, text: str, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    before = text.encode("utf-8", "surrogatepass")[: getattr(error, "position", None) or 0]
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be parsed"
    problems.marks = {(): _mark(mark) if mark else (before.count(b"\n") + 1, 1)}
    remedy = "Mend it there or on the line above; an editor with YAML support shows where."
    context = str(getattr(error, "context", ""))
    if "single document" in context:
        reason, remedy = "it holds several documents", "Keep one contract a file: remove the second `---`."
    elif "duplicate anchor" in context:
        reason, remedy = "an anchor stands twice", "Give each `&anchor` a name of its own."
    problems.add((), f"The file isn't valid YAML: {shown(reason, limit=120)}.", remedy, kind=MALFORMED)


def _mark(mark: Any) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _TooMuchError(Exception):
    """More values than a contract can need."""


class _Builder:
    """Plain values from YAML nodes."""

    def __init__(self, problems: Problems) -> None:
        self.marks: dict[Where, Mark] = {}
        self._problems = problems
        self._count = 0
        self._open: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, where: Where) -> Any:
        self.marks.setdefault(where, _mark(node.start_mark))
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooMuchError
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if id(node) in self._open:
            self._say(where, "An alias points at a value that holds it.", "Write the value out.")
            return None
        if node.tag not in (_PLAIN + "map", _PLAIN + "seq"):
            self._tag(node, where)
            return None
        self._open.add(id(node))
        try:
            return (
                self._mapping(node, where) if isinstance(node, yaml.MappingNode) else self._list(node, where)
            )
        finally:
            self._open.discard(id(node))

    def _list(self, node: yaml.Node, where: Where) -> list[Any]:
        return [self.build(item, (*where, i)) for i, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            at = _mark(key_node.start_mark)
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key_node.tag == _PLAIN + "merge":
                if "<<" not in where:  # said once of what is merged into what is merged
                    self._at(
                        (*where, "<<"),
                        at,
                        "`<<` merges another mapping in.",
                        "Write the keys out: a contract says each thing where it stands.",
                        UNSHAREABLE,
                    )
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            elif not isinstance(key, str) or key_node.tag == _PLAIN + "null":
                self._at((*where, "?"), at, "A key isn't a word.", "Write keys as plain text.")
            elif key in built:
                self._at((*where, key), at, f"`{shown(key)}` stands twice here.", "Keep one of them.")
            else:
                place = (*where, key)
                self.marks[place] = at
                built[key] = self.build(value_node, place)
        for source in merged:  # what stands here itself goes first, then the first that was merged
            other = self.build(source, (*where, "<<"))
            if not isinstance(other, dict):
                self._say((*where, "<<"), "`<<` merges what isn't a mapping.", "Write the keys out.")
                continue
            for key, value in other.items():
                built.setdefault(key, value)
        return built

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> Any:
        kind = node.tag.removeprefix(_PLAIN)
        if kind in ("str", "timestamp", "value"):
            return str(node.value)
        if kind == "null":
            return None
        try:
            if kind == "bool":
                return self._scalars.construct_yaml_bool(node)
            if kind == "int":
                return self._integer(node, where)
            if kind == "float":
                return self._number(node, where)
        except (ValueError, KeyError, OverflowError):  # such as 0x_, or a tag forced on a text
            what = f"The text here can't be read as `!!{kind}`, which YAML takes it for."
            self._say(where, what, "Put it in quotes, without a tag.")
            return None
        self._tag(node, where)
        return None

    def _integer(self, node: yaml.ScalarNode, where: Where) -> int:
        # Digits past any sense aren't even converted: Python refuses thousands of them.
        value = int(self._scalars.construct_yaml_int(node)) if len(node.value) < 100 else _SAFE_INTEGER + 1
        if abs(value) > _SAFE_INTEGER:
            self._say(
                where, "An integer is beyond 2^53.", "Quote it: JSON can't carry it exactly.", UNSHAREABLE
            )
        return value

    def _number(self, node: yaml.ScalarNode, where: Where) -> float | None:
        value = float(self._scalars.construct_yaml_float(node))
        if not math.isfinite(value):
            self._say(where, "A number isn't finite.", "Write a finite number, or leave the key out.")
            return None
        return value

    def _tag(self, node: yaml.Node, where: Where) -> None:
        tag = shown(node.tag.replace(_PLAIN, "!!"))
        self._say(
            where,
            f"The YAML tag `{tag}` isn't taken here.",
            "Remove the tag; write plain text, numbers, lists and mappings.",
        )

    def _say(self, where: Where, what: str, remedy: str, kind: str = MALFORMED) -> None:
        self._problems.add(where, what, remedy, dead=True, kind=kind)

    def _at(self, where: Where, at: Mark, what: str, remedy: str, kind: str = MALFORMED) -> None:
        before = self.marks.get(where)
        self.marks[where] = at
        self._problems.add(where, what, remedy, kind=kind)
        if before is not None:
            self.marks[where] = before
