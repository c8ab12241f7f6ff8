"""`sluice privacy`: what a file of persons gives away, and how it would best be treated; nothing is published or recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.layout import Column
from cli.output import out, print_grid, print_json, print_line
from connectors.single import as_it_is, as_table
from contracts.model import Contract, Table, TableKind
from contracts.odcs import load_contract
from contracts.protection import PrivacyTerms
from contracts.regimes.thresholds import DEFAULT, load_thresholds
from contracts.through import through
from core.errors import ExitCode, UsageError
from core.keys import FileKey
from core.settings import Settings
from privacy.assess.assess import assess as assess_file
from privacy.assess.assess import table_of
from privacy.assess.tune import Advice, Setting
from privacy.assess.tune import tune as tune_file
from privacy.report.documents import write_documents

HELP = """Look at files of persons: what they give away, and which settings lose least.

\b
Examples:
  sluice privacy assess members.csv --contract my-data.odcs.yaml
  sluice privacy tune members.csv --contract my-data.odcs.yaml
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Rows of persons: CSV or Parquet.")]
Against = Annotated[Path, typer.Option("--contract", help="The contract's file.")]
Which = Annotated[
    str | None,
    typer.Option("--table", help="The contract's table, where it has several with rows of persons."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_HOLDS = {True: "[green]✓[/]", False: "[bold red]✗[/]"}
_RISKS = (
    ("prosecutor", "knows that a person is in the file"),
    ("journalist", "doesn't know who is"),
    ("marketer", "links everybody"),
)


@app.command()
def assess(
    file: File,
    contract: Against,
    table: Which = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="A folder to write the report into: disclosure.json and disclosure.html."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure what a file of persons gives away as it is, raw or treated by anybody, against a contract.

    Its values count as they stand: rows that read alike are one class. Told are k, l and the other limits, the risk of
    being found again, attacks that are really run, personal data that the contract doesn't declare, for rows of facts how
    few of them single a person out, and the de-identification level. Nothing is published, and no ledger is told.

    The exit code is 0 only when the file holds every limit, and no column that the contract doesn't let out.

    \b
    Examples:
      sluice privacy assess members.csv --contract my-data.odcs.yaml
      sluice privacy assess treated.parquet --contract my-data.odcs.yaml --out report
    """
    agreed, plan = _agreed(contract, table)
    own = Settings.from_env().thresholds
    thresholds = load_thresholds(own) if own is not None else DEFAULT
    with _staging() as (folder, key):
        found = as_it_is(file, agreed, plan, out=folder, key=key)
        report = assess_file(
            found.table, agreed, plan, name=file.name, beside=found.beside, thresholds=thresholds
        )
    told, assessed = report.as_json(), report.assessed
    assert assessed is not None  # what was assessed says so
    holds = assessed.holds
    if to is not None:
        _write(told, to)
    if json:
        print_json(told | {"holds": holds})
    else:
        _print_assessed(told, plan, holds=holds)
        if to is not None:
            print_line("report", str(to / "disclosure.html"))
    if not holds:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def tune(file: File, contract: Against, table: Which = None, json: Json = False) -> None:
    """Try the engine's settings on a table's raw rows, and propose those that lose least and hold the contract's limits.

    k, l and the other limits stay the contract's, and no more persons are left out than it lets be: what is proposed is
    never weaker. What a larger k would cost stands below, for information. Nothing is published, and no ledger is told.

    The exit code is 1 when no setting holds the limits.

    \b
    Examples:
      sluice privacy tune members.csv --contract my-data.odcs.yaml
      sluice privacy tune members.parquet --contract my-data.odcs.yaml --json
    """
    agreed, plan = _agreed(contract, table)
    if plan.kind is not TableKind.SUBJECTS:
        raise UsageError(
            f"`{plan.name}` goes out row by row, and has no search to choose.",
            remedy="Name a table of subjects by --table; `sluice privacy assess` tells how telling rows of facts are.",
        )
    with _staging() as (folder, key):
        advice = tune_file(as_table(file, agreed, plan, out=folder / "rows", key=key), agreed, plan)
    if json:
        print_json(_advice_json(advice))
    else:
        _print_advice(advice, agreed)
    if not advice.settings:
        raise typer.Exit(ExitCode.REFUSED)


def _agreed(path: Path, name: str | None) -> tuple[Contract, Table]:
    """The contract as the release door sees it, and the table that the file is held against."""
    if not path.is_file():
        raise UsageError(
            "There is no such contract file.", where=str(path), remedy="Check the path of --contract."
        )
    agreed = through(load_contract(path), "release")
    return agreed, table_of(agreed, name)


@contextmanager
def _staging() -> Iterator[tuple[Path, FileKey]]:
    """A folder for raw rows, gone afterwards, and the key that they're encrypted under there, which stays in memory."""
    with tempfile.TemporaryDirectory(prefix="sluice-privacy-") as folder:
        yield Path(folder), FileKey.fresh()


def _write(report: Mapping[str, Any], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_documents(report, folder)
    except OSError as error:
        raise UsageError(
            f"The report can't be written ({error.strerror}).",
            where=str(folder),
            remedy="Name another folder.",
        ) from None


def _print_assessed(report: Mapping[str, Any], table: Table, *, holds: bool) -> None:
    found = report["assessed"]
    out.print(f"\n[bold]{escape(found['file'])}[/] as it is, under {escape(report['contract_id'])} {escape(report['contract_version'])}, table {escape(table.name)}")  # fmt: skip
    out.print()
    print_grid(
        [Column("limit"), Column("column"), Column("asked", number=True), Column("reached", number=True), Column("")],
        [
            [
                each["name"],
                each["column"] or "",
                _number(each["name"], each["asked"]),
                _number(each["name"], each["reached"]),
                "holds" if each["kept"] else "BROKEN",
            ]
            for each in found["limits"]
        ],
        style="dim",
    )  # fmt: skip
    _print_risk(report)
    _print_unicity(report)
    _print_attacks(report)
    out.print()
    for label, text in _lines(report):
        print_line(label, text)
    out.print()
    said = "holds the contract's limits" if holds else "does not hold what the contract asks for"
    out.print(f"[bold {'green' if holds else 'red'}]{'good' if holds else 'refused'}[/]: the file {said}.")


def _print_risk(report: Mapping[str, Any]) -> None:
    subjects, measures = report["subjects"], report["measures"]
    if not subjects or not measures:
        return
    after = measures["after"]
    out.print()
    rows = [
        [kind, who, *(_share(after[f"{kind}_{part}"]) for part in ("largest", "mean", "over"))]
        for kind, who in _RISKS[:2]
    ]
    rows.append([*_RISKS[2], "", _share(after["marketer"]), ""])
    print_grid(
        [
            Column("risk from"),
            Column("who"),
            Column("largest", number=True),
            Column("mean", number=True),
            Column(f"over {after['threshold']:.1%}", number=True),
        ],
        rows,
        style="dim",
    )


def _print_unicity(report: Mapping[str, Any]) -> None:
    for name, risk in report["facts"].items():
        kinds = {"all columns": risk["after"]["whole"]} | dict(risk["after"]["by_column"])
        out.print()
        print_grid(
            [
                Column(f"singled out in {name} by"),
                *(Column(str(points), number=True) for points in range(1, 1 + len(risk["before"]["shares"]))),
            ],
            [[who, *(_share(each["share"]) for each in found["shares"])] for who, found in kinds.items()],
            style="dim",
        )


def _print_attacks(report: Mapping[str, Any]) -> None:
    done = report["measures"]["attacks"] if report["measures"] else ()
    if not done:
        return
    out.print()
    print_grid(
        [Column("attack"), *(Column(name, number=True) for name in ("tries", "success", "baseline", "risk"))],
        [
            [
                each["kind"] + (f" {each['column']}" if each["column"] is not None else ""),
                f"{each['main']['attempts']:,}",
                _share(each["main"]["rate"]),
                _share(each["baseline"]["rate"]),
                f"{_share(each['risk'])} ({_share(each['low'])}-{_share(each['high'])})",
            ]
            for each in done
        ],
        style="dim",
    )


def _lines(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else was found, (label, text)."""
    found, subjects, level = report["assessed"], report["subjects"], report["level"]
    by = found["counted_by"]
    counted = (
        f"counted by {by}" if by is not None else "each row counts as one: the file doesn't say whose it is"
    )
    lines = []
    if subjects:
        lines.append(
            ("persons", f"{subjects['units']:,} in {subjects['classes']:,} classes, {_share(subjects['unique_after'])} alone; {counted}")
        )  # fmt: skip
    lines.append(("columns", ", ".join(found["shown"]) or "none that the risks could be measured on"))
    asked = "" if level["asked"] is None else f" (asked {level['asked']})"
    lines.append(("level", f"{level['reached']} of GB/T 42460{asked}"))
    personal = [f"{each['column']} ({each['kind']}, {each['share']:.0%})" for each in found["personal"]]
    for label, what, columns in (
        ("kept back", "by the contract, and in the file", found["held_back"]),
        ("unknown", "to the contract, and in no risk above", found["undeclared"]),
        ("personal", "data, as it seems, that the contract doesn't declare", personal),
        ("missing", "in the file, not in a release", found["missing"]),
    ):
        if columns:
            lines.append((label, f"{what}: {', '.join(columns)}"))
    return lines


def _number(name: str, value: float) -> str:
    return _share(value) if name == "maxUnicity" else f"{value:g}"


def _share(value: float) -> str:
    """As per cent; one that isn't zero, or isn't all, never looks as if it were."""
    if 0 < value < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < value < 1 else f"{value:.1%}"


def _advice_json(advice: Advice) -> dict[str, object]:
    told = asdict(advice)
    for each, setting in zip(told["settings"], advice.settings, strict=True):
        each["sluicePrivacy"] = _as_value(setting.terms)
        del each["terms"]
    return told


def _print_advice(advice: Advice, contract: Contract) -> None:
    out.print(f"\n[bold]{escape(advice.table)}[/]: {advice.rows:,} rows of {advice.persons:,} persons, under {escape(contract.id)} {escape(contract.version)}")  # fmt: skip
    out.print()
    if advice.settings:
        print_grid(
            [
                Column("search"),
                *(Column(n, number=True) for n in ("maxSuppressed", "loss", "left out", "classes", "k", "l", "risk")),
                Column(""),
            ],
            [_row(setting) for setting in advice.settings],
            style="dim",
        )  # fmt: skip
    for each in advice.failed:
        print_line(
            "no", f"{each.search.value}, maxSuppressed {each.max_suppressed:g}: {each.why}", style="yellow"
        )
    larger = [point for point in advice.frontier.points[1:] if point.classes]
    if larger:
        sample = advice.frontier.persons < advice.frontier.of
        out.print()
        out.print("What a larger k would cost (multidimensional" + (f", measured on {advice.frontier.persons:,} persons):" if sample else "):"))  # fmt: skip
        print_grid(
            [Column(name, number=True) for name in ("k", "loss", "left out", "classes")],
            [[str(p.k), _share(p.loss), f"{p.suppressed:,}", f"{p.classes:,}"] for p in larger],
            style="dim",
        )
    out.print()
    if not advice.settings:
        out.print("[bold red]refused[/]: no setting holds the contract's limits for these rows.")
        return
    best = advice.settings[0]
    if best.agreed:
        out.print("[bold green]good[/]: nothing loses less than what the contract says now.")
        return
    out.print("Loses least; in the contract's customProperties:\n")
    out.print("  - property: sluicePrivacy")
    out.print(f"    value: {escape(_as_yaml(best.terms))}")


def _row(setting: Setting) -> list[str]:
    return [
        setting.search.value,
        f"{setting.terms.max_suppressed:g}",
        _share(setting.loss),
        f"{setting.lost:,}",
        f"{setting.classes:,}",
        str(setting.k),
        "" if setting.l is None else str(setting.l),
        _share(setting.risk.prosecutor_mean),
        "as agreed" if setting.agreed else "",
    ]


def _as_value(terms: PrivacyTerms) -> dict[str, object]:
    """Privacy terms as a contract says them."""
    said = {
        "unit": terms.unit,
        "k": terms.k,
        "l": terms.l,
        "entropyL": terms.entropy_l,
        "t": terms.t,
        "search": terms.search.value,
        "maxSuppressed": terms.max_suppressed,
        "maxIntersected": terms.max_intersected or None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _as_yaml(terms: PrivacyTerms) -> str:
    """The same on one line. JSON is YAML, and a column's name may be anything."""
    return dumps(_as_value(terms), ensure_ascii=False)
