"""Attacks that must find what a broken release gives away, and must find nothing in a good one; counts against brute force."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from privacy.measures.attacks import attacks
from privacy.measures.boxes import blocks, could_be, group_of, persons_between, persons_in
from privacy.measures.interval import attack, wilson
from privacy.measures.world import World
from privacy.report.parts import Attack
from privacy.search.sorting import members
from tests.privacy.worlds import grouped, world

CARDINALITIES = (40, 30, 20, 12)


def people(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, CARDINALITIES, (count, len(CARDINALITIES)))


def by_kind(found: tuple[Attack, ...]) -> dict[str, Attack]:
    return {each.kind: each for each in found}


def release(*, k: int, count: int = 4000, secret: str = "random") -> World:
    """k 1: every combination of raw values as it is. secret: "random" or "own", which follows from the quasi-identifiers."""
    values = people(count)
    draw = np.random.default_rng(1)
    if secret == "own":
        sensitive = (values @ np.array([7, 5, 3, 11])) % 10
    else:
        sensitive = draw.choice(10, count, p=[0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
    group = np.unique(values, axis=0, return_inverse=True)[1] if k == 1 else grouped(values, k=k)
    return world(values.tolist(), group.tolist(), cardinalities=CARDINALITIES, sensitive=sensitive.tolist())


def test_a_broken_release_gives_its_persons_away() -> None:
    found = by_kind(attacks(release(k=1, secret="own"), k=5, seed=3))
    assert found["singling-out.multivariate"].main.rate > 0.3  # by a random half of the columns
    assert found["singling-out.multivariate"].low > 0.2
    assert found["singling-out.sensitive"].main.rate > 0.95
    assert found["linkage"].low > 0.3
    assert found["inference"].main.rate > 0.95
    assert found["inference"].low > 0.9


def test_a_good_release_gives_nobody_away() -> None:
    found = by_kind(attacks(release(k=100), k=100, seed=3))
    assert found["singling-out.univariate"].main.successes == 0
    assert found["singling-out.multivariate"].main.successes == 0
    assert found["singling-out.sensitive"].main.rate < 0.01
    for kind in (
        "singling-out.univariate",
        "singling-out.multivariate",
        "singling-out.sensitive",
        "inference",
    ):
        assert found[kind].low == 0.0
        assert found[kind].risk < 0.05


@pytest.mark.parametrize("k", [2, 5, 20])
def test_labels_of_a_release_that_keeps_k_never_single_out(k: int) -> None:
    assert by_kind(attacks(release(k=k), k=k, seed=1))["singling-out.multivariate"].main.successes == 0


def test_two_sources_meet_in_a_broken_release_and_not_in_a_good_one() -> None:
    broken, good = (by_kind(attacks(release(k=k), k=5, seed=1))["linkage"] for k in (1, 50))
    assert broken.low > 0.25
    assert broken.baseline.rate < 0.05  # it's the right persons who are brought together
    assert good.low == 0.0
    assert good.risk < 0.03


def test_a_large_k_does_not_make_a_linker_draw_so_much_that_all_fits() -> None:
    assert by_kind(attacks(release(k=100), k=100, seed=1))["linkage"].baseline.rate < 0.1


def test_one_value_for_a_whole_class_is_inferred_however_large_the_class() -> None:
    """k alone doesn't keep a secret that all of a class share."""
    good = release(k=50)
    same = good.group.astype(np.int32) % 7
    found = by_kind(attacks(replace(good, sensitive=same.reshape(-1, 1)), k=50, seed=2))["inference"]
    assert found.main.rate == 1.0
    assert found.low > 0.9
    assert found.column == "s"


def without(whole: World, gone: npt.NDArray[np.bool_]) -> World:
    """The world of a release that leaves some tuples' groups out."""
    group = np.where(gone, -1, whole.group)
    kept = np.unique(group[group >= 0])
    number = np.full(len(whole.sizes), -1)
    number[kept] = np.arange(len(kept))
    return replace(
        whole,
        group=np.where(gone, -1, number[group]).astype(np.int32),
        low=whole.low[kept],
        high=whole.high[kept],
        sizes=whole.sizes[kept],
    )


def test_persons_left_out_are_the_control() -> None:
    whole = release(k=20, secret="own")
    gone = whole.group % 5 == 0
    found = by_kind(attacks(without(whole, gone), k=20, seed=2))["inference"]
    assert found.control is not None
    assert found.control.attempts == min(2000, int(gone.sum())) // 40 * 40
    assert found.control.rate < found.main.rate
    assert by_kind(attacks(whole, k=20, seed=2))["inference"].control is None


