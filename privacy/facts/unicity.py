"""How many of a table's units a few known facts single out: unicity, for 1 to 5 known points.

An attacker knows some points of a person, each a fact as it is published, and looks for the traces that hold them all. The
person is singled out when no trace of anybody else does. Each trace is tested with points drawn from its own distinct
ones, all of them where it has fewer; the points drawn for p + 1 hold those drawn for p, so a share never falls with p.

Exact where the ways to draw are few: every trace with each of them. Else TESTS draws, from all traces or from a secret
sample of them, and a Wilson interval at 95 %. Neither drawing without replacement nor testing every trace equally often
makes a mean vary more than the independent draws that the interval is made for (Hoeffding 1956), so it errs on the safe
side. The result depends on the facts as a set, not on the order of rows, when the codes don't.

Source: de Montjoye, Hidalgo, Verleysen, Blondel 2013 (Unique in the Crowd); Wilson 1927.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from privacy.facts.traces import Traces, every_way, held_by, needed
from privacy.subjects.order import shuffled

MOST_POINTS = 5
TESTS = 1 << 16  # the interval is at most 0.4 % to either side then
EXACT = 1 << 20  # ways to draw, all traces together, up to which every one of them is tried
_Z = 1.959963984540054  # the normal quantile of 97.5 %


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share (0..1) with the interval in which it lies at 95 %; all three are the same where nothing was drawn."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Unicity:
    """shares: of the traces, singled out by 1, 2, ... known points. traces: how many there are. fewer: the share of them
    with fewer than 1, 2, ... distinct points, tested with what they have. how: which of them were tested, and how often."""

    shares: tuple[Share, ...]
    traces: int
    fewer: tuple[float, ...]
    how: tuple[str, ...]


def unicity(
    points: npt.NDArray[Any],
    traces: npt.NDArray[Any],
    *,
    key: bytes,
    owners: npt.NDArray[np.int32] | None = None,
    most: int = MOST_POINTS,
    tests: int = TESTS,
    exact: int = EXACT,
) -> Unicity:
    """Shares of traces that 1 to `most` (at most 5) known points single out.

    points, traces: (rows,) codes of each fact's point and of whose trace it is in, from 0, each trace with a row. owners:
    (traces,) the person of each trace, where one person may have several: these don't hide each other. key: 32 bytes that
    the draws are made by.
    """
    held = held_by(points, traces, owners)
    sizes = np.diff(held.begin)
    count = len(sizes)
    fewer = tuple(float(np.mean(sizes < p)) if count else 0.0 for p in range(1, most + 1))
    drawn: tuple[npt.NDArray[np.float64], int, str] | None = None
    shares, how = [], []
    for p in range(1, most + 1):
        if _ways(sizes, p) <= exact:
            hits = every_way(held.begin, held.points, held.at, held.holders, held.owner, _choices(sizes, p))
            share = math.fsum(hits) / count if count else 0.0
            shares.append(Share(share=share, low=share, high=share))
            how.append("every trace, with every choice of its points")
            continue
        drawn = drawn or _drawn(held, key, most=most, tests=tests)
        found, times, told = drawn
        shares.append(wilson(float(found[:p].sum()), times))
        how.append(told)
    return Unicity(shares=tuple(shares), traces=count, fewer=fewer, how=tuple(how))


def wilson(hits: float, tests: int) -> Share:
    """The share of hits in so many tests with Wilson's interval at 95 %."""
    if not tests:
        return Share(share=0.0, low=0.0, high=1.0)
    share, spread = hits / tests, _Z * _Z / tests
    centre, width = (share + spread / 2), math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (centre - width) / (1 + spread), (centre + width) / (1 + spread)
    return Share(share=share, low=max(0.0, min(low, share)), high=min(1.0, max(high, share)))


def random_numbers(key: bytes, purpose: str, count: int) -> npt.NDArray[np.uint64]:
    """(count,) random numbers that only the key knows, others for each purpose."""
    apart = hashlib.sha256(key + purpose.encode()).digest()
    stream = Cipher(algorithms.ChaCha20(apart, bytes(16)), mode=None).encryptor()
    return np.frombuffer(stream.update(bytes(8 * count)), np.uint64)


def _ways(sizes: npt.NDArray[np.int64], p: int) -> float:
    """In how many ways p points can be drawn, all traces together."""
    fitting = np.minimum(sizes, p)
    ways = np.ones(len(sizes), np.float64)
    for j in range(p):
        ways *= np.where(j < fitting, (sizes - j) / (j + 1), 1.0)
    return float(ways.sum())


def _choices(sizes: npt.NDArray[np.int64], p: int) -> npt.NDArray[np.int32]:
    """(ways, 1 + p) a trace and places among its points, -1 after the last, for every way to draw p of them."""
    parts = [np.empty((0, 1 + p), np.int32)]
    for size in np.unique(sizes).tolist():
        places = np.array(list(combinations(range(size), min(size, p))), np.int32)
        these = np.flatnonzero(sizes == size).astype(np.int32)
        part = np.full((len(these) * len(places), 1 + p), -1, np.int32)
        part[:, 0] = np.repeat(these, len(places))
        part[:, 1 : 1 + places.shape[1]] = np.tile(places, (len(these), 1))
        parts.append(part)
    return np.concatenate(parts)


def _drawn(held: Traces, key: bytes, *, most: int, tests: int) -> tuple[npt.NDArray[np.float64], int, str]:
    """((most,) tests in which so many points were the fewest to single out, how many tests, what was tested)."""
    count = len(held.begin) - 1
    times = max(1, -(-tests // count))
    sample = np.arange(count, dtype=np.int64)
    if count > tests:
        sample = np.sort(shuffled(count, hashlib.sha256(key + b"sample").digest())[:tests])
    told = f"{len(sample)} of {count} traces, with {times} {'draws' if times > 1 else 'draw'} each"
    chosen = np.repeat(sample, times)
    numbers = random_numbers(key, "points", len(chosen) * most).reshape(-1, most)
    fewest = needed(held.begin, held.points, held.at, held.holders, held.owner, chosen, numbers)
    return np.bincount(fewest, minlength=most + 2)[1 : most + 1].astype(np.float64), len(chosen), told
