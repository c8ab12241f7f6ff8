"""`sluice demo` around Airflow: homes it refuses without starting one, what is signed beside its start, which failure it names."""

from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import cli.demo
from cli.demo import _first_failed, _sign, carry
from cli.main import main
from core.errors import ContractError, ExitCode, UsageError
from core.settings import PUBLISHED, Settings
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


def demo_settings(folder: Path) -> Settings:
    return replace(Settings.from_env({"SLUICE_HOME": str(folder / "hall")}), contracts=PUBLISHED)


@pytest.mark.signed
@pytest.mark.slow
def test_the_signing_is_told_in_a_line_each_and_the_refusal_with_its_clause(tmp_path: Path) -> None:
    settings, file = demo_settings(tmp_path), io.StringIO()
    told = _sign(settings, Console(file=file, soft_wrap=True))
    lines = [
        "contracts Demo Grocery Platform and a firm each; binding once 2 of 2 signed",
        "2 of 2    grocery-demand 1.0.0, release: Demo Snack Maker (SME)",
        "2 of 2    grocery-questions 1.0.0, query: Demo Solo Company (AIOnePersonCompany)",
        "2 of 2    coupon-response 1.0.0, train: Demo Model Team (LittleGiant)",
        "2 of 2    grocery-abroad 1.0.0, release: Demo Snack Maker (SME)",
        "refused   grocery-abroad, though both signed it. The data goes abroad and needs a filing in force, "
        "standardContract or certification or securityAssessment: at least 1 person with sensitive information since 1 January.",
        "clause    customProperties[3].value",
        "remedy    Write its `kind`, `reference` and `until` under `filings` in sluiceCompliance once the authority gave it. "
        "[Provisions on cross-border data flows (CAC order 16, 2024), articles 5(4) and 8]",
    ]
    assert file.getvalue().splitlines() == lines
    assert [(each["contract"], each["signatures"], each["new"]) for each in told] == [
        ("grocery-demand", 2, True),
        ("grocery-questions", 2, True),
        ("coupon-response", 2, True),
        ("grocery-abroad", 2, True),
    ]
    assert json.loads(json.dumps(told[-1]))["refused"]["clause"] == "customProperties[3].value"
    assert not any("refused" in each for each in told[:-1])

    again = io.StringIO()
    _sign(settings, Console(file=again, soft_wrap=True))
    assert again.getvalue().splitlines() == [
        *lines,
        "again     all of them were signed before; nothing was signed twice",
    ]


class Airflow:
    """Stands where an Airflow would: its start says a few words, and then there's a run to begin."""

    def __init__(self, said: list[str], *, start: Exception | None = None) -> None:
        self.said, self._error = said, start
        self.port, self.url = 8080, ""

    def __call__(self, settings: Settings, *, port: int, progress: Any) -> Airflow:
        self._progress = progress
        return self

    def __enter__(self) -> Airflow:
        if self._error is not None:
            raise self._error
        for word in ("making its database", "starting api-server"):
            self.said.append(word)
            self._progress(f"Airflow: {word}", None)
        return self

    def __exit__(self, *_: object) -> None:
        self.said.append("stopped")

    def trigger(self, dag_id: str) -> str:
        self.said.append("the run begins")
        raise UsageError("far enough")


def carried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, airflow: Airflow, beside: Any) -> None:
    monkeypatch.setattr(cli.demo, "AirflowService", airflow)
    carry("d", demo_settings(tmp_path), console=Console(file=io.StringIO()), beside=beside)


def test_what_is_signed_is_signed_before_the_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    slow = threading.Event()

    def sign() -> None:
        slow.wait(0.5)
        said.append("signed")

    with pytest.raises(UsageError, match="far enough"):
        carried(monkeypatch, tmp_path, Airflow(said), sign)
    assert said == ["making its database", "starting api-server", "signed", "the run begins", "stopped"]


def test_nothing_runs_when_the_signing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def sign() -> None:
        raise ContractError("not that text")

    with pytest.raises(ContractError, match="not that text"):
        carried(monkeypatch, tmp_path, Airflow(said), sign)
    assert "the run begins" not in said


def test_nothing_is_signed_in_a_home_that_another_demo_works_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    taken = Airflow(said, start=UsageError("Airflow of this SLUICE_HOME already runs."))
    with pytest.raises(UsageError, match="already runs"):
        carried(monkeypatch, tmp_path, taken, lambda: said.append("signed"))
    assert said == []
