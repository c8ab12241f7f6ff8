"""Releases over time and beside each other, under attack: a reader keeps every version and compares all of them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.keys import FileKey
from core.proof import TableFile
from privacy.history.continuity import Status, continued, status_of
from privacy.history.further import further
from privacy.history.intersection import Live, bounds, intersected
from privacy.history.links import Origins
from privacy.history.memory import About, Earlier, History, Memory
from privacy.models.rules import DISTINCT, Asked
from privacy.search.judge import judged
from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples

K, L = 3, 2
ASKED = [Asked(DISTINCT, 0, L)]


def tuples_of(ages: list[int], ills: list[int], *, blocks: np.ndarray | None = None) -> Tuples:
    n = len(ages)
    return Tuples(
        codes=np.array(ages, np.int32).reshape(n, 1),
        positions=(np.linspace(0, 1, 100),),
        weights=np.ones(n, np.int32),
        sensitive=np.array(ills, np.int32).reshape(n, 1),
        blocks=blocks,
    )


class Hall:
    """Publishes version after version of a table of persons (person -> age, illness), as the engine does."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int]] = {}  # person -> as published: (class, illness)
        self.source: dict[
            int, tuple[int, int]
        ] = {}  # person -> what the source said when they were published
        self.versions: list[dict[int, tuple[int, int]]] = []
        self.live: list[Earlier] = []
        self.classes = 0

    def publish(self, people: dict[int, tuple[int, int]]) -> None:
        persons = np.array(sorted(people), np.int64)
        content = np.array([hash(people[int(p)]) for p in persons], np.int64)
        history = History(names=bytes(16), files=FileKey.fresh(), live=self.live)
        earlier = self.live[-1] if self.live else None
        beside = further(persons, content, history, earlier, k=K, asked=ASKED)
        again = earlier.memory.persons[beside.goes_on].tolist() if earlier else []
        kept = {int(p): self.rows[int(p)] for p in again}
        anew = persons[beside.anew]
        tuples = tuples_of(
            [people[int(p)][0] for p in anew],
            [people[int(p)][1] for p in anew],
            blocks=beside.bounds.blocks[beside.anew],
        )
        parts = partition(tuples, k=K, asked=ASKED, within=beside.bounds.within[beside.anew])
        safe = judged(tuples, parts.part, len(parts.low), k=K, asked=ASKED)
        fresh = {
            int(p): (self.classes + part, people[int(p)][1])
            for p, part in zip(anew, parts.part.tolist(), strict=True)
            if safe[part]
        }
        self.classes += len(parts.low)
        self.source = {p: self.source[p] for p in kept} | {p: people[p] for p in fresh}
        self.rows = kept | fresh
        self.versions.append(dict(self.rows))
        self.live.append(self._remembered())

    def _remembered(self) -> Earlier:
        shown = sorted(self.rows)
        about = About(
            contract="c",
            table="t",
            plan="p",
            k=K,
            origins=Origins(namespace="", platform="p", place="s"),
            sha256="",
        )
        memory = Memory(
            about=about,
            persons=np.array(shown, np.int64),
            content=np.array([hash(self.source[p]) for p in shown], np.int64),
            classes=np.array([self.rows[p][0] for p in shown], np.int32),
            rows=np.arange(len(shown), dtype=np.int32),
            secrets=np.array([self.rows[p][1] + 1 for p in shown], np.int64).reshape(-1, 1),
            labels=(),
            losses=np.empty((0, 0)),
            segments=None,
        )
        file = TableFile(name="t", path=Path("t"), rows=len(shown), size_bytes=0, sha256="")
        return Earlier(release=f"r{len(self.live)}", memory=memory, file=file)


