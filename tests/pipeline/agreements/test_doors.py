"""What opens a door, and each thing that keeps it shut, with the clause that says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.agreement.vocabulary import Door
from contracts.life.state import Turn
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.regimes.finding import Headcount, Measured
from core.errors import ContractError
from core.settings import Settings
from pipeline.agreements.desk import Desk
from pipeline.agreements.doors import require, require_measured
from pipeline.home import Home
from tests import signed
from tests.declared import declared
from tests.shop import CONTRACT, open_shop
from tests.signed import ALWAYS, KEYS, C, P

SAFE = Measured(direct=False, rows=True, largest_risk=0.2, mean_risk=0.1, unique=0.0, smallest_cell=5)


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


def test_abroad_asks_how_many_once_they_are_counted(hall: Hall) -> None:
    hall.write(
        lambda text: text.replace(
            "impactAssessment: PIA-1",
            "impactAssessment: PIA-1, criticalInfrastructureOperator: false, membersPerUnit: 1, subjectNamespace: shop",
        )
    )
    hall.conclude(territories=("CN", "SG"))
    passage = require(hall.contract, hall.home)
    assert passage.territories == ("CN", "SG")
    require_measured(passage, SAFE, Headcount(persons=99_999, sensitive=0))
    for headcount in (None, Headcount(persons=100_000, sensitive=0)):
        with pytest.raises(ContractError) as caught:
            require_measured(passage, SAFE, headcount)
        assert str(caught.value.facts["rule"]).startswith("crossborder.")


def test_the_level_that_was_asked_for_is_held_against_what_was_measured(hall: Hall) -> None:
    hall.write(
        lambda text: text.replace(
            "impactAssessment: PIA-1", "impactAssessment: PIA-1, deidentificationLevel: 3"
        )
    )
    hall.conclude()
    passage = require(hall.contract, hall.home)
    require_measured(passage, SAFE, None)
    risky = Measured(direct=False, rows=True, largest_risk=0.5, mean_risk=0.5, unique=0.1, smallest_cell=2)
    with pytest.raises(ContractError) as caught:
        require_measured(passage, risky, None)
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
