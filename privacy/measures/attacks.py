"""Attacks run on a release, each beside the same guess without the release: singling out, linkage, inference.

In the manner of Giomi, Boenisch, Wehmeyer, Tasnadi 2022 (A unified framework for quantifying privacy risk in synthetic
data), carried over to published classes. What an attacker has are the published rows and, where it says so, outside
knowledge of a person; who is right is judged by the original. The same seed gives the same attacks.

    singling-out.univariate    the cuts that a column's labels show, taken together: does one person lie between two?
    singling-out.multivariate  some labels of a published row, taken together: does one person fit?
    singling-out.sensitive     all labels of a row with its sensitive value: does one person fit? Who has learnt the value
                               elsewhere would know whose row it is.
    linkage                    two sources, each with half of the quasi-identifiers of a person: from each a few published
                               rows that fit are drawn; is a row among both? Baseline: two persons' halves.
    inference                  all quasi-identifiers are known, the class's commonest sensitive value is guessed. Baseline:
                               everyone's commonest. Control: persons who were left out of the release.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.measures.boxes import blocks, could_be, group_of, persons_between, persons_in
from privacy.measures.interval import attack, wilson
from privacy.measures.world import World
from privacy.report.parts import Attack, Rate, in_steps
from privacy.search.sorting import members

ATTEMPTS = 2000
# Linkage looks at most groups for each attempt, since a half of the columns fits many: as many attempts as that allows.
_LINKED, _FEWEST, _LOOKS = 1000, 200, 200_000_000
_CANDIDATES = 10  # rows that a linker draws at most: of hundreds some would always meet, and tell nothing
_CONTROL = 30  # persons left out, at least so many: of fewer a control says nothing

Draw = np.random.Generator
Ints = npt.NDArray[np.int32]


def attacks(world: World, *, k: int, seed: int, attempts: int = ATTEMPTS) -> tuple[Attack, ...]:
    """All attacks on a published table. k: the contract's, as many rows as a linker draws, up to 10. seed: from a key, so that nobody
    else can tell who was attacked. () when nobody is published."""
    if not len(world.sizes):
        return ()
    index = _Index.of(world)
    done: list[Attack] = []
    if world.columns:
        done.append(_univariate(index, np.random.default_rng([seed, 1]), attempts))
        done.append(_multivariate(index, np.random.default_rng([seed, 2]), attempts))
        if world.secrets:
            leaning = _sensitive(index, np.random.default_rng([seed, 3]), attempts)
            done += [leaning] if leaning is not None else []
    if len(world.columns) > 1:
        most = min(attempts, _LINKED, max(_FEWEST, _LOOKS // len(world.sizes)))
        done.append(_linkage(index, np.random.default_rng([seed, 4]), most, min(k, _CANDIDATES)))
    for column in range(len(world.secrets)):
        found = _inference(index, np.random.default_rng([seed, 5, column]), attempts, column, k)
        done += [found] if found is not None else []
    return tuple(done)


@dataclass(frozen=True, kw_only=True)
class _Index:
    """The way to a group's tuples, and blocks of groups; see `privacy.measures.boxes`."""

    world: World
    order: Ints
    bounds: npt.NDArray[np.int64]
    boxes: tuple[Ints, Ints, Ints, Ints]
    published: npt.NDArray[np.int64]  # (n,) running count of the persons who are published

    @classmethod
    def of(cls, world: World) -> _Index:
        order, bounds = members(world.group, len(world.sizes))
        return cls(
            world=world,
            order=order,
            bounds=bounds,
            boxes=blocks(world.low, world.high),
            published=np.cumsum(np.where(world.group >= 0, world.heads, 0), dtype=np.int64),
        )

    def isolated(
        self,
        low: Ints,
        high: Ints,
        *,
        hint: npt.NDArray[Any] | None = None,
        column: npt.NDArray[Any] | None = None,
        value: npt.NDArray[Any] | None = None,
    ) -> Rate:
        """How many of the boxes hold exactly one person of the original."""
        nothing = np.full(len(low), -1, np.int64)
        world = self.world
        found = persons_in(
            np.ascontiguousarray(low, np.int32),
            np.ascontiguousarray(high, np.int32),
            nothing if column is None else column.astype(np.int64),
            nothing if value is None else value.astype(np.int64),
            nothing if hint is None else hint.astype(np.int64),
            world.leaves,
            world.sensitive,
            world.rows,
            world.units if world.units is not None else np.empty(0, np.int32),
            self.order,
            self.bounds,
            world.low,
            world.high,
            *self.boxes,
        )
        return wilson(int((found == 1).sum()), len(found))

    def targets(
        self, draw: Draw, most: int, among: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.int64]:
        """Tuples of persons drawn at random, each person as likely; all of them where they are few.

        among: marks those who may be drawn; None for everybody who is published.
        """
        upto = self.published
        if among is not None:
            upto = np.cumsum(np.where(among, self.world.heads, 0), dtype=np.int64)
        total = int(upto[-1])
        numbers = np.arange(total) if total <= most else draw.integers(total, size=most)
        return np.searchsorted(upto, numbers, side="right")

    def having(self, column: int | None, *, published: bool = True) -> npt.NDArray[np.bool_] | None:
        """Marks who has a value of a sensitive column (None: of any), for `targets`: None where all who are published do."""
        world = self.world
        secrets = world.sensitive if column is None else world.sensitive[:, column]
        known = secrets >= 0
        if published and known.all():
            return None
        marked = ((world.group >= 0) == published) & (known.any(axis=1) if column is None else known)
        return np.asarray(marked, np.bool_)


