"""Which search makes the classes, and why: the contract says, or both are run where that is cheap and one loses less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contracts.protection import PrivacyTerms, Search
from core.errors import PrivacyError
from privacy.hierarchies.hierarchy import Hierarchy, Scale
from privacy.hierarchies.levels import Levels, levels_of
from privacy.models.rules import Asked
from privacy.search.judge import judged
from privacy.search.lattice import full_domain, lattice_nodes
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples, tally
from privacy.subjects.naming import Labels, labels_of, level_labels

# Beyond these the full-domain search isn't tried beside the other: it takes longer, and hardly ever loses less.
_CHEAP_NODES, _CHEAP_TUPLES = 20_000, 100_000


@dataclass(frozen=True, kw_only=True)
class Found:
    """part: (n,) class of each tuple, -1 where left out. labels: by quasi-identifier. classes: how many. search, why: which
    search it was, and the reason in a few words. loss: NCP of all rows, one left out counting 1."""

    part: npt.NDArray[np.int32]
    labels: tuple[Labels, ...]
    classes: int
    search: Search
    why: str
    loss: float


def found(
    tuples: Tuples,
    hierarchies: Mapping[str, Hierarchy],
    terms: PrivacyTerms,
    asked: Sequence[Asked],
    *,
    within: npt.NDArray[np.int32] | None,
    max_suppressed: int,
) -> Found:
    """The classes of the tuples, with those left out that can't keep the limits.

    within: segments that classes mustn't cross; only cuts can heed them. max_suppressed: persons that may be left out.
    """
    if terms.search is Search.MULTIDIMENSIONAL:
        return _by_cuts(tuples, hierarchies, terms.k, asked, within, "the contract says so")
    bound = within is not None or tuples.blocks is not None
    if terms.search is Search.FULL_DOMAIN:
        if bound:
            raise PrivacyError(
                "A full-domain search heeds neither segments of facts nor an earlier release.",
                remedy="Set search: multidimensional, or auto, in sluicePrivacy.",
            )
        whole = _by_levels(tuples, hierarchies, terms.k, asked, max_suppressed, "the contract says so")
        return whole or _nobody(tuples, hierarchies, Search.FULL_DOMAIN, "no level keeps the limits")
    cuts = _by_cuts(tuples, hierarchies, terms.k, asked, within, "")
    if bound:
        return _because(cuts, "classes stay within segments or an earlier release")
    if len(tuples.weights) > _CHEAP_TUPLES:
        return _because(cuts, f"over {_CHEAP_TUPLES:,} distinct tuples the other search takes long")
    levels = [levels_of(hierarchy) for hierarchy in hierarchies.values()]
    if lattice_nodes(levels) > _CHEAP_NODES:
        return _because(cuts, f"over {_CHEAP_NODES:,} combinations of levels the other search takes long")
    whole = _by_levels(tuples, hierarchies, terms.k, asked, max_suppressed, "", levels, below=cuts.loss)
    if whole is None or whole.loss >= cuts.loss:
        return _because(
            cuts, f"loses {cuts.loss:.3f}, which no combination of levels betters within the limits"
        )
    return _because(whole, f"loses {whole.loss:.3f}, the multidimensional search {cuts.loss:.3f}")


def _by_cuts(
    tuples: Tuples,
    hierarchies: Mapping[str, Hierarchy],
    k: int,
    asked: Sequence[Asked],
    within: npt.NDArray[np.int32] | None,
    why: str,
) -> Found:
    parts = partition(tuples, k=k, asked=asked, within=within)
    safe = _safe(tuples, parts.part, len(parts.low), k, asked)
    number = np.cumsum(safe, dtype=np.int32) - 1
    number[~safe] = -1
    part = number[parts.part]
    scales = _shown(hierarchies, tuples, part)
    labels = tuple(
        labels_of(hierarchy, parts.low[safe, j], parts.high[safe, j], scale)
        for j, (hierarchy, scale) in enumerate(zip(hierarchies.values(), scales, strict=True))
    )
    return Found(
        part=part,
        labels=tuple(
            replace(label, loss=scale.loss(label.loss, (parts.low[safe, j], parts.high[safe, j])))
            for j, (label, scale) in enumerate(zip(labels, scales, strict=True))
        ),
        classes=int(safe.sum()),
        search=Search.MULTIDIMENSIONAL,
        why=why,
        loss=_loss(tuples, part, labels),
    )


def _by_levels(
    tuples: Tuples,
    hierarchies: Mapping[str, Hierarchy],
    k: int,
    asked: Sequence[Asked],
    max_suppressed: int,
    why: str,
    levels: Sequence[Levels] | None = None,
    *,
    below: float | None = None,
) -> Found | None:
    levels = levels or [levels_of(hierarchy) for hierarchy in hierarchies.values()]
    best = full_domain(tuples, levels, k=k, asked=asked, max_suppressed=max_suppressed, below=below)
    if best is None:
        return None
    count = int(best.part.max(initial=-1)) + 1
    # Closeness is to everyone published, whom the search didn't know yet.
    part = np.where(best.kept, best.part, -1).astype(np.int32)
    stays = np.flatnonzero(part >= 0)
    safe = (
        _safe(tuples.taken(stays), part[stays], count, k, asked) if len(stays) else np.ones(count, np.bool_)
    )
    number = np.append(np.cumsum(safe, dtype=np.int32) - 1, np.int32(-1))
    number[:-1][~safe] = -1
    part = number[part]
    member = np.zeros(int(safe.sum()), np.int64)
    kept = np.flatnonzero(part >= 0)
    member[part[kept]] = kept
    labels = tuple(
        level_labels(levels[j], best.node[j], tuples.codes[member, j].astype(np.int32))
        for j in range(len(hierarchies))
    )
    return Found(
        part=part,
        labels=tuple(
            replace(label, loss=scale.loss(label.loss, None))
            for label, scale in zip(labels, _shown(hierarchies, tuples, part), strict=True)
        ),
        classes=len(member),
        search=Search.FULL_DOMAIN,
        why=why,
        loss=_loss(tuples, part, labels),
    )


def _shown(hierarchies: Mapping[str, Hierarchy], tuples: Tuples, part: npt.NDArray[np.int32]) -> list[Scale]:
    """What of each hierarchy is shown, see `Hierarchy.shown`."""
    kept = part >= 0
    codes = tuples.codes if kept.all() else tuples.codes[kept]
    return [hierarchy.shown(codes[:, j]) for j, hierarchy in enumerate(hierarchies.values())]


def _nobody(tuples: Tuples, hierarchies: Mapping[str, Hierarchy], search: Search, why: str) -> Found:
    none = np.empty(0, np.int32)
    return Found(
        part=np.full(len(tuples.weights), -1, np.int32),
        labels=tuple(labels_of(hierarchy, none, none) for hierarchy in hierarchies.values()),
        classes=0,
        search=search,
        why=why,
        loss=1.0,
    )


def _because(chosen: Found, why: str) -> Found:
    return Found(
        part=chosen.part,
        labels=chosen.labels,
        classes=chosen.classes,
        search=chosen.search,
        why=why,
        loss=chosen.loss,
    )


def _loss(tuples: Tuples, part: npt.NDArray[np.int32], labels: Sequence[Labels]) -> float:
    """Mean over rows and columns of what is lost, a row left out losing all."""
    rows = int(tuples.weights.sum(dtype=np.int64))
    if not rows or not labels:
        return 0.0
    count = len(labels[0].of_class)
    here = tally(part, tuples.weights, count)
    lost = rows - here.sum()
    return float((sum((label.loss * here).sum() for label in labels) / len(labels) + lost) / rows)


def _safe(
    tuples: Tuples, part: npt.NDArray[np.int32], count: int, k: int, asked: Sequence[Asked]
) -> npt.NDArray[np.bool_]:
    """Whether each part keeps k and all that is asked; counted anew, not taken from the search's word.

    Closeness is to everyone published. So where parts are left out, those that stay are asked again, until all hold.
    """
    safe = judged(tuples, part, count, k=k, asked=asked)
    while safe.any() and not safe.all():
        stays = np.flatnonzero(safe[part])
        again = safe & judged(tuples.taken(stays), part[stays], count, k=k, asked=asked)
        if (again == safe).all():
            break
        safe = again
    return safe
