"""`sluice audit`: what was done, and whether the log of it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import out, print_json
from pipeline.attest import attest
from pipeline.home import Home

app = typer.Typer(help="Read the ledger and check it.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def log(
    limit: Annotated[int, typer.Option(min=1, help="Newest entries to show.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the events whole, as JSON.")] = False,
) -> None:
    """Show the newest entries of the ledger, oldest first.

    \b
    Examples:
      sluice audit log
      sluice audit log --limit 1000 --json
    """
    ledger = Home.open(create=False).ledger
    entries = list(ledger.entries(start=max(0, ledger.size - limit)))
    if json:
        print_json([{"index": entry.index, "leaf_hash": entry.leaf_hash, "event": entry.event} for entry in entries])
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("#", justify="right")
    for name in ("time", "event", "contract", "subject"):
        shown.add_column(name)
    for entry in entries:
        facet = entry.event["run"]["facets"]["sluice"]
        contract = facet.get("contract") or {}
        shown.add_row(
            str(entry.index),
            entry.event["eventTime"][:19].replace("T", " "),
            facet["kind"],
            escape(str(contract.get("id", ""))),
            escape(facet["subject"]),
        )
    out.print(shown)


@app.command()
def verify(
    kept: Annotated[
        list[Path] | None, typer.Option("--kept", help="A checkpoint that you saved earlier; may be repeated.")
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write the newest checkpoint here, to keep.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The hall's verifier key, as you got it from the hall at the start.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every entry, every signature, and every published file against the ledger.

    Keep a checkpoint where the hall can't reach it (--save): only that shows a whole ledger put back from a copy.

    \b
    Examples:
      sluice audit verify
      sluice audit verify --save today.checkpoint
      sluice audit verify --kept today.checkpoint --key "$(cat hall.vkey)"
    """
    home = Home.open(create=False)
    found = attest(home, kept=[path.read_text(encoding="utf-8") for path in kept or ()], key=key)
    if save is not None:
        save.write_text(home.ledger.checkpoint() or "", encoding="utf-8")
    if json:
        print_json(found.as_json())
        return
    out.print(f"[bold green]holds[/]  {found.entries} entries, {found.checkpoints} signed checkpoints")
    out.print(f"       {found.releases} releases, {found.files} published files as the ledger says")
    out.print(f"       tree {found.root}")
    out.print(f"       key  {escape(found.key)}")