def small(persons: set[int], version: dict[int, tuple[int, int]]) -> bool:
    """Whether a set of persons, as a version shows them, tells more than a class may."""
    return bool(persons) and (len(persons) < K or len({version[p][1] for p in persons}) < L)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_no_two_versions_tell_of_fewer_than_k(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hall = Hall()
    people = {
        p: (int(rng.integers(0, 100)), int(rng.integers(0, 4))) for p in range(data.draw(st.integers(5, 40)))
    }
    for _ in range(4):
        hall.publish(people)
        people = {
            p: row for p, row in people.items() if rng.random() > data.draw(st.sampled_from([0.05, 0.4]))
        }
        for p in list(people):
            if rng.random() < data.draw(st.sampled_from([0.0, 0.05, 0.5])):
                people[p] = (int(rng.integers(0, 100)), int(rng.integers(0, 4)))
        first = max([*people, 100]) + 1
        for p in range(first, first + data.draw(st.integers(0, 10))):
            people[p] = (int(rng.integers(0, 100)), int(rng.integers(0, 4)))
    for early, late in combinations(hall.versions, 2):
        classes = {c for c, _ in early.values()} | {c for c, _ in late.values()}
        for c in classes:
            then = {p for p, row in early.items() if row[0] == c}
            after = {p for p, row in late.items() if row[0] == c}
            assert not small(then, early)
            assert not small(after, late)
            assert not small(then - after, early)
            assert not small(after - then, late)
            assert all(early[p] == late[p] for p in then & after)
            # Where pseudonyms last, those who went from one class to another are a set of their own.
            for other in classes - {c}:
                moved = then & {p for p, row in late.items() if row[0] == other}
                assert not moved or len(moved) >= K


def test_one_who_left_goes_on_until_k_have_left() -> None:
    before = tuples_of([0] * 7, [0, 1, 0, 1, 0, 1, 0])
    classes = np.zeros(7, np.int32)
    one = np.array([1, 0, 0, 0, 0, 0, 0], np.int8)
    out = continued(before, classes, one, k=3, asked=ASKED)
    assert out.goes_on.all()
    assert out.held == 1
    three = np.array([1, 1, 1, 0, 0, 0, 0], np.int8)
    out = continued(before, classes, three, k=3, asked=ASKED)
    assert out.goes_on.tolist() == [False] * 3 + [True] * 4
    assert out.held == 0


def test_who_left_shows_only_if_what_is_gone_is_diverse() -> None:
    before = tuples_of([0] * 7, [0, 0, 0, 1, 0, 1, 1])
    status = np.array([1, 1, 1, 0, 0, 0, 0], np.int8)
    assert continued(before, np.zeros(7, np.int32), status, k=3, asked=ASKED).goes_on.all()


def test_those_who_left_and_those_who_changed_are_not_one_set() -> None:
    """Three left and one changed: the one who changed would stand out, being the one who comes back."""
    before = tuples_of([0] * 8, [0, 1, 0, 1, 0, 1, 0, 1])
    status = np.array([1, 1, 1, 2, 0, 0, 0, 0], np.int8)
    out = continued(before, np.zeros(8, np.int32), status, k=3, asked=ASKED)
    assert out.goes_on.tolist() == [False] * 3 + [True] * 5
    assert not out.free.any()


def test_a_class_may_go_as_a_whole() -> None:
    before = tuples_of([0] * 3, [0, 1, 0])
    out = continued(before, np.zeros(3, np.int32), np.full(3, Status.LEFT, np.int8), k=3, asked=ASKED)
    assert not out.goes_on.any()


def test_what_would_stay_must_be_a_class_of_its_own() -> None:
    before = tuples_of([0] * 5, [0, 1, 0, 1, 0])
    status = np.array([1, 1, 1, 0, 0], np.int8)
    assert continued(before, np.zeros(5, np.int32), status, k=3, asked=ASKED).goes_on.all()


def test_status() -> None:
    status = status_of(
        np.array([5, 3, 9]), np.array([1, 2, 3]), now=np.array([9, 4, 3]), content_now=np.array([3, 7, 8])
    )
    assert status.tolist() == [Status.LEFT, Status.CHANGED, Status.SAME]
    nobody = np.empty(0, np.int64)
    status = status_of(np.array([5]), np.array([1]), now=nobody, content_now=nobody)
    assert status.tolist() == [Status.LEFT]


def test_two_safe_tables_intersect_to_one_person() -> None:
    """The composition attack itself: two classes of four that share one person."""
    first = Live(np.arange(8), np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32))
    second = Live(np.arange(8), np.array([0, 1, 1, 1, 0, 0, 0, 1], np.int32))
    found = intersected([first, second], k=4)
    assert (found.persons, found.exposed, found.smallest) == (8, 8, 1)
    assert intersected([first], k=4).exposed == 0
    assert intersected([], k=4).share == 0.0


def test_who_is_missing_from_one_table_is_told_apart_by_that() -> None:
    first = Live(np.arange(4), np.zeros(4, np.int32))
    second = Live(np.arange(5), np.zeros(5, np.int32))
    assert intersected([first, second], k=4).exposed == 1


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31), k=st.integers(2, 4))
def test_a_release_within_its_bounds_leaves_nobody_with_fewer_candidates(
    data: st.DataObject, seed: int, k: int
) -> None:
    """Release after release over other persons and other columns, each put into classes within the bounds of the ones before."""
    rng = np.random.default_rng(seed)
    live: list[Live] = []
    for _ in range(data.draw(st.integers(1, 4))):
        persons = np.sort(rng.choice(60, data.draw(st.integers(1, 60)), replace=False)).astype(np.int64)
        held = bounds(persons, live, k=k)
        persons = persons[~held.out]
        tuples = tuples_of(
            rng.integers(0, 100, len(persons)).tolist(), [0] * len(persons), blocks=held.blocks[~held.out]
        )
        parts = partition(tuples, k=k, within=held.within[~held.out])
        sizes = np.bincount(parts.part)
        safe = sizes[parts.part] >= k
        live.append(Live(persons[safe], parts.part[safe]))
        assert intersected(live, k=k).exposed == 0


def test_a_source_with_only_some_of_those_who_hide_together_shows_none_of_them() -> None:
    first = Live(np.arange(6), np.array([0, 0, 0, 0, 0, 0], np.int32))
    assert bounds(np.arange(4), [first], k=3).out.all()  # the other two would stand out by being missing
    assert not bounds(np.arange(3), [first], k=3).out.any()


def test_bounds_keep_those_together_whom_an_earlier_release_shows_as_one() -> None:
    first = Live(np.arange(6), np.array([0, 0, 0, 1, 1, 1], np.int32))
    held = bounds(np.arange(9), [first], k=3)
    assert len(set(held.within[:6].tolist())) == 1
    assert len(set(held.within.tolist())) == 2
    assert len(set(held.blocks[:3].tolist())) == 1
    assert len(set(held.blocks.tolist())) == 5


@pytest.mark.parametrize("live", [[], [Live(np.empty(0, np.int64), np.empty(0, np.int32))]])
def test_without_earlier_releases_everyone_stands_alone(live: list[Live]) -> None:
    held = bounds(np.arange(3), live, k=3)
    assert set(held.within.tolist()) == {0}
    assert len(set(held.blocks.tolist())) == 3
