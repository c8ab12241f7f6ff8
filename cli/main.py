"""The `sluice` command."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cli.output import err, print_error
from core.errors import ExitCode, InternalError, SluiceError, UsageError

# Command -> module that defines `app`, imported when the command is called: `sluice contract check` shouldn't pay for
# the start of DuckDB, and `sluice demo` not for Great Expectations.
COMMANDS = {
    "demo": "cli.demo",
    "up": "cli.up",
    "contract": "cli.contract",
    "privacy": "cli.privacy",
    "party": "cli.party",
    "run": "cli.run",
    "catalog": "cli.catalog",
    "quarantine": "cli.quarantine",
    "tokens": "cli.tokens",
    "audit": "cli.audit",
    "housekeeping": "cli.housekeeping",
}
# The commands of a group that lie in a module of their own, for the same reason.
ELSEWHERE = {
    "contract": {"new": "cli.new", "diff": "cli.compare"}
    | dict.fromkeys(
        (
            "offer",
            "request",
            "counter",
            "take",
            "sign",
            "show",
            "list",
            "verify",
            "suspend",
            "resume",
            "terminate",
        ),
        "cli.agree",
    ),
}

HELP = """Put platform data into circulation without giving it away.

\b
Examples:
  sluice demo                                   the whole route, run by Airflow
  sluice contract check my-data.odcs.yaml       every problem of a contract, with its line
  sluice contract sign their-file.json          come to a contract with another party
  sluice privacy assess members.csv --contract my-data.odcs.yaml
                                                what a file of persons gives away
  sluice run grocery-demand                     the same route without Airflow
  sluice catalog list --json                    what is published
  sluice quarantine list                        rows that broke a rule
  sluice audit verify                           does the log hold?

\b
State lies under SLUICE_HOME (default: .sluice). Exit codes: 0 done, 1 refused by a
rule, 2 wrong use, 3 something broke.
"""


INTERRUPTED = 130  # 128 + SIGINT, as shells say it

# What the parser raises for a bad option, argument or value. Typer brings its own copy of Click since 0.26 and used the
# package before; either way it's the base of the one such error that Typer itself names.
WrongUse: Any = typer.BadParameter.__base__


class Lazy(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands' names, in the order of the route."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called `cmd_name`, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = typer.main.get_command(importlib.import_module(module).app)
        command.name = cmd_name
        if cmd_name in ELSEWHERE:
            command = _extended(command, ELSEWHERE[cmd_name])
        return command


def _extended(group: Any, modules: Mapping[str, str]) -> Any:
    """The group with further commands, each imported when it's asked for."""
    own_list, own_get = group.list_commands, group.get_command

    def list_commands(ctx: Any) -> list[str]:
        return [*own_list(ctx), *modules]

    def get_command(ctx: Any, name: str) -> Any:
        if name not in modules:
            return own_get(ctx, name)
        app = importlib.import_module(modules[name]).app
        return typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # a group, it has several

    group.list_commands, group.get_command = list_commands, get_command
    return group


app = typer.Typer(
    cls=Lazy,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Where the options of all commands would stand; the help is above."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. `arguments`: without the program's name (default: sys.argv's)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        # Standing alone, Typer tells wrong use itself, as text on standard error: right for people. A program that asked
        # for JSON must find JSON, so there it hands the error (or the exit code) to us.
        code = app(args=words, prog_name="sluice", standalone_mode=not as_json)
        return _ended(code if isinstance(code, int) else ExitCode.DONE)
    except (
        SystemExit
    ) as stop:  # how Typer ends: 0, 2 for wrong use, 130 for Ctrl-C, or what a command exits with
        return _ended(stop.code if isinstance(stop.code, int) else ExitCode.DONE)
    except WrongUse as error:
        command = error.ctx.command_path if error.ctx else "sluice"
        print_error(
            UsageError(error.format_message(), where=command, remedy=f"See `{command} --help`."),
            as_json=as_json,
        )
        return ExitCode.USAGE
    except SluiceError as error:
        print_error(error, as_json=as_json)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 (the outermost frame; a library's text may hold a value, so only its place is told)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        print_error(
            InternalError(
                f"Something broke that Sluice did not foresee ({type(error).__name__}).",
                where=f"{frame.filename}:{frame.lineno}",
                remedy="Report it with this line; nothing half-done was published.",
            ),
            as_json=as_json,
        )
        return ExitCode.FAULT


def _ended(code: int) -> int:
    if code == INTERRUPTED:
        err.print("stopped")
    return code


if __name__ == "__main__":
    sys.exit(main())
