"""`sluice catalog`: the hall operator's own look at what is published. Every query is told to the ledger."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from audit.events import Event, EventKind
from cli.output import out, print_json
from cli.summary import disclosure, summarize
from core.errors import UsageError
from pipeline.home import Home

app = typer.Typer(help="Look at what is published.", no_args_is_help=True, rich_markup_mode=None)


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
    releases = Home.open().catalog.releases(all=all)
    if json:
        print_json([release.as_json() for release in releases])
        return
    if not releases:
        out.print("Nothing is published yet. Try: sluice run grocery-demand")
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("release", "left"), ("table", "left"), ("version", "right"), ("rows", "right"), ("published", "left")):
        shown.add_column(name, justify=justify)  # type: ignore[arg-type]
    for release in releases:
        for number, table in enumerate(release.tables):
            first = number == 0
            shown.add_row(
                release.release if first else "",
                escape(table.name),
                str(table.version),
                f"{table.rows:,}",
                f"{release.published_at:%Y-%m-%d %H:%M}" if first else "",
            )
    out.print(shown)


@app.command()
def show(
    release: Annotated[str, typer.Argument(help="A release's name, or a contract's id for its current one.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a release: its tables, the risk left in it, where it lies.

    \b
    Examples:
      sluice catalog show grocery-demand
    """
    home = Home.open()
    known = home.catalog.releases(all=True)
    # The current release of a contract stands last among its own.
    named = [r for r in known if r.release == release] or [r for r in home.catalog.releases() if r.contract_id == release]
    if not named:
        names = ", ".join(r.release for r in known) or "none"
        raise UsageError(f"No release is called {release}.", remedy=f"There are: {names}.")
    if json:
        print_json({**named[-1].as_json(), "report": disclosure(named[-1], home)})
    else:
        summarize(named[-1], home)


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
    home = Home.open()
    answer = home.catalog.query(sql, max_rows=max_rows)
    run_id = str(uuid.uuid4())
    home.ledger.append(
        Event(
            kind=EventKind.CATALOG_READ,
            run_id=run_id,
            subject=run_id,
            facts={"releases": list(answer.releases), "tables": list(answer.tables), "rows": answer.table.num_rows},
        )
    )
    rows: list[dict[str, Any]] = answer.table.to_pylist()
    if json:
        print_json([{name: _plain(value) for name, value in row.items()} for row in rows])
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field in answer.table.schema:
        numeric = str(field.type).startswith(("int", "uint", "double", "float", "decimal"))
        shown.add_column(escape(field.name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape("" if value is None else str(_plain(value))) for value in row.values()))
    out.print(shown)


def _plain(value: Any) -> Any:
    """A value as JSON and people can show it; a pseudonym as hex."""
    return value.hex() if isinstance(value, bytes) else value
