"""Numbers that are something else: order numbers, counters, timestamps. What chance lets through is counted, not guessed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen, Tally
from privacy.scan.detectors import TEXT
from privacy.scan.scan import scan
from tests.privacy.made_up import card, mobile, resident

SIZES = (11, 12, 13, 15, 16, 17, 18)
BY_KIND = {detector.kind: detector for detector in TEXT}


def drawn(seed: int, size: int, count: int) -> pa.Array:
    return pa.array(np.random.default_rng(seed).integers(10 ** (size - 1), 10**size, count))


def kinds(*chunks: pa.Array) -> set[Kind]:
    return {hit.kind for hit in scan([("c", chunks)])}


@pytest.mark.parametrize("size", SIZES)
def test_a_large_column_of_random_numbers_is_nothing(size: int) -> None:
    numbers = drawn(size, size, 100_000)
    assert kinds(numbers) == set()
    assert kinds(numbers.cast(pa.string())) == set()
    assert kinds(numbers.cast(pa.float64(), safe=False)) == set()
    assert kinds(pa.array([f"order {number} shipped" for number in numbers.to_pylist()[:30_000]])) == set()


def test_small_columns_of_random_numbers_are_rarely_taken_for_something() -> None:
    """The bad case: a few have the shape by chance, and one of them passes. Fewer than one column in fifty."""
    taken: Counter[Kind] = Counter()
    columns = 0
    for size in SIZES:
        for count in (3, 5, 10, 20, 50, 200):
            for seed in range(25):
                columns += 1
                taken.update(kinds(drawn(seed, size, count)))
                taken.update(kinds(drawn(seed, size, count).cast(pa.string())))
    assert sum(taken.values()) <= 2 * columns / 50, taken
    assert max(taken.values(), default=0) <= 2 * columns / 100, taken


def counter(start: int) -> Iterator[int]:
    return iter(range(start, start + 50_000))


@pytest.mark.parametrize(
    "start",
    [13_900_000_000, 13_899_990_000, 18_600_000_000, 110_105_199_001_010_000, 6_222_020_000_000_000,
     6_222_020_000_000_000_000, 911_101_050_000_000_000, 10_000_000_000],
)  # fmt: skip
def test_a_counter_is_nobody_wherever_it_has_come_to(start: int) -> None:
    numbers = pa.array(counter(start))
    assert kinds(numbers) == set()
    assert kinds(numbers.cast(pa.string())) == set()


def test_moments_as_numbers_are_nobody() -> None:
    rng = np.random.default_rng(5)
    seconds = rng.integers(1_500_000_000, 1_800_000_000, 20_000)
    for unit in (100, 1_000, 1_000_000, 1_000_000_000):
        assert kinds(pa.array(seconds * unit + rng.integers(0, unit, len(seconds)))) == set()


def test_numbers_below_20_billion_are_no_mobiles() -> None:
    """Half of them lie in segments; of mobiles nearly all do."""
    assert kinds(pa.array(np.random.default_rng(2).integers(0, 20_000_000_000, 50_000))) == set()


def test_basket_ids_of_eleven_digits_are_nobody() -> None:
    """As the demo has them: from 31 to 42 thousand million, where no mobile number lies."""
    assert kinds(pa.array(np.random.default_rng(2).integers(31_198_570_044, 42_305_362_535, 50_000))) == set()


def test_shops_and_days_in_order_numbers_are_no_residents() -> None:
    """A county, a day and a serial number: the check digit holds for one in eleven."""
    rng = random.Random(4)
    numbers = [
        f"110105{rng.randrange(2020, 2027)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{at:04d}"
        for at in range(5000)
    ]
    assert kinds(pa.array(numbers)) == set()


@pytest.mark.parametrize(
    ("kind", "make"), [(Kind.RESIDENT_ID, resident), (Kind.BANK_CARD, card), (Kind.MOBILE, mobile)]
)
def test_real_ones_among_order_numbers_are_found_where_chance_has_no_part(
    kind: Kind, make: Callable[[random.Random], str]
) -> None:
    rng = random.Random(9)
    numbers = [f"{rng.randrange(10**12, 2 * 10**12)}" for _ in range(20_000)] + [
        make(rng) for _ in range(300)
    ]
    rng.shuffle(numbers)
    assert kinds(pa.array(numbers)) == {kind}


def test_the_chances_in_the_rules_are_what_random_numbers_show() -> None:
    rng = np.random.default_rng(11)

    def share(kind: Kind, texts: list[str]) -> float:
        seen = [found for found in map(BY_KIND[kind].test, texts) if found]
        assert len(seen) > 500
        return sum(found.passed for found in seen) / len(seen)

    def digits(size: int) -> list[str]:
        return [str(number) for number in rng.integers(10 ** (size - 1), 10**size, 40_000)]

    days = [f"{rng.integers(11, 66)}{rng.integers(10**4):04d}19{rng.integers(100):02d}0{rng.integers(1, 10)}"
            f"{rng.integers(10, 29)}{rng.integers(10**4):04d}" for _ in range(40_000)]  # fmt: skip
    measured = {
        Kind.RESIDENT_ID: share(Kind.RESIDENT_ID, days),
        Kind.USCC: share(Kind.USCC, digits(18)),
        Kind.MOBILE: share(Kind.MOBILE, digits(11)),
        Kind.BANK_CARD: share(Kind.BANK_CARD, digits(16)),
        Kind.LANDLINE: share(Kind.LANDLINE, [f"0{number}" for number in digits(11)]),
        Kind.PASSPORT: share(
            Kind.PASSPORT, [f"{chr(65 + at % 26)}{number}" for at, number in enumerate(digits(8))]
        ),
    }
    for kind, value in measured.items():
        rule = BY_KIND[kind].text
        assert rule is not None
        assert 0.4 * rule.chance < value < 1.15 * rule.chance, (kind, value)


def test_a_tally_is_a_hit_only_beyond_chance_purity_share_and_groups() -> None:
    rule = Rule(least=3, share=0.1, chance=0.1, purity=0.2, groups=3)

    def hit(passed: int, failed: int, *, distinct: int = 20, blocks: int = 3, clear: bool = False) -> bool:
        tally = Tally(rule, distinct=distinct)
        for at in range(passed):
            tally.add(f"p{at}", Seen(True, clear, str(at % blocks)), 1.0)
        for at in range(failed):
            tally.add(f"f{at}", Seen(False), 1.0)
        return tally.is_hit

    assert hit(3, 0)
    assert not hit(2, 0)
    assert not hit(3, 10)  # three of thirteen: one tenth would be chance
    assert hit(12, 28, distinct=40)
    assert not hit(10, 60, distinct=70)  # beyond the purity
    assert not hit(3, 0, distinct=31)  # under the share
    assert not hit(8, 0, blocks=1)  # a counter
    assert hit(1, 0, distinct=10**6, clear=True)
    assert not hit(30, 0, blocks=1, clear=True)
    assert not Tally(rule).is_hit


def test_no_detector_lets_everything_through() -> None:
    assert all(_is_bounded(detector) for detector in TEXT)


def _is_bounded(detector: Detector) -> bool:
    return detector.gate is not None and detector.test("") is None
