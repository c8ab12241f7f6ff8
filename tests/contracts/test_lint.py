"""Every contract we ship passes the linter of the standard's own tool, in an environment of its own, without a warning."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from core.settings import PUBLISHED

ROOT = Path(__file__).resolve().parents[2]
LINTER = ROOT / ".venv-datacontract" / "bin" / "datacontract"
SHIPPED = sorted(PUBLISHED.parent.glob("*/*.odcs.yaml"))


def lint(path: Path) -> tuple[int, str]:
    """The linter's exit code and what it printed."""
    if not LINTER.exists():
        pytest.fail("`make datacontract` makes the linter's environment")
    done = subprocess.run(
        [LINTER, "lint", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={key: value for key, value in os.environ.items() if key in ("PATH", "HOME")} | {"COLUMNS": "200"},
    )
    return done.returncode, done.stdout + done.stderr


def test_there_is_something_to_lint() -> None:
    assert SHIPPED


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_a_shipped_contract_passes_without_a_warning(path: Path) -> None:
    code, told = lint(path)
    assert code == 0, told
    assert "passed" in told
    assert not any(word in told.lower() for word in ("warning", "failed", "error")), told


@pytest.mark.slow
def test_the_linter_tells_a_misspelt_key(tmp_path: Path) -> None:
    path = tmp_path / "c.odcs.yaml"
    path.write_text(SHIPPED[0].read_text(encoding="utf-8").replace("tenant:", "tenent:"), encoding="utf-8")
    code, told = lint(path)
    assert code or "warning" in told.lower(), told
