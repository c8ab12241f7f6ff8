"""A tree of values from CSV text: each row a leaf, then its ancestors from fine to coarse. Pure: text in, tree or faults out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.problems import shown

EVERYTHING = "*"  # as other tools end each row; it is what stands over every tree anyway
MAX_DEPTH = 60
_MOST_TOLD = 10


@dataclass(frozen=True)
class Fault:
    """What keeps the text from being a tree. line: from 1, where the row ends; 0 for the text as a whole."""

    line: int
    what: str
    remedy: str


@dataclass(frozen=True)
class Tree:
    """leaves: (value, line) depth first, in the order of the file; nodes: a name and the run [first, last] of its leaves."""

    leaves: tuple[tuple[str, int], ...]
    nodes: tuple[tuple[str, int, int], ...]


@dataclass
class _Growing:
    """What is known so far. above: the node over each name, None at the top; line: where each name came first."""

    leaves: dict[str, int] = field(default_factory=dict)
    above: dict[str, str | None] = field(default_factory=dict)
    line: dict[str, int] = field(default_factory=dict)
    below: dict[str | None, list[str]] = field(default_factory=dict)


def tree_of_csv(text: str) -> tuple[Tree | None, tuple[Fault, ...]]:
    """The tree, or None and what is wrong with it (the first few faults, in the order of the file).

    text: RFC 4180 with LF or CRLF, without a header and without a byte order mark; the delimiter is a comma, or a semicolon
    where the first line of several cells holds one and no comma. Rows may be of different depth. A last cell `*` stands for everything.
    A name stands for one node: under one parent wherever it comes, never also a leaf.
    """
    growing, faults = _Growing(), []
    for fault in _grow(text, growing):
        faults.append(fault)
        if len(faults) == _MOST_TOLD:
            break
    if not faults and not growing.leaves:
        faults.append(
            Fault(0, "holds no values", "Write one row for each value: the value, then its ancestors.")
        )
    return (None if faults else _walked(growing)), tuple(faults)


def _grow(text: str, growing: _Growing) -> Iterator[Fault]:
    delimiter, line = _delimiter(text)
    if delimiter is None:
        yield Fault(
            line,
            "holds commas and semicolons, and nobody can tell which part its cells",
            'Put cells that hold such a sign in quotes: "a, b".',
        )
        return
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows_on = True
    while rows_on:
        try:
            row = next(rows, None)
        except csv.Error:
            yield Fault(rows.line_num, "isn't CSV as RFC 4180 has it", 'Close each quote, and write a quote in quotes twice: "".')  # fmt: skip
            return
        rows_on = row is not None
        if row:
            yield from _row(row, rows.line_num, growing)
        elif row is not None:
            yield Fault(rows.line_num, "is an empty line", "Take it out.")


def _delimiter(text: str) -> tuple[str | None, int]:
    """What parts the cells of the first line that has several, None when that can't be told; and that line."""
    first: set[str] = set()
    # Within a cell that doesn't begin with one, a quote is a plain sign; after one that closes, it's a quote in quotes.
    quoted, may_open, line = False, True, 1
    for letter in text:
        if letter == '"' and (quoted or may_open):
            quoted, may_open = not quoted, quoted
            continue
        may_open = letter in ",;\r\n"
        if quoted:
            continue
        if letter in "\r\n" and first:
            break
        line += letter == "\n"
        if letter in ",;":
            first.add(letter)
    return (None if len(first) > 1 else ";" if first == {";"} else ","), line


def _row(row: list[str], line: int, growing: _Growing) -> Iterator[Fault]:
    cells = row[:-1] if len(row) > 1 and row[-1] == EVERYTHING else row
    if any(not cell.strip() for cell in cells):
        yield Fault(line, "has an empty cell", "Write a name there, or end the row before it: rows may be of different depth.")  # fmt: skip
        return
    if any(cell != cell.strip() or not cell.isprintable() for cell in cells):
        yield Fault(line, "has a cell with spaces around it or control characters", "Write plain text.")
        return
    if len(cells) > MAX_DEPTH:
        yield Fault(line, f"is deeper than {MAX_DEPTH} levels", "Leave levels out.")
        return
    twice = next((cell for i, cell in enumerate(cells) if cell in cells[:i]), None)
    if twice is not None:
        yield Fault(line, f"has `{shown(twice)}` above itself, a cycle", "Keep it once on the row; rows may be of different depth.")  # fmt: skip
        return
    leaf, parents = cells[0], cells[1:]
    over = list(
        zip(parents, [*parents[1:], None], strict=False)
    )  # each name with the one over it; none over a bare leaf
    if leaf in growing.leaves:
        yield Fault(line, f"has the value `{shown(leaf)}` again, first seen on line {growing.leaves[leaf]}", "Each value has one row; keep one.")  # fmt: skip
        return
    both = [leaf] if leaf in growing.above else [name for name in parents if name in growing.leaves]
    if both:
        seen = growing.line.get(both[0]) or growing.leaves[both[0]]
        yield Fault(line, f"has `{shown(both[0])}` as a value and as a name over values (line {seen})", "Rename one of them.")  # fmt: skip
        return
    for name, parent in over:
        if growing.above.get(name, parent) != parent:
            yield _two_parents(name, parent, line, growing)
            return
    growing.leaves[leaf] = line
    growing.below.setdefault(parents[0] if parents else None, []).append(leaf)
    for name, parent in over:
        if name not in growing.above:
            growing.above[name], growing.line[name] = parent, line
            growing.below.setdefault(parent, []).append(name)


def _two_parents(name: str, parent: str | None, line: int, growing: _Growing) -> Fault:
    over = parent
    while over is not None and over != name:
        over = growing.above.get(over)
    if over == name:
        return Fault(line, f"puts `{shown(name)}` under `{shown(parent)}`, which is under it by line {growing.line[name]}, a cycle",
                     "Write each row from fine to coarse.")  # fmt: skip
    places = [
        f"under `{shown(each)}`" if each is not None else "at the top"
        for each in (parent, growing.above[name])
    ]
    return Fault(line, f"puts `{shown(name)}` {places[0]}, and line {growing.line[name]} puts it {places[1]}",
                 "A name has one parent: rename it, or write the same ancestors each time.")  # fmt: skip


def _walked(growing: _Growing) -> Tree:
    """Depth first, without recursion: the depth is bounded, and the file's order decides among siblings."""
    leaves: list[tuple[str, int]] = []
    nodes: list[tuple[str, int, int]] = []
    firsts: list[
        tuple[str, int, int]
    ] = []  # a node under way: name, its first leaf, its place among the nodes
    todo: list[tuple[str, bool]] = [(name, False) for name in reversed(growing.below[None])]
    while todo:
        name, done = todo.pop()
        if name in growing.leaves:
            leaves.append((name, growing.leaves[name]))
        elif done:
            _, first, place = firsts.pop()
            nodes[place] = (name, first, len(leaves) - 1)
        else:
            firsts.append((name, len(leaves), len(nodes)))
            nodes.append((name, 0, 0))
            todo.append((name, True))
            todo += [(each, False) for each in reversed(growing.below[name])]
    return Tree(tuple(leaves), tuple(nodes))
