"""Two halls, a platform's and a firm's, with one party registry, and the post between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.note import VerifierKey
from audit.verify import verify
from contracts.agreement.message import DoorTerms, Terms, offer_document
from contracts.agreement.vocabulary import Door
from contracts.life.dossier import TARGET
from contracts.life.negotiation import Side
from core.settings import Settings
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.standing import Stands, standings
from pipeline.home import Home
from tests.contracts.parties.house import FIRM, NOON, PLATFORM, YEAR, House, Key

P, C = Side.PROVIDER, Side.CONSUMER
GOODS = (Path(__file__).parents[2] / "data" / "goods.odcs.yaml").read_text(encoding="utf-8")
KEYS = {P: Key(60), C: Key(61)}


def offer(*, k: int = 10, start: datetime = YEAR[0], end: datetime = YEAR[1]) -> dict[str, Any]:
    door = DoorTerms(
        door=Door.RELEASE,
        purposes=("demand-forecast",),
        start=start,
        end=end,
        territories=("CN",),
        grades=("SME",),
        limits={"minGroupSize": k},
    )
    terms = Terms(target=TARGET, doors=(door,), delete_within_days=30)
    return offer_document(terms, offer_id="urn:uuid:0190a0b0-0000-4000-8000-00000000000f")


def text(version: str = "1.0.0", **changes: str) -> bytes:
    written = GOODS.replace("version: 1.0.0", f"version: {version}")
    for old, new in changes.items():
        written = written.replace(old, new)
    return written.encode()


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Street:
    """The two halls. The clock is both of theirs."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.house = House(self.folder / "registry", now=self.clock.now)
        self.house.publish()
        self.homes = {side: self.open(side) for side in Side}
        self.deliver_registry()

    def open(self, side: Side) -> Home:
        home = self.folder / side.value
        return Home.open(Settings(home=home, contracts=self.folder / "contracts"), clock=self.clock)

    def deliver_registry(self) -> None:
        for home in self.homes.values():
            shutil.rmtree(home.settings.registry, ignore_errors=True)
            shutil.copytree(self.house.folder, home.settings.registry)
            home.settings.trusted_root.write_bytes(self.house.trusted_root)

    def wait(self, **time: float) -> None:
        """Time goes by, and the registry is kept fresh."""
        self.clock.wait(**time)
        self.house.now = self.clock.now
        self.house.renew()
        self.deliver_registry()

    def desk(self, side: Side) -> Desk:
        return Desk(self.homes[side])

    def begin(self, side: Side = P, *, contract: bytes | None = None, **terms: Any) -> OnDesk:
        return self.desk(side).begin(
            text() if contract is None else contract,
            offer(**terms),
            side=side,
            assigner=PLATFORM,
            assignee=FIRM,
            signer=KEYS[side],
        )

    def send(self, made: OnDesk, to: Side) -> OnDesk:
        return self.desk(to).take(made.path.read_bytes())

    def sign(self, made: OnDesk, side: Side) -> OnDesk:
        """The file comes to a side, which takes the next step."""
        self.send(made, side)
        return self.desk(side).sign(made.made.id, side=side, signer=KEYS[side])

    def conclude(self, **terms: Any) -> OnDesk:
        made = self.begin(**terms)
        for side in (C, P, C, P):
            made = self.sign(made, side)
        self.send(made, C)
        return made

    def stands(self, side: Side = P, contract_id: str = "goods-list") -> tuple[Stands, ...]:
        return standings(self.homes[side], contract_id)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    yield street
    for home in street.homes.values():
        if home.ledger.size:
            assert verify(home.store, VerifierKey.of(home.keys.signer())).size == home.ledger.size
