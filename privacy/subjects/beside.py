"""A release made beside the live ones: within what they leave open, and measured together with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from contracts.model import Contract, Table
from core.errors import PrivacyError
from privacy.history.further import Further, further
from privacy.history.intersection import intersected
from privacy.history.links import plan_of
from privacy.history.memory import History
from privacy.models.rules import EQUAL, ORDERED, Asked
from privacy.report.parts import in_steps
from privacy.report.report import Beside
from privacy.subjects.cube import Cube
from privacy.subjects.whole import Whole

_TRIES = 20


def made_beside(
    cube: Cube,
    contract: Contract,
    plan: Table,
    asked: Sequence[Asked],
    history: History | None,
    made: Callable[[Further | None], Whole],
    *,
    orders: Sequence[Sequence[str]],
    noisy: Sequence[bool],
) -> tuple[Whole, Beside | None]:
    """The release, made so that no live one is undone, and what all of them tell together.

    made: makes it of what may be shown. orders, noisy: of each sensitive column the declared order of its values, and whether
    it goes out with noise. Where the contract bears that some persons are narrowed down, the classes are first made as if
    other contracts' releases weren't there, which keeps more; if that narrows down too many, within their bounds. Raises
    PrivacyError over the limit.
    """
    terms = contract.privacy
    if history is None or not history.live or terms is None:
        return made(None), Beside() if history is not None else None
    k = max([terms.k, *(each.memory.about.k for each in history.live)])
    for free in (True, False) if terms.max_intersected else (False,):
        whole, beside = _made(
            cube, contract, plan, asked, history, made, orders=orders, noisy=noisy, free=free
        )
        seen = intersected([*beside.live, whole.live(cube)], k=k)
        if seen.share <= terms.max_intersected:
            again = whole.unit_of_row[cube.rows :] if whole.unit_of_row is not None else np.empty(0)
            return whole, Beside(
                live=len(history.live),
                persons=seen.persons,
                exposed=seen.exposed,
                smallest=seen.smallest,
                k=k,
                again=len(np.unique(again)),
                held=in_steps(beside.held, k),
                waiting=in_steps(whole.waiting, k),
            )
    raise PrivacyError(
        f"Release refused: read beside the {len(history.live)} live releases of the same persons, `{plan.name}` would leave "
        f"{seen.exposed} of {seen.persons} `{terms.unit}` with fewer than {k} candidates; contract {contract.id} "
        f"{contract.version} bears {terms.max_intersected:.2%}.",
        remedy="Raise maxIntersected, or let an earlier release end: suspend or terminate its contract, and delete it.",
    )


def _made(
    cube: Cube,
    contract: Contract,
    plan: Table,
    asked: Sequence[Asked],
    history: History,
    made: Callable[[Further | None], Whole],
    *,
    orders: Sequence[Sequence[str]],
    noisy: Sequence[bool],
    free: bool,
) -> tuple[Whole, Further]:
    """The release, and what it was made of.

    A class that goes on was close to everyone when it was made. Where it isn't any more, for everyone has changed, it is
    retired as a whole; a new one that isn't close to everyone together waits.
    """
    assert contract.privacy is not None  # the caller has looked
    names, content = cube.owners.names, cube.content()
    earlier = history.latest(contract.id, plan.name, plan_of(contract, plan))
    close = [each for each in asked if each.rule in (EQUAL, ORDERED) and not noisy[each.column]]
    retired = np.empty(0, np.int32)
    waits = np.zeros(cube.owners.count, np.bool_)
    for _ in range(_TRIES):
        beside = further(
            names, content, history, earlier, k=contract.privacy.k, asked=asked, free=free, retired=retired
        )
        beside = replace(beside, bounds=replace(beside.bounds, out=beside.bounds.out | waits))
        whole = made(beside)
        if earlier is None or not close:
            break
        far = ~whole.close(cube, close, orders)
        if not far.any():
            break
        new = len(far) - len(whole.stays)
        retired = np.union1d(retired, whole.stays[far[new:]]).astype(np.int32)
        waits[whole.persons_in(cube, far[:new])] = True
    return whole, beside
