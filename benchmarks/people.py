"""People who don't exist, in the shapes that anonymisation is measured on: Adult's, tuples that repeat, tuples that don't.

    python -m benchmarks.people adult|repeat|unique FILE --rows 1000000 [--seed 1]

Marginals are skewed and columns depend on each other as in the census (education and work, age and marriage, birthplace
and race); the numbers are made up, no row is anybody's. A table is made of runs of RUN rows, each from a seed of its own:
the same rows come out whether they are kept in memory or written as row groups, and 50 million need no more memory than
one run does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.protection import HierarchySpec

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Branches = Mapping[str, Any]

RUN = 1 << 19  # rows of a run, and of a row group
_USUAL = 0.61  # share of people of few kinds in `repeat`
UNIT = "person"
QUASI_IDENTIFIERS = (
    "age", "workclass", "education", "marital_status", "occupation", "race", "sex", "native_country",
)  # fmt: skip
SENSITIVE = ("salary_class", "condition")
UNIQUE_QUASI_IDENTIFIERS = ("born", "postcode", "income", "height", "weight", "children", "sex")

_AGES = range(17, 91)
_WORK: Branches = {
    "employed": {"private": ["private"], "government": ["federal", "local", "state"]},
    "on their own": {"self-employed": ["incorporated", "not incorporated"]},
    "unpaid": {"no wage": ["without pay", "never worked"]},
}
_SCHOOL: Branches = {
    "no degree": {
        "primary": ["preschool", "grade 1-4", "grade 5-6", "grade 7-8"],
        "secondary": ["grade 9", "grade 10", "grade 11", "grade 12", "high school"],
    },
    "degree": {
        "some college": ["college unfinished", "associate vocational", "associate academic"],
        "graduate": ["bachelor", "master", "professional school", "doctorate"],
    },
}
_MARRIAGE: Branches = {
    "spouse present": ["married civil", "married forces"],
    "spouse not present": ["never married", "divorced", "separated", "widowed", "spouse absent"],
}
_JOBS: Branches = {
    "office": ["executive", "professional", "clerical", "sales", "technical support"],
    "manual": ["craft", "machine operator", "transport", "handler", "farming"],
    "service": ["other service", "protective", "private house", "armed forces"],
}
_RACES: Branches = {"*": ["white", "black", "asian", "indigenous", "other race"]}
_SEXES: Branches = {"*": ["female", "male"]}
_PLACES: Branches = {
    "north america": ["united states", "canada", "outlying islands"],
    "latin america": [
        "mexico", "puerto rico", "el salvador", "cuba", "jamaica", "dominican republic", "guatemala", "colombia",
        "haiti", "nicaragua", "peru", "ecuador", "trinidad", "honduras",
    ],
    "europe": [
        "germany", "england", "italy", "poland", "portugal", "greece", "france", "ireland", "yugoslavia", "hungary",
        "scotland", "netherlands",
    ],
    "asia": [
        "philippines", "india", "china", "south korea", "vietnam", "taiwan", "iran", "japan", "hong kong", "cambodia",
        "thailand", "laos",
    ],
}  # fmt: skip
_CONDITIONS = (
    "none", "hypertension", "diabetes", "asthma", "arthritis", "depression", "heart disease", "cancer", "stroke", "other",
)  # fmt: skip
_SALARIES = ("low", "high")


def tree(branches: Branches) -> HierarchySpec:
    """A tree from {name: {name: [leaf, ...]}}; the name `*` is the root's and makes no node."""
    leaves: list[str] = []
    nodes: list[tuple[str, int, int]] = []

    def walk(branch: Branches | list[str]) -> None:
        if isinstance(branch, list):
            leaves.extend(branch)
            return
        for name, inner in branch.items():
            first, place = len(leaves), len(nodes)
            walk(inner)
            if name != "*":
                nodes.insert(place, (name, first, len(leaves) - 1))

    walk(branches)
    return HierarchySpec(kind="tree", leaves=tuple(leaves), nodes=tuple(nodes))


def _age_branches() -> Branches:
    """Ages in steps of 20, in them of 10, in them of 5."""
    steps: dict[str, dict[str, dict[str, list[str]]]] = {}
    for age in _AGES:
        names = [f"{age // width * width} to {age // width * width + width - 1}" for width in (20, 10, 5)]
        steps.setdefault(names[0], {}).setdefault(names[1], {}).setdefault(names[2], []).append(str(age))
    return steps


