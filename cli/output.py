"""How the command speaks: tables and colours to a terminal, plain lines to a pipe, JSON to a program."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.layout import Column, folded, grid, one_line
from contracts.problems import Problem
from core.errors import SluiceError


class _Plain(Console):
    """A console to which nothing but our own markup says more than letters: texts may be a counterparty's.

    A text is one line, after the empty ones that it begins with.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as rich draws it, made harmless first."""
        line = text.lstrip("\n")
        return super().render_str(text[: len(text) - len(line)] + one_line(line), **options)


out = _Plain(highlight=False, soft_wrap=True, emoji=False)
err = _Plain(stderr=True, highlight=False, soft_wrap=True, emoji=False)

_LABEL = 10
_SEVERAL_LINES = ("\nLINE ", "It last said:\n  ")


def program() -> str:
    """How to call this command from here: `sluice` when the shell finds this one, else the path it was called by."""
    called, found = Path(sys.argv[0]), shutil.which("sluice")
    if called.name != "sluice" or not called.is_file() or (found and Path(found).samefile(called)):
        return "sluice"
    path = called.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def width_of(console: Console) -> int | None:
    """The terminal's width in cells; None when the console speaks to a pipe or a file."""
    return console.width if console.file.isatty() else None


def print_grid(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, style: str = "bold") -> None:
    """A table on standard output."""
    head, body = grid(columns, rows, width=width_of(out))
    for line in head:
        out.print(Text(line, style))
    # Past rich: nothing in it has a style, and ten thousand rows come at once.
    out.file.write("".join(f"{line}\n" for line in body))


def print_line(
    label: str, text: str, *, console: Console = out, indent: str = "", style: str = "dim"
) -> None:
    """`label     text`, on a terminal with the text's further lines under its first. The text may be anybody's."""
    width, text = width_of(console), one_line(text).lstrip(" ")
    lines = [text] if width is None else folded(text, max(width - len(indent) - _LABEL, 20), whole_words=True)
    for number, line in enumerate(lines):
        console.print(f"{indent}[{style}]{'' if number else label:<{_LABEL}}[/]{escape(line)}")


def print_json(value: Any) -> None:
    """One JSON document (RFC 8259) on standard output, readable by people and programs.

    value: of JSON's own types, without NaN; rows go through `cli.values.as_json` first.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal of another script, or a file's name that isn't text
        text = json.dumps(value, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")


def problem_json(problem: Problem) -> dict[str, object]:
    """One problem of a contract file as a JSON value."""
    return {
        "kind": problem.kind,
        "line": problem.line,
        "column": problem.column,
        "where": problem.where,
        "what": problem.what,
        "remedy": problem.remedy,
    }


def error_json(error: SluiceError) -> dict[str, object]:
    """The error as a JSON value. Several problems stand under `problems`, and then `what` only counts them."""
    told: dict[str, object] = {
        "error": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "remedy": error.remedy,
    }
    problems = _problems(error)
    if problems:
        told["what"] = error.what.partition("\n")[0].removesuffix(":") + "."
        told["where"] = error.where or str(problems[0].path)
        told["remedy"] = error.remedy or "Mend each of the problems in the contract file."
        told["problems"] = [problem_json(problem) for problem in problems]
    return told


def print_error(error: SluiceError, *, as_json: bool = False) -> None:
    """What happened, where, and what to do now: on standard error, or as JSON on standard output."""
    if as_json:
        print_json(error_json(error))
        return
    kind, width = type(error).__name__, width_of(err)
    for number, line in enumerate(map(one_line, _lines(error))):
        # The name of the error counts as a word of the first line.
        whole = f"{kind} {line}" if number == 0 else line
        drawn = line.strip(" ^") == "" or line.startswith("LINE ")  # a caret under a place in the SQL
        for place, part in enumerate(
            [whole] if width is None or drawn else folded(whole, width, whole_words=True)
        ):
            first = number == place == 0
            err.print(f"[bold red]{kind}[/]{escape(part.removeprefix(kind))}" if first else escape(part))
    for label, text in (("where", error.where), ("remedy", error.remedy)):
        if text:
            print_line(label, text, console=err, indent="  ")


def _lines(error: SluiceError) -> list[str]:
    """What happened, in the lines it's told in: one, but for problems, a place in the SQL, and what Airflow said."""
    problems = _problems(error)
    if problems:
        return [error.what.partition("\n")[0], *map(str, problems)]
    return error.what.splitlines() if any(each in error.what for each in _SEVERAL_LINES) else [error.what]


def _problems(error: SluiceError) -> list[Problem]:
    found = error.facts.get("problems")
    return [each for each in found if isinstance(each, Problem)] if isinstance(found, tuple | list) else []
