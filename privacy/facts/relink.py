"""Whether a pseudonym that changes can be followed all the same: an attack, run on what a reader of the rows has.

For traces of one period the attacker looks for the trace of the next that shows most of the same: a weighted Jaccard index
over what stands in its facts, as often as it stands there, rare values counting more (a shop that hardly anybody goes to,
visited each month). What he says is right when the best trace is the same person's; where several are as good, he guesses.
He looks at each column by itself and at all of them together, but not at the column whose periods count: its values never
come again. Another attacker may do better: the share is what at least can be done, never a proof that no more can.
Source: Ioffe 2010 for the index; the attack follows Narayanan and Shmatikov 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from privacy.facts.unicity import Share, wilson
from privacy.subjects.order import shuffled

TESTS = 1024
_CELLS = 1 << 26  # traces times targets that are compared at once
_STEPS = 8  # of a period to the next: so many are attacked at most, drawn by the key


@dataclass(frozen=True, kw_only=True)
class Relinked:
    """share: of the traces whose person is there in the next period too, followed there. tests: how many were tried. by_chance:
    the share that a blind guess would follow."""

    share: Share
    tests: int
    by_chance: float


def relinked(
    shown: Sequence[npt.NDArray[Any]],
    trace_of_row: npt.NDArray[np.int32],
    *,
    owner_of_trace: npt.NDArray[np.int32],
    period_of_trace: npt.NDArray[np.int32],
    key: bytes,
    tests: int = TESTS,
) -> Relinked | None:
    """How often the attack follows a person into the next period; None when no person is in two periods that follow.

    shown: for each view on the facts (rows,) codes from 0 of what it shows. key: 32 bytes that traces are drawn by.
    """
    periods = np.unique(period_of_trace)
    steps = list(pairwise(periods.tolist()))
    steps = [
        step
        for step in steps
        if np.isin(
            owner_of_trace[period_of_trace == step[0]], owner_of_trace[period_of_trace == step[1]]
        ).any()
    ]
    if not steps:
        return None
    steps = [steps[i] for i in sorted(shuffled(len(steps), key)[:_STEPS].tolist())]
    hits = chance = 0.0
    tried = 0
    for number, (here, there) in enumerate(steps):
        most = tests // len(steps) + (number < tests % len(steps))
        targets = np.flatnonzero(period_of_trace == there).astype(np.int32)
        returning = np.isin(owner_of_trace, owner_of_trace[targets]) & (period_of_trace == here)
        chosen = np.flatnonzero(returning)
        chosen = np.sort(chosen[shuffled(len(chosen), key)[:most]])
        hits += _step(shown, trace_of_row, owner_of_trace, chosen, targets)
        chance += len(chosen) / len(targets)
        tried += len(chosen)
    return Relinked(share=wilson(hits, tried), tests=tried, by_chance=chance / tried if tried else 0.0)


def _step(
    shown: Sequence[npt.NDArray[Any]],
    trace_of_row: npt.NDArray[np.int32],
    owner_of_trace: npt.NDArray[np.int32],
    chosen: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int32],
) -> float:
    """How many of the chosen traces are followed to the targets."""
    place = np.full(len(owner_of_trace), -1, np.int64)
    place[targets] = np.arange(len(targets))
    source = np.full(len(owner_of_trace), -1, np.int64)
    source[chosen] = np.arange(len(chosen))
    whole = np.zeros(len(chosen), np.float64)
    other = np.zeros(len(targets), np.float64)
    views = []
    for codes in shown:
        kinds = int(codes.max()) + 1 if len(codes) else 0
        trace, token, times = _counted(place[trace_of_row], codes, kinds)
        order = np.argsort(token, kind="stable")
        trace, token, times = trace[order], token[order], times[order]
        at = np.searchsorted(token, np.arange(kinds + 1))
        weights = np.log((1 + len(targets)) / np.maximum(1, np.diff(at)))  # what all show weighs nothing
        other += np.bincount(trace, weights[token] * times, minlength=len(targets))
        mine, held, often = _counted(source[trace_of_row], codes, kinds)
        whole += np.bincount(mine, weights[held] * often, minlength=len(chosen))
        views.append((mine, held, often, at, trace, times, weights))
    hits, some = 0.0, max(1, _CELLS // len(targets))
    for start in range(0, len(chosen), some):
        end = min(start + some, len(chosen))
        overlap = np.zeros((end - start, len(targets)), np.float32)
        for mine, held, often, *listed in views:
            first, last = np.searchsorted(mine, (start, end))
            _overlap(mine[first:last] - start, held[first:last], often[first:last], *listed, overlap)
        hits += float(
            _followed(
                overlap, whole[start:end], other, owner_of_trace[chosen[start:end]], owner_of_trace[targets]
            )
        )
    return hits


def _counted(
    place_of_row: npt.NDArray[np.int64], codes: npt.NDArray[Any], kinds: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(trace, token, how often it stands there) for the rows that have a place."""
    rows = np.flatnonzero(place_of_row >= 0)
    pairs = np.sort(place_of_row[rows] * kinds + codes[rows])
    first = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])) if len(pairs) else rows
    return pairs[first] // max(1, kinds), pairs[first] % max(1, kinds), np.diff(np.append(first, len(pairs)))


@njit(cache=True, nogil=True)
def _overlap(mine, held, often, at, trace, times, weights, overlap):
    """Adds what the chosen traces and the targets show alike."""
    for i in range(len(mine)):
        x = held[i]
        for h in range(at[x], at[x + 1]):
            overlap[mine[i], trace[h]] += weights[x] * min(often[i], times[h])


@njit(cache=True, nogil=True)
def _followed(overlap, whole, other, owners, target_owners):
    """How often the best target is the same person's, a tie counting for the share of it that is."""
    total = 0.0
    for i in range(overlap.shape[0]):
        best, ties, right = -1.0, 0, 0
        for v in range(overlap.shape[1]):
            alike = overlap[i, v] / max(1e-12, whole[i] + other[v] - overlap[i, v])
            if alike > best + 1e-6:
                best, ties, right = alike, 0, 0
            if alike >= best - 1e-6:
                ties += 1
                right += owners[i] == target_owners[v]
        total += right / ties
    return total