def _univariate(index: _Index, draw: Draw, attempts: int) -> Attack:
    world = index.world
    columns: list[npt.NDArray[np.int64]] = []
    starts: list[npt.NDArray[np.int64]] = []
    ends: list[npt.NDArray[np.int64]] = []
    for j in range(len(world.columns)):
        marks = np.zeros(world.cardinalities[j] + 1, np.bool_)  # where a label begins, or the next one could
        marks[world.low[:, j]] = marks[world.high[:, j] + 1] = True
        cuts = np.flatnonzero(marks)
        columns.append(np.full(len(cuts) - 1, j))
        starts.append(cuts[:-1])
        ends.append(cuts[1:] - 1)
    chosen = draw.permutation(sum(map(len, starts)))[:attempts]
    column, start, end = (np.concatenate(each)[chosen] for each in (columns, starts, ends))
    # As wide a stretch at a place that owes nothing to the release.
    room = np.array(world.cardinalities)[column] - (end - start)
    other = np.floor(draw.random(len(column)) * room).astype(np.int64)
    return attack(
        "singling-out.univariate",
        main=_alone(world, column, start, end),
        baseline=_alone(world, column, other, other + end - start),
    )


def _alone(
    world: World, column: npt.NDArray[np.int64], start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> Rate:
    """How many of the stretches of a column's leaves hold exactly one person of the original."""
    units = world.units if world.units is not None else np.empty(0, np.int32)
    found = np.zeros(len(column), np.int8)
    for j in np.flatnonzero(np.bincount(column, minlength=len(world.columns))).tolist():
        at = np.flatnonzero(column == j)
        found[at] = persons_between(
            j, start[at], end[at], world.leaves, world.cardinalities[j], world.rows, units
        )
    return wilson(int((found == 1).sum()), len(found))


def _multivariate(index: _Index, draw: Draw, attempts: int) -> Attack:
    world = index.world
    group = world.group[index.targets(draw, attempts)]
    used = draw.random((len(group), len(world.columns))) < 0.5
    used[np.arange(len(group)), draw.integers(len(world.columns), size=len(group))] = True
    low, high = _everything(world, len(group))
    low, high = np.where(used, world.low[group], low), np.where(used, world.high[group], high)
    main = index.isolated(low, high, hint=group)
    return attack(
        "singling-out.multivariate", main=main, baseline=index.isolated(*_elsewhere(world, draw, low, high))
    )


def _sensitive(index: _Index, draw: Draw, attempts: int) -> Attack | None:
    """None when nobody who is published has a value."""
    world = index.world
    target = index.targets(draw, attempts, index.having(None))
    if not len(target):
        return None
    group = world.group[target]
    # Of a row's sensitive columns one that has a value.
    column = np.argmax(
        np.where(world.sensitive[target] >= 0, draw.random((len(target), len(world.secrets))), -1.0), axis=1
    )
    value = world.sensitive[target, column]
    low, high = world.low[group], world.high[group]
    main = index.isolated(low, high, hint=group, column=column, value=value)
    values = world.sensitive.max(axis=0, initial=0)[column] + 1
    baseline = index.isolated(
        *_elsewhere(world, draw, low, high), column=column, value=np.floor(draw.random(len(values)) * values)
    )
    return attack("singling-out.sensitive", main=main, baseline=baseline)


def _everything(world: World, count: int) -> tuple[Ints, Ints]:
    """Boxes that hold everyone."""
    shape = (count, len(world.columns))
    return np.zeros(shape, np.int32), np.broadcast_to(
        np.array(world.cardinalities, np.int32) - 1, shape
    ).copy()


def _elsewhere(world: World, draw: Draw, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Boxes as wide as these, at places that owe nothing to the release."""
    width = high - low
    room = np.array(world.cardinalities) - width
    start = np.floor(draw.random(low.shape) * room).astype(np.int32)
    return start, (start + width).astype(np.int32)


def _linkage(index: _Index, draw: Draw, attempts: int, drawn: int) -> Attack:
    world = index.world
    target = index.targets(draw, attempts)
    d = len(world.columns)
    # Each column has a random place; the lower half of the places is the first source.
    half = np.argsort(draw.random((len(target), d)), axis=1) < d // 2
    leaves = world.leaves[target].astype(np.int32)
    other = np.roll(leaves, int(draw.integers(1, max(2, len(leaves)))), axis=0)  # nobody's own
    # Both at once: what costs is to find out which groups hold a leaf.
    fitting = could_be(
        np.concatenate([leaves, leaves]),
        np.concatenate([leaves, other]),
        np.concatenate([half, half]),
        world.low,
        world.high,
        world.sizes,
    )
    return attack(
        "linkage",
        main=_linked(draw, fitting[: len(target)], drawn),
        baseline=_linked(draw, fitting[len(target) :], drawn),
    )


def _linked(draw: Draw, fitting: npt.NDArray[np.int64], drawn: int) -> Rate:
    """How often `drawn` rows that fit the first half and as many that fit the second have a row in common. (All, where fewer fit.)

    fitting: see `could_be`. The rows needn't be drawn one by one: how many of the first draw fit both halves, and whether
    the second draw meets one of those, are hypergeometric.
    """
    first, second, both = fitting.T
    marked = draw.hypergeometric(both, first - both, np.minimum(first, drawn))
    hits = draw.hypergeometric(marked, second - marked, np.minimum(second, drawn))
    return wilson(int((hits > 0).sum()), len(fitting))


def _inference(index: _Index, draw: Draw, attempts: int, column: int, k: int) -> Attack | None:
    """None when nobody who is published has a value."""
    world = index.world
    secret = world.sensitive[:, column]
    target = index.targets(draw, attempts, index.having(column))
    if not len(target):
        return None
    # Of those who are published, one place further on, so that the others and those without a value are counted apart.
    shown = np.where(world.group >= 0, secret, -1)
    everyone = int(np.argmax(np.bincount(shown + 1, weights=world.rows)[1:]))
    main = _commonest(index, column, world.group[target], everyone) == secret[target]
    baseline = secret[target] == everyone
    control = None
    # Nobody is left out of most releases, and then there's nothing to look for.
    everybody = int(world.sizes.sum()) == world.persons
    out = target[:0] if everybody else index.targets(draw, attempts, index.having(column, published=False))
    # In steps that are steps of k as well: both kinds together tell no more of how many are left out than steps of k do.
    out = out[: in_steps(len(out), k * math.ceil(_CONTROL / k))]
    if len(out):
        leaves = world.leaves[out].astype(np.int32)
        fits = group_of(leaves, world.low, world.high, world.sizes, *index.boxes)
        right = _commonest(index, column, fits, everyone) == secret[out]
        control = wilson(int(right.sum()), len(out))
    return attack(
        "inference",
        column=world.secrets[column],
        main=wilson(int(main.sum()), len(target)),
        baseline=wilson(int(baseline.sum()), len(target)),
        control=control,
    )


def _commonest(index: _Index, column: int, group: npt.NDArray[Any], everyone: int) -> npt.NDArray[np.int64]:
    """The sensitive value that most rows of each group show (the first of those that tie), `everyone` for group -1."""
    world = index.world
    asked, of_group = np.unique(group, return_inverse=True)
    known = asked >= 0
    first, sizes = index.bounds[asked[known]], np.diff(index.bounds)[asked[known]]
    place = np.repeat(np.flatnonzero(known), sizes)
    # The tuples of all groups asked for, group by group.
    at = index.order[np.arange(len(place)) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)]
    there = world.sensitive[at, column] >= 0
    place, at = place[there], at[there]
    values = int(world.sensitive[:, column].max(initial=0)) + 1
    pairs, pair = np.unique(place * values + world.sensitive[at, column], return_inverse=True)
    rows = np.bincount(pair, weights=world.rows[at], minlength=len(pairs))
    guess = np.full(len(asked), everyone, np.int64)
    # The commonest comes last, and of those that tie the first value, so that it stays.
    order = np.lexsort((-pairs, rows))
    guess[pairs[order] // values] = pairs[order] % values
    return guess[of_group]
