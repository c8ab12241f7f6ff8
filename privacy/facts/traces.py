"""Who has which point, both ways, and whether somebody else has the same ones: what unicity is counted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit


@dataclass(frozen=True)
class Traces:
    """Who has which point, both ways. points[begin[t]:begin[t + 1]]: those of trace t, ascending; holders[at[x]:at[x + 1]]:
    the traces that hold point x, ascending. owner: (traces,) whose each trace is."""

    begin: npt.NDArray[np.int64]
    points: npt.NDArray[np.int32]
    at: npt.NDArray[np.int64]
    holders: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]


def held_by(
    points: npt.NDArray[Any], traces: npt.NDArray[Any], owners: npt.NDArray[np.int32] | None = None
) -> Traces:
    """Who has which point, from a code of each for every row; a point that a trace has often counts once."""
    kinds = int(points.max()) + 1 if len(points) else 0
    count = len(owners) if owners is not None else int(traces.max()) + 1 if len(traces) else 0
    pairs = traces.astype(np.int64)
    pairs *= max(1, kinds)
    pairs += points
    pairs.sort()  # np.unique would hash, at a hundred times the price
    first = np.ones(len(pairs), np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    pairs = pairs[first]
    trace = (pairs // max(1, kinds)).astype(np.int32)
    point = (pairs % max(1, kinds)).astype(np.int32)
    at, holders = _inverted(point, trace, kinds)
    return Traces(
        begin=np.concatenate([[0], np.cumsum(np.bincount(trace, minlength=count))]).astype(np.int64),
        points=point,
        at=at,
        holders=holders,
        owner=np.arange(count, dtype=np.int32) if owners is None else owners,
    )


@njit(cache=True, nogil=True)
def _inverted(point, trace, kinds):
    """Where each point's holders begin, and the holders, in the order of `trace`."""
    at = np.zeros(kinds + 1, np.int64)
    for x in point:
        at[x + 1] += 1
    for x in range(kinds):
        at[x + 1] += at[x]
    free = at[:kinds].copy()
    holders = np.empty(len(point), np.int32)
    for i in range(len(point)):
        holders[free[point[i]]] = trace[i]
        free[point[i]] += 1
    return at, holders


@njit(cache=True, nogil=True)
def every_way(begin, points, at, holders, owner, choices):
    """(traces,) the share of a trace's choices that single it out."""
    hits = np.zeros(len(begin) - 1, np.float64)
    ways = np.zeros(len(begin) - 1, np.float64)
    places = np.empty((choices.shape[1] - 1, 2), np.int64)
    for i in range(len(choices)):
        t = choices[i, 0]
        size = 0
        while size < len(places) and choices[i, 1 + size] >= 0:
            x = points[begin[t] + choices[i, 1 + size]]
            places[size, 0], places[size, 1] = at[x], at[x + 1]
            size += 1
        ways[t] += 1
        if _other(holders, owner, t, places, size, 0) < 0:
            hits[t] += 1
    for t in range(len(hits)):
        if ways[t]:
            hits[t] /= ways[t]
    return hits


@njit(cache=True, nogil=True)
def needed(begin, points, at, holders, owner, chosen, numbers):
    """(tests,) the fewest known points that single the trace out; one more than the most where they don't."""
    most = numbers.shape[1]
    fewest = np.full(len(chosen), most + 1, np.int64)
    taken = np.empty(most, np.int64)
    places = np.empty((most, 2), np.int64)
    for i in range(len(chosen)):
        t = chosen[i]
        room = begin[t + 1] - begin[t]
        other = 0
        for j in range(min(most, room)):
            # One of the places not taken yet, each as likely; `taken` is kept sorted.
            place = np.int64(((numbers[i, j] >> np.uint64(32)) * np.uint64(room - j)) >> np.uint64(32))
            s = 0
            while s < j and place >= taken[s]:
                place += 1
                s += 1
            for r in range(j, s, -1):
                taken[r] = taken[r - 1]
            taken[s] = place
            x = points[begin[t] + place]
            places[j, 0], places[j, 1] = at[x], at[x + 1]
            # Whoever lacked one of the points before lacks it still: the search goes on from where it stood.
            other = _other(holders, owner, t, places, j + 1, other)
            if other < 0:
                fewest[i] = j + 1
                break
    return fewest


@njit(cache=True, nogil=True)
def _other(holders, owner, t, places, size, low):
    """The first trace from `low` on, of somebody else than t's, that stands in all `size` lists; -1 when none does.

    places: (size, 2) from where to where in `holders` each list runs; what is passed over is taken off its front.
    """
    v, agreed, j = low, 0, 0
    while True:
        here, end, step = places[j, 0], places[j, 1], 1
        while here + step < end and holders[here + step] < v:  # in leaps, then halving the last of them
            here += step
            step *= 2
        end = min(end, here + step)
        while here < end:
            middle = (here + end) // 2
            if holders[middle] < v:
                here = middle + 1
            else:
                end = middle
        places[j, 0] = here
        if here >= places[j, 1]:
            return -1
        if holders[here] > v:
            v, agreed = holders[here], 0
        agreed += 1
        if agreed == size:
            if owner[v] != owner[t]:
                return v
            v, agreed = v + 1, 0
        j = j + 1 if j + 1 < size else 0
