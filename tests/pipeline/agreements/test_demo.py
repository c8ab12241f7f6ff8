"""The demo's parties sign what ships, once; a demo that was killed is carried on, a registry that has grown stale renewed."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audit.events import EventKind
from audit.note import VerifierKey
from audit.verify import verify
from contracts.agreement.codes import check_code, party_id
from contracts.life.negotiation import Phase, Side
from contracts.life.state import Standing, Turn
from core.errors import ContractError, IntegrityError, UsageError
from core.settings import PUBLISHED, Settings
from pipeline.agreements.demo import (
    ABROAD,
    FIRMS,
    PLATFORM,
    SHIPPED,
    SUPPLIER,
    Concluded,
    Shipped,
    firms_of,
    sign_for_demo,
)
from pipeline.agreements.desk import Desk
from pipeline.agreements.doors import require
from pipeline.agreements.question import refusal_of
from pipeline.agreements.registry import trusted_registry
from pipeline.agreements.seat import take_seat
from pipeline.agreements.standing import standings
from pipeline.agreements.trusting import TIMESTAMP, needed_registry
from pipeline.home import Home
from tests import signed
from tests.pipeline.agreements.conftest import Clock

ONE = (ABROAD,)  # the shortest


@dataclass
class Demo:
    """A demo's home, and what it comes to."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    @property
    def home(self) -> Home:
        return Home.open(Settings(home=self.folder, contracts=PUBLISHED), clock=self.clock)

    @property
    def firms(self) -> Mapping[str, Home]:
        return firms_of(self.home)

    @property
    def supplier(self) -> Home:
        return self.firms[SUPPLIER.code]

    def run(self, shipped: Sequence[Shipped] = ONE) -> list[Concluded]:
        """Anew, as another process would."""
        home = self.home
        return list(sign_for_demo(home, firms_of(home), shipped))

    def sizes(self) -> list[int]:
        """The entries in every ledger."""
        return [home.ledger.size for home in (self.home, *self.firms.values())]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path / "hall")


def counts(demo: Demo, kind: EventKind) -> int:
    return len(demo.home.ledger.told(kind, ""))


def test_the_parties_are_nobodys() -> None:
    for party in (PLATFORM, *FIRMS):
        assert check_code(party.code)
        assert party.code[2:8] == "990000"  # no region has this number
        assert party.name.startswith("Demo ")
    assert len({party.code for party in (PLATFORM, *FIRMS)}) == 4


def test_all_is_signed_by_both_and_kept_by_both(demo: Demo) -> None:
    done = demo.run(SHIPPED)
    assert [(each.signatures, each.new, each.standing) for each in done] == [
        (2, True, Standing.IN_FORCE)
    ] * len(SHIPPED)
    for each in done:
        firm = demo.firms[each.shipped.firm.code]
        (ours,), (theirs,) = (standings(home, each.contract.id) for home in (demo.home, firm))
        assert ours.state.negotiation == theirs.state.negotiation
        assert theirs.state.standing is Standing.IN_FORCE
        assert ours.kept is not None
        assert theirs.kept is not None
        assert ours.kept.path.read_bytes() == theirs.kept.path.read_bytes()
        envelope = ours.kept.dossier.signatures
        assert envelope is not None
        parties = trusted_registry(demo.home).parties
        keys = [parties.key(signature.key_id) for signature in envelope.signatures]
        assert {key.party for key in keys if key} == {
            party_id(PLATFORM.code),
            party_id(each.shipped.firm.code),
        }
    for home in (demo.home, *demo.firms.values()):
        assert verify(home.store, VerifierKey.of(home.keys.signer())).size == home.ledger.size


def test_each_party_holds_its_own_keys_only(demo: Demo) -> None:
    demo.run()
    parties = trusted_registry(demo.home).parties
    assert take_seat(demo.home, parties).party == party_id(PLATFORM.code)
    for firm in FIRMS:
        assert take_seat(demo.firms[firm.code], parties).party == party_id(firm.code)


def test_the_registry_needs_two_of_its_three_holders(demo: Demo) -> None:
    demo.run()
    targets = needed_registry(demo.home).root.roles["targets"]
    assert (targets.threshold, len(targets.keyids)) == (2, 3)


def test_the_firms_homes_lie_in_the_platforms_and_are_theirs_alone(tmp_path: Path) -> None:
    """Also when the platform's registry lies elsewhere: the firms have copies of their own."""
    settings = Settings(
        home=tmp_path / "hall",
        contracts=PUBLISHED,
        registry_folder=tmp_path / "registry",
        registry_root=tmp_path / "root.json",
    )
    home = Home.open(settings, clock=Clock())
    list(sign_for_demo(home, firms_of(home), ONE))
    for firm in firms_of(home).values():
        assert firm.settings.home.parent == tmp_path / "hall" / "demo-firms"
        assert stat.S_IMODE(firm.settings.home.stat().st_mode) == 0o700
        assert firm.settings.registry.parent == firm.settings.home
        assert firm.settings.trusted_root.exists()


def test_a_second_time_signs_nothing_twice(demo: Demo) -> None:
    first, sizes = demo.run(SHIPPED), demo.sizes()
    second = demo.run(SHIPPED)
    assert [each.new for each in second] == [False] * len(SHIPPED)
    assert [(each.contract.digest, each.signatures) for each in second] == [
        (each.contract.digest, each.signatures) for each in first
    ]
    assert demo.sizes() == sizes


