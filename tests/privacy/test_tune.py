"""What is proposed holds the contract's limits when it's carried out, and nothing within them loses less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Contract
from contracts.protection import PrivacyTerms, Search
from privacy.assess.tune import Advice, tune
from tests.privacy.test_anonymize import PEOPLE, VISITS, contract, people, safe
from tests.staged import table_file

SEARCHES = (Search.MULTIDIMENSIONAL, Search.FULL_DOMAIN)


def advised(folder: Path, agreed: Contract, rows: pa.Table) -> Advice:
    path = folder / "raw.parquet"
    pq.write_table(rows, path)
    return tune(table_file("people", path, rows=rows.num_rows), agreed, PEOPLE)


def lumpy(count: int = 80) -> pa.Table:
    """Persons of a few kinds, and some who are like nobody: leaving these out spares the others."""
    rng = np.random.default_rng(3)
    ages = np.concatenate([rng.choice([20, 40, 60], count - 3), [99, 101, 103]])
    return people(count).set_column(1, "age", pa.array(ages))


def test_every_proposal_is_what_the_engine_makes_of_it(tmp_path: Path) -> None:
    agreed = contract(PEOPLE, k=4, max_suppressed=0.1)
    advice = advised(tmp_path, agreed, lumpy())
    assert [each.loss for each in advice.settings] == sorted(each.loss for each in advice.settings)
    assert {each.search for each in advice.settings} == set(SEARCHES)
    assert sum(each.agreed for each in advice.settings) == 1
    best = [next(each for each in advice.settings if each.search is search) for search in SEARCHES]
    for number, setting in enumerate(best):
        released: Any = safe(
            tmp_path / str(number), replace(agreed, privacy=setting.terms), people=lumpy()
        ).report["subjects"]
        assert (setting.k, setting.l, setting.classes, setting.lost // 4 * 4) == tuple(
            released[name] for name in ("k", "l", "classes", "suppressed_units")
        )
        assert setting.ncp == pytest.approx(released["ncp"])
        assert setting.risk.prosecutor_mean == pytest.approx(released["risk_mean"])
        assert setting.loss == pytest.approx((setting.ncp * (80 - setting.lost) + setting.lost) / 80)


def test_nothing_weaker_than_the_contract_is_ever_proposed(tmp_path: Path) -> None:
    for agreed in (contract(PEOPLE, k=4), contract(PEOPLE, k=7, l_distinct=3, max_suppressed=0.05)):
        asked = agreed.privacy
        assert asked is not None
        advice = advised(tmp_path, agreed, lumpy())
        assert advice.settings
        for setting in advice.settings:
            same = replace(setting.terms, search=asked.search, max_suppressed=asked.max_suppressed)
            assert same == asked
            assert setting.terms.max_suppressed <= asked.max_suppressed
            assert setting.lost <= setting.terms.max_suppressed * 80
            assert setting.k >= asked.k
            assert setting.l is not None
            assert setting.l >= asked.l
        assert min(point.k for point in advice.frontier.points) == asked.k


def test_limits_that_nothing_holds_leave_no_proposal_and_say_why(tmp_path: Path) -> None:
    rows = people(10).set_column(3, "illness", pa.array(["flu"] * 10))
    advice = advised(tmp_path, contract(PEOPLE), rows)
    assert advice.settings == ()
    assert "would have to be left out" in advice.failed[0].why


def test_where_cells_lean_on_the_classes_only_cuts_can_be_had(tmp_path: Path) -> None:
    advice = advised(tmp_path, contract(PEOPLE, VISITS), lumpy())
    assert {each.search for each in advice.settings} == {Search.MULTIDIMENSIONAL}
    assert {each.search for each in advice.failed} == {Search.FULL_DOMAIN}


def test_a_search_that_loses_less_comes_first_and_the_same_rows_give_the_same_advice(tmp_path: Path) -> None:
    asked = PrivacyTerms(unit="person", k=4, l=2, max_suppressed=0.1, search=Search.FULL_DOMAIN)
    agreed = replace(contract(PEOPLE), privacy=asked)
    advice = advised(tmp_path, agreed, lumpy())
    best, now = advice.settings[0], next(each for each in advice.settings if each.agreed)
    assert best.search is Search.MULTIDIMENSIONAL
    assert best.loss < now.loss
    rng = np.random.default_rng(1)
    again = advised(tmp_path, agreed, lumpy().take(pa.array(rng.permutation(80))))
    assert [replace(each) for each in again.settings] == list(advice.settings)
    assert again.frontier == advice.frontier
