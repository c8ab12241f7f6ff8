"""`sluice contract`: what a contract says, and what's wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import err, print_json, print_line, problem_json
from contracts.decide import Deny, decide
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.problems import Problem
from core.clock import utc_now
from core.errors import ContractError, ExitCode, UsageError

app = typer.Typer(
    help="Read contracts: facts of the data, limits of its use.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


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
    for file in files:  # before any is read: a list with a wrong name in it isn't the list that was meant
        if not file.exists() or file.is_dir():
            what = f"{file} is a folder." if file.is_dir() else f"There is no contract file {file}."
            raise UsageError(what, remedy="Check the path, or give the files in it: FOLDER/*.odcs.yaml.")
    results: list[dict[str, Any]] = []
    for file in files:
        contract, problems = _read(file)
        denied = decide(contract, at=utc_now()) if contract else None
        reason = denied.reason if isinstance(denied, Deny) else None
        results.append(
            {
                "file": str(file),
                "ok": contract is not None,
                "in_force": reason is None if contract else None,
                "not_in_force": reason,
                "problems": [problem_json(problem) for problem in problems],
            }
        )
        if json:
            continue
        for problem in problems:
            print_line("refused", str(problem), style="bold red")
        if contract:
            print_line("good", f"{file}: {_in_short(contract, reason)}", style="bold green")
    if json:
        print_json(results)
    count = sum(len(result["problems"]) for result in results)
    if count:
        if not json:
            err.print(f"{_counted(count, 'problem')}; a contract with one is not run.")
        raise typer.Exit(ExitCode.REFUSED)


def _read(file: Path) -> tuple[Contract | None, tuple[Problem, ...]]:
    """The contract, or its problems. Read once: the file may be a pipe."""
    try:
        return load_contract(file), ()
    except ContractError as error:
        problems: Any = error.facts["problems"]
        return None, problems


def _in_short(contract: Contract, not_in_force: str | None) -> str:
    checks = sum(len(table.checks) for table in contract.tables)
    text = f"{contract.id} {contract.version}, {_counted(len(contract.tables), 'table')}, {_counted(checks, 'check')}"
    return f"{text}; not in force: {not_in_force}" if not_in_force else text


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
