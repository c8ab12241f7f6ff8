"""The full-domain search finds what looking at every node finds, whatever the tuples, rules and limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InternalError, PrivacyError
from privacy.models.rules import DISTINCT, ENTROPY, EQUAL, ORDERED, Asked
from privacy.search import lattice, lattice_kernel
from privacy.search.lattice import FullDomain, full_domain, lattice_nodes
from privacy.search.tuples import Tuples
from tests.privacy.exhaustive import SIXTEENTHS, Steps, at_node, every_node

LIMITS = {
    DISTINCT: (2.0, 3.0),
    ENTROPY: (1.2, 1.8, 2.0, 2.5),
    EQUAL: (0.1, 0.3, 0.5),
    ORDERED: (0.1, 0.2, 0.4),
}


def random_levels(rng: np.random.Generator, leaves: int, depth: int, *, fair: bool) -> Steps:
    """Nested levels. fair: losses grow with the groups, as they do; else they are anything, to try the bounds."""
    groups, losses = [np.arange(leaves)], [np.zeros(leaves)]
    for level in range(1, depth):
        last = level == depth - 1
        parents = rng.integers(0, 1 if last else max(1, leaves - level), leaves)
        groups.append(np.unique(parents[groups[-1]], return_inverse=True)[1])
        size = np.bincount(groups[-1])[groups[-1]]
        share = (size - 1) / max(1, leaves - 1) if fair else rng.random(leaves)[groups[-1]]
        losses.append(np.rint(share * SIXTEENTHS) / SIXTEENTHS)
    return Steps(tuple(each.astype(np.int32) for each in groups), tuple(losses))


def random_case(seed: int, *, by_unit: bool, columns: int) -> tuple[Tuples, list[Steps]]:
    """Small tables; a leaf more than the values need stands for NULL, and -1 for missing sensitive values."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 18)), int(rng.integers(1, 4))
    sizes = rng.integers(1, 6, d).tolist()
    codes = np.stack([(size * rng.random(n) ** 1.7).astype(np.int32) for size in sizes], axis=1)
    return Tuples(
        codes=codes,
        positions=tuple(np.linspace(0, 1, size) for size in sizes),
        weights=rng.integers(1, 3, n) if by_unit else rng.integers(1, 5, n),
        sensitive=rng.integers(-1, 3, (n, columns)).astype(np.int32),
        units=rng.integers(0, max(1, (2 * n) // 3), n).astype(np.int32) if by_unit else None,
    ), [random_levels(rng, size, int(rng.integers(1, 4)), fair=bool(rng.random() < 0.7)) for size in sizes]


def classes_of(part: np.ndarray) -> frozenset[frozenset[int]]:
    return frozenset(frozenset(np.flatnonzero(part == p).tolist()) for p in range(part.max(initial=-1) + 1))


def agree(
    tuples: Tuples, levels: Sequence[Steps], *, k: int, asked: Sequence[Asked], max_suppressed: int
) -> FullDomain | None:
    """Runs both searches and compares everything they say."""
    found = full_domain(tuples, levels, k=k, asked=asked, max_suppressed=max_suppressed)
    expected = every_node(tuples, levels, k=k, asked=asked, max_suppressed=max_suppressed)
    if expected is None or found is None:
        assert expected is None
        assert found is None
        return None
    assert found.node == expected.node
    assert found.suppressed == expected.suppressed
    rows = int(tuples.weights.sum())
    assert found.loss == pytest.approx(
        expected.loss / SIXTEENTHS / max(1, len(levels)) / max(1, rows), abs=1e-9
    )
    assert classes_of(found.part) == expected.classes
    assert (found.kept == (found.part >= 0)).all()
    assert found.evaluated <= found.nodes == lattice_nodes(levels)
    return found


RULE_SETS = {
    "k alone": (),
    "distinct": (DISTINCT,),
    "entropy": (ENTROPY,),
    "closeness": (EQUAL, ORDERED),
    "all": (DISTINCT, ENTROPY, EQUAL, ORDERED),
}


@pytest.mark.parametrize("by_unit", [False, True])
@pytest.mark.parametrize("rules", RULE_SETS)
@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(2, 6),
    share=st.sampled_from([0, 0.05, 0.2, 0.5, 1]),
    data=st.data(),
)
def test_it_finds_what_looking_at_every_node_finds(
    by_unit: bool, rules: str, seed: int, k: int, share: float, data: st.DataObject
) -> None:
    columns = data.draw(st.integers(1, 2)) if RULE_SETS[rules] else 0
    tuples, levels = random_case(seed, by_unit=by_unit, columns=columns)
    asked = [
        Asked(rule, column, data.draw(st.sampled_from(LIMITS[rule])))
        for column in range(columns)
        for rule in RULE_SETS[rules]
        if len(RULE_SETS[rules]) == 1 or data.draw(st.booleans())
    ]
    agree(tuples, levels, k=k, asked=asked, max_suppressed=int(share * tuples.persons))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    by_unit=st.booleans(),
    share=st.sampled_from([0, 0.2, 1]),
    below=st.sampled_from([-0.1, -1e-6, 1e-6, 0.1, 1.0]),
)
def test_below_a_loss_it_finds_the_same_or_nothing(
    seed: int, by_unit: bool, share: float, below: float
) -> None:
    """below: beside the best node's loss."""
    tuples, levels = random_case(seed, by_unit=by_unit, columns=1)
    asked = [Asked(DISTINCT, 0, 2.0), Asked(EQUAL, 0, 0.4)]
    limit = int(share * tuples.persons)
    best = full_domain(tuples, levels, k=2, asked=asked, max_suppressed=limit)
    least = 0.5 if best is None else best.loss + below
    found = full_domain(tuples, levels, k=2, asked=asked, max_suppressed=limit, below=least)
    assert (found is None) is (best is None or below < 0)
    if found is not None and best is not None:
        assert (found.node, found.loss, found.suppressed) == (best.node, best.loss, best.suppressed)
        assert (found.part == best.part).all()
        assert found.evaluated <= best.evaluated + 1


