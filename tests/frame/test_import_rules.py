"""Each import rule is broken once, in a small house of the same rooms, to see that the tool finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frame.tree import ROOMS, ROOT

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
LAYERS = "rooms import downwards only"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache"],
        cwd=folder, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Rooms that keep every rule, with each import that only one room is allowed."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    for inner in ("federated/flower", "pipeline/airflow", "pipeline/validation"):
        (tmp_path / inner).mkdir()
        (tmp_path / inner / "__init__.py").touch()
    for name, text in {
        "core/errors.py": "import json",
        "contracts/model.py": "import core.errors",
        "connectors/base.py": "import pyarrow, contracts.model",
        "pipeline/validation/validate.py": "import great_expectations, pandas, connectors.base",
        "dags/sharing.py": "import airflow.sdk, pipeline.validation.validate",
        "cli/main.py": "import pipeline.validation.validate",
        "federated/flower/__init__.py": "",
        "federated/flower/server.py": "import flwr.server",
    }.items():
        (tmp_path / name).write_text(text + "\n")
    return tmp_path


def test_the_rules_allow_what_they_should(house: Path) -> None:
    done = lint(house)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        ("core/errors.py", "import contracts.model", LAYERS),
        ("contracts/model.py", "import audit", LAYERS),
        ("privacy/kernel.py", "import connectors.base", LAYERS),
        ("connectors/base.py", "import catalog", LAYERS),
        ("pipeline/validation/validate.py", "import cli.main", LAYERS),
        ("dags/sharing.py", "import cli.main", LAYERS),
        ("dags/sharing.py", "def late():\n    import cli.main", LAYERS),
        ("federated/plan.py", "import pipeline.validation.validate", LAYERS),
        ("federated/plan.py", "import connectors.base", "federated never reaches connectors"),
        ("pipeline/airflow/service.py", "import airflow", "only dags imports airflow"),
        ("cli/main.py", "from airflow.sdk import DAG", "only dags imports airflow"),
        ("federated/plan.py", "import flwr", "only federated.flower imports flwr"),
        ("dags/sharing.py", "import great_expectations", "only pipeline imports great_expectations"),
        (
            "cli/main.py",
            "import altair",
            "nobody imports altair, and only privacy.report.pictures vl_convert",
        ),
        ("audit/merkle.py", "import pyarrow", "the rules stay pure"),
        ("privacy/kernel.py", "import pandas", "no room works on pandas frames"),
    ],
)
def test_a_broken_rule_is_found(house: Path, file: str, text: str, rule: str) -> None:
    (house / file).write_text(text + "\n")
    done = lint(house)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{rule} BROKEN" in done.stdout
