"""`sluice audit`: what was done, and whether the log of it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from audit.events import EventKind
from cli.layout import Column
from cli.output import error_json, out, print_grid, print_json
from core.errors import CatalogError, IntegrityError, LedgerError, UsageError
from pipeline.attest import attest
from pipeline.home import Home

app = typer.Typer(
    help="Read the ledger and check it.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


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
        print_json(
            [{"index": entry.index, "leaf_hash": entry.leaf_hash, "event": entry.event} for entry in entries]
        )
        return
    rows = []
    for entry in entries:
        facet = entry.event["run"]["facets"]["sluice"]
        contract, facts = facet.get("contract") or {}, facet.get("facts") or {}
        # A look into the catalog has no subject but its own number; what was looked at tells more.
        read = (
            ", ".join(facts.get("tables") or ["no table"])
            if facet["kind"] == EventKind.CATALOG_READ
            else None
        )
        time = entry.event["eventTime"][:19].replace("T", " ")
        rows.append(
            [str(entry.index), time, facet["kind"], str(contract.get("id", "")), read or facet["subject"]]
        )
    print_grid([Column("#", number=True), *map(Column, ("time", "event", "contract", "subject"))], rows)


@app.command()
def verify(
    kept: Annotated[
        list[Path] | None,
        typer.Option("--kept", help="A checkpoint that you saved earlier; may be repeated."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the newest checkpoint here, to keep.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The hall's verifier key, as you got it from the hall at the start."),
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
    try:
        found = attest(home, kept=[_kept(path) for path in kept or ()], key=key)
    except (LedgerError, IntegrityError, CatalogError) as error:
        if not json:
            raise
        print_json({"holds": False, **error_json(error)})
        raise typer.Exit(error.exit_code) from None
    if save is not None:
        _save(save, home.ledger.checkpoint() or "")
    if json:
        print_json(found.as_json())
        return
    out.print(f"[bold green]holds[/]  {found.entries} ledger entries, each under a signed checkpoint")
    out.print(f"       releases {found.releases}, published files {found.files}: all as the ledger says")
    out.print(f"       tree {found.root}")
    out.print(f"       key  {escape(found.key)}")


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise UsageError(
            "A kept checkpoint can't be read.", where=str(path), remedy="Check the path of --kept."
        ) from None


def _save(path: Path, checkpoint: str) -> None:
    try:
        path.write_text(checkpoint, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The checkpoint can't be saved ({error.strerror}).",
            where=str(path),
            remedy="Check the path of --save.",
        ) from None