@pytest.mark.parametrize("by_unit", [False, True])
@pytest.mark.parametrize(
    "other_ways",
    [
        {"lattice._WORTH": 0},
        {"lattice_kernel._BUNDLE": 1, "lattice_kernel._DENSE": 0},
        {"lattice_kernel._WIDEST": 4},
        {"lattice_kernel._WIDEST": 4, "lattice_kernel._BUNDLE": 30, "lattice_kernel._DENSE": 0},
    ],
    ids=["two threads", "hashed", "wide keys", "wide keys in bundles"],
)
def test_every_way_of_counting_finds_the_same(
    by_unit: bool, other_ways: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in other_ways.items():
        module, attribute = name.split(".")
        monkeypatch.setattr({"lattice": lattice, "lattice_kernel": lattice_kernel}[module], attribute, value)
    for seed in range(60):
        tuples, levels = random_case(seed, by_unit=by_unit, columns=1)
        asked = [Asked(DISTINCT, 0, 2.0), Asked(ENTROPY, 0, 1.5)][: seed % 3]
        agree(tuples, levels, k=2 + seed % 3, asked=asked, max_suppressed=tuples.persons * (seed % 4) // 8)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), by_unit=st.booleans(), share=st.sampled_from([0, 0.1, 0.4, 1]))
def test_the_order_of_tuples_says_nothing(seed: int, by_unit: bool, share: float) -> None:
    tuples, levels = random_case(seed, by_unit=by_unit, columns=1)
    shuffle = np.random.default_rng(seed).permutation(len(tuples.weights))
    shuffled = Tuples(
        codes=tuples.codes[shuffle],
        positions=tuples.positions,
        weights=tuples.weights[shuffle],
        sensitive=tuples.sensitive[shuffle],
        units=None if tuples.units is None else tuples.units[shuffle],
    )
    asked = [Asked(DISTINCT, 0, 2.0), Asked(EQUAL, 0, 0.4)]
    limit = int(share * tuples.persons)
    found = full_domain(tuples, levels, k=2, asked=asked, max_suppressed=limit)
    other = full_domain(shuffled, levels, k=2, asked=asked, max_suppressed=limit)
    if found is None or other is None:
        assert found is other
        return
    assert (found.node, found.loss, found.suppressed, found.evaluated) == (
        other.node, other.loss, other.suppressed, other.evaluated,
    )  # fmt: skip
    assert (other.part == found.part[shuffle]).all()


@pytest.mark.parametrize("by_unit", [False, True])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 4))
def test_what_a_node_says_of_finer_ones_is_true(by_unit: bool, seed: int, k: int) -> None:
    """Each node is looked at, then no bound may say more than what the finer nodes come to, rules of all kinds asked."""
    tuples, levels = random_case(seed, by_unit=by_unit, columns=1)
    asked = [Asked(DISTINCT, 0, 2.0), Asked(ENTROPY, 0, 1.8), Asked(ORDERED, 0, 0.2)]
    search = lattice._Search(tuples, levels, k=k, asked=asked, max_suppressed=tuples.persons)
    nodes = list(np.ndindex(search.shape))
    for node in nodes:
        search.take(search.look(node))
    step = search.whole // max(1, len(levels)) // SIXTEENTHS
    for node in nodes:
        true = at_node(tuples, levels, node, k=k, asked=asked)
        assert search.bound[node] <= true.loss * step
        assert search.need[node] <= true.suppressed


