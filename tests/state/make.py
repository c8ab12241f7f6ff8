"""Makes an archive of a small hall's state as the code of the day writes it: run it when a format has changed.

Usage: python -m tests.state.make WHAT-CHANGED [--into FOLDER]

Writes <n>-WHAT-CHANGED.tar.gz and, beside it, <n>-WHAT-CHANGED.json: what must hold of it for every later Sluice.
Commit both, and leave the earlier ones as they are. The persons in them are invented, the keys guard nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from tests.state.hall import Hall, live, pack

HERE = Path(__file__).resolve().parent
SUFFIX = ".tar.gz"
MAX_BYTES = 300_000


def archives(folder: Path = HERE) -> list[Path]:
    """The archives in a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: int(path.name.partition("-")[0]))


def make(what: str, folder: Path) -> Path:
    """Writes the next archive and what holds of it; returns the archive. Raises SystemExit when it may not be committed."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", what):
        raise SystemExit("Say what changed in small letters, digits and hyphens, such as quarantine-sealed.")
    earlier = archives(folder)
    number = int(earlier[-1].name.partition("-")[0]) + 1 if earlier else 1
    archive = folder / f"{number}-{what}{SUFFIX}"
    with tempfile.TemporaryDirectory() as place:
        hall = Hall(Path(place).resolve())
        held = live(hall)
        _refuse_traces(hall.folder)
        pack(hall, archive)
    if archive.stat().st_size > MAX_BYTES:
        archive.unlink()
        raise SystemExit(f"The archive would be over {MAX_BYTES:,} bytes; make the shop smaller.")
    text = json.dumps({"what": what, **held}, indent=1, ensure_ascii=False)
    archive.with_name(archive.name.removesuffix(SUFFIX) + ".json").write_text(text + "\n", encoding="utf-8")
    return archive


def _refuse_traces(folder: Path) -> None:
    """No folder of whoever runs this goes into a file that is given away; a Delta log names the one it was made in."""
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for place in (HERE.parents[1], Path.home()):
            if str(place).encode() in data:
                raise SystemExit(
                    f"{path.relative_to(folder)} names {place}, and can't be given away. Set TMPDIR=/tmp and try again."
                )


def main() -> int:
    """Makes one archive."""
    options = argparse.ArgumentParser(description="Keeps a small hall's state as this Sluice writes it.")
    options.add_argument("what", help="what changed, such as quarantine-sealed")
    options.add_argument("--into", type=Path, default=HERE, help="the folder (default: where the tests look)")
    given = options.parse_args()
    archive = make(given.what, given.into)
    sys.stdout.write(f"{archive} ({archive.stat().st_size:,} bytes)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
