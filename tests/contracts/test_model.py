from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import slug
from contracts.odcs import load_contract
from core.proof import Window
from core.settings import PUBLISHED


@pytest.mark.parametrize(
    ("contract_id", "name"),
    [("grocery-demand", "grocery_demand"), ("Orders 2026.v2", "orders_2026_v2"), ("7up", "c_7up")],
)
def test_an_id_of_plain_words_reads_as_it_is(contract_id: str, name: str) -> None:
    assert slug(contract_id) == name


@given(st.text(min_size=1))
def test_any_id_needs_no_quotes_in_sql(contract_id: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", slug(contract_id))


def test_ids_of_another_script_stay_apart() -> None:
    assert slug("需求") != slug("价格")


def test_a_release_is_named_by_contract_source_and_window() -> None:
    contract = load_contract(Path(PUBLISHED) / "grocery-demand.odcs.yaml")
    whole, part = Window(), Window(start=datetime(2017, 1, 1, tzinfo=UTC))
    names = {
        contract.release_name(digest, window) for digest in ("a" * 64, "b" * 64) for window in (whole, part)
    }
    assert len(names) == 4
    assert all(re.fullmatch(r"grocery_demand_[0-9a-f]{10}", name) for name in names)
