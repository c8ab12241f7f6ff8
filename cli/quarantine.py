"""`sluice quarantine`: for the platform's own engineer, the rows that broke a rule. Every look at them is told to the ledger."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from audit.note import VerifierKey
from cli.layout import Column, printable
from cli.output import err, out, print_grid, print_json, print_line, program
from cli.values import as_json, as_text, names_of, rows_of
from core.errors import UsageError
from core.sealing import OpeningKey, read_opening_key
from core.settings import Settings
from pipeline.home import Home
from pipeline.quarantine.handout import Form, open_elsewhere
from pipeline.quarantine.sealed import SHORT_ID, Kept
from pipeline.quarantine.store import Broken, Quarantine

app = typer.Typer(
    help="Rows that broke a rule, for the platform's own engineer.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Id = Annotated[str, typer.Argument(help="A quarantine's id, or as much of its beginning as no other has.")]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="The platform's private key (PEM), where the hall doesn't hold it."),
]
_WARNING = "Raw data of persons, for the platform's own engineer only."


@app.command("list")
def list_quarantines(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what was set aside and is still kept, oldest first.

    \b
    Examples:
      sluice quarantine list
      sluice quarantine list --json
    """
    entries = () if not Settings.from_env().database.is_file() else _quarantine().entries()
    if json:
        print_json([_as_json(entry) for entry in entries])
        return
    if not entries:
        out.print("Nothing is kept: no run set rows aside, or they were handed out or kept long enough.")
        return
    print_grid(
        [
            Column("id", whole=True),
            Column("release"),
            Column("set aside"),
            Column("kept until"),
            *(Column(name, number=True) for name in ("tables", "rows", "rules")),
        ],
        [_line(entry) for entry in entries],
    )
    broken = [entry for entry in entries if isinstance(entry, Broken)]
    for entry in broken:
        err.print(f"{entry.id[:SHORT_ID]}: {entry.what}", markup=False)


