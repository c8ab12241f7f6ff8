"""What `sluice contract` says of a negotiation: its terms in words, how it stands, and what to do next."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.output import err, print_json, print_line, problem_json, program
from contracts.agreement.vocabulary import DELETE
from contracts.agreement.words import facts_in_words, in_words
from contracts.life.dossier import MAX_DOSSIER_BYTES, Dossier
from contracts.life.negotiation import Act, Phase, Side, what_is_next
from contracts.life.saying import Saying
from contracts.life.state import ContractState, Standing, Turn
from contracts.problems import Problem
from core.digest import canonical
from core.errors import SluiceError, UsageError
from core.files import write_whole
from pipeline.agreements.desk import Desk, OnDesk
from pipeline.agreements.effects import Settled, show_or_withhold
from pipeline.agreements.keyfile import read_bounded
from pipeline.agreements.seat import Seat
from pipeline.agreements.standing import Stands, standings
from pipeline.home import Home

_TOLD: Mapping[Act | Turn, str] = {
    Turn.SUSPEND: "suspended",
    Turn.RESUME: "resumed",
    Turn.TERMINATE: "terminated",
}
_FILE_SUFFIX = ".dossier.json"


def standing_of(home: Home, now: OnDesk) -> Stands | None:
    """How a negotiation stands in this hall; None when it has recorded none of it."""
    found = standings(home, now.made.contract_id)
    return next((each for each in found if each.state.negotiation == now.made.id), None)


def terms_in_words(now: OnDesk, desk: Desk) -> list[tuple[str, str]]:
    """(label, sentence) for each thing that is agreed, or would be."""
    agreement = now.made.agreement or desk.proposed(now)
    return list(in_words(agreement, desk.registry.parties))


def show_terms(now: OnDesk, desk: Desk) -> None:
    """What a party reads before it signs: the contract's facts, the terms, and what was done since."""
    contract = now.contract
    print_line("contract", f"{contract.id} {contract.version}: {contract.name}")
    if contract.purpose:
        print_line("purpose", contract.purpose)
    for label, said in (*facts_in_words(contract), *terms_in_words(now, desk)):
        print_line(label, said)
    for each in (*now.made.turns(Side.PROVIDER), *now.made.turns(Side.CONSUMER)):
        reason = str(each.saying.message.get("reason", ""))
        what = f"{_TOLD[each.saying.act]} by the {each.saying.side}"
        print_line("told", f"{what}: {reason}" if reason else what)
    print_line("digest", f"sha256 {now.made.contract_digest}")


def how_it_stands(state: ContractState) -> str:
    """A contract's standing in words."""
    if state.standing is Standing.NEGOTIATED:
        return f"negotiated, {state.phase}"
    if state.standing is Standing.SUSPENDED:
        return f"suspended by the {' and the '.join(sorted(map(str, state.suspended_by)))}"
    return f"terminated by the {state.by}" if state.standing is Standing.TERMINATED else str(state.standing)


def next_step(now: OnDesk, stands: Stands | None) -> str:
    """Who may do what now."""
    standing = stands.state.standing if stands is not None and now.made.phase is Phase.FINALIZED else None
    if standing in (Standing.TERMINATED, Standing.EXPIRED, Standing.SUPERSEDED):
        return "It is over: what holds is a later version, or one that you negotiate anew."
    if standing is Standing.SUSPENDED:
        return "Who suspended it resumes it: `sluice contract resume`."
    return what_is_next(now.made.phase)


def state_json(each: Stands) -> dict[str, Any]:
    """A contract's standing as JSON."""
    state = each.state
    return {
        "contract": state.contract_id,
        "version": state.version,
        "negotiation": state.negotiation,
        "phase": str(state.phase),
        "standing": str(state.standing),
        "since": state.since.isoformat(),
        "contract_digest": state.contract_digest,
        "agreement_digest": state.agreement or None,
        "assigner": each.kept.made.assigner if each.kept else None,
        "assignee": each.kept.made.assignee if each.kept else None,
        "suspended_by": sorted(str(side) for side in state.suspended_by),
        "trouble": each.trouble or None,
    }


