"""Writes the parts of docs/ that the code can say by itself: commands, exit codes, errors, and the facts of each event.

Usage: python scripts/reference.py   (in the environment of `make dev`)

Such a part stands between two lines, `<!-- NAME: from the code, by scripts/reference.py -->` and `<!-- end of NAME -->`;
all else on the page is written by hand and left as it is. A test fails while a part isn't what this would write.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit.events import FACTS
from cli.main import INTERRUPTED, app
from core import errors

ROOT = Path(__file__).resolve().parent.parent
REMEDY = "Run `python scripts/reference.py` with the environment's Python."
_WIDTH = 100
_PART = re.compile(
    r"<!-- (?P<name>[\w. ]+): from the code, by scripts/reference\.py -->\n.*?<!-- end of (?P=name) -->\n",
    re.DOTALL,
)


class PageError(Exception):
    """A page has no place for a part, or one for a part that the code doesn't have."""


def parts() -> dict[str, dict[str, str]]:
    """Every page with parts of the code's, by its path under ROOT: each part's name and text."""
    return {
        "docs/commands.md": {"commands": _commands(), "exit codes": _exit_codes(), "errors": _errors()},
        "docs/events.md": {kind.value: _facts(facts) for kind, facts in FACTS.items()},
    }


def rewritten(page: str, text: str, wanted: Mapping[str, str]) -> str:
    """The page's text with all its parts as they should be. Raises PageError when a part's place is missing, or too many."""
    found = [match["name"] for match in _PART.finditer(text)]
    if sorted(found) != sorted(wanted):
        missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        raise PageError(
            f"{page}: no place for {missing}, places for nothing {unknown}, "
            f"places that stand twice {sorted({name for name in found if found.count(name) > 1})}. "
            f"Give each part one place, in a section that says by hand what it is:\n{_framed('NAME', '')}"
        )
    return _PART.sub(lambda match: _framed(match["name"], wanted[match["name"]]), text)


def _framed(name: str, text: str) -> str:
    return f"<!-- {name}: from the code, by scripts/reference.py -->\n\n{text}\n<!-- end of {name} -->\n"


def command_tree() -> dict[str, Any]:
    """Every command of `sluice` that is shown, groups included, by its words ("sluice catalog list"), in order."""
    return {path: context.command for path, context in _walk(typer.main.get_command(app), "sluice", None)}


def _walk(command: Any, name: str, parent: Any) -> Iterator[tuple[str, Any]]:
    context = command.context_class(command, info_name=name, parent=parent, terminal_width=_WIDTH)
    yield context.command_path, context
    for each in command.list_commands(context) if hasattr(command, "list_commands") else ():
        child = command.get_command(context, each)
        if not child.hidden:
            yield from _walk(child, each, context)


def _commands() -> str:
    """Each command's `--help`, whole: its arguments, options, defaults and examples."""
    every = list(_walk(typer.main.get_command(app), "sluice", None))
    listed = [
        f"| [`{path}`](#{path.replace(' ', '-')}) | {_first_sentence(context.command.help)} |"
        for path, context in every
    ]
    lines = ["| command | what it does |", "| --- | --- |", *listed]
    for path, context in every:
        lines += ["", f"### {path}", ""]
        lines += [f"    {line}".rstrip() for line in context.command.get_help(context).splitlines()]
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    paragraph = " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0]


def _exit_codes() -> str:
    """What the comment beside each code says."""
    source = inspect.getsource(errors.ExitCode)
    said = dict(re.findall(r"^    ([A-Z]+) = \d+  # (.+)$", source, re.MULTILINE))
    rows = [f"| {code.value} | {said.get(code.name, code.name.lower())} |" for code in errors.ExitCode]
    rows.append(f"| {INTERRUPTED} | stopped by Ctrl-C |")
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows]) + "\n"


def _errors() -> str:
    rows = [
        f"| `{kind.__name__}` | {kind.exit_code.value} | {_first_sentence(kind.__doc__ or '')} |"
        for kind in _families(errors.SluiceError)
    ]
    return "\n".join(["| error | code | what it says |", "| --- | --- | --- |", *rows]) + "\n"


def _families(root: type[errors.SluiceError]) -> list[type[errors.SluiceError]]:
    return [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]


def _facts(facts: Mapping[str, Any]) -> str:
    rows = [
        f"| `{name}` | {fact.type.label} | {'yes' if fact.needed else 'no'} | {fact.meaning} |"
        for name, fact in facts.items()
    ]
    return "\n".join(["| fact | type | needed | meaning |", "| --- | --- | --- | --- |", *rows]) + "\n"


def main() -> int:
    """Rewrites the pages that aren't as the code says. Returns 1 when one has no place for a part."""
    for page, wanted in parts().items():
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        try:
            new = rewritten(page, text, wanted)
        except PageError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"written: {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
