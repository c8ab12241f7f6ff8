"""What follows when a contract stops holding: releases are withheld, then deleted, and the way back to ids is cut.

Done daily (`pipeline.housekeeping`); whatever was left half done is completed the next time. What a command changes is withheld
or shown at once. Which state has which effect:

    in force                 its releases are shown
    suspended                withheld
    never signed             withheld
    superseded               withheld; deleted where the agreement has a duty to delete
    expired, terminated      the same
    no version holds or may  besides, the contract's root key is destroyed: nobody can map an id to its pseudonym any more
    come to hold again

The duty's days are a latest day; the hall doesn't wait for it. What the recipient took away before is the recipient's own
duty, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC

from audit.events import Event, EventKind
from catalog.release import Release, ReleaseTable, Withheld
from contracts.agreement.vocabulary import DELETE
from contracts.life.state import ContractState, Standing
from core.ids import uuid_of
from pipeline.agreements.standing import Stands, standings
from pipeline.home import Home
from pipeline.memory import forget

UNSIGNED = "unsigned"
_OVER = (Standing.EXPIRED, Standing.TERMINATED, Standing.SUPERSEDED)
_NEVER_AGAIN = (*_OVER, Standing.ABANDONED)
_WORDS = {
    Standing.SUSPENDED: "suspended",
    Standing.EXPIRED: "expired",
    Standing.TERMINATED: "terminated",
    Standing.SUPERSEDED: "superseded",
}


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What was done. releases by name; forgotten: contracts whose root key was destroyed, by id."""

    withheld: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether anything was."""
        return bool(self.withheld or self.shown or self.deleted or self.forgotten)


def settle(home: Home) -> Settled:
    """Brings every contract's releases and keys to what its state asks for; also releases of contracts that nobody ever signed.

    Raises ConflictError while others publish under one of them, StateError where a fault of the machine hides how one stands:
    nothing is withheld for that.
    """
    by_contract: dict[str, list[Stands]] = {}
    for each in standings(home):
        by_contract.setdefault(each.state.contract_id, []).append(each)
    releases = _releases(home)
    withheld: list[str] = []
    shown: list[str] = []
    deleted: list[str] = []
    forgotten: list[str] = []
    for contract_id in sorted({*by_contract, *releases}):
        stands = by_contract.get(contract_id, [])
        hidden, visible = _withhold(contract_id, stands, releases.get(contract_id, []), home)
        withheld += hidden
        shown += visible
        deleted += _delete(stands, home.catalog.releases(all=True), contract_id, home)
        if _forget(contract_id, stands, home):
            forgotten.append(contract_id)
    return Settled(
        withheld=tuple(withheld), shown=tuple(shown), deleted=tuple(deleted), forgotten=tuple(forgotten)
    )


def show_or_withhold(home: Home, contract_id: str) -> Settled:
    """The first step of it, for one contract whose state has just changed: nothing is destroyed. Raises what `settle` does."""
    stands = list(standings(home, contract_id))
    withheld, shown = _withhold(contract_id, stands, _releases(home).get(contract_id, []), home)
    return Settled(withheld=tuple(withheld), shown=tuple(shown))


def _releases(home: Home) -> dict[str, list[Release]]:
    found: dict[str, list[Release]] = {}
    for release in home.catalog.releases(all=True):
        found.setdefault(release.contract_id, []).append(release)
    return found


def _tell_ends(stands: Iterable[Stands], home: Home) -> None:
    """The ends that come of themselves; those that a party brings about are told when they are."""
    kinds = {
        Standing.EXPIRED: EventKind.CONTRACT_EXPIRED,
        Standing.SUPERSEDED: EventKind.CONTRACT_SUPERSEDED,
    }
    for each in stands:
        # Without its dossier a contract counts as expired, and nothing says since when: that is trouble, no end.
        if each.state.standing in kinds and each.kept is not None:
            home.ledger.append(
                _event(
                    kinds[each.state.standing],
                    each.state,
                    subject=each.state.negotiation,
                    facts={"agreement": each.state.agreement, "since": each.state.since.isoformat()},
                )
            )


def _withhold(
    contract_id: str, stands: list[Stands], published: list[Release], home: Home
) -> tuple[list[str], list[str]]:
    fault = next((each.fault for each in stands if each.fault is not None), None)
    if fault is not None:
        raise fault
    _tell_ends(stands, home)
    why = {release.release: _why(stands, release) for release in published}
    changed = home.catalog.withhold(contract_id, why) if why else ()
    # The ledger is told of what is so, changed just now or by a process that was killed before it could tell.
    for release in home.catalog.releases(all=True):
        if release.contract_id == contract_id:
            _tell_release(release, home)
    return (
        [release.release for release in changed if release.withheld],
        [release.release for release in changed if not release.withheld],
    )


def _why(stands: Iterable[Stands], release: Release) -> Withheld | None:
    """Why a release is withheld: how the last contract of its text stands; None when it's in force."""
    of_text = [
        each.state
        for each in stands
        if each.state.contract_digest == release.contract_digest and each.state.agreement
    ]
    if any(state.standing is Standing.IN_FORCE for state in of_text):
        return None
    # Several negotiations may be about one text: what was concluded last counts, before what is only talked about.
    state = max(of_text, key=lambda state: state.concluded_index or -1, default=None)
    since = state.since if state is not None else release.published_at
    return Withheld(
        why=_WORDS.get(state.standing, UNSIGNED) if state is not None else UNSIGNED,
        since=since.astimezone(UTC),
    )


