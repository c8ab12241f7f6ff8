"""Which search makes the classes: what the contract says, or of both the one that loses less."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.protection import HierarchySpec, PrivacyTerms, Search
from core.errors import PrivacyError
from privacy.hierarchies.hierarchy import Hierarchy
from privacy.models.rules import DISTINCT, EQUAL, Asked
from privacy.search.tuples import Tuples
from privacy.subjects import choice
from privacy.subjects.choice import Found, found

LEAVES = tuple("abcdefgh")
TREE = HierarchySpec(
    kind="tree",
    leaves=LEAVES,
    nodes=(("early", 0, 3), ("first", 0, 1), ("second", 2, 3), ("late", 4, 7), ("last", 6, 7)),
)
ASKED = (Asked(DISTINCT, 0, 2.0), Asked(EQUAL, 0, 0.5))


def case(seed: int) -> tuple[Tuples, dict[str, Hierarchy]]:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 60)), int(rng.integers(1, 4))
    names = [f"q{j}" for j in range(d)]
    hierarchies = {name: Hierarchy.of(TREE, pa.array(LEAVES), column=name) for name in names}
    most = int(rng.integers(1, len(LEAVES) + 1))
    return Tuples(
        codes=rng.integers(0, most, (n, d)).astype(np.int32),
        positions=tuple(hierarchy.positions for hierarchy in hierarchies.values()),
        ends=tuple(hierarchy.ends for hierarchy in hierarchies.values()),
        weights=rng.integers(1, 6, n).astype(np.int32),
        sensitive=rng.integers(0, 4, (n, 1)).astype(np.int32),
    ), hierarchies


def by(
    search: Search,
    tuples: Tuples,
    hierarchies: Mapping[str, Hierarchy],
    *,
    share: float,
    within: np.ndarray | None = None,
) -> Found:
    terms = PrivacyTerms(unit="person", k=3, l=2, search=search)
    most = int(share * tuples.persons)
    return found(tuples, hierarchies, terms, ASKED, within=within, max_suppressed=most)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0, 0.05, 0.3, 1]))
def test_auto_takes_what_loses_less(seed: int, share: float) -> None:
    tuples, hierarchies = case(seed)
    cuts = by(Search.MULTIDIMENSIONAL, tuples, hierarchies, share=share)
    levels = by(Search.FULL_DOMAIN, tuples, hierarchies, share=share)
    auto = by(Search.AUTO, tuples, hierarchies, share=share)
    kept = levels.why == "the contract says so"  # some combination keeps the limits
    best = levels if kept and levels.loss < cuts.loss - 1e-9 else cuts
    if kept and abs(levels.loss - cuts.loss) <= 1e-9:
        best = levels if auto.search is Search.FULL_DOMAIN else cuts
    assert auto.search is best.search
    assert auto.loss == best.loss
    assert (auto.part == best.part).all()
    assert f"loses {best.loss:.3f}" in auto.why


def test_auto_says_what_it_beat() -> None:
    told = set()
    for seed in range(60):
        auto = by(Search.AUTO, *case(seed), share=0.3)
        told.add(auto.why.split(", ", 1)[1].rstrip("0123456789."))
    assert told == {
        "which no combination of levels betters within the limits",
        "the multidimensional search ",
    }


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("_CHEAP_TUPLES", "over 0 distinct tuples the other search takes long"),
        ("_CHEAP_NODES", "over 0 combinations"),
    ],
)
def test_auto_leaves_the_search_that_takes_long(name: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, name, 0)
    auto = by(Search.AUTO, *case(1), share=0.3)
    assert auto.search is Search.MULTIDIMENSIONAL
    assert why in auto.why


def test_only_cuts_heed_segments() -> None:
    tuples, hierarchies = case(5)
    within = np.arange(len(tuples.weights), dtype=np.int32) % 2
    auto = by(Search.AUTO, tuples, hierarchies, share=0.3, within=within)
    assert auto.search is Search.MULTIDIMENSIONAL
    assert "segments" in auto.why
    with pytest.raises(PrivacyError, match="heeds neither segments"):
        by(Search.FULL_DOMAIN, tuples, hierarchies, share=0.3, within=within)


def test_where_nobody_can_be_kept_nobody_is() -> None:
    tuples, hierarchies = case(5)
    alike = Tuples(
        codes=tuples.codes,
        positions=tuples.positions,
        ends=tuples.ends,
        weights=tuples.weights,
        sensitive=np.zeros_like(tuples.sensitive),  # one value: no class has two
    )
    for search in Search:
        nobody = by(search, alike, hierarchies, share=1.0)
        assert nobody.classes == 0
        assert (nobody.part == -1).all()
        assert nobody.loss == 1.0
