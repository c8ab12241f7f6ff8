"""`sluice housekeeping`: what is due today."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import print_json, print_line
from pipeline.home import Home
from pipeline.housekeeping import housekeeping as due

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def housekeeping(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Do what is due today. Airflow's DAG `sluice.housekeeping` does the same every day.

    \b
    - the registry is renewed, where this hall publishes it;
    - releases are withheld or shown as their contract stands, and deleted where its end makes that a duty;
    - a contract's root key is destroyed when nothing of it holds any more, in the folders of SLUICE_KEY_BACKUPS too;
    - counts of persons abroad go when the law asks to keep them no longer;
    - what crashed runs left is swept.

    \b
    Examples:
      sluice housekeeping
      sluice housekeeping --json
    """
    done = due(Home.open())
    if json:
        print_json(
            {
                **{name: list(names) for name, names in vars(done.settled).items()},
                "registry_renewed": done.renewed is not None,
                "counts_destroyed": [{"provider": provider, "year": year} for provider, year in done.years],
            }
        )
        return
    if done.renewed is not None:
        print_line("renewed", f"the party registry, until {done.renewed.expires:%Y-%m-%d %H:%M} UTC")
    for label, names in vars(done.settled).items():
        for name in names:
            print_line(label, name)
    for provider, year in done.years:
        print_line("destroyed", f"the count of persons abroad of {year}, {provider}")
    if not done.anything:
        print_line("good", "nothing was due", style="bold green")
