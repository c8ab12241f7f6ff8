"""`sluice party registry`: whose key is whose, agreed among several holders. Everything travels as files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.layout import Column, printable
from cli.output import out, print_grid, print_json, print_line, program
from contracts.agreement.codes import code_of
from contracts.parties.model import Parties, PartyKey
from contracts.parties.proposal import Proposal, lacking
from contracts.parties.registry import Published
from core.digest import sha256_hex
from core.errors import ExitCode, UsageError
from core.files import write_whole
from pipeline.agreements import parties
from pipeline.agreements.change import Change, holders_of_root, read_change
from pipeline.agreements.keyfile import SHORT_ID, KeyFile
from pipeline.agreements.told import in_words, proposed_version, revocation_in_words
from pipeline.agreements.trusting import current_registry, needed_registry
from pipeline.agreements.trusting import trust as trust_folder
from pipeline.home import Home

app = typer.Typer(
    help="Whose key is whose: records that several holders sign, none alone.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

File = Annotated[Path, typer.Argument(metavar="PROPOSAL", help="The proposal file.")]
Out = Annotated[Path | None, typer.Option("--out", help="Put the proposal here.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_PUBLIC = 0o644


@app.command()
def found(
    change: Annotated[
        Path, typer.Argument(metavar="FOUNDERS", help="Holders, hall and parties, a YAML file.")
    ],
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Propose the first version of a registry: a file that its holders sign in turn.

    \b
    FOUNDERS says who holds it; each file is what `sluice party key create` wrote:
      holders: [one-registry-1a2b3c4d.json, two-registry-5e6f7a8b.json]
      threshold: 2
      hall: one-online-9c0d1e2f.json
      parties:
        - code: 91310000100000002D
          name: A Grocer Ltd.
          beneficialOwner: A Holding
          grade: Platform          SME, LittleGiant, SingleChampion,
                                   AIOnePersonCompany, Platform, Auditor
          keys: [one-contracts-3a4b5c6d.json]

    \b
    Example:
      sluice party registry found founders.yaml
    """
    wanted = read_change(change)
    home = Home.open()
    _written(home, parties.found(home, wanted), out_file, as_json=json)