HIERARCHIES = {
    name: tree(branches)
    for name, branches in zip(
        QUASI_IDENTIFIERS,
        (_age_branches(), _WORK, _SCHOOL, _MARRIAGE, _JOBS, _RACES, _SEXES, _PLACES),
        strict=True,
    )
}
UNIQUE_HIERARCHIES = {
    "born": HierarchySpec(kind="dates", parts=("day", "month", "year", "decade")),
    "postcode": HierarchySpec(kind="prefix", lengths=(6, 4, 2)),
    "income": HierarchySpec(kind="intervals", widths=tuple(map(Decimal, (1000, 10_000, 50_000)))),
    "height": HierarchySpec(kind="intervals", widths=tuple(map(Decimal, (5, 20)))),
    "weight": HierarchySpec(kind="intervals", widths=tuple(map(Decimal, (5, 20)))),
    "children": HierarchySpec(kind="natural"),
    "sex": tree(_SEXES),
}


@dataclass(frozen=True)
class _World:
    """Conditional distributions, as cumulated shares; the last axis is the value's."""

    age: Floats
    school: Floats  # by age band
    job: Floats  # by education and sex
    work: Floats  # by occupation
    marriage: Floats  # by age band and sex
    race: Floats
    place: Floats  # by race
    salary: Floats  # by education, by whether married
    condition: Floats  # by age band


def _cumulated(shares: Floats) -> Floats:
    return np.cumsum(shares / shares.sum(axis=-1, keepdims=True), axis=-1)


def _skewed(rng: np.random.Generator, base: list[float], over: tuple[int, ...], spread: float) -> Floats:
    """Distributions around `base`, one for each cell of `over`, apart from each other by `spread` (log scale)."""
    return _cumulated(np.array(base) * np.exp(spread * rng.standard_normal((*over, len(base)))))


def _world() -> _World:
    """The same for every seed: a seed picks people, not the country they live in."""
    rng = np.random.default_rng(1994)
    ages = np.array(_AGES, np.float64)
    falling = np.exp(-(((ages - 36) / np.where(ages < 36, 13, 21)) ** 2) / 1.4)
    places = 1 / np.arange(1, 42) ** 1.2
    places[0] = 42
    return _World(
        age=_cumulated(falling * np.where(ages > 75, 0.5, 1)),
        school=_skewed(rng, [0.1, 0.5, 1, 1.9, 1.5, 2.7, 3.5, 1.3, 32.5, 22, 4.3, 3.3, 16.7, 5.4, 1.8, 1.2], (4,), 0.4),
        job=_skewed(rng, [13, 13, 12, 12, 3, 13, 6.5, 5.2, 4.5, 3.3, 10.6, 2.1, 0.5, 0.03], (16, 2), 0.9),
        work=_skewed(rng, [74, 3.1, 6.9, 4.2, 3.6, 8.3, 0.05, 0.02], (14,), 0.7),
        marriage=_skewed(rng, [46.6, 0.07, 32.2, 14, 3.1, 2.7, 1.2], (4, 2), 0.8),
        race=_cumulated(np.array([86.0, 9.3, 3.0, 0.95, 0.75])),
        place=_skewed(rng, places.tolist(), (5,), 0.9),
        salary=_skewed(rng, [3.0, 1.0], (16, 2), 0.6),
        condition=_skewed(rng, [40, 18, 9, 8, 8, 6, 4, 3, 2, 2], (4,), 0.4),
    )  # fmt: skip


_WORLD = _world()


def _draw(rng: np.random.Generator, cumulated: Floats, given: Codes | None = None, size: int = 0) -> Codes:
    """A value for each row from its distribution: `cumulated` (values,), or (cells, values) and each row's cell."""
    if given is None:
        return np.searchsorted(cumulated[:-1], rng.random(size), side="right")
    found = np.empty(len(given), np.int64)
    luck = rng.random(len(given))
    order = np.argsort(given, kind="stable")
    cuts = np.searchsorted(given[order], np.arange(len(cumulated) + 1))
    for cell in range(len(cumulated)):
        rows = order[cuts[cell] : cuts[cell + 1]]
        found[rows] = np.searchsorted(cumulated[cell, :-1], luck[rows], side="right")
    return found


def _text(codes: Codes, names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))


def _adult_codes(rng: np.random.Generator, rows: int) -> tuple[list[Codes], list[Codes]]:
    """Codes of the quasi-identifiers, in the order of QUASI_IDENTIFIERS, and of the sensitive columns."""
    world = _WORLD
    age = _draw(rng, world.age, size=rows)
    band = np.searchsorted([8, 18, 33], age, side="right")  # under 25, 35, 50, and older
    sex = (rng.random(rows) < 0.67).astype(np.int64)
    school = _draw(rng, world.school, band)
    job = _draw(rng, world.job.reshape(32, -1), school * 2 + sex)
    work = _draw(rng, world.work, job)
    marriage = _draw(rng, world.marriage.reshape(8, -1), band * 2 + sex)
    race = _draw(rng, world.race, size=rows)
    place = _draw(rng, world.place, race)
    salary = _draw(rng, world.salary.reshape(32, -1), school * 2 + (marriage < 2))
    condition = _draw(rng, world.condition, band)
    return [age, work, school, marriage, job, race, sex, place], [salary, condition]


