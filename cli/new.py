"""`sluice contract new`: a first draft of a contract and its term sheet from a dataset's schema, with what is still to decide."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cli.output import print_json, print_line, program
from connectors.glance import data_files, delimiter_of, format_of, glance, suffix_of
from contracts.agreement.values import Grade, territory, token
from contracts.agreement.vocabulary import Door
from contracts.declared import Basis
from contracts.drafts.proposed import propose
from contracts.drafts.seen import SeenData
from contracts.drafts.text import Answers, contract_text, sheet_text
from contracts.fileserver import PLACEHOLDER
from contracts.model import TableKind
from contracts.problems import Problem
from contracts.reading import iso_date
from contracts.sharing import check_shareable, sheet_of
from core.clock import utc_now
from core.errors import ContractError, UsageError
from core.files import write_whole

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_SUFFIX = ".odcs.yaml"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """What the author must still decide. where: a place in the contract or the sheet; empty for the draft as a whole."""

    where: str
    what: str
    remedy: str


@app.callback()
def root() -> None:
    """Keeps `new` a command of its own; the help is above."""


@app.command("new")
def new(
    data: Annotated[
        Path,
        typer.Option(
            "--from", help="The data: a file (Parquet, CSV, JSON Lines), or a folder with one for each table."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Where the contract goes. Default: <id>.odcs.yaml, here."),
    ] = None,
    contract_id: Annotated[str, typer.Option("--id", help="The contract's id.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Whose data it is.")] = "",
    recipient: Annotated[str, typer.Option("--recipient", help="Who gets it.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="What for, in a sentence.")] = "",
    use: Annotated[
        list[str] | None, typer.Option("--use", help="What for, as a word: demand-forecast.")
    ] = None,
    start: Annotated[str, typer.Option("--start", help="First day, as 2026-01-01.")] = "",
    end: Annotated[str, typer.Option("--end", help="Last day.")] = "",
    k: Annotated[int, typer.Option("--k", min=2, help="Fewest persons in a class or a cell.")] = 5,
    l_distinct: Annotated[
        int | None, typer.Option("--l", min=1, help="Fewest sensitive values in a class.")
    ] = None,
    door: Annotated[
        list[Door] | None, typer.Option("--door", help="A door to open. Default: release.")
    ] = None,
    place: Annotated[list[str] | None, typer.Option("--territory", help="Where it may be used: CN.")] = None,
    grade: Annotated[
        list[Grade] | None, typer.Option("--grade", help="A grade of firm that may get it.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="The column that tells whose a row is.")] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="TABLE=subjects, facts, reference or none (leaves it out)."),
    ] = None,
    basis: Annotated[
        Basis | None, typer.Option("--basis", help="Why persons' data may be processed.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", help="Whose ids the unit holds.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask: what isn't given stays open.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing.")] = False,
) -> None:
    """Draft a contract from a dataset, and its term sheet beside it: roles, transforms, grades, each with a reason.

    Only names, types and how values are spread are looked at; no value gets into the draft. It's cautious: what might
    identify a person is dropped, what can't be judged stays out, until you say otherwise.

    `ok` in JSON: nothing is left to decide, and the contract can be shared as it is.

    \b
    Examples:
      sluice contract new --from data/orders.parquet
      sluice contract new demand.odcs.yaml --from data --recipient small-firm --yes
      sluice contract new --from data --unit member --kind goods=reference --kind log=none
    """
    files = data_files(data)
    given = Answers(
        id=contract_id,
        tenant=tenant or None,
        recipient=recipient or None,
        purpose=purpose or None,
        uses=tuple(_checked(use, token, "a use", "Write a word of ASCII letters, digits and hyphens.")),
        start=_day(start, "--start"),
        end=_day(end, "--end"),
        k=k,
        l=l_distinct,
        doors=tuple(dict.fromkeys(str(each) for each in door or [Door.RELEASE])),
        territories=tuple(_checked(place, territory, "a territory", "Write an ISO 3166 code, such as CN.")),
        grades=tuple(str(each) for each in grade or ()),
        basis=basis,
        namespace=namespace or None,
    )
    default_id = contract_id or _id_of(file) or _id_of(data)
    answers = replace(given, id=default_id) if yes or json else _ask(given, default_id)
    if answers.start and answers.end and answers.start > answers.end:
        raise UsageError("The term ends before it begins.", remedy="Swap --start and --end.")
    target = file or Path(f"{answers.id}{_SUFFIX}")
    sheet = sheet_of(target)
    for path in (target, sheet):
        if path.exists() and not force:
            raise UsageError(
                "There is a file already.", where=str(path), remedy="Name another one, or give --force."
            )
    seen = _seen(data, files, target)
    _known(unit, [column.name for table in seen.tables for column in table.columns])
    proposed = propose(
        seen.tables, unit=unit or None, kinds=_kinds(kind, [each.name for each in seen.tables])
    )
    if not proposed.tables:
        raise ContractError(
            "No table of this data can be proposed for a contract.",
            where=str(data),
            remedy=" ".join(proposed.decide) or "Leave in one table.",
        )
    _write(target, contract_text(answers, proposed, seen))
    _write(sheet, sheet_text(answers, proposed))
    checked = check_shareable(target, at=utc_now())
    open_points = [
        *(_Finding(where="", what=each, remedy="") for each in proposed.decide),
        *(
            _Finding(where=_place(each, target), what=each.what, remedy=each.remedy)
            for each in checked.problems
        ),
    ]
    if json:
        print_json(
            {
                "contract": str(target),
                "terms": str(sheet),
                "ok": checked.ok,
                "unit": proposed.unit,
                "tables": [
                    {
                        "name": table.name,
                        "kind": str(table.kind),
                        "columns": [
                            {"name": each.name, "role": str(each.role), "why": each.why}
                            for each in table.columns
                        ],
                    }
                    for table in proposed.tables
                ],
                "decide": [
                    {"where": each.where, "what": each.what, "remedy": each.remedy} for each in open_points
                ],
            }
        )
        return
    print_line("contract", str(target), style="bold green")
    print_line("terms", str(sheet), style="bold green")
    for table in proposed.tables:
        print_line("table", f"{table.name}: {table.kind}, {table.why}")
    for each in open_points:
        print_line("decide", f"{each.where + ': ' if each.where else ''}{each.what} {each.remedy}".rstrip(), style="bold yellow")  # fmt: skip
    print_line("next", f"read both files, then `{program()} contract check {target}`")


def _ask(given: Answers, default_id: str) -> Answers:
    """The same with what nobody has given yet, asked one by one; an empty answer leaves it open."""
    today = utc_now().date()
    return replace(
        given,
        id=given.id or _prompt("The contract's id", default_id),
        tenant=given.tenant or _prompt("Whose data is it"),
        recipient=given.recipient or _prompt("Who gets it"),
        purpose=given.purpose or _prompt("What do they need it for, in a sentence"),
        uses=given.uses or _split("And in a word or two (demand-forecast)", token),
        start=given.start or _date("First day", today),
        end=given.end or _date("Last day", today + timedelta(days=365)),
        territories=given.territories or _split("Where may it be used", territory, "CN"),
        grades=given.grades or _split(f"Firms of which grades ({', '.join(Grade)})", _grade, "SME"),
    )


def _prompt(question: str, default: str = "") -> str:
    said = typer.prompt(question, default=default, err=True, show_default=bool(default))
    return str(said).strip()


def _split(question: str, read: Callable[[object], object], default: str = "") -> tuple[str, ...]:
    while True:
        words = tuple(_prompt(question, default).replace(",", " ").split())
        if all(read(word) is not None for word in words):
            return words
        typer.echo("That isn't one of those; an empty answer leaves it open.", err=True)


def _date(question: str, default: date) -> date | None:
    while True:
        said = _prompt(question, str(default))
        day = iso_date(said)
        if day is not None or not said:
            return day
        typer.echo("Write a day as 2026-12-31.", err=True)


def _grade(word: object) -> str | None:
    return str(word) if word in Grade._value2member_map_ else None


def _checked(given: Sequence[str] | None, read: Callable[[object], T | None], what: str, remedy: str) -> Sequence[str]:  # fmt: skip
    for each in given or ():
        if read(each) is None:
            raise UsageError(f"`{each}` isn't {what}.", remedy=remedy)
    return given or ()


def _day(text: str, option: str) -> date | None:
    if text and iso_date(text) is None:
        raise UsageError(f"{option} isn't a day.", remedy="Write it as 2026-12-31.")
    return iso_date(text)


def _kinds(given: Sequence[str] | None, tables: Sequence[str]) -> dict[str, TableKind | None]:
    kinds: dict[str, TableKind | None] = {}
    for each in given or ():
        name, _, kind = each.rpartition("=")
        if kind != "none" and kind not in TableKind._value2member_map_:
            raise UsageError(
                f"--kind {each} isn't a table and its kind.",
                remedy="Write TABLE=subjects, facts, reference or none.",
            )
        _known(name, tables)
        kinds[name] = None if kind == "none" else TableKind(kind)
    return kinds


def _known(name: str, names: Sequence[str]) -> None:
    if name and name not in names:
        raise UsageError(f"There is no `{name}` in this data.", remedy=f"There are: {', '.join(sorted(set(names))[:20])}.")  # fmt: skip


def _id_of(path: Path | None) -> str:
    """A file's or a folder's name as a contract's id."""
    if path is None:
        return ""
    name = path.resolve().name
    name = name.removesuffix(_SUFFIX) if name.endswith(_SUFFIX) else name[: len(name) - len(suffix_of(path))]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return plain or "contract"


