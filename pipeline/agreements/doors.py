"""Whether a contract opens a door of this hall now: the one question that every door asks, and the only one.

In this order, and the first no is the answer:
  1. a contract of this very text is in force: concluded, within its time, neither suspended, superseded nor ended; and today
     lies within the text's own term, both of whose days are whole days in UTC;
  2. both parties signed it, with keys that counted when they did (`Desk.open` proves that), and the provider is of this hall;
  3. the agreement permits what the door would do (`contracts.decision.decide`);
  4. no rule of the land stands against it (`contracts.regimes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.agreement.codes import code_of
from contracts.agreement.model import Agreement, Permission
from contracts.agreement.vocabulary import Door
from contracts.decision import Deny, Permit, Request, decide
from contracts.life.dossier import Negotiation
from contracts.life.state import Standing
from contracts.model import Contract
from contracts.regimes.crossborder import is_abroad
from contracts.regimes.finding import Facts, Finding, Headcount, Measured
from contracts.regimes.places import territories_of
from contracts.regimes.rules import refusals
from contracts.regimes.thresholds import Thresholds
from contracts.sharing import MEASURED, least
from contracts.through import through
from core.errors import ContractError, SluiceError
from core.proof import TableFile
from pipeline.agreements.keyfile import parties_here
from pipeline.agreements.log import latest
from pipeline.agreements.standing import Stands, in_force, standings
from pipeline.agreements.thresholds import thresholds_of
from pipeline.home import Home
from privacy.abroad import Meter
from privacy.heads import heads_of, namespace_of
from privacy.measured import measured

# Where no table is about persons any group is large enough.
_NO_PERSONS = 10**9
_REMEDIES = {
    Standing.NEGOTIATED: "Conclude it: `sluice contract show` tells whose turn it is.",
    Standing.ABANDONED: "Negotiate it anew.",
    Standing.AHEAD: "Wait, or agree on an earlier start in a new version.",
    Standing.SUSPENDED: "Who suspended it resumes it, by `sluice contract resume`.",
    Standing.EXPIRED: "Agree on a new version with a later end.",
    Standing.TERMINATED: "Agree on a new version.",
    Standing.SUPERSEDED: "Take the version that is in force: `sluice contract list`.",
}


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A door that is open. permit: the clause that opens it. territories: where the data may go; () when nobody said."""

    contract: Contract
    agreement: Agreement
    stands: Stands
    permit: Permit
    territories: tuple[str, ...]
    at: datetime
    thresholds: Thresholds


def require(contract: Contract, home: Home, *, door: Door = Door.RELEASE) -> Passage:
    """The passage through a door. Raises ContractError, with `facts["clause"]`, when the answer is no.

    What only the data tells (how many persons go abroad, how much risk is left) is asked by `require_measured`.
    """
    found = standings(home, contract.id)
    stands = in_force(found, contract.digest)
    if stands is None or stands.kept is None or stands.kept.made.agreement is None:
        raise _not_in_force(contract, found)
    agreement = stands.kept.made.agreement
    at = latest(home)
    _of_this_hall(contract, stands.kept.made, home)
    for moment in (at, home.clock()):  # a clock that was ahead once doesn't open a term early
        _within_term(contract, moment)
    permit = _decide(contract, agreement, stands, door, at)
    passage = Passage(
        contract=contract,
        agreement=agreement,
        stands=stands,
        permit=permit,
        territories=territories_of(agreement, door=door),
        at=at,
        thresholds=thresholds_of(home),
    )
    # Who is counted, and what is measured, is known later; what doesn't hang on it is told before any data is fetched.
    fewest = _facts(passage, headcount=least(contract, permit.door))
    _refuse(contract, [each for each in refusals(fewest) if each.rule not in MEASURED])
    return passage


def require_measured(
    passage: Passage, home: Home, report: Mapping[str, Any], tables: Mapping[str, TableFile]
) -> Headcount | None:
    """Every rule of the land, now that it's known what is left of risk, and how many persons would go abroad.

    report: the release's disclosure report; tables: what it was made of. Persons who would go abroad are counted as gone from
    here on, also when the release comes to nothing after all. Returns how many went since 1 January, these among them; None
    where the data stays. Raises ContractError, and then nobody is counted.
    """
    found = measured(report, through(passage.contract, passage.permit.door))
    if not is_abroad(passage.territories):
        require_lawful(passage, found, None)
        return None
    counted: list[Headcount] = []

    def allow(count: Headcount) -> None:
        require_lawful(passage, found, count)
        counted.append(count)

    count_abroad(passage, home, tables, allow=allow)
    return counted[-1]


def require_lawful(passage: Passage, found: Measured, headcount: Headcount | None) -> None:
    """Every rule of the land, for what was measured and counted. Raises ContractError."""
    _refuse(passage.contract, refusals(_facts(passage, measured=found, headcount=headcount)))


def count_abroad(
    passage: Passage,
    home: Home,
    tables: Mapping[str, TableFile],
    *,
    allow: Callable[[Headcount], None],
) -> None:
    """Counts the persons in tables as provided abroad by the contract's provider, unless `allow` raises when told how many."""
    Meter(home.store, home.keys, provider=passage.agreement.assigner, thresholds=passage.thresholds).provide(
        heads_of(passage.contract, tables, door=passage.permit.door),
        namespace=namespace_of(passage.contract),
        at=passage.at,
        allow=allow,
    )