def one_dimension(
    leaf_of: list[int], values: list[int], groups: list[list[int]], losses: list[float]
) -> tuple[Tuples, Steps]:
    """One row a person; groups and losses of each level, the losses the same for all groups."""
    return Tuples(
        codes=np.array(leaf_of, np.int32)[:, None],
        positions=(np.linspace(0, 1, max(leaf_of) + 1),),
        weights=np.ones(len(leaf_of), np.int32),
        sensitive=np.array(values, np.int32)[:, None],
    ), Steps(
        tuple(np.array(each, np.int32) for each in groups),
        tuple(np.full(len(groups[0]), loss) for loss in losses),
    )


def test_a_class_that_fails_entropy_may_hold_one_that_keeps_it() -> None:
    """Four persons with all values meet twelve of one value: together they fail, apart only the twelve are left out.

    Whoever takes the failure at the coarser level for sixteen persons lost below passes the answer over.
    """
    tuples, levels = one_dimension([0] * 4 + [1] * 12, [0, 1, 2, 3] + [0] * 12, [[0, 1], [0, 0]], [0.0, 1.0])
    asked = [Asked(ENTROPY, 0, 3.5)]
    assert at_node(tuples, [levels], (1,), k=2, asked=asked).suppressed == 16
    found = agree(tuples, [levels], k=2, asked=asked, max_suppressed=12)
    assert found is not None
    assert (found.node, found.suppressed) == ((0,), 12)
    assert agree(tuples, [levels], k=2, asked=asked, max_suppressed=11) is None


def test_a_person_in_two_classes_is_left_out_and_counts_for_nobody() -> None:
    """Person 0 stands in both leaves: without them each leaf has one person, so k = 2 holds only where all are one."""
    tuples = Tuples(
        codes=np.array([[0], [1], [0], [1]], np.int32),
        positions=(np.linspace(0, 1, 2),),
        weights=np.ones(4, np.int32),
        sensitive=np.empty((4, 0), np.int32),
        units=np.array([0, 0, 1, 2], np.int32),
    )
    levels = Steps((np.array([0, 1], np.int32), np.zeros(2, np.int32)), (np.zeros(2), np.full(2, 0.5)))
    found = agree(tuples, [levels], k=2, asked=(), max_suppressed=2)
    assert found is not None
    assert (found.node, found.suppressed) == ((1,), 0)


def test_keeping_all_beats_keeping_nobody_at_the_same_loss() -> None:
    """At the top everyone keeps a row that says nothing; that loses no more than leaving all out, and leaves nobody out."""
    tuples, levels = one_dimension([0, 1, 2], [0, 0, 0], [[0, 1, 2], [0, 0, 0]], [0.0, 1.0])
    found = agree(tuples, [levels], k=3, asked=(), max_suppressed=3)
    assert found is not None
    assert (found.node, found.suppressed, found.loss) == ((1,), 0, 1.0)


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_each_person_that_may_go_can_change_the_answer(limit: int) -> None:
    codes = [0] * 5 + [1] * 3 + [2] * 2 + [3]
    tuples, levels = one_dimension(
        codes, [0] * 11, [[0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 0]], [0.0, 0.5, 1.0]
    )
    found = agree(tuples, [levels], k=3, asked=(), max_suppressed=limit)
    assert found is not None
    assert found.node == ((1,), (1,), (1,), (0,))[limit]
    assert found.suppressed == (0, 0, 0, 3)[limit]


def test_small_degenerate_inputs() -> None:
    one, levels = one_dimension([0], [0], [[0], [0]], [0.0, 1.0])
    assert agree(one, [levels], k=2, asked=(), max_suppressed=0) is None
    nobody = agree(one, [levels], k=2, asked=(), max_suppressed=1)
    assert nobody is not None
    assert not nobody.kept.any()
    alike, levels = one_dimension([0] * 4, [0] * 4, [[0], [0]], [0.0, 1.0])
    found = agree(alike, [levels], k=4, asked=(), max_suppressed=0)
    assert found is not None
    assert found.node == (0,)
    unique, levels = one_dimension([0, 1, 2, 3], [0] * 4, [[0, 1, 2, 3]], [0.0])
    assert agree(unique, [levels], k=2, asked=(), max_suppressed=3) is None


