"""`sluice tokens`: for who holds the second key of tokens, and for both holders together, who can open them."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Annotated

import typer

from cli.output import err, print_json, print_line
from contracts.model import Contract
from contracts.protection import Transform
from contracts.shelf import find_contract
from core.errors import UsageError
from core.files import create_whole
from core.settings import Settings
from core.tokenkeys import file_name, make_token_key
from pipeline.agreements.keyfile import read_bounded
from pipeline.home import Home
from pipeline.tokens import open_tokens

HELP = """Tokens that two holders made, and only both can open.

\b
Examples:
  sluice tokens key --contract grocery-demand         by the holder that the contract names
  sluice tokens open found.txt --contract grocery-demand --column orders.buyer_id \\
    --key lent/grocery-demand+notary-office.json --purpose "recall of lot 17" --out buyers.csv
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Ref = Annotated[
    str,
    typer.Option("--contract", help="A contract's file, or the id of a published one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_MAX_BYTES = 64 << 20
_SEND = "lend it to the hall for a run, by SLUICE_TOKEN_KEYS; keep a copy that no one else can read"


@app.command()
def key(
    contract: Ref,
    holder: Annotated[
        str | None, typer.Option("--holder", help="Whose key, where the contract names several holders.")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file (default: CONTRACT+HOLDER.json here).")
    ] = None,
    json: Json = False,
) -> None:
    """Make the second holder's key of one contract, in a file for nobody else. No hall is needed, and none learns of it.

    \b
    Examples:
      sluice tokens key --contract grocery-demand
      sluice tokens key --contract ours.odcs.yaml --holder notary-office --out /safe/key.json
    """
    found = find_contract(contract, Settings.from_env().contracts)
    name = _holder(found, holder)
    path = (out_file or Path(file_name(found.id, name))).expanduser()
    made = make_token_key(path, contract_id=found.id, holder=name)
    if json:
        told = {"contract": found.id, "holder": name, "file": str(path), "fingerprint": made.keys.fingerprint}
        print_json(told)
        return
    print_line("good", f"second key of {name} for contract {found.id}", style="bold green")
    print_line("fingerprint", made.keys.fingerprint)
    print_line("next", f"{path}: {_SEND}")


@app.command("open")
def open_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The tokens, one a line, in hex.")],
    contract: Ref,
    column: Annotated[str, typer.Option("--column", help="The column that they stand in: TABLE.COLUMN.")],
    key: Annotated[Path, typer.Option("--key", help="The second holder's key file.")],
    purpose: Annotated[
        str,
        typer.Option("--purpose", help="Why, in a line without persons' names: the ledger has it for good."),
    ],
    out_file: Annotated[Path, typer.Option("--out", help="The CSV file to make: token, value.")],
    json: Json = False,
) -> None:
    """Open tokens, in the hall that made them and with the other holder's key. The ledger is told first.

    \b
    Example:
      sluice tokens open found.txt --contract grocery-demand --column orders.buyer_id \\
        --key grocery-demand+notary-office.json --purpose "recall of lot 17" --out buyers.csv
    """
    home = Home.open(create=False)
    path = out_file.expanduser().absolute()
    if path.resolve().is_relative_to(home.settings.home.resolve()):
        raise UsageError(
            "Values of persons can't be written into SLUICE_HOME.",
            where=str(path),
            remedy="Name a file elsewhere, best on an encrypted disk.",
        )
    if os.path.lexists(path) or not path.parent.is_dir():
        raise UsageError(
            "Something is there already." if os.path.lexists(path) else "There is no such folder.",
            where=str(path),
            remedy="Name a new file in a folder that is there.",
        )
    found = find_contract(contract, home.settings.contracts)
    tokens = _tokens(file)
    values = open_tokens(home, found, column, tokens, key_file=key.expanduser(), purpose=purpose)
    try:
        with create_whole(path) as draft, draft.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(["token", "value"])
            writer.writerows(zip(map(bytes.hex, tokens), values, strict=True))
    except OSError as error:
        raise UsageError(
            f"The file can't be written ({error.strerror}).", where=str(path), remedy="Name another file."
        ) from None
    err.print("Persons' own ids, for the purpose that the ledger has now. Remove the file when it's served.")
    if json:
        print_json({"file": str(path), "tokens": len(tokens)})
    else:
        print_line("opened", f"{len(tokens):,} tokens of {column}", style="bold yellow")
        print_line("file", str(path))


def _holder(contract: Contract, wanted: str | None) -> str:
    holders = sorted(
        {
            column.treatment.holder
            for table in contract.tables
            for column in table.columns
            if column.transform is Transform.TOKEN and column.treatment and column.treatment.holder
        }
    )
    if wanted in holders or (wanted is None and len(holders) == 1):
        return wanted or holders[0]
    raise UsageError(
        f"Contract {contract.id} names no token holder {wanted}."
        if wanted
        else f"Contract {contract.id} names {'several holders' if holders else 'no holder'} of tokens.",
        where="--holder",
        remedy=f"It names: {', '.join(holders) or 'none'}.",
    )


def _tokens(file: Path) -> list[bytes]:
    """The tokens of a file, in its order. Raises UsageError, which names the line and never what stands there."""
    tokens = []
    for number, line in enumerate(read_bounded(file.expanduser(), _MAX_BYTES).splitlines(), 1):
        try:
            tokens.append(bytes.fromhex(line.decode("ascii").strip()))
        except ValueError:
            raise UsageError(
                "A line holds no token in hex.", where=f"{file}:{number}", remedy="Write one token a line."
            ) from None
    return [token for token in tokens if token]
