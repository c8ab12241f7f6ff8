from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.events import DatasetRef, Event, EventKind
from audit.ledger import Ledger
from audit.note import VerifierKey
from audit.verify import verify
from core.clock import Clock
from core.keys import Signer
from core.store import SqliteStore

ORIGIN = "grocery-hall"
MakeEvent = Callable[..., Event]


@pytest.fixture
def signer() -> Signer:
    return Signer(ORIGIN, b"\x07" * 32)


@pytest.fixture
def key(signer: Signer) -> VerifierKey:
    return VerifierKey.of(signer)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state.sqlite")


@pytest.fixture
def clock() -> Clock:
    ticks = iter(range(1_000_000))
    return lambda: datetime(2026, 11, 22, 8, 0, 0, 5, UTC) + timedelta(seconds=next(ticks))


@pytest.fixture
def loose_ledger(store: SqliteStore, signer: Signer, clock: Clock) -> Ledger:
    """A ledger that the test will break."""
    return Ledger(store, signer, clock)


@pytest.fixture
def ledger(loose_ledger: Ledger, store: SqliteStore, key: VerifierKey) -> Iterator[Ledger]:
    """A ledger that must verify when the test is done."""
    yield loose_ledger
    assert verify(store, key).size == loose_ledger.size


@pytest.fixture
def staged() -> MakeEvent:
    """Makes the `release.staged` event of a release."""

    def make(release: str = "orders_1", digest: str = "ab" * 32) -> Event:
        return Event(
            kind=EventKind.RELEASE_STAGED,
            run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, release)),
            subject=release,
            contract_id="订单 orders",
            contract_version="1.0.0",
            contract_digest="cd" * 32,
            facts={
                "release": release,
                "digest": digest,
                "tables": {"订单": {"sha256": "ef" * 32, "rows": 3}},
            },
            outputs=(DatasetRef("sluice://catalog", "orders/订单"),),
        )

    return make
