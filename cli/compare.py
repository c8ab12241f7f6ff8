"""`sluice contract diff`: who gains and who loses what between two versions of a contract, worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import out, print_json, print_line
from contracts.agreement.message import agreement_message, offer_document
from contracts.agreement.model import Agreement
from contracts.agreement.read import read_agreement
from contracts.agreement.sheet import read_sheet
from contracts.diff import Change, Sharing, diff, widens
from contracts.life.dossier import FORMAT, TARGET
from contracts.life.state import ContractState, Standing
from contracts.model import Contract
from contracts.odcs import load_contract
from core.digest import document_digest
from core.errors import ExitCode, UsageError
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.standing import standings
from pipeline.home import Home

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# What makes two agreements two, and none of their terms. The target is the contract's digest: that the text differs is told
# by what differs in it.
_NOT_TERMS = ("@id", "@type", "timestamp", "target")


@dataclass(frozen=True, kw_only=True)
class _Version:
    """One side of the comparison. told: where it's from, for people. parties: codes as ids, by the dossier; () without one."""

    sharing: Sharing
    told: str
    parties: tuple[str, str] | None = None

    @property
    def contract(self) -> Contract:
        return self.sharing.contract

    @property
    def name(self) -> str:
        return f"{self.contract.id} {self.contract.version}"

    def as_json(self) -> dict[str, Any]:
        return {"contract": self.contract.id, "version": self.contract.version, "from": self.told}


@app.callback()
def root() -> None:
    """Keeps `diff` a command of its own; the help is above."""


