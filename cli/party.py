"""`sluice party`: the keys of a party in this hall. The registry that vouches for them has commands of its own (`cli.registry`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.layout import Column
from cli.output import out, print_grid, print_json, print_line, program
from cli.registry import app as registry
from cli.registry import write_public
from contracts.agreement.codes import SCHEME, code_of
from contracts.parties.moment import LogPosition
from contracts.parties.registry import Published
from core.errors import ExitCode, SluiceError, UsageError
from core.partykeys import OwnKey, Reason
from core.settings import Settings
from pipeline.agreements.keyfile import (
    DAYS,
    SHORT_ID,
    KeyFile,
    KeyUse,
    create_key,
    export_key,
    find_key,
    own_keys,
    revoke_key,
    rotate_key,
)
from pipeline.agreements.told import vouched_in_words
from pipeline.agreements.trusting import current_registry
from pipeline.home import Home

HELP = """Keys that parties sign with, and the registry that says whose they are.

\b
Examples:
  sluice party key create --for 91310000100000002D   to sign contracts with
  sluice party registry found founders.yaml          the parties' first one
  sluice party registry sign registry-1.proposal.json
  sluice party registry trust FOLDER --root-digest 5f1c...
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
keys = typer.Typer(
    help="A party's keys in this hall's key store.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(keys, name="key")
app.add_typer(registry, name="registry")

Id = Annotated[
    str, typer.Argument(metavar="KEY", help="A key's id, or as much of its beginning as no other has.")
]
Days = Annotated[int, typer.Option("--days", help="How many days it's valid, from now on.")]
Out = Annotated[Path | None, typer.Option("--out", help="Put the public file here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_NEXT = {
    KeyUse.CONTRACTS: "to a holder of the registry, who proposes it (`propose --key`)",
    KeyUse.REGISTRY: "to who founds the registry, or proposes its next holders",
    KeyUse.ONLINE: "to who founds the registry, or proposes its next hall",
}


@keys.command()
def create(
    party: Annotated[str, typer.Option("--for", help="The party's unified social credit code.")],
    use: Annotated[
        KeyUse,
        typer.Option(
            "--use",
            help="contracts: signs contracts. registry: signs the party registry, as a holder. "
            "online: keeps the registry fresh, in the hall that publishes it.",
        ),
    ] = KeyUse.CONTRACTS,
    days: Days = DAYS,
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Make a key of a party: the private side stays here, sealed; the public side is a file to send.

    \b
    Examples:
      sluice party key create --for 91310000100000002D
      sluice party key create --for 91310000100000002D --use registry --days 730
    """
    party = party if party.startswith(SCHEME) else f"{SCHEME}{party}"
    code_of(party)  # before a hall is made for a mistyped one
    _tell(create_key(Home.open(), party, use=use, days=days), out_file, as_json=json)


@keys.command("list")
def list_keys(json: Json = False) -> None:
    """List the keys of this hall: whose, what for, until when, and whether the registry has them.

    \b
    Examples:
      sluice party key list
      sluice party key list --json
    """
    home = Home.open() if Settings.from_env().database.is_file() else None
    found = own_keys(home) if home is not None else ()
    registered = _registered(home)
    if json:
        print_json([_as_json(own, party, use, registered) for own, party, use in found])
        return
    if home is None or not found:
        out.print("This hall holds no party's key. `sluice party key create` makes one.")
        return
    now = home.clock()
    print_grid(
        [
            Column("key", whole=True),
            Column("party", whole=True),
            Column("use"),
            Column("until", whole=True),
            Column("stands"),
            Column("registry"),
        ],
        [
            [
                own.key_id[:SHORT_ID],
                code_of(party),
                str(use),
                f"{own.valid_until:%Y-%m-%d}",
                _stands(own, now),
                _known(own, registered),
            ]
            for own, party, use in found
        ],
    )


@keys.command()
def rotate(key: Id, days: Days = DAYS, out_file: Out = None, json: Json = False) -> None:
    """Make a key in the place of another. The old one signs on: revoke it once the registry has the new one.

    \b
    Example:
      sluice party key rotate 1a2b3c4d
    """
    home = Home.open(create=False)
    old = find_key(home, key)
    _tell(rotate_key(home, old.key_id, days=days), out_file, as_json=json)
    if not json:
        later = f"`{program()} party key revoke {old.key_id[:SHORT_ID]} --reason superseded`"
        print_line("later", f"{later}, once the registry has the new one")


def _position(text: str, home: Home) -> LogPosition:
    """A log and its size, as `hall.example/1@40`, or `40` for this hall's."""
    log, _, size = text.rpartition("@")
    if not size.isascii() or not size.isdigit() or int(size) < 1:
        raise UsageError(
            "A last good checkpoint is a log's size, at least 1: 120, or hall.example/1@120.",
            where=f"--last-good {text[:200]}",
            remedy="Leave it out if nothing that the key signed shall count.",
        )
    return LogPosition(origin=log or home.keys.signer().name, size=int(size))


@keys.command()
def revoke(
    key: Id,
    reason: Annotated[
        Reason,
        typer.Option(
            "--reason", help="Only a compromise reaches back: what the key signed after --last-good is void."
        ),
    ],
    last_good: Annotated[
        list[str] | None,
        typer.Option(
            "--last-good",
            metavar="[LOG@]SIZE",
            help="Compromise: the size of a log up to which its signatures count; none do in a log that isn't "
            "named. LOG: this hall's when it's left out.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    out_file: Out = None,
    json: Json = False,
) -> None:
    """End a key and destroy its private side. Others learn of it from the registry: send them the file.

    \b
    Examples:
      sluice party key revoke 1a2b3c4d --reason superseded
      sluice party key revoke 1a2b3c4d --reason compromise --last-good 120
      sluice party key revoke 1a2b3c4d --reason compromise --last-good b.example@9
    """
    home = Home.open(create=False)
    own = find_key(home, key)
    good = tuple(sorted((_position(each, home) for each in last_good or ()), key=lambda each: each.origin))
    if not yes and not json:
        print_line("key", f"{own.key_id} of {own.party}")
        if reason is Reason.COMPROMISE:
            print_line("counts", vouched_in_words(good))
        if own.key_id in _signing(home):
            print_line(
                "note", "the registry is signed with it: its holder has no voice then, until a new key is in"
            )
        if not typer.confirm("Destroy its private side? It never comes back.", err=True):
            raise typer.Exit(ExitCode.REFUSED)
    _tell(revoke_key(home, own.key_id, reason=reason, last_good=good), out_file, as_json=json)


@keys.command()
def export(key: Id, out_file: Out = None, json: Json = False) -> None:
    """Write a key's public file once more.

    \b
    Example:
      sluice party key export 1a2b3c4d --out to-the-holders.json
    """
    home = Home.open(create=False)
    _tell(export_key(home, find_key(home, key)), out_file, as_json=json)


def _tell(file: KeyFile, out_file: Path | None, *, as_json: bool) -> None:
    path = out_file or Path(file.name)
    key = file.key
    write_public(
        path, file.to_bytes(), remedy=f"The key is in the store: `sluice party key export {key.key_id}`."
    )
    if as_json:
        print_json(
            {
                "id": key.key_id,
                "party": key.party,
                "use": str(file.use),
                "algorithm": key.public.algorithm,
                "public": key.public.raw.hex(),
                "valid_from": key.valid_from.isoformat(),
                "valid_until": key.valid_until.isoformat(),
                "revoked": str(key.revoked.reason) if key.revoked else None,
                "file": str(path),
            }
        )
        return
    code = code_of(key.party)
    if key.revoked is not None:
        print_line("revoked", f"{file.use} key of {code}, {key.revoked.reason}", style="bold yellow")
        after = "to a holder of the registry, who proposes it (`propose --revoked`)"
    else:
        print_line(
            "good", f"{file.use} key of {code}, valid until {key.valid_until:%Y-%m-%d}", style="bold green"
        )
        after = _NEXT[file.use]
    print_line("key", key.key_id)
    print_line("send", f"{path} {after}")


def _registered(home: Home | None) -> dict[str, bool] | None:
    """The ids of the keys that the registry has, and whether each counts; None when no registry can be read."""
    current = _readable(home)
    if current is None:
        return None
    found = {key.key_id: key.revoked is None for key in current.parties.all_keys()}
    return found | dict.fromkeys(current.root.keys, True)


def _signing(home: Home) -> frozenset[str]:
    """The ids of the keys that the registry itself is signed with."""
    current = _readable(home)
    return frozenset(current.root.keys) if current is not None else frozenset()


def _readable(home: Home | None) -> Published | None:
    try:
        return current_registry(home) if home is not None else None
    except SluiceError:  # `registry show` says what is wrong with it
        return None


def _known(own: OwnKey, registered: dict[str, bool] | None) -> str:
    if registered is None:
        return ""
    return {True: "has it", False: "revoked", None: "not yet"}[registered.get(own.key_id)]


def _stands(own: OwnKey, now: datetime) -> str:
    if own.ended is not None:
        return f"revoked: {own.reason}"
    return "expired" if now >= own.valid_until else "valid" if now >= own.valid_from else "not yet"


def _as_json(own: OwnKey, party: str, use: KeyUse, registered: dict[str, bool] | None) -> dict[str, Any]:
    return {
        "id": own.key_id,
        "party": party,
        "use": str(use),
        "algorithm": own.public.algorithm,
        "public": own.public.raw.hex(),
        "valid_from": own.valid_from.isoformat(),
        "valid_until": own.valid_until.isoformat(),
        "replaces": own.replaces,
        "revoked": str(own.reason) if own.reason else None,
        "revoked_at": own.ended.isoformat() if own.ended else None,
        "registered": None if registered is None else own.key_id in registered,
    }
