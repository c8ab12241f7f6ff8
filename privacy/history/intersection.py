"""Several releases of one source read side by side: whom they single out together, and how to keep a new one from it.

Two tables that are safe each by itself need not be so together: somebody who stands in one class of five in each may be
the only one who stands in both (composition attack, Ganta, Kasiviswanathan, Smith 2008). The attacker here is the
strongest: knows of a person everything but the sensitive values, has all live releases of all contracts, and can match
rows between them, by pseudonyms or by rare values. Then a person hides among those who stand in the same class in every
release, and are missing from the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.subjects.grouping import distinct, packed

Keys = npt.NDArray[np.int64]
Classes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Live:
    """A live release: persons (n,) keys under which all releases of the source know them, each once; classes (n,)."""

    persons: Keys
    classes: Classes


@dataclass(frozen=True)
class Bounds:
    """What a new release must not do. within: (persons,) groups that are to be put into classes apart from each other.
    blocks: (persons,) numbers of persons who have to stay together; a person of no other release is a block alone. out:
    (persons,) who can't be shown: the source has only some of those among whom they hide, and would part them."""

    within: npt.NDArray[np.int32]
    blocks: npt.NDArray[np.int32]
    out: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Intersected:
    """persons: how many stand in any live release. exposed: those of them with fewer than `k` candidates. smallest: the
    fewest candidates of anyone."""

    persons: int
    exposed: int
    smallest: int
    k: int

    @property
    def share(self) -> float:
        """Of all persons in live releases."""
        return self.exposed / self.persons if self.persons else 0.0


def bounds(persons: Keys, live: Sequence[Live], *, k: int) -> Bounds:
    """How to put `persons` (n,), each once, into classes so that nobody is left with fewer than k candidates.

    Persons in the same releases are put into classes among themselves, and those who share their class in all of these
    stay together. So each set of candidates goes on whole, or in two parts of at least k, by induction over the releases.
    """
    count = len(persons)
    everyone = np.unique(np.concatenate([persons, *(release.persons for release in live)]))
    seen = _classes_of(everyone, live)
    if not seen:
        return Bounds(np.zeros(count, np.int32), np.arange(count, dtype=np.int32), np.zeros(count, np.bool_))
    at = np.searchsorted(everyone, persons)
    group, first = distinct(packed(seen, [int(each.max(initial=-1)) + 1 for each in seen]))
    known = np.any(np.stack(seen) >= 0, axis=0)
    whole = np.bincount(group, minlength=len(first))
    here = np.bincount(group[at], minlength=len(first))
    parted = (here < whole) & ((here < k) | (whole - here < k))
    within, _ = distinct(packed([(each[at] >= 0).astype(np.int32) for each in seen], [2] * len(seen)))
    blocks = group[at].copy()
    alone = np.flatnonzero(~known[at])
    blocks[alone] = len(first) + np.arange(len(alone), dtype=np.int32)
    return Bounds(within, blocks, parted[group[at]] & known[at])


def candidates(persons: Keys, live: Sequence[Live]) -> npt.NDArray[np.int32]:
    """(n,) the number of the set of persons whom no live release tells apart, for each of `persons` (n,)."""
    seen = _classes_of(persons, live)
    if not seen:
        return np.zeros(len(persons), np.int32)
    return distinct(packed(seen, [int(each.max(initial=-1)) + 1 for each in seen]))[0]


def intersected(releases: Sequence[Live], *, k: int) -> Intersected:
    """Whom the releases single out together. k: fewest candidates that everyone is to have."""
    if not releases:
        return Intersected(0, 0, 0, k)
    everyone = np.unique(np.concatenate([release.persons for release in releases]))
    seen = _classes_of(everyone, releases)
    group, first = distinct(packed(seen, [int(each.max(initial=-1)) + 1 for each in seen]))
    sizes = np.bincount(group, minlength=len(first))
    return Intersected(
        persons=len(everyone),
        exposed=int(sizes[sizes < k].sum()),
        smallest=int(sizes.min()) if len(sizes) else 0,
        k=k,
    )


def _classes_of(persons: Keys, live: Sequence[Live]) -> list[Classes]:
    """For each release the class of each person, (persons,), -1 where it doesn't show them."""
    found = []
    for release in live:
        order = np.argsort(release.persons)
        if not len(order):
            found.append(np.full(len(persons), -1, np.int32))
            continue
        at = order[np.minimum(np.searchsorted(release.persons, persons, sorter=order), len(order) - 1)]
        found.append(np.where(release.persons[at] == persons, release.classes[at], -1).astype(np.int32))
    return found
