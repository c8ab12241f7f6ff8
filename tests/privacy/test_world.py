"""A release beside what it was made of, from the engine's own cube and classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Column, LogicalType, Role
from contracts.protection import HierarchySpec, PrivacyTerms, Transform
from core.errors import InternalError
from privacy.measures.attacks import attacks
from privacy.measures.measure import measured_on
from privacy.measures.risk import sizes_before
from privacy.measures.utility import utility
from privacy.measures.world import shown_tuples, world_of
from privacy.models.rules import DISTINCT, Asked
from privacy.subjects.classes import Classes, classify
from privacy.subjects.cube import Cube, build_cube
from tests.staged import table_file

NATURAL = HierarchySpec(kind="natural")
TERMS = PrivacyTerms(unit="person", k=5, l=2)
ASKED = (Asked(DISTINCT, 0, 2),)
Made = Callable[..., tuple[Cube, Classes]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Cube and classes of `rows` random persons."""

    def make(
        rows: int = 600, *, terms: PrivacyTerms = TERMS, segments: int | None = None
    ) -> tuple[Cube, Classes]:
        draw = np.random.default_rng(5)
        table = pa.table(
            {
                "person": np.arange(rows),
                "age": draw.integers(18, 90, rows),
                "town": pa.array([f"{each:03d}" for each in draw.integers(0, 60, rows)]),
                "illness": pa.array([f"i{each}" for each in draw.integers(0, 6, rows)]),
            }
        )
        path = tmp_path / "people.parquet"
        pq.write_table(table, path)
        kinds = {"age": LogicalType.INTEGER, "town": LogicalType.STRING}
        cube = build_cube(
            table_file("people", path, rows=rows),
            name="people",
            unit="person",
            quasi_identifiers=[
                Column(
                    name=name,
                    type=kind,
                    role=Role.QUASI_IDENTIFIER,
                    transform=Transform.GENERALIZE,
                    hierarchy=NATURAL,
                )
                for name, kind in kinds.items()
            ],
            sensitive=[
                Column(name="illness", type=LogicalType.STRING, role=Role.SENSITIVE, transform=Transform.KEEP)
            ],
        )
        return cube, classify(cube, terms, ASKED, segment_min_units=segments)

    return make


@pytest.mark.parametrize("segments", [None, 50])
def test_every_person_lies_where_the_labels_say(made: Made, segments: int | None) -> None:
    cube, classes = made(segments=segments)
    one = world_of(cube, classes)
    published = one.group >= 0
    assert published.any()
    leaves, group = one.leaves[published].astype(int), one.group[published]
    assert (leaves >= one.low[group]).all()
    assert (leaves <= one.high[group]).all()
    assert np.array_equal(np.bincount(group, weights=one.heads[published]), one.sizes)
    assert one.sizes.min() >= TERMS.k
    assert one.sizes.sum() == one.persons - classes.lost


def test_a_group_is_what_shows_the_same_labels(made: Made) -> None:
    cube, classes = made()
    one = world_of(cube, classes)
    texts = [[label.names[code].as_py() for code in label.of_class.tolist()] for label in classes.labels]
    assert len(one.sizes) == len(set(zip(*texts, strict=True)))


def test_two_classes_with_the_same_labels_are_one_group(made: Made) -> None:
    cube, classes = made()
    same = tuple(replace(label, of_class=np.zeros_like(label.of_class)) for label in classes.labels)
    one = world_of(cube, replace(classes, labels=same))
    assert one.sizes.tolist() == [classes.persons.sum()]
    assert one.low.tolist() == [one.leaves[one.group >= 0].min(axis=0).tolist()]
    assert one.high.tolist() == [one.leaves[one.group >= 0].max(axis=0).tolist()]


def test_another_file_than_the_one_that_was_made_is_not_measured(made: Made) -> None:
    cube, classes = made()
    sizes = world_of(cube, classes).sizes
    world_of(cube, classes, written=sizes[::-1].copy())
    moved = sizes.copy()
    moved[0] += 1
    for other in (moved, sizes[1:]):
        with pytest.raises(InternalError, match="other classes than those that were made"):
            world_of(cube, classes, written=other)


def test_it_can_be_attacked_and_measured_as_it_comes(made: Made) -> None:
    cube, classes = made()
    one = world_of(cube, classes)
    kinds = {each.kind: each for each in attacks(one, k=5, seed=1)}
    assert set(kinds) == {
        "singling-out.univariate", "singling-out.multivariate", "singling-out.sensitive", "linkage", "inference",
    }  # fmt: skip
    assert kinds["singling-out.multivariate"].main.successes == 0
    assert kinds["inference"].column == "illness"
    found = utility(one, k=5, ncp_by_column={"age": 0.2, "town": 0.4})
    assert found.ncp == pytest.approx(0.3)
    assert set(found.shift_by_column) == {"age", "town"}
    assert found.average_class >= 1.0


def test_all_is_measured_in_one_call_and_the_same_each_time(made: Made) -> None:
    cube, classes = made()
    sizes = world_of(cube, classes).sizes
    done = [
        measured_on(
            cube,
            classes,
            shown_tuples(cube, classes),
            TERMS,
            ASKED,
            before=sizes_before(cube),
            written=sizes,
            ncp_by_column={"age": 0.2, "town": 0.4},
            key=bytes([number]) * 32,
        )
        for number in (1, 1, 2)
    ]
    assert done[0] == done[1] != done[2]
    assert done[0].before.prosecutor_over > 0.5 > done[0].after.prosecutor_over == 0.0
    assert done[0].after.threshold == 1 / TERMS.k
    assert done[0].frontier.of == cube.owners.count
