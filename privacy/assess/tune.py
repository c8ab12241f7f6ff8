"""The settings of the engine that lose least of a table and hold its contract's limits: tried out, and nothing published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.model import Contract, Role, Table
from contracts.protection import PrivacyTerms, Search, Transform
from core.errors import PrivacyError
from core.parquet import schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.assess.limits import has_order, least_l
from privacy.measures.frontier import KS, frontier
from privacy.measures.risk import risk
from privacy.measures.world import world_of
from privacy.models.rules import Asked, asked_of
from privacy.report.parts import Frontier, Risk
from privacy.search.judge import judged
from privacy.subjects.classes import Classes, classify
from privacy.subjects.cube import Cube, build_cube

_PARTS = (0.0, 0.25, 0.5, 1.0)  # of the persons that the contract lets be left out
_HIDDEN = (Transform.DROP, Transform.REDACT)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one setting comes to. terms: the contract's, with this search and maxSuppressed. search: the one that was taken.

    loss: normalised certainty penalty over all rows, 0..1, one that's left out losing all. ncp: the same of the rows that
    stay. lost: persons left out. k, l: the smallest class, and the fewest sensitive values in one.
    agreed: whether this is what the contract says now.
    """

    terms: PrivacyTerms
    search: Search
    loss: float
    ncp: float
    lost: int
    classes: int
    k: int
    l: int | None  # noqa: E741 (the literature's name)
    risk: Risk
    agreed: bool


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A setting that can't be had, and why."""

    search: Search
    max_suppressed: float
    why: str


@dataclass(frozen=True, kw_only=True)
class Advice:
    """settings: those that hold every limit, best first. failed: the others. frontier: what a larger k would cost."""

    table: str
    rows: int
    persons: int
    settings: tuple[Setting, ...]
    failed: tuple[Failed, ...]
    frontier: Frontier


def tune(file: TableFile, contract: Contract, table: Table, *, progress: Progress = silent) -> Advice:
    """What to write into sluicePrivacy for this subject table. Never weaker than what stands there: k and the models are the
    contract's, and no more persons are left out than it lets be.

    file: its raw rows, in the contract's types. contract: as the release door sees it. The same rows give the same advice.
    Earlier releases, which may bind a run further, aren't looked at. Raises PrivacyError when a row names nobody, or a
    hierarchy lacks a value.
    """
    terms = contract.privacy
    if terms is None:
        raise PrivacyError(f"Contract {contract.id} has no privacy terms.", remedy="Add sluicePrivacy.")
    quasi = [column for column in table.columns if column.transform is Transform.GENERALIZE]
    secret = [column for column in table.with_role(Role.SENSITIVE) if column.transform not in _HIDDEN]
    cube = build_cube(
        file, name=table.name, unit=terms.unit, quasi_identifiers=quasi, sensitive=secret, progress=progress
    )
    kinds = schema(file)
    asked = asked_of(terms, ordered=[has_order(column, kinds.field(column.name).type) for column in secret])
    segment = _segment_min_units(contract, table)
    found: list[Setting] = []
    failed: list[Failed] = []
    for tried in _choices(terms):
        progress(f"{tried.search.value}, maxSuppressed {tried.max_suppressed:g}")
        try:
            found.append(_tried(cube, tried, terms, asked, segment))
        except PrivacyError as error:
            failed.append(Failed(search=tried.search, max_suppressed=tried.max_suppressed, why=error.what))
    larger = [k for k in KS if k > terms.k]
    return Advice(
        table=table.name,
        rows=cube.rows,
        persons=cube.owners.count,
        settings=tuple(sorted(_distinct(found), key=_rank)),
        failed=tuple(failed),
        frontier=frontier(cube.tuples, asked, ks=[terms.k, *larger]),
    )


def _choices(terms: PrivacyTerms) -> Iterable[PrivacyTerms]:
    """What the contract says, then every other choice within it."""
    yield terms
    for search in (Search.MULTIDIMENSIONAL, Search.FULL_DOMAIN):
        for most in sorted({round(terms.max_suppressed * part, 6) for part in _PARTS}):
            tried = replace(terms, search=search, max_suppressed=min(most, terms.max_suppressed))
            if tried != terms:
                yield tried


def _tried(
    cube: Cube, tried: PrivacyTerms, terms: PrivacyTerms, asked: Sequence[Asked], segment: int | None
) -> Setting:
    """Raises PrivacyError where the setting can't hold the limits."""
    classes = classify(cube, tried, asked, segment_min_units=segment)
    if classes.lost > tried.max_suppressed * cube.owners.count:
        raise PrivacyError(
            f"{classes.lost:,} of {cube.owners.count:,} would have to be left out, and at most {tried.max_suppressed:.2%} may."
        )
    world = world_of(cube, classes)
    stays, count = np.flatnonzero(world.group >= 0), len(world.sizes)
    tuples, part = cube.tuples.taken(stays), world.group[stays]
    kept = judged(tuples, part, count, k=terms.k, asked=asked)
    if not kept.all():
        raise PrivacyError(f"{int((~kept).sum())} of {count} classes would break a limit.")
    loss, ncp = _losses(cube, classes)
    return Setting(
        terms=tried,
        search=classes.search,
        loss=loss,
        ncp=ncp,
        lost=classes.lost,
        classes=count,
        k=int(world.sizes.min()) if count else 0,
        l=least_l(tuples, part, count),
        risk=risk(world.sizes, threshold=1 / terms.k),
        agreed=tried == terms,
    )


def _losses(cube: Cube, classes: Classes) -> tuple[float, float]:
    """NCP of all rows, one that's left out losing all; and of those that stay."""
    kept = classes.of_tuple >= 0
    rows = np.bincount(
        classes.of_tuple[kept], weights=cube.tuples.weights[kept], minlength=len(classes.persons)
    )
    every, stay = float(cube.tuples.weights.sum(dtype=np.int64)), float(rows.sum())
    if not classes.labels or not every:
        return (every - stay) / every if every else 0.0, 0.0
    lost = sum(float((label.loss * rows).sum()) for label in classes.labels) / len(classes.labels)
    return (lost + every - stay) / every, lost / stay if stay else 0.0


def _distinct(found: Sequence[Setting]) -> list[Setting]:
    """Of settings that come to the same, the one that lets fewest persons be left out; the contract's own always stays."""
    kept: dict[tuple[object, ...], Setting] = {}
    for setting in sorted(found, key=lambda each: (not each.agreed, each.terms.max_suppressed)):
        kept.setdefault((setting.search, setting.loss, setting.lost, setting.classes), setting)
    return list(kept.values())


def _rank(setting: Setting) -> tuple[object, ...]:
    return setting.loss, setting.lost, not setting.agreed, setting.terms.max_suppressed, setting.search.value


def _segment_min_units(contract: Contract, table: Table) -> int | None:
    """Fewest persons of a segment, where cells lean on the table's classes."""
    return max(
        (
            each.cells.segment_min_units
            for each in contract.tables
            if each.cells and each.cells.segments_of == table.name
        ),
        default=None,
    )
