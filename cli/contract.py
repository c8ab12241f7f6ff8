"""`sluice contract`: what a contract says, and what's wrong with it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import err, print_json, print_line, problem_json
from contracts.model import Contract
from contracts.problems import MALFORMED, UNSHAREABLE
from contracts.regimes.thresholds import DEFAULT, load_thresholds
from contracts.sharing import check_shareable
from core.clock import utc_now
from core.errors import ExitCode, UsageError
from core.settings import Settings

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
    lacks: valid, but without something that sharing needs, or against a rule of the land; `unshareable` in JSON.
    note: can be shared, and people should look at it.
    Terms that stand beside a file (NAME.terms.yaml for NAME.odcs.yaml) are read with it: they say where its data goes.
    The rules of the land are asked as far as files tell; what only data tells (who goes abroad, which risk is left), and
    whether both parties signed, each door asks. The exit code is 0 only when every file can be shared.

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
    now, own = utc_now(), Settings.from_env().thresholds
    thresholds = load_thresholds(own) if own is not None else DEFAULT
    for file in files:
        found = check_shareable(file, at=now, thresholds=thresholds)
        malformed = any(problem.kind == MALFORMED for problem in found.problems)
        results.append(
            {
                "file": str(file),
                "ok": found.ok,
                "valid": not malformed,
                "terms": str(found.sheet) if found.sheet else None,
                "findings": [problem_json(problem) for problem in found.problems],
                "warnings": [problem_json(problem) for problem in found.warnings],
            }
        )
        if json:
            continue
        for problem in found.problems:
            label, style = _LABELS[problem.kind]
            print_line(label, str(problem), style=style)
        for problem in found.warnings:
            print_line("note", str(problem), style="yellow")
        if found.ok and found.contract:
            print_line("good", f"{file}: {_in_short(found.contract, now)}", style="bold green")
        elif not malformed:
            print_line("valid", f"{file}: can't be shared before it has what it lacks.", style="dim")
    if json:
        print_json(results)
    count = sum(len(result["findings"]) for result in results)
    if count:
        if not json:
            err.print(f"{_counted(count, 'problem')}; a contract with one is not run.")
        raise typer.Exit(ExitCode.REFUSED)


def _in_short(contract: Contract, now: datetime) -> str:
    checks = sum(len(table.checks) for table in contract.tables)
    text = f"{contract.id} {contract.version}, {_counted(len(contract.tables), 'table')}, {_counted(checks, 'check')}"
    term, today = contract.term, now.date()
    if today in term:
        return text
    return f"{text}; its term {'begins' if today < term.start else 'ended'} {min(max(today, term.start), term.end)}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