@pytest.mark.parametrize("k", [2, 7, 29, 30, 31, 50])
def test_the_control_tells_no_more_of_how_many_are_left_out_than_steps_of_k(k: int) -> None:
    whole = release(k=60, secret="own")
    group = int(np.flatnonzero(np.bincount(whole.group[whole.group >= 0]) >= 60)[0])
    out = np.flatnonzero(whole.group == group)
    for count in range(25, 62):
        # Who else was in the group isn't in the source at all.
        here = np.delete(np.arange(len(whole.group)), out[count:])
        world = without(
            replace(
                whole,
                **{
                    name: getattr(whole, name)[here]
                    for name in ("leaves", "sensitive", "rows", "heads", "group")
                },
                persons=int(whole.heads[here].sum()),
            ),
            whole.group[here] == group,
        )
        control = by_kind(attacks(world, k=k, seed=2, attempts=100))["inference"].control
        assert (control is None) == (count < k * -(-30 // k))
        assert control is None or control.attempts % k == 0


def test_the_same_seed_gives_the_same_attacks_and_another_others() -> None:
    one = release(k=3)
    assert attacks(one, k=3, seed=7) == attacks(one, k=3, seed=7)
    assert attacks(one, k=3, seed=7) != attacks(one, k=3, seed=8)


def test_few_persons_are_all_attacked_and_no_more_than_asked() -> None:
    for count, attempts in ((60, 2000), (4000, 100)):
        done = by_kind(attacks(release(k=5, count=count), k=5, seed=1, attempts=attempts))
        assert done["singling-out.multivariate"].main.attempts == min(count, attempts)
        assert done["inference"].main.attempts == min(count, attempts)


def test_what_can_be_attacked_depends_on_what_is_there() -> None:
    assert attacks(world([], [], cardinalities=[3]), k=5, seed=1) == ()
    one = world([[0], [0], [1]], [0, 0, 1], cardinalities=[3])
    assert [each.kind for each in attacks(one, k=2, seed=1)] == [
        "singling-out.univariate",
        "singling-out.multivariate",
    ]
    bare = world([[], [], []], [0, 0, 0], cardinalities=[], sensitive=[0, 0, 1])
    assert [each.kind for each in attacks(bare, k=2, seed=1)] == ["inference"]
    unknown = world([[0], [0]], [0, 0], cardinalities=[1], sensitive=[-1, -1])
    assert not {"inference", "singling-out.sensitive"} & set(by_kind(attacks(unknown, k=2, seed=1)))


def test_several_rows_of_one_person_are_no_crowd() -> None:
    """Three rows with the same labels, all one person's: k counted in rows would call that 3."""
    alone = world(
        [[0, 0]] * 3 + [[5, 5]] * 4, [0] * 3 + [1] * 4, cardinalities=[6, 6], units=[0, 0, 0, 1, 2, 3, 4]
    )
    found = by_kind(attacks(alone, k=3, seed=1))["singling-out.multivariate"]
    assert (found.main.attempts, found.main.successes) == (5, 1)


WORLDS = st.integers(0, 10_000)


def drawn(seed: int, *, persons: bool) -> World:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(1, 80))
    units = np.sort(draw.integers(0, max(1, count // 2), count)).tolist() if persons else None
    values = draw.integers(0, 5, (count, 3))
    group = grouped(values, k=int(draw.integers(1, 6)))
    group = np.where(draw.random(group.max() + 1) < 0.2, -1, np.arange(group.max() + 1))[group]
    kept = np.unique(group[group >= 0])
    number = {int(old): new for new, old in enumerate(kept)}
    return world(
        values.tolist(),
        [number.get(int(each), -1) for each in group],
        cardinalities=(5, 5, 5),
        sensitive=draw.integers(-1, 3, count).tolist(),
        units=units,
        rows=None if persons else draw.integers(1, 3, count).tolist(),
    )


@settings(max_examples=60, deadline=None)
@given(WORLDS, st.booleans())
def test_persons_in_a_box_are_those_whom_looking_at_everybody_finds(seed: int, persons: bool) -> None:
    one, draw = drawn(seed, persons=persons), np.random.default_rng(seed + 1)
    m, groups = 40, len(one.sizes)
    ends = np.sort(draw.integers(0, 5, (2, m, 3)), axis=0).astype(np.int32)
    column = draw.integers(-1, 1, m)
    value = draw.integers(0, 3, m)
    hint = draw.integers(-1, groups, m) if groups else np.full(m, -1)
    order, bounds = members(one.group, groups)
    found = persons_in(
        ends[0], ends[1], column, value, hint, one.leaves, one.sensitive, one.rows,
        one.units if one.units is not None else np.empty(0, np.int32), order, bounds, one.low, one.high,
        *blocks(one.low, one.high),
    )  # fmt: skip
    units = one.units if one.units is not None else np.empty(0, np.int32)
    between = persons_between(1, ends[0][:, 1], ends[1][:, 1], one.leaves, 5, one.rows, units)
    for p in range(m):
        along = (one.leaves[:, 1] >= ends[0][p, 1]) & (one.leaves[:, 1] <= ends[1][p, 1])
        want = len(set(one.units[along].tolist())) if one.units is not None else one.rows[along].sum()
        assert between[p] == min(2, want)
        inside = ((one.leaves >= ends[0][p]) & (one.leaves <= ends[1][p])).all(axis=1)
        if column[p] == 0:
            inside &= one.sensitive[:, 0] == value[p]
        want = len(set(one.units[inside].tolist())) if one.units is not None else one.rows[inside].sum()
        assert found[p] == min(2, want)


@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_groups_that_fit_are_those_whose_labels_hold_the_values(seed: int) -> None:
    one, draw = drawn(seed, persons=False), np.random.default_rng(seed + 1)
    assume(len(one.sizes))
    first, second = draw.integers(0, 5, (2, 30, 3)).astype(np.int32)
    half = draw.random((30, 3)) < 0.5
    box = blocks(one.low, one.high)
    found = could_be(first, second, half, one.low, one.high, one.sizes)
    whole = group_of(first, one.low, one.high, one.sizes, *box)
    for p in range(30):
        by_first = ((first[p] >= one.low) & (first[p] <= one.high) | ~half[p]).all(axis=1)
        by_second = ((second[p] >= one.low) & (second[p] <= one.high) | half[p]).all(axis=1)
        assert found[p].tolist() == [
            one.sizes[fits].sum() for fits in (by_first, by_second, by_first & by_second)
        ]
        fits = np.flatnonzero(((first[p] >= one.low) & (first[p] <= one.high)).all(axis=1))
        assert whole[p] == (fits[np.argmax(one.sizes[fits])] if len(fits) else -1)


def test_many_blocks_of_groups_are_all_looked_into() -> None:
    """One person at the far end of a thousand groups."""
    values = [[j] for j in range(1000) for _ in range(2)] + [[1000]]
    one = world(values, [j for j in range(1000) for _ in range(2)] + [1000], cardinalities=[1001])
    found = by_kind(attacks(one, k=2, seed=1))
    assert found["singling-out.univariate"].main.successes == 1
    assert found["singling-out.univariate"].main.attempts == 1001


@given(st.integers(0, 300), st.integers(1, 300))
def test_the_interval_is_where_a_score_test_does_not_reject(successes: int, attempts: int) -> None:
    assume(successes <= attempts)
    found = wilson(successes, attempts)
    assert 0 <= found.low <= found.rate <= found.high <= 1
    for end, at_bound in ((found.low, successes == 0), (found.high, successes == attempts)):
        if not at_bound:
            assert abs(found.rate - end) == pytest.approx(
                1.959964 * (end * (1 - end) / attempts) ** 0.5, rel=1e-5
            )


@pytest.mark.parametrize(
    ("successes", "attempts", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (1, 10, 0.0179, 0.4042)],
)
def test_published_intervals(successes: int, attempts: int, low: float, high: float) -> None:
    found = wilson(successes, attempts)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    for truth in (0.02, 0.3, 0.9):
        holds = sum(
            comb(100, hits) * truth**hits * (1 - truth) ** (100 - hits)
            for hits in range(101)
            if wilson(hits, 100).low <= truth <= wilson(hits, 100).high
        )
        assert holds > 0.91


def test_risk_is_what_the_release_adds() -> None:
    found = attack("inference", main=wilson(75, 100), baseline=wilson(50, 100))
    assert found.risk == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    nothing = attack("inference", main=wilson(20, 100), baseline=wilson(50, 100))
    assert (nothing.risk, nothing.low) == (0.0, 0.0)
    certain = attack("inference", main=wilson(100, 100), baseline=wilson(100, 100))
    assert certain.risk == 0.0
    assert attack("inference", main=wilson(0, 0), baseline=wilson(0, 0)).high == 1.0


def test_many_groups_are_looked_through_block_by_block() -> None:
    draw = np.random.default_rng(4)
    ends = np.sort(draw.integers(0, 900, (2, 20_000, 2)), axis=0).astype(np.int32)
    low, high, sizes = ends[0], np.minimum(ends[1], ends[0] + 30), draw.integers(1, 9, 20_000)
    leaf, half = draw.integers(0, 900, (6, 2)).astype(np.int32), np.array([[True, False]] * 6)
    fits = (leaf[:, None] >= low) & (leaf[:, None] <= high)
    want = [(sizes @ each[:, 0], sizes @ each[:, 1], sizes @ each.all(axis=1)) for each in fits]
    assert could_be(leaf, leaf, half, low, high, sizes).tolist() == [list(map(int, each)) for each in want]
    whole = group_of(leaf, low, high, sizes, *blocks(low, high))
    largest = [(sizes * each.all(axis=1)).max() for each in fits]
    assert [sizes[g] if g >= 0 else 0 for g in whole] == largest