def test_without_rows_nothing_is_lost() -> None:
    nothing = Tuples(
        codes=np.empty((0, 1), np.int32),
        positions=(np.zeros(1),),
        weights=np.empty(0, np.int32),
        sensitive=np.empty((0, 1), np.int32),
    )
    levels = Steps((np.zeros(1, np.int32),) * 2, (np.zeros(1), np.ones(1)))
    found = full_domain(nothing, [levels], k=5, asked=[Asked(DISTINCT, 0, 2.0)], max_suppressed=0)
    assert found is not None
    assert (found.node, found.loss, found.suppressed, len(found.part)) == ((0,), 0.0, 0, 0)


@pytest.mark.parametrize(("k", "kept"), [(3, True), (4, False)])
def test_without_dimensions_all_are_one_class(k: int, kept: bool) -> None:
    tuples = Tuples(
        codes=np.empty((2, 0), np.int32),
        positions=(),
        weights=np.array([2, 1], np.int32),
        sensitive=np.array([[0], [1]], np.int32),
    )
    found = full_domain(tuples, [], k=k, asked=[Asked(DISTINCT, 0, 2.0)], max_suppressed=0)
    assert (found is not None) is kept
    assert found is None or found.part.tolist() == [0, 0]


def test_keys_of_more_than_64_bits_are_counted_right() -> None:
    """Eight dimensions of 20,000 leaves: no product of them has room in a machine's number."""
    rng = np.random.default_rng(2)
    codes = np.repeat(rng.integers(0, 20_000, (50, 8)), 3, axis=0).astype(np.int32)
    codes[::3, 7] = (codes[::3, 7] + 1) % 20_000
    tuples = Tuples(
        codes=codes,
        positions=(np.linspace(0, 1, 20_000),) * 8,
        weights=np.ones(150, np.int32),
        sensitive=np.empty((150, 0), np.int32),
    )
    levels = Steps(
        (np.arange(20_000, dtype=np.int32), np.zeros(20_000, np.int32)), (np.zeros(20_000), np.ones(20_000))
    )
    found = full_domain(tuples, [levels] * 8, k=3, max_suppressed=0)
    assert found is not None
    assert (found.node, found.loss) == ((0,) * 7 + (1,), 1 / 8)
    assert np.bincount(found.part).tolist() == [3] * 50


def test_it_looks_at_few_nodes() -> None:
    """The bounds are worth their while: of a lattice of 4,096 nodes hardly any is looked at."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 8, (400, 6)).astype(np.int32)
    tuples = Tuples(
        codes=codes,
        positions=(np.linspace(0, 1, 8),) * 6,
        weights=np.ones(400, np.int32),
        sensitive=np.empty((400, 0), np.int32),
    )
    groups = tuple((np.arange(8) >> level).astype(np.int32) for level in range(4))
    levels = Steps(groups, tuple(np.full(8, (2.0**level - 1) / 7) for level in range(4)))
    found = full_domain(tuples, [levels] * 6, k=5, max_suppressed=20)
    assert found is not None
    assert found.nodes == 4096
    assert found.evaluated < 400


def test_a_lattice_too_large_is_refused_with_the_remedy() -> None:
    levels = Steps((np.zeros(1, np.int32),) * 4, (np.zeros(1),) * 4)
    nothing = Tuples(
        codes=np.empty((0, 11), np.int32),
        positions=(np.zeros(1),) * 11,
        weights=np.empty(0, np.int32),
        sensitive=np.empty((0, 0), np.int32),
    )
    with pytest.raises(PrivacyError, match="fewer levels, or ask for the multidimensional search") as caught:
        full_domain(nothing, [levels] * 11, k=2, max_suppressed=0)
    assert caught.value.facts == {"nodes": 4**11, "largest": 2**20}


def test_levels_that_tear_a_group_apart_are_our_defect() -> None:
    tuples, levels = one_dimension([0, 1, 2], [0, 0, 0], [[0, 0, 1], [0, 1, 1], [0, 0, 0]], [0.0, 0.5, 1.0])
    with pytest.raises(InternalError, match="tears a group"):
        full_domain(tuples, [levels], k=2, max_suppressed=0)


def test_it_says_how_far_it_is() -> None:
    told: list[tuple[str, float | None]] = []
    tuples, levels = random_case(11, by_unit=False, columns=0)
    full_domain(
        tuples, levels, k=2, max_suppressed=0, progress=lambda step, done=None: told.append((step, done))
    )
    assert all(step == "full-domain search" and 0 <= (done or 0) <= 1 for step, done in told)
