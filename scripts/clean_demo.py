"""Removes what the demo left in SLUICE_HOME (default `.sluice`), and nothing that Sluice didn't make.

Standard library and `core.settings` only, so that it runs without an environment. Says what it removed and what it left.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.settings import Settings


def ours(settings: Settings) -> list[Path]:
    """The files and folders in the home that `Settings` names, with SQLite's companions of the database."""
    named = {getattr(settings, name) for name, value in vars(Settings).items() if isinstance(value, property)}
    companions = set(settings.home.glob(settings.database.name + "-*"))
    return sorted(path for path in named | companions if path.parent == settings.home)


def airflow_runs(settings: Settings) -> bool:
    """Whether `sluice demo` or `sluice up` is at work in this home: it holds Airflow's lock as long as it lives."""
    lock = settings.airflow / "service.lock"
    if not lock.exists():
        return False
    with lock.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> int:
    """Empties the home. Returns 1 when Airflow still runs there."""
    settings = Settings.from_env()
    home = settings.home
    if not home.exists():
        sys.stdout.write(f"Nothing to clean: {home} doesn't exist.\n")
        return 0
    if airflow_runs(settings):
        sys.stderr.write(f"Airflow runs in {home}. Stop `make up` (Ctrl-C where it runs), then try again.\n")
        return 1
    removed = []
    for path in ours(settings):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or path.exists():
            path.unlink()
        else:
            continue
        removed.append(path.name)
    left = sorted(path.name for path in home.iterdir())
    if not left:
        home.rmdir()
    sys.stdout.write(f"Removed from {home}: {', '.join(removed) or 'nothing'}.\n")
    if left:
        sys.stdout.write(f"Left alone, since Sluice didn't make it: {', '.join(left)}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
