"""Draws who imports whom, from the code: docs/pictures/imports.svg. `python scripts/house.py`; a test compares.

A row is a room, a column a room that it imports, the number how many of the row's modules do. Rooms stand as in the
house, top down: a number left of the diagonal would be an import upwards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "imports.svg"
ROOMS = (
    "dags",
    "cli",
    "pipeline",
    "federated",
    "connectors",
    "catalog",
    "privacy",
    "contracts",
    "audit",
    "core",
)
_CELL, _LEFT, _TOP = 56, 112, 96
_INK, _WRONG = "#1b2a33", "#b3261e"


def imports() -> dict[tuple[str, str], int]:
    """(room, imported room) -> how many modules of the one import the other."""
    sys.path.insert(0, str(ROOT))
    import grimp  # noqa: PLC0415 (of the dev environment; the drawing itself needs nothing)

    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    pairs = {
        (module, into.split(".")[0])
        for module in graph.modules
        for into in graph.find_modules_directly_imported_by(module)
    }
    counts: dict[tuple[str, str], int] = {}
    for module, into in pairs:
        room = module.split(".")[0]
        if room != into:
            counts[room, into] = counts.get((room, into), 0) + 1
    return counts


def draw(counts: dict[tuple[str, str], int]) -> str:
    """The picture."""
    side = _CELL * len(ROOMS)
    width, height = _LEFT + side + 16, _TOP + side + 16
    told = "; ".join(f"{room} imports {into}" for room, into in sorted(counts, key=_place))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="14">',
        f'<title id="t">Who imports whom</title><desc id="d">{escape(told)}.</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, room in enumerate(ROOMS):
        x, y = _LEFT + number * _CELL, _TOP + number * _CELL
        parts.append(_text(_LEFT - 10, y + _CELL / 2 + 5, room, anchor="end"))
        turned = f"rotate(-45 {x + _CELL / 2} {_TOP - 10})"
        parts.append(_text(x + _CELL / 2, _TOP - 10, room, extra=f' transform="{turned}"'))
        for other, into in enumerate(ROOMS):
            count = counts.get((room, into), 0)
            fill = "#e9edef" if room == into else _shade(count) if other > number or not count else _WRONG
            left = _LEFT + other * _CELL
            parts.append(
                f'<rect x="{left}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{fill}" stroke="#ffffff" stroke-width="2"/>'
            )
            if count:
                ink = "#ffffff" if count > 12 else _INK
                parts.append(_text(left + _CELL / 2, y + _CELL / 2 + 5, str(count), anchor="middle", ink=ink))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, words: str, *, anchor: str = "start", ink: str = _INK, extra: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{ink}"{extra}>{escape(words)}</text>'


def _shade(count: int) -> str:
    """From white to deep blue-green, by steps that are told apart in print."""
    for most, colour in ((0, "#f7f9fa"), (2, "#dbe9e6"), (5, "#b9d6d0"), (12, "#8dbdb4")):
        if count <= most:
            return colour
    return "#2f6f66"


def _place(pair: tuple[str, str]) -> tuple[int, int]:
    return ROOMS.index(pair[0]), ROOMS.index(pair[1])


if __name__ == "__main__":
    PICTURE.write_text(draw(imports()), encoding="utf-8")
    sys.stdout.write(f"drew {PICTURE.relative_to(ROOT)}\n")
