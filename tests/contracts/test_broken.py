"""Every mistake we know is refused with its line, what is wrong and what to do: the cases lie in broken/*.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

CASES = [
    pytest.param(case, id=f"{file.stem}: {case['case']}")
    for file in sorted((Path(__file__).parent / "broken").glob("*.yaml"))
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_line_and_a_remedy(shop: Any, case: dict[str, Any]) -> None:
    assert shop.changed((case["old"], case["new"])).says() == case["says"]


def test_there_is_a_case_for_each_part_of_a_contract() -> None:
    assert len(CASES) > 200
    assert len({case.id for case in CASES}) == len(CASES)


def test_every_problem_is_told_at_once_and_in_the_order_of_the_file(shop: Any) -> None:
    shop.changed(
        ("k: 5", "k: 1"),
        ("value: pseudonym", "value: keep"),
        ("aggregate: sum", "aggregate: average"),
        ("amount < 0", "amuont < 0"),
        ("version: 2.1.0", "version: 2.1"),
        ("tenant:", "tenent:"),
    )
    lines = [int(problem.split(":")[0]) for problem in shop.says()]
    assert lines == [5, 7, 20, 34, 76, 88]


def test_no_message_repeats_the_text_of_a_query(shop: Any) -> None:
    shop.changed(("amount < 0", "family = 'Zaphod' AND CAST('Beeblebrox' AS DATE) > nowhere"))
    told = "\n".join(shop.says())
    assert "nowhere" in told
    assert "Zaphod" not in told
    assert "Beeblebrox" not in told
