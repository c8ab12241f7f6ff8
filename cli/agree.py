"""`sluice contract offer`, `sluice contract sign` and what comes after: two parties come to a contract by files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.agreed import (
    ending,
    how_it_stands,
    next_step,
    save_documents,
    show_terms,
    standing_of,
    state_json,
    tell,
    terms_in_words,
)
from cli.layout import Column
from cli.output import err, out, print_grid, print_json, print_line
from contracts.agreement.message import offer_document
from contracts.agreement.sheet import read_sheet
from contracts.life.dossier import MAX_DOSSIER_BYTES
from contracts.life.negotiation import Act, Side, sign_act, what_is_next
from contracts.life.state import Standing, Turn
from contracts.problems import Problem
from contracts.sharing import check_shareable
from core.errors import ContractError, ExitCode, UsageError
from core.ids import uuid_of
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.keyfile import read_bounded
from pipeline.agreements.seat import Seat, take_seat
from pipeline.agreements.standing import standings
from pipeline.agreements.thresholds import thresholds_of
from pipeline.home import Home

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Who = Annotated[
    str, typer.Option("--as", help="Who you are, by code, where this hall holds the keys of several.")
]
Contract = Annotated[Path, typer.Argument(metavar="CONTRACT", help="The contract, an ODCS file.")]
Sheet = Annotated[
    Path, typer.Option("--terms", help="The term sheet (YAML): doors, purposes, limits, duties.")
]
Ref = Annotated[
    str,
    typer.Argument(
        metavar="CONTRACT", help="A contract's id, a negotiation's id, or a file from the other party."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Put the file for the other party here.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words; both parties keep it.")]

_SIGNS = (Act.AGREE, Act.VERIFY)
_OPEN = (Standing.NEGOTIATED,)
_CONCLUDED = (Standing.IN_FORCE, Standing.SUSPENDED, Standing.AHEAD)


@app.command()
def offer(
    contract: Contract,
    to: Annotated[str, typer.Option("--to", help="The recipient's unified social credit code.")],
    terms: Sheet,
    who: Who = "",
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Offer a contract to a firm, as the platform: a file to send to them.

    \b
    Examples:
      sluice contract offer grocery-demand.odcs.yaml --to 91310000100000002D --terms terms.yaml
      sluice contract offer v2.odcs.yaml --to 91310000100000002D --terms v2.yaml --out v2.dossier.json
    """
    home = Home.open()
    desk = Desk(home)
    seat = take_seat(home, desk.registry.parties, who)
    made = _put_forward(desk, seat, contract, terms, Side.PROVIDER, assigner=seat.party, assignee=_party(to))
    tell(home, made, seat, out_file, as_json=json, lacks=_lacks(contract, terms, home))