def _tell_release(release: Release, home: Home) -> None:
    hidden = home.ledger.receipt_for(EventKind.RELEASE_HIDDEN, _at(release))
    if release.withheld is not None:
        if hidden is None:
            home.ledger.append(
                _of_release(
                    EventKind.RELEASE_HIDDEN,
                    release,
                    subject=_at(release),
                    facts={
                        "release": release.release,
                        "why": release.withheld.why,
                        "since": release.withheld.since.isoformat(),
                    },
                )
            )
        return
    told = home.ledger.told(EventKind.RELEASE_HIDDEN, f"{release.release}@")
    if told:  # it was hidden, and is no more
        home.ledger.append(
            _of_release(
                EventKind.RELEASE_SHOWN,
                release,
                subject=told[-1].recorded.event.subject,
                facts={"release": release.release},
            )
        )


def _at(release: Release) -> str:
    since = release.withheld.since.strftime("%Y%m%dT%H%M%S.%fZ") if release.withheld else ""
    return f"{release.release}@{since}"


def _delete(stands: list[Stands], published: Iterable[Release], contract_id: str, home: Home) -> list[str]:
    """Carries out the duty to delete of every contract that is over."""
    deleted = []
    for release in published:
        if release.contract_id != contract_id or release.withheld is None:
            continue
        duty = next(
            (
                each
                for each in reversed(stands)
                if each.state.contract_digest == release.contract_digest
                and each.state.standing in _OVER
                and _must_delete(each)
            ),
            None,
        )
        if duty is None:
            continue
        told = home.ledger.receipt_for(EventKind.RELEASE_DELETED, release.release)
        if release.withheld.deleted and told is not None:
            continue
        tables = home.catalog.delete(release.release)
        forget(release.release, home)
        made = duty.kept.made if duty.kept is not None else None
        home.ledger.append(
            _of_release(
                EventKind.RELEASE_DELETED,
                release,
                subject=release.release,
                facts={
                    "release": release.release,
                    "agreement": duty.state.agreement,
                    "tables": {table.name: _gone(table) for table in tables},
                    **({"copies": made.assignee} if made else {}),
                },
            )
        )
        deleted.append(release.release)
    return deleted


def _gone(table: ReleaseTable) -> dict[str, object]:
    return {"version": table.version, "rows": table.rows, "files": 1, "sha256": table.sha256}


def _must_delete(each: Stands) -> bool:
    agreement = each.kept.made.agreement if each.kept is not None else None
    return agreement is not None and any(duty.duty == DELETE for duty in agreement.obligations)


def _forget(contract_id: str, stands: list[Stands], home: Home) -> bool:
    """Destroys the root key of a contract of which nothing holds or may come to hold; also one that came back from a copy."""
    concluded = [each for each in stands if each.state.concluded_at is not None]
    gone = {
        told.recorded.event.facts["fingerprint"]
        for told in home.ledger.told(EventKind.CONTRACT_FORGOTTEN, _forgotten(contract_id))
    }
    keys = home.keys.contract_key_there(contract_id)
    if keys is None or not concluded:
        return False
    over = all(each.state.standing in _NEVER_AGAIN and each.kept is not None for each in stands)
    due = over and any(_must_delete(each) for each in concluded)
    if not due and keys.fingerprint not in gone:
        return False
    fingerprint = keys.fingerprint
    last = concluded[-1].state
    # Before the key is gone: killed in between, the next one finds a key that should be gone, and destroys it.
    home.ledger.append(
        _event(
            EventKind.CONTRACT_FORGOTTEN,
            last,
            subject=f"{_forgotten(contract_id)}{fingerprint[:16]}",
            facts={"agreement": last.agreement, "fingerprint": fingerprint},
        )
    )
    home.keys.destroy_contract_key(contract_id, backups=home.settings.key_backups)
    return True


def _forgotten(contract_id: str) -> str:
    return f"{uuid_of(f'contract:{contract_id}')}/"


def _event(kind: EventKind, state: ContractState, *, subject: str, facts: dict[str, object]) -> Event:
    return Event(
        kind=kind,
        run_id=state.negotiation,
        subject=subject,
        contract_id=state.contract_id,
        contract_version=state.version,
        contract_digest=state.contract_digest,
        facts=facts,
    )


def _of_release(kind: EventKind, release: Release, *, subject: str, facts: dict[str, object]) -> Event:
    return Event(
        kind=kind,
        run_id=uuid_of(f"release:{release.release}"),
        subject=subject,
        contract_id=release.contract_id,
        contract_version=release.contract_version,
        contract_digest=release.contract_digest,
        facts=facts,
    )
