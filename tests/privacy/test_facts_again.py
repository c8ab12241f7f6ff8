"""Cells of one window published twice, under attack: a reader subtracts one version from the other in every way there is."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.history.facts import Facts, small_pieces

K = 3
Pair = tuple[int, int, int]  # atom, person, what is said


def facts(pairs: list[Pair], cell_of: dict[int, int]) -> Facts:
    first = {atom: place for place, (atom, _, _) in reversed(list(enumerate(pairs)))}
    said, cells = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    for atom, place in first.items():
        said[place] = sum(each for other, _, each in pairs if other == atom)
        cells[place] = cell_of.get(atom, -1) + 1
    return Facts(
        table="t",
        plan="p",
        atoms=np.array([atom for atom, _, _ in pairs], np.int64),
        persons=np.array([person for _, person, _ in pairs], np.int64),
        said=said,
        cells=cells,
    )


def crowd(atom: int, count: int, first: int = 0) -> list[Pair]:
    return [(atom, person, 1) for person in range(first, first + count)]


def test_the_same_facts_again_tell_nothing() -> None:
    both = facts(crowd(1, 5) + crowd(2, 5), {1: 7, 2: 8})
    assert small_pieces(both, both, k=K) == 0


def test_one_person_more_shows_in_the_difference() -> None:
    old = facts(crowd(1, 5), {1: 7})
    assert small_pieces(old, facts(crowd(1, 6), {1: 7}), k=K) == 1
    assert small_pieces(old, facts(crowd(1, 5 + K), {1: 7}), k=K) == 0
    assert small_pieces(facts(crowd(1, 6), {1: 7}), old, k=K) == 1, "who left shows as well"


def test_one_persons_correction_shows_though_the_count_is_the_same() -> None:
    old, new = crowd(1, 5), [*crowd(1, 4), (1, 4, 2)]
    assert small_pieces(facts(old, {1: 7}), facts(new, {1: 7}), k=K) == 1


def test_one_who_left_and_one_who_came_are_two_and_not_none() -> None:
    assert small_pieces(facts(crowd(1, 5), {1: 7}), facts(crowd(1, 5, 1), {1: 7}), k=K) == 1


def test_a_cell_that_grew_finer_leaves_no_piece_behind() -> None:
    """The attack: 1 and 2 together, then 1 alone; the difference is 2, whom no version shows."""
    old = facts(crowd(1, 5) + crowd(2, 2, 10), {1: 7, 2: 7})
    new = facts(crowd(1, 5) + crowd(2, 2, 10), {1: 7})
    assert small_pieces(old, new, k=K)
    assert small_pieces(new, old, k=K) == 1
    enough = crowd(1, 5) + crowd(2, K, 10)
    assert small_pieces(facts(enough, {1: 7, 2: 7}), facts(enough, {1: 7}), k=K) == 0
    assert small_pieces(facts(enough, {1: 7, 2: 7}), facts(enough, {1: 7, 2: 8}), k=K) == 0


def test_chains_of_cells_that_overlap_are_refused() -> None:
    """{1,2} {3,4} then {1} {2,3} {4}: 2 alone follows, then 3."""
    pairs = [*crowd(1, 5), *crowd(2, 1, 10), *crowd(3, 4, 20), *crowd(4, 5, 30)]
    old, new = facts(pairs, {1: 1, 2: 1, 3: 2, 4: 2}), facts(pairs, {1: 1, 2: 2, 3: 2, 4: 3})
    assert small_pieces(old, new, k=K)


def test_new_facts_in_cells_of_their_own_are_no_difference() -> None:
    old = facts(crowd(1, 5), {1: 7})
    assert small_pieces(old, facts(crowd(1, 5) + crowd(2, 4), {1: 7, 2: 9}), k=K) == 0
    assert small_pieces(old, facts([], {}), k=K) == 0
    assert small_pieces(facts([], {}), facts([], {}), k=K) == 0


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_no_sum_and_difference_of_cells_tells_of_fewer_than_k(data: st.DataObject, seed: int) -> None:
    """By brute force: every way to add cells of one version and subtract cells of the other whose atoms they cover."""
    rng = np.random.default_rng(seed)
    atoms = data.draw(st.integers(1, 4))

    def version() -> tuple[list[Pair], dict[int, int]]:
        pairs = [(a, p, 1) for a in range(atoms) for p in range(6) if rng.random() < 0.6]
        return pairs, {a: int(rng.integers(0, 3)) for a in range(atoms) if rng.random() < 0.8}

    def safe(pairs: list[Pair], cell_of: dict[int, int]) -> dict[int, int]:
        """Each version keeps k by itself."""
        large = {c for c, of in _by_cell(pairs, cell_of).items() if len({p for _, p, _ in of}) >= K}
        return {atom: cell for atom, cell in cell_of.items() if cell in large}

    first, cells_then = version()
    second, cells_now = version()
    if data.draw(st.booleans()):
        second = [pair for pair in first if rng.random() < 0.9]
    cells_then, cells_now = safe(first, cells_then), safe(second, cells_now)
    if small_pieces(facts(first, cells_then), facts(second, cells_now), k=K):
        return
    old, new = _by_cell(first, cells_then), _by_cell(second, cells_now)
    names_old, names_new = list(old), list(new)
    for signs in product((0, 1), repeat=len(names_old) + len(names_new)):
        ours = [old[n] for n, on in zip(names_old, signs, strict=False) if on]
        theirs = [new[n] for n, on in zip(names_new, signs[len(names_old) :], strict=True) if on]
        if not ours or not theirs:
            continue
        plus, minus = set().union(*ours), set().union(*theirs)
        shared = {a for a, _, _ in plus} & {a for a, _, _ in minus}
        if not shared:
            continue
        # What neither cancels nor is a whole published cell by itself: persons that the difference is made of.
        wholes = [*old.values(), *new.values()]
        left = _without_wholes(plus ^ minus, wholes)
        assert not left or len({p for _, p, _ in left}) >= K, (plus, minus)


def _by_cell(pairs: list[Pair], cell_of: dict[int, int]) -> dict[int, set[Pair]]:
    cells: dict[int, set[Pair]] = {}
    for pair in pairs:
        if pair[0] in cell_of:
            cells.setdefault(cell_of[pair[0]], set()).add(pair)
    return cells


def _without_wholes(left: set[Pair], wholes: list[set[Pair]]) -> set[Pair]:
    for cell in wholes:
        if cell and cell <= left:
            left = left - cell
    return left
