"""How the command speaks: tables and colours to a terminal, plain lines to a pipe, JSON to a program."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from core.errors import SluiceError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def program() -> str:
    """How to call this command from here: `sluice` when the shell finds this one, else the path it was called by."""
    called, found = Path(sys.argv[0]), shutil.which("sluice")
    if called.name != "sluice" or not called.is_file() or (found and Path(found).samefile(called)):
        return "sluice"
    path = called.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def print_json(value: Any) -> None:
    """One JSON document on standard output, readable by people and programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_error(error: SluiceError, *, as_json: bool = False) -> None:
    """What happened, where, and what to do now: on standard error, or as JSON on standard output."""
    if as_json:
        print_json({"error": type(error).__name__, "what": error.what, "where": error.where, "remedy": error.remedy})
        return
    err.print(f"[bold red]{type(error).__name__}[/] {escape(error.what)}")
    if error.where:
        err.print(f"  [dim]where[/]   {escape(error.where)}")
    if error.remedy:
        err.print(f"  [dim]remedy[/]  {escape(error.remedy)}")
