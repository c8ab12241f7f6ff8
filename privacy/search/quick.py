"""The best cut of a slice by k alone, from sums over each dimension's codes. Compiled.

What costs most is to bring a slice's codes into order, once for each dimension and slice. Where the codes are dense they are
counted in a histogram; else in one whose places in use are marked in two levels of bits, so that walking through it takes as
long as there are codes, not as long as they span. (Slices of few tuples: `privacy.search.few`.)
"""

from __future__ import annotations

import numpy as np
from numba import njit

from privacy.search.bits import lowest

STEPS = (
    2.0**40
)  # gains are compared in whole steps: sums of floats may be a rounding apart where gains are equal
_DENSE = 3  # a plain histogram while the codes span at most so many times the tuples
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def room(codes, cardinality):
    """What one thread needs for `best_by_k`: sums by code, marks for 64 and for 4096 codes each (zero between calls);
    codes and their weights in order; and the order of the dimensions."""
    words = (cardinality >> 6) + 1
    return (
        np.zeros(cardinality, np.int64),
        np.zeros(words, np.uint64),
        np.zeros((words >> 6) + 1, np.uint64),
        np.zeros(cardinality, np.int64),
        np.zeros(cardinality, np.int64),
        np.zeros(max(1, len(codes)), np.int64),
    )


@njit(cache=True, nogil=True)
def steps(gain):
    """A gain in whole steps."""
    return np.int64(np.rint(gain * STEPS))


@njit(cache=True, nogil=True)
def best_by_k(codes, weights, places, ends, offsets, total, k, start, end, box, own):
    """The cut with the largest gain among those that leave k on both sides: its dimension (-1: none) and threshold.

    codes: (d, n). total: the slice's weight. box: (2, d) its lowest and highest codes. own: `room`. A cut's gain is at most
    the dimension's whole span, so dimensions are looked at from wide to narrow, and those that can't win any more aren't.
    """
    sums, words, tops, found, there, ranked = own
    d = len(codes)
    for j in range(d):  # insertion sort by span, widest first
        span = ends[offsets[j] + box[1, j]] - places[offsets[j] + box[0, j]]
        at = j
        while at > 0:
            other = ranked[at - 1]
            if ends[offsets[other] + box[1, other]] - places[offsets[other] + box[0, other]] >= span:
                break
            ranked[at] = other
            at -= 1
        ranked[at] = j
    best, dimension, code = 1, -1, -1
    for r in range(d):
        j = ranked[r]
        low, high = box[0, j], box[1, j]
        offset = offsets[j]
        begin, stop = places[offset + low], ends[offset + high]
        whole = stop - begin
        if steps(whole) < best:
            break  # ties are looked at: the first dimension wins them
        if low == high:
            continue
        count = _in_order(codes, j, weights, start, end, low, high, sums, words, tops, found, there)
        # What a cut may still lose and win: a step is left for roundings, then it's weighed exactly.
        most = (whole - (best - 1) / STEPS) * total
        left = 0
        for at in range(count - 1):
            left += there[at]
            if left < k:
                continue
            if total - left < k:
                break
            lost = left * (ends[offset + found[at]] - begin) + (total - left) * (
                stop - places[offset + found[at + 1]]
            )
            if lost > most:
                continue
            gain = steps(whole - lost / total)
            if gain > best or (gain == best and dimension > j):
                best, dimension, code = gain, j, found[at]
                most = (whole - (best - 1) / STEPS) * total
    return dimension, code


@njit(cache=True, nogil=True, inline="always")
def _in_order(codes, j, weights, start, end, low, high, sums, words, tops, found, there):
    """Fills `found` with the distinct codes of a slice in order and `there` with their weights; returns how many."""
    for i in range(start, end):
        sums[np.int64(codes[j, i]) - low] += weights[i]
    count = 0
    span = high - low + 1
    if span <= _DENSE * (end - start):
        for c in range(span):
            found[count], there[count] = low + c, sums[c]
            count += sums[c] > 0
            sums[c] = 0
        return count
    for i in range(start, end):
        place = np.int64(codes[j, i]) - low
        words[place >> 6] |= _ONE << np.uint64(place & 63)
    for w in range((span >> 6) + 1):
        if words[w]:
            tops[w >> 6] |= _ONE << np.uint64(w & 63)
    for t in range((span >> 12) + 1):
        top = tops[t]
        tops[t] = 0
        while top:
            w = (t << 6) + lowest(top)
            top &= top - _ONE
            word = words[w]
            words[w] = 0
            while word:
                c = (w << 6) + lowest(word)
                word &= word - _ONE
                found[count], there[count] = low + c, sums[c]
                count += 1
                sums[c] = 0
    return count