def _adult(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    return _adult_table(first, *_adult_codes(rng, rows))


def _adult_table(first: int, codes: list[Codes], sensitive: list[Codes]) -> pa.Table:
    columns: dict[str, Any] = {UNIT: pa.array(np.arange(first, first + len(codes[0])))}
    columns["age"] = pa.array((codes[0] + _AGES[0]).astype(np.int16))
    for name, column in zip(QUASI_IDENTIFIERS[1:], codes[1:], strict=True):
        columns[name] = _text(column, HIERARCHIES[name].leaves)
    for name, column, names in zip(SENSITIVE, sensitive, (_SALARIES, _CONDITIONS), strict=True):
        columns[name] = _text(column, names)
    return pa.table(columns)


def _repeat(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    """As `_adult`, but three in five of the people are of few kinds."""
    codes, sensitive = _adult_codes(rng, rows)
    kinds, _ = _adult_codes(np.random.default_rng(7), 4096)
    usual = rng.random(rows) < _USUAL
    pick = (4096 * rng.random(rows) ** 2).astype(np.int64)
    codes = [np.where(usual, kind[pick], column) for kind, column in zip(kinds, codes, strict=True)]
    return _adult_table(first, codes, sensitive)


def _unique(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    """Seven quasi-identifiers, so fine that hardly two people share them all."""
    age_days = (rng.beta(2, 2.6, rows) * 70 * 365.25).astype(np.int64)
    town = (300 * rng.random(rows) ** 2).astype(np.int64)
    income = np.exp(rng.normal(11.2, 0.6, rows)).clip(10_000, 2_000_000)
    sex = (rng.random(rows) < 0.51).astype(np.int64)
    height = (rng.normal(163, 6.5, rows) + 11 * sex).round().clip(120, 215)
    weight = ((height - 100) * rng.normal(0.95, 0.14, rows)).round().clip(30, 200)
    return pa.table(
        {
            UNIT: pa.array(np.arange(first, first + rows)),
            "born": pa.array((13_000 - age_days).astype(np.int32), pa.date32()),
            "postcode": pa.array((100_000 + town * 2_900 + rng.integers(0, 60, rows) * 10).astype("U6")),
            "income": pa.array((income // 100 * 100).astype(np.int64)),
            "height": pa.array(height.astype(np.int16)),
            "weight": pa.array(weight.astype(np.int16)),
            "children": pa.array(rng.poisson(1.2, rows).clip(0, 8).astype(np.int16)),
            "sex": _text(sex, HIERARCHIES["sex"].leaves),
            "condition": _text(_draw(rng, _WORLD.condition, np.minimum(age_days // 6_400, 3)), _CONDITIONS),
        }
    )


KINDS: dict[str, Callable[[np.random.Generator, int, int], pa.Table]] = {
    "adult": _adult,
    "repeat": _repeat,
    "unique": _unique,
}


def runs(kind: str, rows: int, seed: int = 1) -> Iterator[pa.Table]:
    """The people of a kind, RUN rows at a time."""
    for number, first in enumerate(range(0, rows, RUN)):
        yield KINDS[kind](np.random.default_rng([seed, number]), first, min(RUN, rows - first))


def _table(kind: str, rows: int, seed: int) -> pa.Table:
    return pa.concat_tables(list(runs(kind, rows, seed)) or [KINDS[kind](np.random.default_rng(seed), 0, 0)])


def adult_like(rows: int, seed: int = 1) -> pa.Table:
    """Adult's shape: `person`, QUASI_IDENTIFIERS (age int16, the others dictionaries of text) and SENSITIVE."""
    return _table("adult", rows, seed)


def repeat_heavy(rows: int, seed: int = 1) -> pa.Table:
    """The same columns, tuples that repeat: about 560,000 distinct ones in 10 million rows."""
    return _table("repeat", rows, seed)


def nearly_unique(rows: int, seed: int = 1) -> pa.Table:
    """`person`, UNIQUE_QUASI_IDENTIFIERS and `condition`; nearly every tuple is one person's."""
    return _table("unique", rows, seed)


def write_people(path: Path, kind: str, rows: int, seed: int = 1) -> Path:
    """Writes people of a kind as Parquet (zstd), a row group for each run; memory doesn't grow with the rows."""
    schema = _table(kind, 0, seed).schema
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        for table in runs(kind, rows, seed):
            writer.write_table(table, row_group_size=RUN)
    return path


def main() -> None:
    """Writes a file."""
    parser = argparse.ArgumentParser(description="Made-up people as a Parquet file.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write_people(options.file, options.kind, options.rows, options.seed)
    print(f"{options.file}: {options.rows:,} rows, {options.file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
