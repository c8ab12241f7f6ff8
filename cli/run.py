"""`sluice run`: the whole route without Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.output import err, print_json
from cli.screen import screen
from cli.summary import summarize
from core.proof import Window
from pipeline import route
from pipeline.home import Home

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    contract: Annotated[str, typer.Argument(help="A published contract's id, or a contract file.")],
    start: Annotated[datetime | None, typer.Option(help="Facts from this moment on (UTC).")] = None,
    end: Annotated[datetime | None, typer.Option(help="Facts before this moment (UTC).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the release as JSON.")] = False,
) -> None:
    """Carry a contract's data from the platform to a release: check, receive, validate, anonymize, publish.

    \b
    Examples:
      sluice run grocery-demand
      sluice run ./my-data.odcs.yaml --json
      sluice run grocery-demand --start 2017-01-01 --end 2017-07-01
    """
    window = Window(start=_utc(start), end=_utc(end))
    with screen(err) as shown:
        home = Home.open()
        publication = route.run(contract, home=home, window=window, progress=shown.step)
    if json:
        print_json(publication.as_json())
    else:
        summarize(publication.release, home, new=publication.new)


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
