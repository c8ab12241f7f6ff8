"""Compiles the kernels into numba's cache by two small runs: `python -m tests.compiled`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from privacy.search.mondrian import partition
from privacy.search.tuples import Tuples
from tests.crash import acts
from tests.pictures import leave_out_pictures


def wide_codes() -> Tuples:
    """Tuples whose range of codes is far wider than their number: these kernels are others."""
    rng = np.random.default_rng(5)
    values = np.sort(rng.choice(1_000_000, 400, replace=False)).astype(np.int32)
    return Tuples(
        codes=values[:, None],
        positions=(np.linspace(0, 1, 1_000_000),),
        weights=np.ones(400, np.int64),
        sensitive=np.empty((400, 0), np.int32),
    )


def main() -> None:
    leave_out_pictures()
    partition(wide_codes(), k=5)
    with tempfile.TemporaryDirectory() as folder:
        acts.rehearse(Path(folder))


if __name__ == "__main__":
    main()