@app.command("diff")
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="What holds now, or what you sent.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What shall hold, or what they sent.")],
    terms_old: Annotated[
        Path | None, typer.Option("--terms-old", help="The term sheet of OLD, where OLD is an ODCS file.")
    ] = None,
    terms_new: Annotated[
        Path | None, typer.Option("--terms-new", help="The term sheet of NEW, where NEW is an ODCS file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell who gains and who loses what from OLD to NEW, worst first. Exit 1 when anything widens, 0 when nothing does.

    OLD and NEW are each a file from the other party, the id of a contract or a negotiation in this hall, or an ODCS
    file. Of ODCS files without term sheets only the data is compared. What can't be judged counts as widening: a purpose
    in other words, another source, a term that isn't understood.

    \b
    Examples:
      sluice contract diff grocery-demand theirs.dossier.json      before you sign it
      sluice contract diff v1.odcs.yaml v2.odcs.yaml --json
      sluice contract diff v1.odcs.yaml v2.odcs.yaml --terms-old v1.yaml --terms-new v2.yaml
    """
    before, after = _version(old, terms_old, "OLD"), _version(new, terms_new, "NEW")
    before, after = _with_sheet(before, terms_old, after), _with_sheet(after, terms_new, before)
    with_terms = before.sharing.agreement is not None and after.sharing.agreement is not None
    if not with_terms and (terms_old or terms_new):
        lacking = "OLD" if before.sharing.agreement is None else "NEW"
        raise UsageError(
            f"{lacking} has no terms to compare with.",
            remedy=f"Give its term sheet with --terms-{lacking.lower()}, or leave out the other one.",
        )
    if not with_terms:
        before, after = _data_only(before), _data_only(after)
    changes = diff(before.sharing, after.sharing)
    wider = widens(changes)
    if json:
        print_json(
            {
                "old": before.as_json(),
                "new": after.as_json(),
                "compared": ["data", "terms"] if with_terms else ["data"],
                "widens": wider,
                "changes": [_as_json(change) for change in changes],
            }
        )
    else:
        _tell(before, after, changes, with_terms=with_terms)
    if wider:
        raise typer.Exit(ExitCode.REFUSED)


def _version(ref: str, sheet: Path | None, which: str) -> _Version:
    path = Path(ref)
    if not path.is_file():
        found = _in_hall(ref)
    else:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise UsageError(
                f"The file can't be read ({error.strerror or type(error).__name__}).",
                where=ref,
                remedy="Check the path and its mode.",
            ) from None
        if not (raw.lstrip().startswith(b"{") and FORMAT.encode() in raw):
            return _Version(sharing=Sharing(contract=load_contract(path)), told=ref)
        desk = Desk(Home.open())
        now = desk.look(raw)
        found = _of_dossier(now, desk, f"{ref}, {str(now.made.phase).lower()}")
    if sheet is not None:
        raise UsageError(
            f"{which} has its terms with it: a term sheet has no place beside them.",
            where=ref,
            remedy=f"Leave out --terms-{which.lower()}, or give the ODCS file.",
        )
    return found


def _in_hall(ref: str) -> _Version:
    """The newest negotiation of a contract's id, the one in force before any other; or a negotiation by its id."""
    home = Home.open()
    states = [each.state for each in standings(home)]
    by_id = [each for each in states if len(ref) >= 4 and each.negotiation.startswith(ref)]
    of = by_id if len(by_id) == 1 else [each for each in states if each.contract_id == ref]
    if not of:
        known = ", ".join(sorted({each.contract_id for each in states})) or "none"
        raise UsageError(
            f"There is no file {ref}, and no contract here is called so.",
            remedy=f"Contracts here: {known}. Or give a file: one that the other party sent, or an ODCS file.",
        )
    state = ([each for each in of if each.standing is Standing.IN_FORCE] or of)[-1]
    desk = Desk(home)
    return _of_dossier(desk.open(state.negotiation), desk, _stands(state))


def _stands(state: ContractState) -> str:
    negotiated = state.standing is Standing.NEGOTIATED
    return f"here, {str(state.phase).lower() if negotiated else state.standing}"


def _of_dossier(now: OnDesk, desk: Desk, told: str) -> _Version:
    agreement = now.made.agreement or desk.proposed(now)
    return _Version(
        sharing=Sharing(contract=now.contract, agreement=_comparable(agreement, now.made.terms)),
        told=told,
        parties=(now.made.assigner, now.made.assignee),
    )


def _with_sheet(version: _Version, sheet: Path | None, other: _Version) -> _Version:
    """The version with the terms of its sheet, as they'd be between the parties of the other side."""
    if sheet is None:
        return version
    written = replace(read_sheet(sheet), target=f"{TARGET}{version.contract.digest}")
    terms = dict(offer_document(written, offer_id="urn:sluice:sheet"))
    if other.parties is not None:
        terms |= dict(zip(("assigner", "assignee"), other.parties, strict=True))
    # Two sheets name no parties: what the reader lacks then, it lacks on both sides alike.
    document = agreement_message({**terms, "@type": "Agreement"}, provider_pid="urn:a", consumer_pid="urn:b")
    agreement = _comparable(read_agreement(document), terms)
    return replace(version, sharing=replace(version.sharing, agreement=agreement))


def _comparable(agreement: Agreement, terms: Mapping[str, Any]) -> Agreement:
    said = {name: value for name, value in terms.items() if name not in _NOT_TERMS}
    return replace(agreement, target="", digest=document_digest(said))


def _data_only(version: _Version) -> _Version:
    return replace(version, sharing=replace(version.sharing, agreement=None))


def _tell(old: _Version, new: _Version, changes: tuple[Change, ...], *, with_terms: bool) -> None:
    print_line("old", f"{old.name} ({old.told})")
    print_line("new", f"{new.name} ({new.told})")
    if not with_terms:
        print_line("compared", "the data only: terms stand in term sheets and in what parties sent")
    if not changes:
        print_line("same", "Nothing changes.", style="bold green")
        return
    wide = sum(change.widens for change in changes)
    verdict = f"{wide:,} of {len(changes):,} change{'s' if len(changes) > 1 else ''}"
    if wide:
        print_line("WIDENS", f"{verdict} allow{'s' if wide == 1 else ''} more than before.", style="bold red")
    else:
        print_line("good", f"Nothing is allowed that wasn't before ({verdict} widen).", style="bold green")
    for change in changes:
        out.print()
        label, style = _label(change)
        print_line(label, change.words, style=style)
        if change.what != "wording":
            gains = "gains" if change.gains else "loses"
            who = f"{change.who} {gains if not str(change.who).startswith('the persons') else gains[:-1]}"
            print_line("", f"{who}; {_where(change)}")


def _label(change: Change) -> tuple[str, str]:
    if change.what == "wording":
        return "wording", "dim"
    return ("widens", "bold red") if change.widens else ("narrows", "green")


def _where(change: Change) -> str:
    was, now = change.clause_old, change.clause_new
    if was and now and was != now:
        return f"{was} before, {now} now"
    return now or f"{was} before"


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "widens": change.widens,
        "who": str(change.who),
        "gains": change.gains,
        "what": change.what,
        "words": change.words,
        "clause_old": change.clause_old or None,
        "clause_new": change.clause_new or None,
    }
