"""t-closeness: a class's sensitive values are distributed much as everyone's are, by the earth mover's distance.

Equal: all values are equally far from each other; the distance is half the sum of the differences. Ordered: values lie
in a row, each one step from the next; the distance is the sum of what must pass each gap, over the number of gaps.
Whether a value is there at all is held to the same limit: a class in which everyone's is missing tells that too.

Source: Li, Li, Venkatasubramanian 2007, section 4.
"""

from __future__ import annotations

from privacy.models.rule import rule


@rule
def equal(persons, known, counts, shares, known_share, limit):
    """Within `limit` of everyone's distribution, all values equally far apart."""
    if abs(known / persons - known_share) > limit + 1e-9:
        return False
    total = 0
    for count in counts:
        total += count
    if total == 0:
        return True  # nobody's value is known here, and how far that is from everyone's has been asked
    apart = 0.0
    for v in range(len(counts)):
        apart += abs(counts[v] / total - shares[v])
    return apart / 2 <= limit + 1e-9


@rule
def ordered(persons, known, counts, shares, known_share, limit):
    """Within `limit` of everyone's distribution, values in a row. counts, shares: in the values' order."""
    if abs(known / persons - known_share) > limit + 1e-9:
        return False
    total = 0
    for count in counts:
        total += count
    if total == 0 or len(counts) < 2:
        return True
    carried = 0.0
    moved = 0.0
    for v in range(len(counts) - 1):
        carried += counts[v] / total - shares[v]
        moved += abs(carried)
    return moved / (len(counts) - 1) <= limit + 1e-9
