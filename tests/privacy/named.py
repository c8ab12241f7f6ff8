"""What one run of leaves is called, worked out alone: what `Hierarchy.runs` has to say of many at once."""

from __future__ import annotations

from privacy.hierarchies.hierarchy import ALL, MISSING, Hierarchy
from privacy.hierarchies.labels import Named
from privacy.hierarchies.values import readable


def named(hierarchy: Hierarchy, first: int, last: int) -> Named:
    """The name of the run [first, last], and the share of the whole that it covers."""
    end = len(hierarchy) - 1
    covers = float(hierarchy.ends[last] - hierarchy.positions[first])
    if first == last:
        return Named(_text(hierarchy, first), covers)
    if first == 0 and last == end:
        return Named(ALL, 1.0)
    top = last - 1 if hierarchy.nullable and last == end else last
    missing = [MISSING] if top != last else []
    if first == top:
        parts = [_text(hierarchy, first)]
    else:
        run = hierarchy.grouped.run(first, top)
        parts = [run.label]
        covers = max(covers, run.covers * hierarchy.whole)
    return Named(" | ".join(parts + missing), covers)


def _text(hierarchy: Hierarchy, at: int) -> str:
    [value] = readable(hierarchy.leaves[at : at + 1])
    return MISSING if value is None else str(value)