@app.command()
def show(
    id: Id,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Show so many rows of each table too.")] = 0,
    table: Annotated[str | None, typer.Option("--table", help="Rows of this table only.")] = None,
    key: Key = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows of one table as CSV.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which rules were broken how often; with --rows the rows themselves, which the ledger is told.

    \b
    Examples:
      sluice quarantine show 1a2b3c4d
      sluice quarantine show 1a2b3c4d --rows 10
      sluice quarantine show 1a2b3c4d --rows 1000000 --table orders --csv > orders.csv
    """
    quarantine = _quarantine()
    kept = quarantine.find(id)
    names = [each.name for each in kept.tables]
    if table is not None and table not in names:
        raise UsageError(
            "It holds no rows of such a table.", where=table, remedy=f"There are: {', '.join(names)}."
        )
    wanted = [table] if table is not None else names
    if as_csv and (json or not rows or len(wanted) > 1):
        raise UsageError(
            "CSV holds the rows of one table.",
            where="--csv",
            remedy="Give --rows, and --table where there are several.",
        )
    shown: dict[str, pa.Table] = {}
    if rows:
        kept, shown = quarantine.look(id, most=rows, key=_private_key(key), tables=wanted)
        err.print(f"{_WARNING} The ledger has this look.")
    if json:
        found = {name: _rows_as_json(each) for name, each in shown.items()}
        print_json({**_as_json(kept), **({"rows_shown": found} if rows else {})})
    elif as_csv:
        _print_csv(shown[wanted[0]])
    else:
        _print(kept, shown)


@app.command()
def release(
    id: Id,
    to: Annotated[
        Path, typer.Option("--to", help="The folder to hand out into; a new folder is made in it.")
    ],
    form: Annotated[
        Form,
        typer.Option(
            "--as", help="parquet, csv, or sealed: as they are, for `open` where the private key is."
        ),
    ] = Form.PARQUET,
    key: Key = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hand all rows out to the platform's engineer, then remove the quarantine. It puts no row into a release.

    Rows enter a release by being corrected at their source, or by another rule in the contract, and a new run.

    \b
    Examples:
      sluice quarantine release 1a2b3c4d --to ~/rows
      sluice quarantine release 1a2b3c4d --to ~/rows --as csv --key private.pem
      sluice quarantine release 1a2b3c4d --to ~/rows --as sealed
    """
    quarantine = _quarantine()
    given = None if form is Form.SEALED else _private_key(key)
    place = quarantine.release(id, to=to, form=form, key=given)
    _handed_out(place, form, as_json=json)


@app.command("open")
def open_folder(
    folder: Annotated[Path, typer.Argument(help="What `release --as sealed` handed out.")],
    to: Annotated[Path, typer.Option("--to", help="The folder to write into; a new folder is made in it.")],
    key: Annotated[Path, typer.Option("--key", help="The platform's private key (PEM).")],
    form: Annotated[Form, typer.Option("--as", help="parquet or csv.")] = Form.PARQUET,
    hall: Annotated[
        str | None,
        typer.Option(
            "--hall", help="The hall's verifier key (`sluice audit verify`): it must have made the folder."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open what was handed out sealed, on the platform's own machine; no hall is needed there.

    \b
    Examples:
      sluice quarantine open small_shop-1a2b3c4d --key private.pem --to ~/rows
    """
    if form is Form.SEALED:
        raise UsageError("It is sealed already.", where="--as", remedy="Take parquet or csv.")
    signer = VerifierKey.parse(hall.strip()) if hall else None
    opening_key = _private_key(key)
    assert opening_key is not None
    place = open_elsewhere(folder, opening_key, to=to, form=form, hall=signer)
    if signer is None:
        err.print("Whole, and sealed to this key. Who sealed it was not asked: give --hall for that.")
    _handed_out(place, form, as_json=json)


def _quarantine() -> Quarantine:
    """The hall's quarantine, without what is kept no longer."""
    quarantine = Quarantine(Home.open(create=False))
    quarantine.sweep()
    return quarantine


def _private_key(path: Path | None) -> OpeningKey | None:
    if path is None:
        return None
    return read_opening_key(
        path.expanduser(),
        lambda: str(typer.prompt("Passphrase of the private key", hide_input=True, err=True)),
    )


def _handed_out(place: Path, form: Form, *, as_json: bool) -> None:
    if form is not Form.SEALED:
        err.print(f"{_WARNING} Remove the folder when they aren't needed any more.")
    if as_json:
        files = sorted(path.name for path in place.iterdir())
        print_json({"folder": str(place), "as": form.value, "files": files})
    else:
        out.print(str(place), markup=False)


def _line(entry: Kept | Broken) -> Sequence[str]:
    if isinstance(entry, Broken):
        return [entry.id[:SHORT_ID], "doesn't hold", "", "", "", "", ""]
    return [
        entry.id[:SHORT_ID],
        entry.release,
        f"{entry.set_aside_at:%Y-%m-%d %H:%M}",
        f"{entry.until:%Y-%m-%d %H:%M}",
        str(len(entry.tables)),
        f"{entry.rows:,}",
        str(sum(len(table.rules) for table in entry.tables)),
    ]


def _as_json(entry: Kept | Broken) -> dict[str, Any]:
    if isinstance(entry, Broken):
        return {"id": entry.id, "holds": False, "what": entry.what, "where": str(entry.path)}
    return {"holds": True, **entry.as_json()}


def _print(kept: Kept, shown: dict[str, pa.Table]) -> None:
    holder = (
        "the hall holds its private half" if kept.holder == "hall" else "the platform holds its private half"
    )
    for label, text in (
        ("id", kept.id),
        ("contract", f"{kept.contract_id} {kept.contract_version}"),
        ("release", f"{kept.release}: these rows are left out of it"),
        ("set aside", f"{kept.set_aside_at:%Y-%m-%d %H:%M} UTC"),
        ("until", f"{kept.until:%Y-%m-%d %H:%M} UTC"),
        ("sealed to", f"key {kept.key} of {kept.platform}; {holder}"),
    ):
        print_line(label, text)
    out.print()
    lines = [
        [table.name if number == 0 else "", rule, f"{rows:,}"]
        for table in kept.tables
        for number, (rule, rows) in enumerate([("any rule", table.rows), *table.rules.items()])
    ]
    print_grid([Column("table"), Column("rule broken"), Column("rows", number=True)], lines)
    for name, table in shown.items():
        out.print()
        out.print(f"{name}:", markup=False)
        columns = [Column(field.name) for field in table.schema]
        print_grid(columns, [[as_text(value) for value in row] for row in rows_of(table)])
    if not shown:
        short = kept.id[:SHORT_ID]
        out.print("\nNext:")
        for words in (f"show {short} --rows 10", f"release {short} --to FOLDER"):
            out.print(f"  {program()} quarantine {words}", markup=False)


def _rows_as_json(table: pa.Table) -> list[dict[str, Any]]:
    names = names_of(table)
    return [dict(zip(names, map(as_json, row), strict=True)) for row in rows_of(table)]


def _print_csv(table: pa.Table) -> None:
    """As `release --as csv` writes it: the rules' names, which stand last, in one text. To a terminal no value goes unescaped."""
    shown = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(shown, table.column_names))
    for *values, rules in rows_of(table):
        writer.writerow(map(shown, [*map(as_text, values), "; ".join(rules)]))
