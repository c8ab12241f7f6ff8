"""`sluice contract`: what a contract says, and what's wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import err, print_json, print_line, problem_json
from contracts.decide import Deny, decide
from contracts.model import Contract
from contracts.odcs import load_contract
from contracts.problems import MALFORMED, UNSHAREABLE, Problem
from core.clock import utc_now
from core.errors import ContractError, ExitCode, UsageError

_LABELS = {MALFORMED: ("malformed", "bold red"), UNSHAREABLE: ("lacks", "bold yellow")}

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
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ODCS v3 files.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what keeps contract files from being shared: file, line, what, and what to do about it.

    \b
    malformed: not valid for the version of the Open Data Contract Standard that the file claims (v3.0.0 to v3.2.0).
    lacks: valid, but without something that sharing needs; `unshareable` in JSON.
    The exit code is 0 only when every file can be shared.

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
        malformed = sum(problem.kind == MALFORMED for problem in problems)
        results.append(
            {
                "file": str(file),
                "ok": contract is not None,
                "valid": malformed == 0,
                "in_force": reason is None if contract else None,
                "not_in_force": reason,
                "findings": [problem_json(problem) for problem in problems],
            }
        )
        if json:
            continue
        for problem in problems:
            label, style = _LABELS[problem.kind]
            print_line(label, str(problem), style=style)
        if contract:
            print_line("good", f"{file}: {_in_short(contract, reason)}", style="bold green")
        elif not malformed:
            print_line("valid", f"{file}: can't be shared before it has what it lacks.", style="dim")
    if json:
        print_json(results)
    count = sum(len(result["findings"]) for result in results)
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
