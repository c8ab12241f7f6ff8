"""A step asked for again when its run has ended: what it takes is made anew, and the release stays one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.events import Event, EventKind
from core.errors import ContractError, IntegrityError
from core.proof import Window
from core.settings import Settings
from pipeline import route
from pipeline.again import again
from pipeline.agreements.desk import Desk
from pipeline.handoff import Handoff, RunGoneError
from pipeline.home import Home
from tests.signed import KEYS, P, sign_all

GOODS = Path(__file__).parent.parent / "data" / "goods.odcs.yaml"
STEPS: dict[str, Callable[..., Handoff]] = {
    "receive": route.receive,
    "validate": route.validate,
    "anonymize": route.anonymize,
}
RUN = str(uuid.uuid5(uuid.NAMESPACE_URL, "a run of a scheduler"))
OWNER = {"dag_id": "goods-list", "run_id": "manual"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    contracts = tmp_path / "contracts"
    (contracts / "data").mkdir(parents=True)
    (contracts / "data" / "goods.csv").write_text("id,name\n1,bread\n2,milk\n", encoding="utf-8")
    (contracts / "goods.odcs.yaml").write_text(GOODS.read_text(encoding="utf-8"), encoding="utf-8")
    return Home.open(Settings(home=tmp_path / "hall", contracts=contracts))


def contract(home: Home) -> Path:
    return home.settings.contracts / "goods.odcs.yaml"


def ended(home: Home, *, publishes: bool) -> dict[str, Handoff]:
    """A run that is over and cleaned: what each step had taken."""
    handoff = route.check(str(contract(home)), run_id=RUN, home=home, window=Window(), owner=OWNER)
    taken = {}
    for name, step in STEPS.items():
        taken[name] = handoff
        handoff = step(handoff, home=home)
    taken["publish"] = handoff
    if publishes:
        route.publish(handoff, home=home)
    route.clean(RUN, home=home)
    return taken


def told(home: Home, kind: EventKind) -> list[Event]:
    events = [home.ledger.event(index) for index in range(home.ledger.size)]
    return [event for event in events if event.kind is kind]


@pytest.mark.parametrize("publishes", [False, True])
@pytest.mark.parametrize("name", ["receive", "validate", "anonymize", "publish"])
def test_any_step_of_a_run_that_ended_may_be_run_again(home: Home, name: str, publishes: bool) -> None:
    gone = ended(home, publishes=publishes)[name]
    with pytest.raises(RunGoneError, match="left nothing here any more"):
        (STEPS | {"publish": route.publish})[name](gone, home=home)  # type: ignore[dict-item]
    handoff = again(RUN, before=name, home=home, owner=OWNER)
    for later in list(STEPS)[list(STEPS).index(name) :] if name in STEPS else []:
        handoff = STEPS[later](handoff, home=home)
    publication = route.publish(handoff, home=home)
    route.clean(RUN, home=home)
    assert publication.new  # it's this run's, whichever try
    assert [each.release for each in home.catalog.releases(all=True)] == [publication.release.release]
    assert len(told(home, EventKind.RELEASE_REVEALED)) == 1
    assert len(told(home, EventKind.RUN_COMPLETED)) == 1
    assert list(home.settings.runs.iterdir()) == []


def test_a_try_that_was_cut_off_while_it_made_all_again_is_no_tampering(home: Home) -> None:
    gone = ended(home, publishes=False)["anonymize"]
    again(RUN, before="anonymize", home=home, owner=OWNER)  # and is killed
    with pytest.raises(RunGoneError):
        route.anonymize(gone, home=home)
    handoff = route.anonymize(again(RUN, before="anonymize", home=home, owner=OWNER), home=home)
    assert route.publish(handoff, home=home).new


def test_a_changed_handoff_of_a_run_under_way_stays_tampering(home: Home) -> None:
    handoff = route.check(str(contract(home)), run_id=RUN, home=home, owner=OWNER)
    handoff.path.write_bytes(handoff.path.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="is not what that step wrote") as caught:
        route.receive(handoff, home=home)
    assert not isinstance(caught.value, RunGoneError)


def test_a_contract_that_was_changed_is_refused(home: Home) -> None:
    ended(home, publishes=False)
    text = contract(home).read_text(encoding="utf-8")
    contract(home).write_text(text.replace("version: 1.0.0", "version: 1.0.1"), encoding="utf-8")
    with pytest.raises(ContractError, match=f"was changed since run {RUN} began") as caught:
        again(RUN, before="publish", home=home, owner=OWNER)
    assert "from `receive` on" in caught.value.remedy
    assert list(home.settings.runs.iterdir()) == []
    assert home.catalog.releases(all=True) == ()


@pytest.mark.signed
def test_a_contract_that_was_ended_since_is_refused(home: Home) -> None:
    [made] = sign_all(home.settings)
    ended(home, publishes=False)
    Desk(home).end(made.made.id, side=P, signer=KEYS[P])
    with pytest.raises(ContractError, match="is terminated by the provider"):
        again(RUN, before="publish", home=home, owner=OWNER)
    assert home.catalog.releases(all=True) == ()


def test_a_run_that_the_ledger_does_not_know_is_gone(home: Home) -> None:
    with pytest.raises(RunGoneError, match="the ledger doesn't say what the run began with"):
        again(RUN, before="publish", home=home, owner=OWNER)


def test_the_window_is_that_of_the_run(home: Home) -> None:
    text = contract(home).read_text(encoding="utf-8")
    text = text.replace(
        "{property: sluiceKind, value: reference}",
        "{property: sluiceKind, value: reference}, {property: sluiceTime, value: at}",
    ).replace("    quality:", "      - {name: at, logicalType: date, required: true}\n    quality:")
    contract(home).write_text(text, encoding="utf-8")
    rows = "id,name,at\n1,bread,2026-01-01\n2,milk,2026-01-02\n3,milk,2026-01-03\n"
    (contract(home).parent / "data" / "goods.csv").write_text(rows, encoding="utf-8")
    window = Window(start=datetime(2026, 1, 2, tzinfo=UTC), end=datetime(2026, 1, 3, tzinfo=UTC))
    route.check(str(contract(home)), run_id=RUN, home=home, window=window, owner=OWNER)
    assert told(home, EventKind.RUN_STARTED)[0].facts["window"] == {
        "start": "2026-01-02T00:00:00+00:00",
        "end": "2026-01-03T00:00:00+00:00",
    }
    route.clean(RUN, home=home)
    publication = route.publish(again(RUN, before="publish", home=home, owner=OWNER), home=home)
    assert [table.rows for table in publication.release.tables] == [1]