@app.command()
def propose(
    change: Annotated[
        Path | None, typer.Argument(metavar="CHANGE", help="What changes, a YAML file as for `found`.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="Add this key of a registered party (its public file)."),
    ] = None,
    revoked: Annotated[
        list[Path] | None,
        typer.Option("--revoked", help="Register that this key ended (the file of `key revoke`)."),
    ] = None,
    renew_root: Annotated[
        bool, typer.Option("--renew-root", help="Have the same holders stay for another year.")
    ] = False,
    out_file: Out = None,
    json: Json = False,
) -> None:
    """Propose the registry's next version. Without a change, the same records for another 90 days.

    Keys and firms are added, and keys revoked; nothing is ever taken away, so that what was signed stays provable.

    \b
    Examples:
      sluice party registry propose --key new-key.json --revoked old-key.json
      sluice party registry propose new-firm.yaml
      sluice party registry propose --renew-root
    """
    added = [KeyFile.load(path) for path in key or ()]
    ended = [KeyFile.load(path) for path in revoked or ()]
    wanted = read_change(change) if change is not None else Change()
    home = Home.open(create=False)
    proposal = parties.propose(home, wanted.with_files(added, ended), renew_root=renew_root)
    _written(home, proposal, out_file, as_json=json)


@app.command()
def sign(
    file: File,
    who: Annotated[
        str, typer.Option("--as", help="Which holder you are, by code, where this hall holds several.")
    ] = "",
    out_file: Out = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Countersign a proposal with this hall's registry key. What would change is shown before.

    The signature is put into the file, which then goes to the next holder, or to the hall that publishes it.

    \b
    Examples:
      sluice party registry sign registry-2.proposal.json
      sluice party registry sign next.json --as 91310000100000002D --yes
    """
    home = Home.open(create=False)
    proposal, current = parties.load_proposal(file), current_registry(home)
    (signer, *_) = parties.signers_for(home, proposal, current, who)
    if not yes and not json:
        _print_words(proposal, current)
        if not typer.confirm(f"Sign this as {signer.own.party}?", err=True):
            raise typer.Exit(ExitCode.REFUSED)
    signed = parties.countersign(home, proposal, signer.own.party)
    _written(home, signed, out_file or file, as_json=json, shown=not yes)


@app.command()
def publish(file: File, json: Json = False) -> None:
    """Publish a proposal that enough holders signed, into SLUICE_REGISTRY: in the hall that holds the online key.

    \b
    Example:
      sluice party registry publish registry-2.proposal.json
    """
    home = Home.open(create=False)
    published = parties.publish(home, parties.load_proposal(file))
    _print_published("published", home, published, as_json=json)
    if json:
        return
    print_line("send", f"{home.settings.registry} to every party, whole")
    if published.targets.version == 1:
        trust_it = f"`{program()} party registry trust FOLDER --root-digest ...`"
        print_line("then", f"tell them the root's digest another way; they run {trust_it}")


@app.command()
def renew(json: Json = False) -> None:
    """Say once more that the registry is the newest, for another week. `sluice housekeeping` does it in time.

    \b
    Example:
      sluice party registry renew
    """
    home = Home.open(create=False)
    _print_published("renewed", home, parties.renew(home), as_json=json)


@app.command()
def show(json: Json = False) -> None:
    """Show the registry that this hall trusts: holders, firms, their grades and keys.

    \b
    Examples:
      sluice party registry show
      sluice party registry show --json
    """
    home = Home.open(create=False)
    current = needed_registry(home)
    now = home.clock()
    if json:
        print_json(_as_json(current, now))
        return
    fresh = now < current.expires
    style = "dim" if fresh else "bold red"
    print_line("version", f"{current.targets.version}, its root version {current.root.version}")
    print_line("root", f"sha256 {current.known.root_digest}")
    print_line(
        "until" if fresh else "expired",
        _when(current.expires) + ("" if fresh else _ended(current)),
        style=style,
    )
    holders = holders_of_root(current.root)
    print_line(
        "signed",
        f"records until {current.targets.expires:%Y-%m-%d}, holders until {current.root.expires:%Y-%m-%d}",
    )
    print_line("signed by", f"any {holders.threshold} of {len(holders.keys)}:")
    for party in sorted(holders.keys):
        print_line("", printable(_named(party, current.parties)))
    print_line("kept by", printable(_named(holders.hall, current.parties)))
    out.print()
    print_grid(
        [Column("code", whole=True), Column("name"), Column("grade"), Column("owner")],
        [
            [code_of(each.party), each.name, str(each.grade), each.beneficial_owner]
            for each in current.parties.records
        ],
    )
    rows = [
        [key.key_id[:SHORT_ID], code_of(key.party), f"{key.valid_until:%Y-%m-%d}", _stands(key, now)]
        for key in current.parties.all_keys()
    ]
    if rows:
        out.print()
        print_grid(
            [
                Column("key", whole=True),
                Column("party", whole=True),
                Column("until", whole=True),
                Column("stands"),
            ],
            rows,
        )


@app.command()
def trust(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The registry's folder, as it came.")],
    root_digest: Annotated[
        str,
        typer.Option(
            "--root-digest", metavar="SHA256", help="The root's digest, as other parties told you it."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Take a registry's folder into this hall. The first time, its root must have the digest that the parties agreed on.

    Compare the digest by another way than the folder came, such as a call or paper. Later copies need no digest: each
    version is signed by the holders of the one before, and an older one is refused.

    \b
    Examples:
      sluice party registry trust ~/inbox/registry --root-digest 5f1c...
      sluice party registry trust ~/inbox/registry     without it, a later copy
    """
    home = Home.open()
    trust_folder(home, folder, root_digest)
    _print_published("trusted", home, needed_registry(home), as_json=json)


def write_public(path: Path, content: bytes, *, remedy: str) -> None:
    """A file that travels: whole, and readable by others. Raises UsageError when it can't be written."""
    try:
        write_whole(path, content)
        path.chmod(_PUBLIC)
    except OSError as error:
        raise UsageError(
            f"The file can't be written ({error.strerror or type(error).__name__}).",
            where=str(path),
            remedy=f"Name another place with --out. {remedy}".strip(),
        ) from None


def _written(
    home: Home, proposal: Proposal, out_file: Path | None, *, as_json: bool, shown: bool = False
) -> None:
    """Writes a proposal and says what it changes, who signed, and what it lacks. shown: the changes were shown before."""
    current = current_registry(home)
    version = proposed_version(proposal)
    path = out_file or Path(f"registry-{version}.proposal.json")
    signed, short = parties.signed_by(proposal, current), lacking(proposal, current=current)
    words = list(in_words(proposal, current=current))
    write_public(path, proposal.to_bytes(), remedy="Nothing was changed.")
    if as_json:
        print_json(
            {
                "version": version,
                "file": str(path),
                "changes": [{"what": label, "says": said} for label, said in words],
                "signed_by": list(signed),
                "lacks": {
                    role: {"signatures": count, "holders": list(holders)}
                    for role, (count, holders) in short.items()
                },
            }
        )
        return
    if not shown:
        _print_words(proposal, current)
    print_line("signed by", ", ".join(map(code_of, signed)) or "nobody yet")
    if short:
        more = max(count for count, _ in short.values())
        who = sorted({code_of(holder) for _, holders in short.values() for holder in holders})
        print_line("lacks", f"{more} of {', '.join(who)}")
        print_line("send", f"{path} to one of them, who runs `{program()} party registry sign`")
    else:
        print_line("good", "enough holders have signed", style="bold green")
        print_line("send", f"{path} to the hall, which runs `{program()} party registry publish`")


def _print_words(proposal: Proposal, current: Published | None) -> None:
    for label, said in in_words(proposal, current=current):
        print_line(label, printable(said))


def _print_published(done: str, home: Home, published: Published, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "version": published.targets.version,
                "root_version": published.root.version,
                "root_digest": published.known.root_digest,
                "digest": sha256_hex(published.parties_bytes),
                "expires": published.expires.isoformat(),
                "folder": str(home.settings.registry),
            }
        )
        return
    print_line("good", f"{done}: version {published.targets.version}", style="bold green")
    print_line("root", f"sha256 {published.known.root_digest}")
    print_line("until", _when(published.expires))


def _ended(current: Published) -> str:
    if min(current.targets.expires, current.root.expires) <= current.expires:
        return ": its holders must sign it anew (`propose`)"
    return ": bring a copy that the hall has renewed"


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _named(party: str, records: Parties) -> str:
    record = records.get(party)
    return f"{code_of(party)} {record.name}" if record is not None else code_of(party)


def _stands(key: PartyKey, now: datetime) -> str:
    if key.revoked is not None:
        return revocation_in_words(key.revoked)
    return "expired" if now >= key.valid_until else "valid" if now >= key.valid_from else "not yet"


def _as_json(current: Published, now: datetime) -> dict[str, Any]:
    holders = holders_of_root(current.root)
    return {
        "version": current.targets.version,
        "root_version": current.root.version,
        "root_digest": current.known.root_digest,
        "digest": sha256_hex(current.parties_bytes),
        "expires": current.expires.isoformat(),
        "fresh": now < current.expires,
        "records_expire": current.targets.expires.isoformat(),
        "root_expires": current.root.expires.isoformat(),
        "threshold": holders.threshold,
        "holders": [{"party": party, "key": key.key_id} for party, key in sorted(holders.keys.items())],
        "hall": {"party": holders.hall, "key": holders.online.key_id},
        "parties": [
            {
                "party": each.party,
                "name": each.name,
                "beneficial_owner": each.beneficial_owner,
                "grade": str(each.grade),
                "keys": [_key_as_json(key, now) for key in each.keys],
            }
            for each in current.parties.records
        ],
    }


def _key_as_json(key: PartyKey, now: datetime) -> dict[str, Any]:
    revoked = key.revoked
    return {
        "id": key.key_id,
        "algorithm": key.public.algorithm,
        "public": key.public.raw.hex(),
        "valid_from": key.valid_from.isoformat(),
        "valid_until": key.valid_until.isoformat(),
        "valid": revoked is None and key.valid_from <= now < key.valid_until,
        "revoked": revoked
        and {
            "at": revoked.at.isoformat(),
            "reason": str(revoked.reason),
            "last_good": [{"log": good.origin, "size": good.size} for good in revoked.last_good],
        },
    }