def tell(
    home: Home,
    made: OnDesk,
    seat: Seat | None,
    out_file: Path | None,
    *,
    as_json: bool,
    lacks: Sequence[Problem] = (),
) -> None:
    """Where it stands now, the file for the other party, and what it means for releases. lacks: what keeps it from being shared."""
    file = made.path
    if seat is not None:
        file = out_file or _file_for(made)
        try:
            shutil.copyfile(made.path, file)
            file.chmod(0o600)
        except OSError as error:
            raise UsageError(
                f"The file for the other party can't be written ({error.strerror}).",
                where=str(file),
                remedy=f"Name another place with --out; what was said is kept in {made.path}.",
            ) from None
    try:
        done = show_or_withhold(home, made.made.contract_id)
    except SluiceError as error:  # the word is said and kept; the daily round does the rest
        done = Settled()
        err.print(f"Releases are left to `{program()} housekeeping`: {error}", markup=False)
    stands = standing_of(home, made)
    if as_json:
        print_json(
            {
                "contract": made.made.contract_id,
                "version": made.made.contract_version,
                "negotiation": made.made.id,
                "phase": str(made.made.phase),
                "standing": str(stands.state.standing) if stands else None,
                "file": str(file),
                "withheld": list(done.withheld),
                "shown": list(done.shown),
                **({"findings": [problem_json(each) for each in lacks]} if lacks else {}),
            }
        )
        return
    name = f"{made.made.contract_id} {made.made.contract_version}"
    how = (
        how_it_stands(stands.state) if stands and made.made.phase is Phase.FINALIZED else str(made.made.phase)
    )
    print_line("good", f"{name} is {how}", style="bold green")
    if made.made.phase is Phase.AGREED:
        print_line("note", "one party has signed: it binds nobody before both have")
    for problem in lacks:
        print_line("lacks", str(problem), style="bold yellow")
    if lacks:
        print_line("note", "signed as it is, no door opens: mend it, and counter")
    for label in ("withheld", "shown"):
        for release in getattr(done, label):
            print_line(label, release)
    if seat is None:
        print_line("next", next_step(made, stands))
        return
    over = made.made.phase in (Phase.FINALIZED, Phase.TERMINATED)
    print_line("send", f"{file} to {made.made.party(seat.side(made.made).other)}")
    print_line("then", f"they run `sluice contract {'take' if over else 'sign'} {file.name}`")


def _file_for(made: OnDesk) -> Path:
    """Where the file for the other party goes: never over the file of another negotiation."""
    file = Path(f"{made.made.contract_id}{_FILE_SUFFIX}")
    try:
        theirs = Saying.read(Dossier.parse(read_bounded(file, MAX_DOSSIER_BYTES)).sayings[0]).negotiation
    except (SluiceError, IndexError):
        theirs = made.made.id if not file.exists() else ""
    return (
        file if theirs == made.made.id else Path(f"{made.made.contract_id}-{made.made.id[:8]}{_FILE_SUFFIX}")
    )


def save_documents(now: OnDesk, folder: Path) -> None:
    """Contract, agreement and envelope as files of their own, for who reads them to the letter or checks them with other tools."""
    files = {f"{now.contract.id}.odcs.yaml": now.dossier.contract}
    if now.made.document is not None:
        files["agreement.json"] = canonical(dict(now.made.document))
    if now.dossier.signatures is not None:
        files["signatures.dsse.json"] = canonical(now.dossier.signatures.as_json())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise UsageError(
            f"The documents can't be written ({error.strerror or type(error).__name__}).",
            where=str(folder),
            remedy="Name another folder.",
        ) from None


def ending(now: OnDesk, home: Home, seat: Seat) -> str:
    """The question before an end: what ends, with whom, and what goes with it."""
    made = now.made
    what = "contract" if made.phase is Phase.FINALIZED else "negotiation"
    about = f"the {what} {made.contract_id} {made.contract_version} with {made.party(seat.side(made).other)}"
    count = sum(each.contract_digest == made.contract_digest for each in home.catalog.releases(all=True))
    duty = made.agreement is not None and any(each.duty == DELETE for each in made.agreement.obligations)
    after = (
        f" Its {count} release{'s are' if count != 1 else ' is'} withheld{', then deleted' if duty else ''}."
        if count
        else ""
    )
    return f"End {about} for good?{after}"
