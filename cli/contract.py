"""`sluice contract`: what a contract says, and what's wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.output import err, out, print_json
from contracts.odcs import check_contract, load_contract
from core.errors import ExitCode

app = typer.Typer(help="Read contracts: facts of the data, limits of its use.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def root() -> None:
    """Keeps `check` a command of its own; the help is above."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ODCS v3.1 or v3.2 files.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every problem of contract files: file, line, what, and what to do about it.

    \b
    Examples:
      sluice contract check contracts/published/*.odcs.yaml
      sluice contract check my-data.odcs.yaml --json
    """
    results: list[dict[str, Any]] = []
    for file in files:
        problems = check_contract(file)
        results.append(
            {
                "file": str(file),
                "ok": not problems,
                "problems": [
                    {"line": p.line, "column": p.column, "where": p.where, "what": p.what, "remedy": p.remedy}
                    for p in problems
                ],
            }
        )
        if problems or json:
            for problem in problems if not json else ():
                out.print(f"[bold red]refused[/]  {escape(str(problem))}")
            continue
        contract = load_contract(file)
        checks = sum(len(table.checks) for table in contract.tables)
        out.print(
            f"[bold green]good[/]     {escape(str(file))}: {escape(contract.id)} {escape(contract.version)}, "
            f"{len(contract.tables)} tables, {checks} checks"
        )
    if json:
        print_json(results)
    count = sum(len(result["problems"]) for result in results)
    if count:
        if not json:
            err.print(f"{count} problem{'s' if count > 1 else ''}; a contract with one is not run.")
        raise typer.Exit(ExitCode.REFUSED)