def test_a_stale_registry_is_renewed_in_every_home(demo: Demo) -> None:
    (done,) = demo.run()
    version = trusted_registry(demo.home).version
    demo.clock.wait(days=8)
    with pytest.raises(IntegrityError, match="has expired"):
        trusted_registry(demo.home)
    (again,) = demo.run()
    assert (again.new, again.standing) == (False, Standing.IN_FORCE)
    assert trusted_registry(demo.home).version == version
    for firm in demo.firms.values():
        assert trusted_registry(firm).version == version
        ours = (demo.home.settings.registry / TIMESTAMP).read_bytes()
        assert (firm.settings.registry / TIMESTAMP).read_bytes() == ours
    with pytest.raises(
        ContractError, match="needs a filing"
    ):  # signed and in force; what it lacks is another's to give
        require(done.contract, demo.home)


def test_records_that_run_out_are_said_anew_by_two_holders(demo: Demo) -> None:
    demo.run()
    version = trusted_registry(demo.home).version
    demo.clock.wait(days=100)
    demo.run()
    assert trusted_registry(demo.home).version == version + 1
    assert all(trusted_registry(firm).version == version + 1 for firm in demo.firms.values())


def test_a_registry_of_others_is_left_alone(demo: Demo) -> None:
    signed.trust(demo.home.settings)
    before = (demo.home.settings.registry / TIMESTAMP).read_bytes()
    with pytest.raises(UsageError, match="in which the demo's parties don't stand"):
        demo.run()
    assert (demo.home.settings.registry / TIMESTAMP).read_bytes() == before
    assert counts(demo, EventKind.CONTRACT_OFFERED) == 0


def test_another_text_under_the_same_version_is_not_signed(demo: Demo, tmp_path: Path) -> None:
    demo.run()
    path = tmp_path / ABROAD.contract.name
    path.write_text(ABROAD.contract.read_text(encoding="utf-8").replace("k: 5", "k: 6"), encoding="utf-8")
    (tmp_path / ABROAD.terms.name).write_bytes(ABROAD.terms.read_bytes())
    with pytest.raises(ContractError, match=r"Version 1\.0\.0 isn't later than 1\.0\.0"):
        demo.run([Shipped(contract=path, firm=SUPPLIER)])


@pytest.mark.parametrize(
    ("what", "standing"), [(Turn.SUSPEND, Standing.SUSPENDED), (Turn.TERMINATE, Standing.TERMINATED)]
)
def test_what_people_stopped_stays_stopped(demo: Demo, what: Turn, standing: Standing) -> None:
    demo.run()
    (stands,) = standings(demo.home, "grocery-abroad")
    seat = take_seat(demo.home, trusted_registry(demo.home).parties)
    Desk(demo.home).turn(stands.state.negotiation, what, side=Side.PROVIDER, signer=seat.signer)
    (again,) = demo.run()
    assert (again.new, again.standing) == (False, standing)
    refused = refusal_of(again.contract, demo.home)
    assert refused is not None
    assert refused.facts["clause"] == "state"


def test_a_dossier_that_is_gone_is_told(demo: Demo) -> None:
    demo.run()
    next(demo.home.settings.agreements.rglob("*.json")).unlink()
    with pytest.raises(ContractError, match="No such negotiation"):
        demo.run()


class Killed(BaseException):
    """As if the process had been killed there."""


def dying(call: Callable[..., Any], *, at: int, before: bool) -> Callable[..., Any]:
    """The call that ends everything at its `at`-th time, before or after its work."""
    calls = 0

    def wrapped(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and before:
            raise Killed
        done = call(*args, **options)
        if calls == at:
            raise Killed
        return done

    return wrapped


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_a_demo_that_was_killed_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """At each dossier that a desk takes, there are ten: afterwards there's one negotiation, which both signed once."""
    for at in range(1, 12):
        demo = Demo(tmp_path / f"{at}" / "hall")
        with monkeypatch.context() as patch:
            patch.setattr(Desk, "take", dying(Desk.take, at=at, before=before))
            try:
                demo.run()
            except Killed:
                pass
            else:
                assert at == 11, "a desk takes ten dossiers"
        (done,) = demo.run()
        assert (done.signatures, done.standing) == (2, Standing.IN_FORCE)
        for home in (demo.home, demo.supplier):
            (stands,) = standings(home)
            assert stands.state.phase is Phase.FINALIZED
            for kind in (EventKind.CONTRACT_OFFERED, EventKind.CONTRACT_AGREED, EventKind.CONTRACT_VERIFIED):
                assert len(home.ledger.told(kind, "")) == 1


@pytest.mark.parametrize("call", ["found", "countersign", "publish", "trust"], ids=lambda call: f"at {call}")
@pytest.mark.parametrize("before", [True, False])
def test_a_registry_that_was_half_made_is_made(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, call: str, before: bool
) -> None:
    from pipeline.agreements import parties  # noqa: PLC0415 (the module, to be changed)

    with monkeypatch.context() as patch:
        patch.setattr(
            parties, call, dying(getattr(parties, call), at=2 if call == "trust" else 1, before=before)
        )
        with pytest.raises(Killed):
            demo.run()
    (done,) = demo.run()
    assert (done.signatures, done.standing) == (2, Standing.IN_FORCE)


def test_days_later_a_firm_that_missed_the_conclusion_gets_it(demo: Demo) -> None:
    demo.run()
    theirs = next(demo.supplier.settings.agreements.rglob("*.json"))
    whole = theirs.read_bytes()
    theirs.unlink()
    demo.clock.wait(days=2)
    demo.run()
    assert theirs.read_bytes() == whole
