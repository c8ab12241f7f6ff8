"""`sluice demo` before and after Airflow: homes it refuses without starting one, and which failure it names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.demo import _first_failed
from cli.main import main
from core.errors import ExitCode
from pipeline.airflow.api import RunView, TaskView


def refused(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str
) -> str:
    monkeypatch.setenv("SLUICE_HOME", str(home))
    # The first thing to be started would be Airflow's guard, by this program.
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert main([*command, "--json"]) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)
    assert error["where"] == str(home)
    return str(error["what"])


@pytest.mark.parametrize("command", ["demo", "up"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a#b", "its path holds #, which Delta tables can't"),
        ("file/hall", "Not a directory"),
        ("taken", "File exists"),
    ],
)
def test_a_home_that_cannot_be_used_stops_it_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    name: str,
    why: str,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "airflow").touch()
    assert refused(tmp_path / name, capsys, monkeypatch, command) == f"SLUICE_HOME can't be used ({why})."
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["airflow", "file", "taken"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_below_a_read_only_folder_stops_it_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o500)
    try:
        what = refused(tmp_path / "hall", capsys, monkeypatch, "demo")
    finally:
        tmp_path.chmod(0o700)
    assert what == "SLUICE_HOME can't be used (Permission denied)."


def view(**states: str) -> RunView:
    tasks = tuple(TaskView(task=name, state=state, seconds=1.0, attempt=1) for name, state in states.items())
    return RunView(dag_id="d", run_id="r", state="failed", tasks=tasks)


def test_the_failure_told_is_the_first_on_the_route() -> None:
    """Airflow lists tasks in an order of its own."""
    first = _first_failed(view(other="failed", clean="failed", publish="upstream_failed", check="failed"))
    assert first is not None
    assert first.task == "check"
    only = _first_failed(view(other="failed", check="success"))
    assert only is not None
    assert only.task == "other"
    assert _first_failed(view(clean="success", check="skipped")) is None