def _seen(data: Path, files: Sequence[Path], target: Path) -> SeenData:
    """The dataset at a glance, and the server entry that reads it, from the contract's folder on."""
    formats = {format_of(each) for each in files}
    delimiters = {delimiter_of(each) for each in files}
    if len(formats) > 1 or len(delimiters) > 1:
        raise UsageError(
            "The files are of several formats, and a contract has one source.",
            where=str(data),
            remedy="Name one file with --from, or a folder with files of one format.",
        )
    suffixes = {each.name[-len(suffix_of(each)) :] for each in files}
    start = target.resolve().parent
    if data.is_file():
        path = os.path.relpath(data.resolve(), start)
    else:
        tail = suffixes.pop() if len(suffixes) == 1 else ".*"
        path = f"{os.path.relpath(data.resolve(), start)}/{PLACEHOLDER}{tail}"
    kind = format_of(files[0])
    tabs = kind == "csv" and ".tsv" in suffix_of(files[0])
    return SeenData(
        tables=tuple(glance(each) for each in files),
        path=Path(path).as_posix(),
        format="tsv" if tabs else kind,
        delimiter={"\t": "tab"}.get(found := delimiters.pop() or "", found) or None,
    )


def _place(problem: Problem, target: Path) -> str:
    if problem.path == target:
        return problem.where
    return f"{problem.path.name}:{problem.line}" if problem.line else problem.path.name


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(
            f"The draft can't be written ({error.strerror}).", where=str(path), remedy="Name another place."
        ) from None
