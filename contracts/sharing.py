"""What keeps a contract file from being shared: the file itself, what it lacks, and the rules of the land.

Asked of files, before anybody signs; a door asks the same rules again, with the agreement and the measured data in hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from contracts.agreement.lacks import lacks
from contracts.agreement.message import Terms, agreement_message, offer_document
from contracts.agreement.read import read_agreement
from contracts.agreement.sheet import read_sheet
from contracts.agreement.vocabulary import Door
from contracts.model import Contract
from contracts.odcs import read_contract
from contracts.problems import UNSHAREABLE, Problem, Problems, Where
from contracts.regimes.finding import Facts, Finding, Headcount, Severity
from contracts.regimes.rules import findings
from contracts.regimes.thresholds import DEFAULT, Thresholds
from core.errors import ContractError

# What only the data tells: how many persons go abroad, how much risk is left. A door asks it once the data is there.
MEASURED = frozenset({"crossborder.counted", "deidentification.reached"})
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, kw_only=True)
class Shareable:
    """What was found. contract: None where it can't be read, or lacks what makes it one. problems: what keeps it from being
    shared, top of the file first; warnings: what people should look at. sheet: the term sheet that was read with it.
    """

    contract: Contract | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    sheet: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether it can be shared, as far as files tell."""
        return self.contract is not None and not self.problems


def sheet_of(path: Path) -> Path:
    """Where the term sheet of a contract's file stands: `NAME.terms.yaml` beside `NAME.odcs.yaml` or `NAME.yaml`."""
    name = path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".odcs")
    return path.with_name(f"{name}.terms.yaml")


def check_shareable(
    path: Path, *, at: datetime, sheet: Path | None = None, thresholds: Thresholds = DEFAULT
) -> Shareable:
    """All that keeps the contract in a file from being shared, at a moment.

    sheet: the term sheet that says which doors it opens and where its data goes; when it isn't given, the one that stands
    beside it (`NAME.terms.yaml` for `NAME.odcs.yaml`). Without one, the rules on what goes abroad aren't asked. Never raises
    for what is in the files.
    """
    contract, said = read_contract(path)
    if sheet is None and sheet_of(path).is_file():
        sheet = sheet_of(path)
    terms, wrong = _terms(sheet) if sheet is not None else (None, ())
    if contract is None:
        return Shareable(contract=None, problems=(*said.in_order(), *wrong), sheet=sheet)
    warnings = Problems(path, said.marks)
    for finding in _of_law(contract, terms, at, thresholds):
        place = _where(finding.clause)
        found = said if finding.severity is Severity.REFUSE else warnings
        found.add(place, finding.what, f"{finding.remedy} [{finding.source}]")
    return Shareable(
        contract=contract,
        problems=(*said.in_order(), *wrong, *_too_little(contract, terms, sheet)),
        warnings=warnings.in_order(),
        sheet=sheet,
    )


def _of_law(
    contract: Contract, terms: Terms | None, at: datetime, thresholds: Thresholds
) -> Iterable[Finding]:
    """What the rules of the land find at any of the doors, each once."""
    # Without a sheet nobody has said yet where it goes: the mainland is supposed, and asks nothing more.
    doors = {each.door: each.territories for each in terms.doors} if terms else {Door.RELEASE: ("CN",)}
    found: dict[Finding, None] = {}
    for door, territories in doors.items():
        facts = Facts(
            contract=contract,
            at=at,
            door=door,
            territories=tuple(territories),
            headcount=least(contract, door),
            thresholds=thresholds,
        )
        found |= dict.fromkeys(finding for finding in findings(facts) if finding.rule not in MEASURED)
    return found


def least(contract: Contract, door: str) -> Headcount | None:
    """The fewest persons whose data a passage would take: one, where any do. What one needs, all need."""
    about = [table for table in contract.tables if table.kind.about_persons]
    return (
        Headcount(persons=1, sensitive=int(any(table.shows_sensitive(door) for table in about)), fewest=True)
        if about
        else None
    )


def _terms(sheet: Path) -> tuple[Terms | None, tuple[Problem, ...]]:
    """The terms in a sheet, and what is wrong with it; whose they are, and when they're agreed, comes with the negotiation."""
    try:
        terms = read_sheet(sheet)
    except ContractError as error:
        problems = error.facts["problems"]
        assert isinstance(problems, tuple)
        # `malformed` is a verdict on the contract's file alone.
        return None, tuple(replace(each, kind=UNSHAREABLE) for each in problems)
    offer = {**offer_document(terms, offer_id="urn:sluice:sheet"), "@type": "Agreement"}
    agreement = read_agreement(agreement_message(offer, provider_pid="urn:a", consumer_pid="urn:b"))
    return terms, tuple(
        Problem(sheet, 0, 0, each.clause, each.what, f"Write `{each.name}` at the door.")
        for each in lacks(agreement)
        if each.clause.startswith(agreement.clause("permission"))
    )


def _too_little(contract: Contract, terms: Terms | None, sheet: Path | None) -> Iterator[Problem]:
    """Where the terms of a release ask for more than the contract's own k and l: its door would never open."""
    privacy = contract.privacy
    if terms is None or sheet is None or privacy is None:
        return
    for door in terms.doors:
        for name, key in (("minGroupSize", "k"), ("diversity", "l")):
            asked, has = door.limits.get(name), getattr(privacy, key)
            if door.door is Door.RELEASE and isinstance(asked, int) and asked > has:
                yield Problem(
                    sheet,
                    0,
                    0,
                    f"{door.door}.{name}",
                    f"`{name}` at the door {door.door} asks for {asked}, and the contract's {key} is {has}: it would stay shut.",
                    f"Raise `{key}` in sluicePrivacy, or lower `{name}`.",
                )


def _where(clause: str) -> Where:
    """The place that a clause names: `schema[0].properties[3]`."""
    return tuple(int(index) if index else name for index, name in _STEP.findall(clause))
