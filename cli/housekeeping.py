"""`sluice housekeeping`: what is due today."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import print_json, print_line
from pipeline.agreements.effects import settle
from pipeline.agreements.parties import renew_if_due
from pipeline.home import Home
from pipeline.sweep import sweep

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def housekeeping(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Do what is due: renew the registry, withhold and delete releases whose contract ended, destroy keys, sweep what crashes left.

    \b
    Examples:
      sluice housekeeping
      sluice housekeeping --json
    """
    home = Home.open()
    renewed = renew_if_due(home)
    done = settle(home)
    sweep(home)
    if json:
        print_json(
            {
                **{name: list(names) for name, names in vars(done).items()},
                "registry_renewed": renewed is not None,
            }
        )
        return
    if renewed is not None:
        print_line("renewed", f"the party registry, until {renewed.expires:%Y-%m-%d %H:%M} UTC")
    for label, names in vars(done).items():
        for name in names:
            print_line(label, name)
    if not done.anything and renewed is None:
        print_line("good", "nothing was due", style="bold green")
