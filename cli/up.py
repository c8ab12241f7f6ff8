"""`sluice up`: Airflow with a DAG for each published contract, in the foreground, until Ctrl-C."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cli.output import err, out, print_json
from cli.screen import screen
from core.settings import Settings
from pipeline.airflow.service import PREFERRED_PORT, AirflowService

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def up(
    port: Annotated[
        int, typer.Option(help="Port for Airflow on 127.0.0.1; a free one when it is taken.")
    ] = PREFERRED_PORT,
    json: Annotated[
        bool, typer.Option("--json", help="Print address and login as JSON once it runs.")
    ] = False,
) -> None:
    """Start Airflow for the contracts in SLUICE_CONTRACTS and keep it running; Ctrl-C stops it.

    It listens on 127.0.0.1 only. The login is made once for each SLUICE_HOME and kept there, readable by you alone.

    \b
    Examples:
      sluice up
      sluice up --port 9090
      SLUICE_CONTRACTS=./contracts sluice up
    """
    airflow = AirflowService(Settings.from_env(), port=port)
    try:
        with screen(err) as shown:
            airflow.start(shown.step)
        _greet(airflow, wanted=port, as_json=json)
        try:
            while True:
                airflow.check_alive()
                time.sleep(0.5)
        except KeyboardInterrupt:  # the way it's meant to end
            err.print("stopping Airflow")
    finally:
        airflow.stop()
    err.print("stopped")


def _greet(airflow: AirflowService, *, wanted: int, as_json: bool) -> None:
    if as_json:
        print_json({"url": airflow.url, "user": airflow.user, "password": airflow.password})
        return
    if airflow.port != wanted:
        out.print(f"port {wanted} is taken; Airflow took a free one")
    out.print(f"Airflow   {airflow.url}", markup=False)
    out.print(f"log in    {airflow.user} / {airflow.password}", markup=False)
    out.print(f"contracts {airflow.settings.contracts}", markup=False)
    out.print("Ctrl-C stops it.")
