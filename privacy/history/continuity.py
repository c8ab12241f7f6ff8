"""What of an earlier release goes on into the next one, so that no difference between the two tells of fewer than k persons.

A reader keeps every version, and where pseudonyms last sees who stands where in each. So:

- a row that was published goes on as it was, with the same labels, or is gone; it never changes in place;
- persons who left show as gone only when at least k of one class left, and what is gone keeps the models as well;
- persons whose values changed show only when at least k of one class changed; they come back together, never apart;
- what stays of a class still keeps k and the models. Else the whole class goes on as it was, as if nothing had changed;
- newcomers are shown as whole new classes, among themselves.

By that the difference between any two versions is a union of sets that each keep k and the models. Who left and comes back is
held together with those who left as well, by `intersection.bounds` over all versions that are live.
Source: m-invariance, Xiao and Tao 2007: a person's class has the same signature of sensitive values in every release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from privacy.models.rules import DISTINCT, ENTROPY, Asked
from privacy.search.judge import judged
from privacy.search.tuples import Tuples

Keys = npt.NDArray[np.int64]


class Status(IntEnum):
    """What became of a person who was published."""

    SAME = 0
    LEFT = 1
    CHANGED = 2


@dataclass(frozen=True)
class Continued:
    """goes_on: (n,) which tuples of the earlier release are published again, as they were. held: how many persons go on
    although they left or changed. free: (n,) tuples of persons who changed and may be shown anew; all those of one class
    stay together."""

    goes_on: npt.NDArray[np.bool_]
    free: npt.NDArray[np.bool_]
    held: int


def status_of(persons: Keys, content: Keys, *, now: Keys, content_now: Keys) -> npt.NDArray[np.int8]:
    """What became of each person published before, (persons,).

    persons, now: keys, each once. content, content_now: a digest of all that the source says of each.
    """
    order = np.argsort(now)
    at = np.minimum(np.searchsorted(now, persons, sorter=order), max(0, len(now) - 1))
    if len(now) == 0:
        return np.full(len(persons), Status.LEFT, np.int8)
    found = now[order[at]] == persons
    status = np.where(found, np.int8(Status.SAME), np.int8(Status.LEFT))
    status[found & (content_now[order[at]] != content)] = Status.CHANGED
    return status


def continued(
    before: Tuples,
    class_of: npt.NDArray[np.int32],
    status: npt.NDArray[np.int8],
    *,
    k: int,
    asked: Sequence[Asked],
    candidates: npt.NDArray[np.int32] | None = None,
    fewest: int | None = None,
) -> Continued:
    """What of an earlier release goes on.

    before: its tuples as published; class_of: (n,) the class of each; status: (n,) what became of each one's person, the
    same for all tuples of a person. asked: the models, those of them that hold a set by itself are asked of what vanishes.
    candidates: (n,) sets within the classes, of persons whom no other live release tells apart either; each goes on, or goes,
    whole or in parts of at least `fewest` (k).
    """
    count = int(class_of.max(initial=-1)) + 1
    alone = [each for each in asked if each.rule in (DISTINCT, ENTROPY)]

    def keeps(chosen: npt.NDArray[np.bool_], rules: Sequence[Asked]) -> npt.NDArray[np.bool_]:
        """(classes,) whether the chosen tuples of each class are none, or keep k and the rules."""
        at = np.flatnonzero(chosen)
        kept = np.bincount(class_of[at], minlength=count) == 0
        if len(at):
            kept |= judged(before.taken(at), class_of[at], count, k=k, asked=rules, everyone=before)
        return np.asarray(kept, np.bool_)

    def whole(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(classes,) whether no set of candidates loses some of its persons, but fewer than `fewest`."""
        if candidates is None:
            return np.ones(count, np.bool_)
        sets = int(candidates.max(initial=-1)) + 1
        having = np.bincount(candidates, weights=before.heads * chosen, minlength=sets)
        torn = np.zeros(count, np.bool_)
        torn[class_of[((having > 0) & (having < (fewest or k)))[candidates]]] = True
        return ~torn

    left, changed = status == Status.LEFT, status == Status.CHANGED
    left_may = keeps(left, alone) & whole(left)
    changed_may = keeps(changed, alone) & whole(changed)
    shows_left, shows_changed = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    open_classes = np.ones(count, np.bool_)
    for with_left, with_changed in ((True, True), (True, False), (False, True)):
        allowed = open_classes & (left_may if with_left else True) & (changed_may if with_changed else True)
        gone = (left & with_left) | (changed & with_changed)
        allowed &= keeps(~gone, asked) & whole(~gone)
        shows_left |= allowed & with_left
        shows_changed |= allowed & with_changed
        open_classes &= ~allowed
    gone = (left & shows_left[class_of]) | (changed & shows_changed[class_of])
    held = ~gone & (status != Status.SAME)
    return Continued(goes_on=~gone, free=changed & gone, held=int(before.heads[held].sum(dtype=np.int64)))
