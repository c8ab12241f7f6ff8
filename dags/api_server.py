"""Airflow's API server, loaded while the database is still being made: a program, `python -m dags.api_server`.

Loading takes longer than all else of a start, and needs no database; on two cores it fills the one that the database
leaves idle. A line on standard input says that the database is there. Without it (the pipe closes), it ends.
"""

from __future__ import annotations

import sys
from importlib import import_module

from airflow.__main__ import main as airflow


def main() -> None:
    """Load, wait for the word, serve until told to stop."""
    import_module("airflow.api_fastapi.main")  # builds the application; the command below finds it built
    if sys.stdin.readline():
        sys.argv = ["airflow", "api-server"]
        airflow()


if __name__ == "__main__":
    main()
