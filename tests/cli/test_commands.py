"""The command as people and programs call it: what it prints, and with which code it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cli.main
from cli.main import COMMANDS, main
from core.errors import ExitCode
from core.settings import Settings
from pipeline.home import Home
from tests.shop import open_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    contract = open_shop(tmp_path / "shop")
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home 家"))
    monkeypatch.setenv("SLUICE_CONTRACTS", str(contract.parent))
    monkeypatch.setenv("COLUMNS", "80")
    return contract


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(words) == code, capsys.readouterr()
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", code=code))


def test_a_first_day_with_the_command(shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "good" in said(capsys, "contract", "check", str(shop))
    assert said(capsys, "catalog", "list").startswith("Nothing is published yet.")
    assert told(capsys, "catalog", "list") == []

    summary = said(capsys, "run", "small-shop")
    assert "k 4 (asked 4)" in summary
    assert "orders" in summary
    assert "1,500" in summary
    assert "Next:" in summary
    assert max(map(len, summary.splitlines())) <= 110
    again = told(capsys, "run", str(shop))
    assert again["new"] is False
    assert "nothing was published twice" in said(capsys, "run", "small-shop")

    (release,) = told(capsys, "catalog", "list")
    assert set(release) == {"contract", "contract_version", "release", "tables", "receipt", "published_at"}
    assert [set(table) for table in release["tables"]] == [{"name", "uri", "version", "rows"}] * 2
    assert "members" in said(capsys, "catalog", "list")
    assert "k 4 (asked 4)" in said(capsys, "catalog", "show", "small-shop")
    assert told(capsys, "catalog", "show", release["release"])["report"]["k_limit"] == 4

    shown = told(capsys, "catalog", "show", "small-shop")
    assert shown["window"] is None
    assert shown["rows_in"] == {"members": 120, "orders": 1500}
    assert (shown["quarantined"], shown["failed_warnings"]) == ({"members": 0, "orders": 7}, 0)
    assert shown["current"] == release["release"]
    assert "warnings" not in said(capsys, "catalog", "show", "small-shop")
    assert "window" not in said(capsys, "catalog", "list")

    rows = told(capsys, "catalog", "query", f"SELECT member, born FROM {release['release']}.members LIMIT 3")
    assert [len(bytes.fromhex(row["member"])) for row in rows] == [16] * 3
    assert "goods" in said(capsys, "catalog", "query", "FROM small_shop.orders LIMIT 2")
    kept = tmp_path / "kept.checkpoint"
    assert "holds" in said(capsys, "audit", "verify", "--save", str(kept))
    found = told(capsys, "audit", "verify", "--kept", str(kept))
    assert (found["holds"], found["releases"], found["files"]) == (True, 1, 2)
    assert told(capsys, "audit", "verify", "--key", found["key"])["root"] == found["root"]
    log = said(capsys, "audit", "log", "--limit", "3")
    assert "catalog.read" in log
    assert "run.started" not in log
    events = told(capsys, "audit", "log")
    assert events[0]["event"]["run"]["facets"]["sluice"]["kind"] == "run.started"
    assert not any("SELECT" in json.dumps(event) for event in events)


def test_every_problem_of_a_contract_is_shown_and_the_code_is_one(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shop.read_text(encoding="utf-8")
    shop.write_text(text.replace("k: 4", "k: 1").replace("status: active", "status: activ"), encoding="utf-8")
    lines = said(capsys, "contract", "check", str(shop), code=ExitCode.REFUSED).splitlines()
    assert [line.split()[0] for line in lines if f"{shop}:" in line] == ["lacks", "valid"]
    (result,) = told(capsys, "contract", "check", str(shop), code=ExitCode.REFUSED)
    assert result["ok"] is False
    assert result["valid"] is True
    (finding,) = result["findings"]
    assert finding["kind"] == "unshareable"
    assert finding["line"]
    assert finding["what"]
    assert finding["remedy"]


def test_what_is_not_valid_is_told_apart_from_what_cannot_be_shared(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shop.read_text(encoding="utf-8")
    shop.write_text(
        text.replace("k: 4", "k: 1").replace("kind: DataContract", "kind: Data"), encoding="utf-8"
    )
    (result,) = told(capsys, "contract", "check", str(shop), code=ExitCode.REFUSED)
    assert (result["ok"], result["valid"]) == (False, False)
    assert {(each["kind"], each["where"]) for each in result["findings"]} == {
        ("malformed", "kind"),
        ("unshareable", "customProperties[4].value.k"),
    }
    lines = said(capsys, "contract", "check", str(shop), code=ExitCode.REFUSED).splitlines()
    assert {line.split()[0] for line in lines if f"{shop}:" in line} == {"malformed", "lacks"}


def test_wrong_use_is_two(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "no-such-command", code=ExitCode.USAGE)
    said(capsys, "catalog", "query", code=ExitCode.USAGE)
    said(capsys, "run", "nobody", code=ExitCode.USAGE)
    said(capsys, "catalog", "show", "nobody", code=ExitCode.USAGE)
    said(capsys, "catalog", "query", "SELEC", code=ExitCode.USAGE)


def test_a_refusal_is_one_and_says_what_where_and_what_now(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shop.read_text(encoding="utf-8")
    shop.write_text(text.replace("k: 4", "k: 5000").replace("Units: 20", "Units: 5000"), encoding="utf-8")
    assert main(["run", "small-shop"]) == ExitCode.REFUSED
    error = capsys.readouterr().err
    assert "PrivacyError Release refused: contract small-shop 1.0.0 asks for k 5000" in error
    assert "remedy" in error
    refusal = told(capsys, "run", "small-shop", code=ExitCode.REFUSED)
    assert refusal["error"] == "PrivacyError"
    assert refusal["remedy"]


def test_a_broken_source_is_three(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.parent / "data" / "orders.csv").unlink()
    said(capsys, "run", "small-shop", code=ExitCode.FAULT)


def test_nothing_of_an_unforeseen_error_but_its_place_is_told(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a raw value of a row")

    Home.open()
    monkeypatch.setattr("catalog.catalog.Catalog.releases", broken)
    assert main(["catalog", "list"]) == ExitCode.FAULT
    shown = capsys.readouterr()
    assert "KeyError" in shown.err
    assert "raw value" not in shown.err + shown.out


def test_an_interrupt_ends_quietly(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    Home.open()
    monkeypatch.setattr("catalog.catalog.Catalog.releases", stopped)
    assert main(["catalog", "list"]) == cli.main.INTERRUPTED
    assert "stopped" in capsys.readouterr().err


def test_looking_at_a_home_that_is_not_there_makes_none(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "audit", "verify", code=ExitCode.USAGE)
    said(capsys, "catalog", "show", "small-shop", code=ExitCode.USAGE)
    assert told(capsys, "catalog", "list") == []
    assert not Settings.from_env().home.exists()


@pytest.mark.parametrize(
    "words", [[], *([name] for name in COMMANDS), ["catalog", "query"], ["audit", "verify"]]
)
def test_help_teaches_by_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, *words, "--help")
    assert "sluice" in shown
    if words not in (["contract"], ["catalog"], ["quarantine"], ["audit"]):
        assert "Examples:" in shown


def test_checking_a_contract_does_not_pay_for_what_it_does_not_use() -> None:
    program = (
        "import sys; from cli.main import main; code = main(['contract', 'check', sys.argv[1]]); "
        "print(code, 'great_expectations' in sys.modules, 'numba' in sys.modules, 'airflow' in sys.modules)"
    )
    contract = Path(cli.main.__file__).parent.parent / "contracts" / "published" / "grocery-demand.odcs.yaml"
    done = subprocess.run(
        [sys.executable, "-c", program, str(contract)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 False False False"


def test_the_next_commands_can_be_typed_as_shown(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs the command from an environment that isn't on PATH must be shown its path."""
    command = tmp_path / "an env" / "sluice"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o700)
    monkeypatch.setattr("sys.argv", [str(command)])
    monkeypatch.chdir(tmp_path)
    assert "  'an env/sluice' audit verify" in said(capsys, "run", "small-shop")
    monkeypatch.setenv("PATH", str(command.parent))
    assert "  sluice audit verify" in said(capsys, "run", "small-shop")
