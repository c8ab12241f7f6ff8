"""What opens a door, and each thing that keeps it shut, with the clause that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audit.events import EventKind
from contracts.agreement.vocabulary import Door
from contracts.life.state import Turn
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.regimes.finding import Headcount
from core.errors import ContractError, StateError
from core.keys import FileKey
from core.parquet import writer
from core.proof import TableFile
from core.settings import Settings
from pipeline.agreements.desk import Desk
from pipeline.agreements.doors import require, require_measured
from pipeline.home import Home
from privacy.abroad import Meter
from tests import signed
from tests.declared import declared
from tests.shop import CONTRACT, open_shop
from tests.signed import ALWAYS, KEYS, C, P
from tests.staged import table_file

Report = dict[str, Any]


def reported(largest: float, mean: float, unique: float, smallest: int) -> Report:
    """What the door looks at in a disclosure report."""
    risks = {"units": 120, "risk_largest": largest, "risk_mean": mean, "unique_after": unique}
    return {"subjects": risks, "cells": {"orders": {"cells": 9, "smallest": smallest}}}


SAFE = reported(0.2, 0.1, 0.0, 5)
RISKY = reported(0.5, 0.5, 0.1, 2)


def tables_of(folder: Path, members: range) -> dict[str, TableFile]:
    """The shop's two tables with these members, as the route has them before they're made safe."""
    folder.mkdir(mode=0o700)
    made = {}
    for name, numbers in (("members", members), ("orders", members[:3])):
        data = pa.table({"member": [f"member-{number:06d}" for number in numbers]})
        path, key = folder / f"{name}.parquet", FileKey.fresh()
        with writer(path, data.schema, key) as file:
            file.write(data)
        made[name] = table_file(name, path, rows=data.num_rows, key=key)
    return made


class Hall:
    """A shop's hall with its contract's file, which may be signed."""

    def __init__(self, folder: Path) -> None:
        open_shop(folder / "shop")
        self.path = folder / "shop" / "small-shop.odcs.yaml"
        self.write()
        self.settings = Settings(home=folder / "home", contracts=folder / "shop")
        signed.trust(self.settings)
        self.home = Home.open(self.settings)

    def write(self, change: Callable[[str], str] = lambda text: text) -> Hall:
        self.path.write_text(change(declared(CONTRACT)), encoding="utf-8")
        return self

    @property
    def contract(self) -> Contract:
        return load_contract(self.path)

    def conclude(self, **changes: Any) -> str:
        return signed.conclude(self.home, self.path, **changes).made.id

    def refused(self, door: Door = Door.RELEASE) -> ContractError:
        with pytest.raises(ContractError) as caught:
            require(self.contract, self.home, door=door)
        return caught.value


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def test_a_signed_contract_in_force_opens_its_door(hall: Hall) -> None:
    negotiation = hall.conclude()
    passage = require(hall.contract, hall.home)
    assert passage.permit.clause == "agreement.permission[0]"
    assert passage.territories == ("CN",)
    assert passage.stands.state.negotiation == negotiation


def test_nothing_unsigned_moves(hall: Hall) -> None:
    error = hall.refused()
    assert str(error) == (
        "Contract small-shop 1.0.0 isn't signed: nothing unsigned moves data. (contract small-shop, clause signatures) "
        "`sluice contract offer` puts it forward, `sluice contract sign` concludes it."
    )
    assert error.facts["clause"] == "signatures"


def test_the_status_in_the_file_opens_and_shuts_nothing(hall: Hall) -> None:
    hall.write(lambda text: text.replace("status: active", "status: retired"))
    hall.conclude()
    require(hall.contract, hall.home)


def test_another_text_than_the_signed_one_opens_nothing(hall: Hall) -> None:
    hall.conclude()
    hall.write(lambda text: text.replace("k: 4", "k: 3"))
    error = hall.refused()
    assert "isn't the one that was signed" in error.what
    assert error.facts["clause"] == "signatures"


def test_a_version_that_nobody_signed_is_told_as_that(hall: Hall) -> None:
    hall.conclude()
    hall.write(lambda text: text.replace("version: 1.0.0", "version: 1.1.0"))
    error = hall.refused()
    assert error.what == "Contract small-shop 1.1.0 isn't signed: nothing unsigned moves data."
    assert "sluice contract offer" in error.remedy


@pytest.mark.parametrize("lost", ["dossier", "root"])
def test_a_fault_of_the_machine_is_told_as_one(hall: Hall, lost: str) -> None:
    """Nothing is wrong with the contract, and the run is tried again."""
    negotiation = hall.conclude()
    settings = hall.settings
    path = (
        settings.dossiers("small_shop") / f"{negotiation}.json"
        if lost == "dossier"
        else settings.trusted_root
    )
    path.unlink()
    path.mkdir()
    with pytest.raises(StateError, match="can't be read"):
        require(hall.contract, hall.home)


@pytest.mark.parametrize(("what", "word"), [(Turn.SUSPEND, "suspended"), (Turn.TERMINATE, "terminated")])
def test_what_was_stopped_is_shut(hall: Hall, what: Turn, word: str) -> None:
    negotiation = hall.conclude()
    Desk(hall.home).turn(negotiation, what, side=C, signer=KEYS[C])
    error = hall.refused()
    assert f"is {word} by the consumer since" in error.what
    assert (error.facts["clause"], error.facts["standing"]) == ("state", word)


def test_a_version_that_was_superseded_is_shut(hall: Hall) -> None:
    hall.conclude()
    old = hall.path.read_text(encoding="utf-8")
    hall.write(lambda text: text.replace("version: 1.0.0", "version: 2.0.0"))
    hall.conclude()
    require(hall.contract, hall.home)
    hall.path.write_text(old, encoding="utf-8")
    assert "is superseded" in hall.refused().what


def test_before_and_after_its_time_it_is_shut(tmp_path: Path) -> None:
    for name, start, end, word in (
        ("ahead", 36_000, 36_500, "not yet in force"),
        ("over", 0, 9_000, "expired"),
    ):
        hall = Hall(tmp_path / name)
        hall.conclude(start=ALWAYS[0] + timedelta(days=start), end=ALWAYS[0] + timedelta(days=end))
        assert f"is {word}" in hall.refused().what


def test_before_the_texts_own_term_it_is_shut(hall: Hall) -> None:
    hall.write(lambda text: text.replace('from: "2020-01-01"', 'from: "2090-01-01"'))
    hall.conclude()
    today = datetime.now(UTC).date()
    error = hall.refused()
    assert str(error) == (
        f"Contract small-shop 1.0.0 is in force from 2090-01-01, and it is {today}. "
        "(contract small-shop, clause sluiceTerm.from) Wait, or agree on an earlier start in a new version."
    )
    assert (error.facts["clause"], error.facts["contract"]) == ("sluiceTerm.from", "small-shop")


def test_after_the_texts_own_term_it_is_shut(hall: Hall) -> None:
    hall.write(lambda text: text.replace('until: "2099-12-31"', 'until: "2020-12-31"'))
    hall.conclude()
    today = datetime.now(UTC).date()
    error = hall.refused()
    assert str(error) == (
        f"Contract small-shop 1.0.0 ended with 2020-12-31, and it is {today}. "
        "(contract small-shop, clause sluiceTerm.until) Agree on a new version with a later end."
    )
    assert (error.facts["clause"], error.facts["contract"]) == ("sluiceTerm.until", "small-shop")


CHINA = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("at", "clause"),
    [
        (datetime(2049, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "sluiceTerm.from"),
        (datetime(2050, 1, 1, tzinfo=UTC), ""),
        (datetime(2050, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), ""),
        (datetime(2051, 1, 1, tzinfo=UTC), "sluiceTerm.until"),
        (datetime(2050, 1, 1, 7, 59, tzinfo=CHINA), "sluiceTerm.from"),  # still the year before in UTC
        (datetime(2051, 1, 1, 7, 59, tzinfo=CHINA), ""),
    ],
)
def test_the_texts_own_term_is_whole_days_in_utc(hall: Hall, at: datetime, clause: str) -> None:
    hall.write(
        lambda text: text.replace('"2020-01-01"', '"2050-01-01"').replace('"2099-12-31"', '"2050-12-31"')
    )
    hall.conclude()
    home = Home.open(hall.settings, clock=lambda: at)
    if not clause:
        require(hall.contract, home)
        return
    with pytest.raises(ContractError) as caught:
        require(hall.contract, home)
    assert caught.value.facts["clause"] == clause


def test_a_looser_contract_than_the_agreement_asks_for_is_shut(hall: Hall) -> None:
    hall.conclude(limits={"minGroupSize": 5, "diversity": 2})
    error = hall.refused()
    assert error.facts["clause"] == "agreement.permission[0].constraint[5]"
    assert "4" in error.what


def test_a_recipient_of_another_grade_is_shut_out(hall: Hall) -> None:
    hall.conclude(grades=("LittleGiant",))
    error = hall.refused()
    assert str(error.facts["clause"]).startswith("agreement.permission[0].constraint")
    assert "SME" in error.what


@pytest.mark.parametrize("door", [Door.QUERY, Door.TRAIN])
def test_another_door_than_the_permitted_one_is_shut(hall: Hall, door: Door) -> None:
    hall.conclude()
    assert hall.refused(door).facts["clause"] == "agreement.permission"


def test_a_rule_of_the_land_shuts_it(hall: Hall) -> None:
    hall.write(
        lambda text: text.replace(
            "{property: sluiceGrade, value: general}", "{property: sluiceGrade, value: core}", 1
        )
    )
    hall.conclude()
    error = hall.refused()
    assert error.facts["rule"] == "grading.core"
    assert str(error.facts["clause"]).startswith("schema[0].properties[0]")


def test_abroad_asks_how_many_once_they_are_counted(hall: Hall, tmp_path: Path) -> None:
    hall.write(
        lambda text: text.replace(
            "impactAssessment: PIA-1",
            "impactAssessment: PIA-1, criticalInfrastructureOperator: false, membersPerUnit: 1, subjectNamespace: shop",
        )
    )
    hall.conclude(territories=("CN", "SG"))
    passage = require(hall.contract, hall.home)
    assert passage.territories == ("CN", "SG")
    meter = Meter(hall.home.store, hall.home.keys, provider=signed.PLATFORM)
    went = require_measured(passage, hall.home, SAFE, tables_of(tmp_path / "few", range(60_000)))
    assert went == Headcount(persons=60_000, sensitive=0)
    # The year's persons count, whichever release they went with, and those who went already count once.
    require_measured(passage, hall.home, SAFE, tables_of(tmp_path / "more", range(30_000, 99_999)))
    assert meter.count(passage.at) == Headcount(persons=99_999, sensitive=0)
    with pytest.raises(ContractError) as caught:
        require_measured(
            passage, hall.home, SAFE, tables_of(tmp_path / "one too many", range(99_999, 100_000))
        )
    assert caught.value.facts["rule"] == "crossborder.filed"
    assert meter.count(passage.at) == Headcount(persons=99_999, sensitive=0)


def test_numbers_that_an_operator_set_are_in_the_ledger_each_time_they_change(
    hall: Hall, tmp_path: Path
) -> None:
    hall.conclude()
    table = tmp_path / "thresholds.yaml"
    reason = "reason: the list of 2027\n  who: legal\n  when: '2027-02-01'\n"
    set_ = Home.open(replace(hall.settings, thresholds=table))
    for text in ("{}", f"level3Unique:\n  value: 0.1\n  {reason}"):
        table.write_text(text, encoding="utf-8")
        for _ in range(2):
            require(hall.contract, set_)
    require(hall.contract, hall.home)  # the operator takes them back
    require(hall.contract, set_)
    told = hall.home.ledger.told(EventKind.THRESHOLDS_CHANGED, "")
    values = [dict(each.recorded.event.facts["values"]) for each in told]
    assert values == [{"level3Unique": 0.1}, {}, {"level3Unique": 0.1}]
    table.write_text(f"level3Unique:\n  value: 7\n  {reason}", encoding="utf-8")
    with pytest.raises(ContractError, match="thresholds can't be used"):
        require(hall.contract, set_)


def test_at_home_nobody_is_counted(hall: Hall, tmp_path: Path) -> None:
    hall.conclude()
    passage = require(hall.contract, hall.home)
    assert require_measured(passage, hall.home, SAFE, tables_of(tmp_path / "tables", range(9))) is None
    assert Meter(hall.home.store, hall.home.keys, provider=signed.PLATFORM).count(passage.at).persons == 0


def test_the_level_that_was_asked_for_is_held_against_what_was_measured(hall: Hall) -> None:
    hall.write(
        lambda text: text.replace(
            "impactAssessment: PIA-1", "impactAssessment: PIA-1, deidentificationLevel: 3"
        )
    )
    hall.conclude()
    passage = require(hall.contract, hall.home)
    require_measured(passage, hall.home, SAFE, {})
    with pytest.raises(ContractError) as caught:
        require_measured(passage, hall.home, RISKY, {})
    assert caught.value.facts["rule"] == "deidentification.reached"


def test_an_operators_number_is_taken_with_its_reason_only(hall: Hall, tmp_path: Path) -> None:
    hall.conclude()
    (tmp_path / "thresholds.yaml").write_text("filedFromPersons: 5\n", encoding="utf-8")
    home = Home.open(
        Settings(
            home=hall.settings.home,
            contracts=hall.settings.contracts,
            thresholds=tmp_path / "thresholds.yaml",
        )
    )
    with pytest.raises(ContractError, match="thresholds can't be used"):
        require(hall.contract, home)


def test_a_contract_that_one_side_signed_opens_nothing(hall: Hall) -> None:
    """The file says AGREED: the provider's signature, and no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signed, "C", P)  # nobody but the provider speaks
        with pytest.raises(ContractError):
            hall.conclude()
    assert hall.refused().facts["clause"] == "signatures"