@app.command()
def request(
    contract: Contract,
    of: Annotated[str, typer.Option("--of", help="The platform's unified social credit code.")],
    terms: Sheet,
    who: Who = "",
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Ask a platform for a contract, as the firm: a file to send to them.

    \b
    Example:
      sluice contract request demand.odcs.yaml --of 91110000100000001W --terms terms.yaml
    """
    home = Home.open()
    desk = Desk(home)
    seat = take_seat(home, desk.registry.parties, who)
    made = _put_forward(desk, seat, contract, terms, Side.CONSUMER, assigner=_party(of), assignee=seat.party)
    tell(home, made, seat, out_file, as_json=json, lacks=_lacks(contract, terms, home))


@app.command()
def counter(
    ref: Ref,
    terms: Sheet,
    contract: Annotated[
        Path | None, typer.Option("--contract", help="Another text of the contract (ODCS file).")
    ] = None,
    who: Who = "",
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Answer with other terms, while it's your turn.

    \b
    Example:
      sluice contract counter grocery-demand.dossier.json --terms stricter.yaml
    """
    home = Home.open()
    desk = Desk(home)
    now = _find(desk, home, ref, *_OPEN)
    seat = take_seat(home, desk.registry.parties, who)
    text = _bytes(contract) if contract else now.dossier.contract
    sheet = offer_document(read_sheet(terms), offer_id=_offer_id(now.made.id, len(now.made.said)))
    made = desk.counter(now.made.id, text, sheet, side=seat.side(now.made), signer=seat.signer)
    tell(home, made, seat, out_file, as_json=json)


@app.command()
def take(ref: Annotated[Path, typer.Argument(metavar="FILE")], json: Json = False) -> None:
    """Take in a file from the other party: it's checked from the first word to the last, recorded, and kept.

    \b
    Example:
      sluice contract take grocery-demand.dossier.json
    """
    home = Home.open()
    made = _take(Desk(home), ref)
    tell(home, made, None, None, as_json=json)


@app.command()
def sign(ref: Ref, who: Who = "", out_file: Out = None, yes: Yes = False, json: Json = False) -> None:
    """Take the next step towards the conclusion: accept, sign, or finalize. What is agreed is shown before.

    The platform signs first, the firm second; one signature alone binds nobody.

    \b
    Examples:
      sluice contract sign grocery-demand.dossier.json         a file that has just come
      sluice contract sign grocery-demand --yes
    """
    home = Home.open()
    desk = Desk(home)
    now = _find(desk, home, ref, *_OPEN)
    seat = take_seat(home, desk.registry.parties, who)
    side = seat.side(now.made)
    act = sign_act(now.made.phase, side)
    if act is not None and not yes and not json:
        show_terms(now, desk)
        what = "Sign this contract" if act in _SIGNS else f"{str(act).capitalize()} it"
        if not typer.confirm(f"{what} as {seat.party}?", err=True):
            raise typer.Exit(ExitCode.REFUSED)
    made = desk.sign(now.made.id, side=side, signer=seat.signer)
    tell(home, made, seat, out_file, as_json=json)


@app.command()
def suspend(ref: Ref, who: Who = "", reason: Reason = "", out_file: Out = None, json: Json = False) -> None:
    """Suspend a contract that is in force: its door is shut and its releases are withheld, until you resume it.

    \b
    Example:
      sluice contract suspend grocery-demand --reason "an audit is under way"
    """
    _turn(ref, Turn.SUSPEND, who, reason, out_file, as_json=json)


@app.command()
def resume(ref: Ref, who: Who = "", reason: Reason = "", out_file: Out = None, json: Json = False) -> None:
    """Lift your own suspension.

    \b
    Example:
      sluice contract resume grocery-demand
    """
    _turn(ref, Turn.RESUME, who, reason, out_file, as_json=json)


@app.command()
def terminate(
    ref: Ref, who: Who = "", reason: Reason = "", out_file: Out = None, yes: Yes = False, json: Json = False
) -> None:
    """End a contract, or a negotiation, for good: releases are withheld, and housekeeping deletes them where that is a duty.

    \b
    Example:
      sluice contract terminate grocery-demand --reason "the project is over"
    """
    home = Home.open()
    desk = Desk(home)
    now = _find(desk, home, ref, *_CONCLUDED)
    seat = take_seat(home, desk.registry.parties, who)
    if not yes and not json and not typer.confirm(ending(now, home, seat), err=True):
        raise typer.Exit(ExitCode.REFUSED)
    made = desk.end(now.made.id, side=seat.side(now.made), signer=seat.signer, reason=reason)
    tell(home, made, seat, out_file, as_json=json)


@app.command("list")
def list_contracts(json: Json = False) -> None:
    """List the contracts that this hall negotiates or has, and how each stands.

    \b
    Examples:
      sluice contract list
      sluice contract list --json
    """
    found = standings(Home.open())
    if json:
        print_json([state_json(each) for each in found])
        return
    if not found:
        out.print("No contract was negotiated here. `sluice contract offer` or `request` begins one.")
        return
    print_grid(
        [
            Column("contract"),
            Column("version"),
            Column("recipient"),
            Column("stands"),
            Column("since"),
            Column("negotiation", whole=True),
        ],
        [
            [
                each.state.contract_id,
                each.state.version,
                each.kept.made.assignee.removeprefix("urn:uscc:") if each.kept else "",
                how_it_stands(each.state),
                f"{each.state.since:%Y-%m-%d %H:%M}",
                each.state.negotiation[:8],
            ]
            for each in found
        ],
    )
    for each in found:
        if each.trouble:
            err.print(f"{each.state.contract_id}: {each.trouble}", markup=False)


@app.command()
def show(
    ref: Ref,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write both documents and their signatures into this folder."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a contract in plain words: who, for what, until when, under which limits, and how it stands.

    \b
    Examples:
      sluice contract show grocery-demand
      sluice contract show grocery-demand --save signed      the text to the letter
      sluice contract show grocery-demand.dossier.json       before you take it
    """
    home = Home.open()
    desk = Desk(home)
    now = _look(desk, home, ref)
    stands = standing_of(home, now)
    if save is not None:
        save_documents(now, save)
    if json:
        print_json(
            {
                **(
                    state_json(stands)
                    if stands
                    else {"negotiation": now.made.id, "phase": str(now.made.phase)}
                ),
                "terms": [{"what": label, "says": said} for label, said in terms_in_words(now, desk)],
                "file": str(now.path),
            }
        )
        return
    show_terms(now, desk)
    if stands:
        where = ", in this hall's log" if Path(ref).is_file() else ""
        print_line(
            "stands", f"{how_it_stands(stands.state)} since {stands.state.since:%Y-%m-%d %H:%M} UTC{where}"
        )
    print_line("next", next_step(now, stands))


@app.command()
def verify(ref: Ref, json: Json = False) -> None:
    """Check that both parties signed this contract, with keys that counted when they did. Exit 1 when it isn't so.

    \b
    Examples:
      sluice contract verify grocery-demand
      sluice contract verify grocery-demand.dossier.json --json
    """
    home = Home.open()
    desk = Desk(home)
    now = _look(desk, home, ref)
    signed = now.made.signed
    if signed is None:
        raise ContractError(
            f"Both haven't signed: the negotiation is {now.made.phase}.",
            where=f"contract {now.made.contract_id} {now.made.contract_version}",
            remedy=what_is_next(now.made.phase),
        )
    signers = {"assigner": signed.assigner, "assignee": signed.assignee}
    if json:
        print_json(
            {
                "contract": now.made.contract_id,
                "version": now.made.contract_version,
                "contract_digest": now.made.contract_digest,
                "agreement_digest": signed.statement.agreement_digest,
                "envelope": signed.envelope_digest,
                "registry": desk.registry.version,
                "signed": {
                    side: {"party": by.key.party, "key": by.key.key_id} for side, by in signers.items()
                },
            }
        )
        return
    print_line(
        "good", f"{now.made.contract_id} {now.made.contract_version} is signed by both", style="bold green"
    )
    print_line("contract", f"sha256 {signed.statement.contract_digest}")
    print_line("agreement", f"sha256 {signed.statement.agreement_digest}")
    for side, by in signers.items():
        print_line(side, f"{by.key.party}, key {by.key.key_id[:16]}")
    print_line(
        "registry", f"version {desk.registry.version}, until {desk.registry.expires:%Y-%m-%d %H:%M} UTC"
    )


def _turn(ref: str, what: Turn, who: str, reason: str, out_file: Path | None, *, as_json: bool) -> None:
    home = Home.open()
    desk = Desk(home)
    now = _find(desk, home, ref, *_CONCLUDED)
    seat = take_seat(home, desk.registry.parties, who)
    made = desk.turn(now.made.id, what, side=seat.side(now.made), signer=seat.signer, reason=reason)
    tell(home, made, seat, out_file, as_json=as_json)


def _put_forward(
    desk: Desk, seat: Seat, contract: Path, terms: Path, side: Side, *, assigner: str, assignee: str
) -> OnDesk:
    sheet = offer_document(read_sheet(terms), offer_id=_offer_id(str(contract), 0))
    return desk.begin(
        _bytes(contract), sheet, side=side, assigner=assigner, assignee=assignee, signer=seat.signer
    )


def _lacks(contract: Path, terms: Path, home: Home) -> tuple[Problem, ...]:
    """What would keep the door shut, were it signed as it is."""
    return check_shareable(contract, at=home.clock(), sheet=terms, thresholds=thresholds_of(home)).problems


def _offer_id(about: str, number: int) -> str:
    return f"urn:uuid:{uuid_of(f'offer:{about}:{number}')}"


def _party(code: str) -> str:
    return code if code.startswith("urn:") else f"urn:uscc:{code}"


def _bytes(path: Path) -> bytes:
    return read_bounded(path, MAX_DOSSIER_BYTES)


def _take(desk: Desk, file: Path) -> OnDesk:
    return desk.take(_bytes(file))


def _find(desk: Desk, home: Home, ref: str, *wanted: Standing) -> OnDesk:
    """The negotiation that `ref` names; a file is taken in first. wanted: as `_named`."""
    return _take(desk, Path(ref)) if Path(ref).is_file() else desk.open(_named(home, ref, *wanted))


def _look(desk: Desk, home: Home, ref: str) -> OnDesk:
    """The same, and a file is only looked at."""
    if Path(ref).is_file():
        return desk.look(_bytes(Path(ref)))
    return desk.open(_named(home, ref, Standing.IN_FORCE))


def _named(home: Home, ref: str, *wanted: Standing) -> str:
    """The negotiation of an id, of the beginning of one, or of a contract: the one of it that stands as the command wants.

    wanted: how it may stand; without one that does, the newest. Raises UsageError when several do.
    """
    found = standings(home)
    names = [
        each.state.negotiation for each in found if len(ref) >= 4 and each.state.negotiation.startswith(ref)
    ]
    if len(names) == 1:
        return names[0]
    of = [each.state for each in found if each.state.contract_id == ref]
    if not of:
        known = ", ".join(sorted({each.state.contract_id for each in found})) or "none"
        raise UsageError(
            f"No contract here is called {ref}.",
            remedy=f"There are: {known}. Or give the file that the other party sent.",
        )
    fitting = [state for state in of if state.standing in wanted]
    if len(fitting) > 1:
        listed = ", ".join(f"{state.negotiation[:8]} (version {state.version})" for state in fitting)
        raise UsageError(
            f"Several negotiations about {ref} could be meant.", remedy=f"Name one of them: {listed}."
        )
    return (fitting or of)[-1].negotiation