def _facts(passage: Passage, **known: Any) -> Facts:
    return Facts(
        contract=passage.contract,
        at=passage.at,
        door=passage.permit.door,
        territories=passage.territories,
        thresholds=passage.thresholds,
        **known,
    )


def _of_this_hall(contract: Contract, made: Negotiation, home: Home) -> None:
    """2: the provider's own hall opens its doors, and no other that holds a party's key."""
    here = parties_here(home)
    if here and made.assigner not in here:
        raise ContractError(
            f"Contract {contract.id} {contract.version} is {made.assigner}'s to provide, and this hall holds no key of theirs.",
            where=f"contract {contract.id}, clause agreement.assigner",
            remedy="Run it in the provider's hall.",
            clause="agreement.assigner",
            contract=contract.id,
        )


def _within_term(contract: Contract, at: datetime) -> None:
    """1: the text's own term, from its first day to its last."""
    day = at.astimezone(UTC).date()
    if day in contract.term:
        return
    early = day < contract.term.start
    clause = "sluiceTerm.from" if early else "sluiceTerm.until"
    what = f"is in force from {contract.term.start}" if early else f"ended with {contract.term.end}"
    raise ContractError(
        f"Contract {contract.id} {contract.version} {what}, and it is {day}.",
        where=f"contract {contract.id}, clause {clause}",
        remedy=_REMEDIES[Standing.AHEAD if early else Standing.EXPIRED],
        clause=clause,
        contract=contract.id,
    )


def _decide(contract: Contract, agreement: Agreement, stands: Stands, door: Door, at: datetime) -> Permit:
    """3: the first permission for the door under which what the contract does is permitted, else the first denial."""
    assert stands.kept is not None
    made = stands.kept.made
    grade = str(stands.kept.grade)
    denial: Deny | None = None
    for permission in agreement.permissions:
        if permission.door == door:
            said = decide(_request(contract, permission, code_of(made.assignee), grade), agreement, at)
            if isinstance(said, Permit):
                return said
            denial = denial or said
    if denial is None:
        nothing = Request(door=door, assignee=code_of(made.assignee), grade=grade, purpose="", territory="")
        said = decide(nothing, agreement, at)
        assert isinstance(said, Deny)  # nothing asks for nothing, and no permission names the door
        denial = said
    raise ContractError(
        denial.reason,
        where=f"contract {contract.id}, clause {denial.clause}",
        remedy=denial.remedy,
        clause=denial.clause,
        contract=contract.id,
        door=str(door),
    )


def _request(contract: Contract, permission: Permission, assignee: str, grade: str) -> Request:
    """What the release of the contract's data does, under one permission.

    The copy is for the purposes and places that the permission names, so any of them stands for all. What the contract's
    own text decides, its k and l, is held against the permission's.
    """
    named = {
        each.operand.name: min(each.value, default="", key=str)
        for each in permission.constraints
        if isinstance(each.value, frozenset)
    }
    privacy = contract.privacy
    return Request(
        door=str(permission.door),
        assignee=assignee,
        grade=grade,
        purpose=str(named.get("purpose", "")),
        territory=str(named.get("spatial", "")),
        demands={
            "minGroupSize": privacy.k if privacy else _NO_PERSONS,
            "diversity": privacy.l if privacy else _NO_PERSONS,
        },
    )


def _not_in_force(contract: Contract, found: Iterable[Stands]) -> SluiceError:
    found = list(found)
    mine = [each for each in found if each.state.contract_digest == contract.digest]
    if not mine:
        # The version has been concluded, with another text.
        other = any(
            each.state.version == contract.version and each.state.concluded_at is not None for each in found
        )
        return ContractError(
            f"The text of contract {contract.id} {contract.version} isn't the one that was signed."
            if other
            else f"Contract {contract.id} {contract.version} isn't signed: nothing unsigned moves data.",
            where=f"contract {contract.id}, clause signatures",
            remedy="Put the signed text back, or have both parties sign this one as a new version."
            if other
            else "`sluice contract offer` puts it forward, `sluice contract sign` concludes it.",
            clause="signatures",
            contract=contract.id,
        )
    last = mine[-1]
    if last.fault is not None:  # nothing is wrong with the contract: whether it's in force can't be told now
        return last.fault
    who = (
        f" by the {last.state.by}" if last.state.standing in (Standing.SUSPENDED, Standing.TERMINATED) else ""
    )
    reason = last.trouble or (
        f"Contract {contract.id} {contract.version} is {last.state.standing}{who} since {last.state.since:%Y-%m-%d %H:%M} UTC."
    )
    return ContractError(
        reason,
        where=f"contract {contract.id}, clause state",
        remedy=_REMEDIES.get(last.state.standing, "`sluice contract show` tells how it stands."),
        clause="state",
        contract=contract.id,
        standing=str(last.state.standing),
    )


def _refuse(contract: Contract, found: Iterable[Finding]) -> None:
    found = tuple(found)
    if found:
        first = found[0]
        more = f" ({len(found) - 1} more: `sluice contract check` lists them)" if len(found) > 1 else ""
        raise ContractError(
            f"{first.what}{more}",
            where=f"contract {contract.id}, clause {first.clause}",
            remedy=f"{first.remedy} [{first.source}]",
            clause=first.clause,
            rule=first.rule,
            contract=contract.id,
        )
