"""A run stops in validation where rows that would go out hold personal data that the contract doesn't declare."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.carried import Kind
from contracts.checks import CheckKind
from contracts.model import Contract
from core.errors import PrivacyError
from core.settings import Settings
from pipeline import route
from pipeline.home import Home
from pipeline.validation.validate import validate
from tests.privacy.made_up import mobile, resident
from tests.shop import open_shop

from .conftest import Bench, check

PERSON, PHONE = resident(random.Random(3)), mobile(random.Random(3))
DATA = pa.table({"id": [1, 2, 3], "note": ["as usual", f"id {PERSON}", "none"]})
NOT_OURS = check(CheckKind.RANGE, "id", name="small", maximum=1)


def carrying(*kinds: Kind) -> object:
    def change(contract: Contract) -> Contract:
        (table,) = contract.tables
        columns = tuple(replace(column, carries=kinds) for column in table.columns)
        return replace(contract, tables=(replace(table, columns=columns),))

    return change


def test_undeclared_personal_data_is_refused_and_nothing_stays(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PrivacyError, match=r"`t\.note` looks as if it holds resident ids") as refused:
        bench.run(DATA, check(CheckKind.REQUIRED, "id"), change=carrying())
    assert not bench.out.exists()
    assert PERSON not in f"{refused.value!s}{refused.value!r}{refused.value.facts}{caplog.text}"


def test_what_the_contract_declares_passes(bench: Bench) -> None:
    assert bench.run(DATA, change=carrying(Kind.RESIDENT_ID)).kept() == DATA
    with pytest.raises(PrivacyError):
        bench.run(DATA, change=carrying(Kind.MOBILE))


def test_rows_that_are_set_aside_may_hold_it(bench: Bench) -> None:
    outcome = bench.run(DATA, NOT_OURS, change=carrying())
    assert outcome.kept()["id"].to_pylist() == [1]
    aside = outcome.aside()
    assert aside is not None
    assert PERSON in str(aside["note"].to_pylist())


def test_columns_that_the_contract_doesnt_take_over_arent_looked_at(bench: Bench) -> None:
    contract = bench.contract({"t": DATA.select(["id"])}, [])
    received = bench.received({"t": DATA}, contract)
    validated = validate(received, contract, out=bench.out, quarantine=bench.quarantine)
    assert validated.tables["t"].rows == 3


def test_a_run_fails_tells_the_step_and_the_kind_of_error_and_no_value_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop = open_shop(tmp_path / "shop")
    with (shop.parent / "data" / "orders.csv").open("a", encoding="utf-8") as file:
        file.write(f"member-0001-raw,call {PHONE},1,2026-05-05\n")
    home = Home.open(Settings(home=tmp_path / "home", contracts=shop.parent))
    said: list[str] = []
    with pytest.raises(PrivacyError, match=r"`orders\.goods` looks as if it holds mobile numbers") as refused:
        route.run("small-shop", home=home, progress=lambda step, done=None, /: said.append(step))
    told = [home.ledger.event(entry.index) for entry in home.ledger.entries()]
    assert [str(event.kind) for event in told] == ["run.started", "data.received", "run.failed"]
    assert told[-1].facts == {"step": "validate", "error": "PrivacyError"}
    assert "scan orders for undeclared personal data" in said
    assert list(home.settings.runs.iterdir()) == []
    assert PHONE not in f"{refused.value!s}{refused.value.facts}{caplog.text}{said}{told}"
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or PHONE.encode() not in path.read_bytes()
