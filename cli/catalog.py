"""`sluice catalog`: the hall operator's own look at what is published. Every query is told to the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
import typer

from audit.events import Event, EventKind
from catalog.release import Release
from cli.layout import Column
from cli.output import err, out, print_grid, print_json
from cli.story import in_short, story
from cli.summary import current_of, disclosure, summarize
from cli.values import as_json, as_text, names_of, rows_of
from contracts.model import slug
from core.errors import LedgerError, UsageError
from core.settings import Settings
from pipeline.home import Home

app = typer.Typer(
    help="Look at what is published.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

_MOST_NAMES = 10


@app.command("list")
def list_releases(
    all: Annotated[bool, typer.Option("--all", help="Earlier releases too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the current release of each contract.

    \b
    Examples:
      sluice catalog list
      sluice catalog list --all --json
    """
    if not Settings.from_env().database.is_file():  # looking makes no hall
        known: tuple[Release, ...] = ()
        releases = known
    else:
        home = Home.open(create=False)
        known = home.catalog.releases(all=True)
        releases = known if all else home.catalog.releases()
    if json:
        print_json([release.as_json() for release in releases])
        return
    if not releases:
        out.print(_withheld(known) or "Nothing is published yet. Try: sluice run grocery-demand")
        return
    windows = [_window(release, home) for release in releases]
    columns = [
        Column("release", whole=True),
        Column("table", whole=True),
        Column("version", number=True),
        Column("rows", number=True),
        Column("published"),
    ]
    states = [_state(release) for release in releases]
    said = {"withheld": states, "window": windows}
    # A column stands only where it says something.
    told = {name: values for name, values in said.items() if any(values)}
    rows = []
    for place, release in enumerate(releases):
        once = [f"{release.published_at:%Y-%m-%d %H:%M}", *(values[place] for values in told.values())]
        for number, table in enumerate(release.tables):
            name, last = (release.release, once) if number == 0 else ("", [""] * len(once))
            rows.append([name, table.name, str(table.version), f"{table.rows:,}", *last])
    print_grid([*columns, *map(Column, told)], rows)


@app.command()
def show(
    release: Annotated[
        str, typer.Argument(help="A release's name, or a contract's id or slug for its current one.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a release: its tables, the risk left in it, where it lies.

    \b
    Examples:
      sluice catalog show grocery-demand
    """
    home = Home.open(create=False)
    known = home.catalog.releases(all=True)
    current = home.catalog.releases()
    found = next((each for each in known if each.release == release), None) or next(
        # The current one; where there is none, the newest of those that are withheld.
        (
            each
            for each in (*current, *reversed(known))
            if release in {each.contract_id, slug(each.contract_id)}
        ),
        None,
    )
    if found is None:
        raise UsageError(f"No release is called {release}.", remedy=_there_are(current, known))
    if json:
        report = as_json(disclosure(found, home))
        now = current_of(found, home)
        told = {
            **found.as_json(),
            "current": (now or found).release,
            **story(found, home).as_json(),
        }
        print_json({**told, "report": report})
    else:
        summarize(found, home)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; tables are named release.table or contract.table.")],
    max_rows: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 1000,
    json: Annotated[bool, typer.Option("--json", help="Print rows as JSON objects.")] = False,
) -> None:
    """Ask the published tables in SQL, read-only. The ledger keeps which tables were read, never the question.

    \b
    Examples:
      sluice catalog query "SELECT income, count(*) FROM grocery_demand.households GROUP BY 1"
      sluice catalog query "FROM grocery_demand.demand LIMIT 5" --json
    """
    home = Home.open(create=False)
    answer = home.catalog.query(sql, max_rows=max_rows)
    run_id = str(uuid.uuid4())
    home.ledger.append(
        Event(
            kind=EventKind.CATALOG_READ,
            run_id=run_id,
            subject=run_id,
            facts={"releases": list(answer.releases), "tables": list(answer.tables), "rows": answer.rows},
        )
    )
    rows = rows_of(answer.table)
    if json:
        names = names_of(answer.table)
        print_json([dict(zip(names, map(as_json, row), strict=True)) for row in rows])
    else:
        columns = [Column(field.name, number=_is_number(field.type)) for field in answer.table.schema]
        print_grid(columns, [[as_text(value) for value in row] for row in rows])
    if answer.truncated:
        err.print(f"Only the first {_counted(answer.rows)} shown, there are more; --max-rows sets how many.")


def _window(release: Release, home: Home) -> str:
    """The release's window in words, "" for all there was. A ledger that doesn't hold must not hide what is published."""
    try:
        window = story(release, home).window
    except LedgerError:
        return "not known"
    return in_short(window) if window else ""


def _state(release: Release) -> str:
    """Why nobody is shown it, in a word or two; "" for one that is shown."""
    if release.withheld is None:
        return ""
    return release.withheld.why + (", deleted" if release.withheld.deleted else "")


def _withheld(known: Sequence[Release]) -> str:
    """What is said where no release is shown; "" when there was never one."""
    if not known:
        return ""
    count = f"{len(known):,} releases are" if len(known) != 1 else "1 release is"
    return f"Nothing is shown: {count} withheld; `sluice catalog list --all` names {'them' if len(known) != 1 else 'it'}."


def _there_are(current: Sequence[Release], known: Sequence[Release]) -> str:
    names = ", ".join(each.release for each in current[:_MOST_NAMES])
    if not names:
        return _withheld(known) or "Nothing is published yet; `sluice run` publishes."
    more = f", and {len(current) - _MOST_NAMES} more" if len(current) > _MOST_NAMES else ""
    return f"Current ones: {names}{more}. See `sluice catalog list --all`."


def _counted(rows: int) -> str:
    return f"{rows:,} rows are" if rows != 1 else "row is"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
