"""Compiles the kernels into numba's cache by one small run: `python -m tests.compiled`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.crash import acts
from tests.pictures import leave_out_pictures


def main() -> None:
    leave_out_pictures()
    with tempfile.TemporaryDirectory() as folder:
        acts.rehearse(Path(folder))


if __name__ == "__main__":
    main()
