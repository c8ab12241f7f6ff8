"""What a further release may show beside those that are live: who goes on as published, who is shown anew, and with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.history.continuity import Status, continued, status_of
from privacy.history.intersection import Bounds, Live, bounds, candidates
from privacy.history.memory import UNKNOWN, Earlier, History
from privacy.models.rules import DISTINCT, ENTROPY, Asked
from privacy.search.tuples import Tuples
from privacy.subjects.grouping import distinct
from privacy.subjects.names import Numbers

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Further:
    """Of p persons in the source, and e rows of the earlier release that this one goes on from (0 without one), in the order of
    its memory.

    earlier: that release. goes_on: (e,) its rows that are published again as they are. stands: (p,) the class of each person
    in it whose rows go on, else -1; as_before: (p,) those of them of whom the source still says the same. bounds: of all p,
    for those who are shown anew: who isn't among them has no place in a class. held: persons who go on although the
    source lost or changed them. live: all live releases.
    """

    earlier: Earlier | None
    goes_on: Marks
    stands: npt.NDArray[np.int32]
    as_before: Marks
    bounds: Bounds
    held: int
    live: tuple[Live, ...]

    @property
    def anew(self) -> Marks:
        """(p,) who may be shown anew."""
        return (self.stands < 0) & ~self.bounds.out


def further(
    persons: Numbers,
    content: Numbers,
    history: History,
    earlier: Earlier | None,
    *,
    k: int,
    asked: Sequence[Asked],
    free: bool = False,
    retired: npt.NDArray[np.int32] | None = None,
) -> Further:
    """What may be shown of `persons` (p,), each once, whose `content` (p,) the source says now.

    earlier: the release to go on from, one of `history`. k, asked: the contract's. free: nobody but the earlier releases of
    the same contract is heeded: what others show together with this one is to be measured then. retired: classes of the
    earlier release that go as a whole.
    """
    count = len(persons)
    live = tuple(_live(each) for each in history.live)
    own = [
        each
        for each in history.live
        if earlier and each.memory.about.contract == earlier.memory.about.contract
    ]
    fewest = max([k, *(each.memory.about.k for each in history.live)])
    stands, as_before = np.full(count, -1, np.int32), np.zeros(count, np.bool_)
    goes_on, held = np.zeros(0, np.bool_), 0
    heeded = [_live(each) for each in own] if free else list(live)
    if earlier is not None:
        memory = earlier.memory
        names, first, unit = np.unique(memory.persons, return_index=True, return_inverse=True)
        at, there = _places(persons, names)
        said = memory.content[first]
        said[at] = np.where(said[at] == UNKNOWN, content[there], said[at])
        status = status_of(names, said, now=persons, content_now=content)
        out = continued(
            _as_published(memory.secrets, unit.astype(np.int32)),
            memory.classes,
            status[unit],
            k=k,
            asked=_of_sets(asked),
            candidates=candidates(memory.persons, heeded),
            fewest=fewest,
        )
        goes_on, held = out.goes_on, out.held
        if retired is not None and len(retired):
            goes = np.isin(memory.classes, retired)
            held -= int(
                np.isin(np.arange(len(names)), unit[goes & goes_on & (status[unit] != Status.SAME)]).sum()
            )
            goes_on = goes_on & ~goes
        stays = np.zeros(len(names), np.bool_)
        stays[unit[goes_on]] = True
        stands[there] = np.where(stays[at], memory.classes[first][at], -1)
        as_before[there] = stays[at] & (status[at] == Status.SAME)
    anew = np.flatnonzero(stands < 0)
    within = np.zeros(count, np.int32)
    blocks = np.arange(count, dtype=np.int32)
    shut = np.zeros(count, np.bool_)
    if len(anew):
        found = bounds(persons[anew], heeded, k=fewest)
        shut[anew], blocks[anew] = found.out, found.blocks
        within[anew] = _apart_by_class(found, persons[anew], own)
    return Further(
        earlier=earlier,
        goes_on=goes_on,
        stands=stands,
        as_before=as_before,
        bounds=Bounds(within, blocks, shut),
        held=held,
        live=live,
    )


def _live(earlier: Earlier) -> Live:
    """A live release's persons, each once; all rows of one are in one class."""
    names, first = np.unique(earlier.memory.persons, return_index=True)
    return Live(names, earlier.memory.classes[first])


def _apart_by_class(found: Bounds, persons: Numbers, own: Sequence[Earlier]) -> npt.NDArray[np.int32]:
    """Whom this contract has shown before comes back in classes of those who stood together, and of nobody else: where
    pseudonyms last, a reader sees them move."""
    shown = np.zeros(len(persons), np.bool_)
    for each in own:
        shown |= np.isin(persons, each.memory.persons)
    return (
        distinct([found.within.astype(np.int64), np.where(shown, found.blocks, -1).astype(np.int64)])[0]
        if len(persons)
        else found.within
    )


def _places(persons: Numbers, names: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(where each of those persons who are among the sorted `names` stands there, which persons they are)."""
    if not len(names):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(names, persons), len(names) - 1)
    there = np.flatnonzero(names[at] == persons)
    return at[there], there


def _as_published(secrets: Numbers, units: npt.NDArray[np.int32]) -> Tuples:
    """The rows of an earlier release as the models see them: which values are the same, not which they are."""
    n, s = secrets.shape
    codes = np.full((n, s), -1, np.int32)
    for j in range(s):
        there = np.flatnonzero(secrets[:, j] != 0)
        if len(there):
            codes[there, j] = distinct([secrets[there, j]])[0]
    return Tuples(
        codes=np.empty((n, 0), np.uint16),
        positions=(),
        weights=np.ones(n, np.int32),
        sensitive=codes,
        units=units,
    )


def _of_sets(asked: Sequence[Asked]) -> list[Asked]:
    """The models that a set of persons keeps or doesn't by itself. Closeness to everyone is asked of the whole release."""
    return [each for each in asked if each.rule in (DISTINCT, ENTROPY)]
