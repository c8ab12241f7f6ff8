"""Text in columns: as wide as the terminal, words whole; one row a line where no terminal stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

GAP = 2
_ENDS = re.compile(r"\s*[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")
_WIDE_SPACE = "\u3000"  # which Chinese is written with
_NARROWEST = 20  # cells that a folded column keeps, or that its longest word keeps where room is short


@dataclass(frozen=True)
class Column:
    """A column's head. number: stands to the right. whole: is never folded, as no number is: a name that is to be copied."""

    name: str
    number: bool = False
    whole: bool = False


def folded(text: str, width: int, *, whole_words: bool = False) -> list[str]:
    """The text in lines of at most `width` cells, broken at spaces, inside a word only where that is too long.

    whole_words: such a word stays whole on a line of its own: a path that is to be copied.
    """
    lines, line = [], ""
    for number, word in enumerate(text.split(" ")):
        if number and cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
            continue
        if number:
            lines.append(line)
        *full, line = [word] if whole_words or cell_len(word) <= width else chop_cells(word, width)
        lines.extend(full)
    return [line.rstrip() for line in [*lines, line]]


def printable(text: str) -> str:
    """The text on one line, with what isn't printable escaped: a value must not move a terminal's cursor."""
    return "".join(
        c if c.isprintable() or c == _WIDE_SPACE else c.encode("unicode_escape", "replace").decode()
        for c in text
    )


def one_line(text: str) -> str:
    """Prose on one line: where a line of it ends stands a space, and what isn't printable is escaped.

    Whoever wrote it can't begin a line of ours with it, nor hide, colour or turn round what stands beside it.
    """
    return printable(_ENDS.sub(" ", text).replace("\t", " ").rstrip(" "))


def grid(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None
) -> tuple[list[str], list[str]]:
    """The lines of the head, and those of the rows.

    width: the terminal's; None: nothing is folded. Where the columns can't stand side by side without breaking a head
    or a number, each row comes as a block of lines, `head  value`, and there's no head.
    """
    heads = [printable(column.name) for column in columns]
    cells = [[printable(value) for value in row] for row in rows]
    natural = [
        max([cell_len(head), *(cell_len(row[place]) for row in cells)]) for place, head in enumerate(heads)
    ]
    words = [
        max([0, *(cell_len(word) for row in cells for word in row[place].split(" "))])
        for place in range(len(heads))
    ]
    widths: list[int] | None = natural
    if width is not None:
        widths = _fitted(columns, heads, natural, natural, width) or _fitted(
            columns, heads, natural, words, width
        )
    if widths is None:
        return [], list(_blocks(heads, cells, width or 0))
    head = list(_lines(columns, heads, widths))
    return head, [line for row in cells for line in _lines(columns, row, widths)]


def _fitted(
    columns: Sequence[Column], heads: Sequence[str], natural: Sequence[int], kept: Sequence[int], width: int
) -> list[int] | None:
    """Widths that fit together: the widest columns give way first. None when even the narrowest don't fit.

    natural: what each column would take. kept: what of it a folded column keeps, up to _NARROWEST.
    """
    least = [
        max(
            size if column.number or column.whole else min(keep, _NARROWEST),
            *(cell_len(word) for word in re.split(" +", head)),
        )
        for column, head, size, keep in zip(columns, heads, natural, kept, strict=True)
    ]
    room = width - GAP * (len(columns) - 1)
    for most in (max(natural), *range(width, 0, -1)):
        widths = [max(low, min(size, most)) for low, size in zip(least, natural, strict=True)]
        if sum(widths) <= room:
            return widths
    return None


def _lines(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    parts = [
        folded(cell, size) if cell_len(cell) > size else [cell]
        for cell, size in zip(row, widths, strict=True)
    ]
    for number in range(max(map(len, parts))):
        line = (
            _padded(part[number] if number < len(part) else "", size, right=column.number)
            for column, part, size in zip(columns, parts, widths, strict=True)
        )
        yield (" " * GAP).join(line).rstrip()


def _blocks(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    label = max(map(cell_len, heads))
    for number, row in enumerate(rows):
        if number:
            yield ""
        for head, value in zip(heads, row, strict=True):
            first, *others = folded(value, max(width - label - GAP, _NARROWEST))
            yield f"{_padded(head, label)}{' ' * GAP}{first}".rstrip()
            yield from (" " * (label + GAP) + other for other in others)


def _padded(text: str, size: int, *, right: bool = False) -> str:
    space = " " * (size - cell_len(text))
    return space + text if right else text + space
