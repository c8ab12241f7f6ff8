"""`sluice tokens`, from the holder's key over a run to opened tokens."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from core.errors import ExitCode
from pipeline.home import Home
from tests.shop import MEMBERS, open_shop, raw_member

PSEUDONYM = "{property: sluiceTransform, value: pseudonym}"
TOKEN = "{property: sluiceTransform, value: {kind: token, holder: notary-office}}"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop whose members go out as tokens."""
    contract = open_shop(tmp_path / "shop")
    text = contract.read_text(encoding="utf-8")
    assert text.count(PSEUDONYM) == 1
    contract.write_text(text.replace(PSEUDONYM, TOKEN), encoding="utf-8")
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLUICE_CONTRACTS", str(contract.parent))
    monkeypatch.chdir(tmp_path)
    return contract


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == code, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def test_a_run_without_the_lent_key_ends_before_data_is_fetched(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("SLUICE_TOKEN_KEYS", str(tmp_path))
    refused = told(capsys, "run", "small-shop", code=ExitCode.REFUSED)
    assert "wasn't lent" in refused["what"]
    log = told(capsys, "audit", "log", "--limit", "100")
    kinds = [each["event"]["run"]["facets"]["sluice"]["kind"] for each in log]
    assert kinds[-1] == "run.failed"
    assert "data.received" not in kinds


def test_from_the_key_to_opened_tokens(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    key = tmp_path / "small-shop+notary-office.json"
    assert told(capsys, "tokens", "key", "--contract", "small-shop")["file"] == key.name
    assert not (tmp_path / "home").exists()  # no hall is made by it
    monkeypatch.setenv("SLUICE_TOKEN_KEYS", str(tmp_path))
    release = told(capsys, "run", "small-shop")["release"]
    found = told(capsys, "catalog", "query", f"SELECT hex(member) AS t FROM {release}.members")
    tokens = [row["t"] for row in found["rows"]] if isinstance(found, dict) else [row["t"] for row in found]
    (tmp_path / "found.txt").write_text("\n".join(tokens) + "\n")
    out = tmp_path / "opened.csv"
    words = (
        "tokens",
        "open",
        "found.txt",
        "--contract",
        "small-shop",
        "--column",
        "members.member",
        "--key",
        key.name,
    )
    asked = (*words, "--purpose", "recall of lot 17", "--out")
    inside = told(capsys, *asked, str(tmp_path / "home" / "x.csv"), code=ExitCode.USAGE)
    assert "SLUICE_HOME" in inside["what"]
    assert told(capsys, *asked, str(out)) == {"file": str(out), "tokens": MEMBERS}
    assert out.stat().st_mode & 0o777 == 0o600
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["value"] for row in rows) == [raw_member(number) for number in range(MEMBERS)]
    assert [row["token"].lower() for row in rows] == [token.lower() for token in tokens]
    assert told(capsys, *asked, str(out), code=ExitCode.USAGE)["what"] == "Something is there already."
    log = told(capsys, "audit", "log", "--limit", "100")
    facts = [each["event"]["run"]["facets"]["sluice"] for each in log]
    [opened] = [each for each in facts if each["kind"] == "tokens.opened"]
    assert opened["facts"]["tokens"] == MEMBERS
    assert "-raw" not in json.dumps(log)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("key", "--contract", "small-shop", "--holder", "another"), "names no token holder another"),
        (("open", "no.txt", "--contract", "small-shop", "--column", "members.member", "--key", "k", "--purpose", "p", "--out", "o.csv"), "There is no hall here"),
    ],
)  # fmt: skip
def test_wrong_use_is_told(shop: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:  # fmt: skip
    assert says in told(capsys, "tokens", *words, code=ExitCode.USAGE)["what"]


def test_a_line_that_is_no_token_is_told_by_its_number(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    Home.open()
    (tmp_path / "found.txt").write_text("ab\nperson-7\n")
    error = told(capsys, "tokens", "open", "found.txt", "--contract", "small-shop", "--column", "members.member", "--key", "k", "--purpose", "p", "--out", "o.csv", code=ExitCode.USAGE)  # fmt: skip
    assert error["where"] == "found.txt:2"
    assert "person-7" not in json.dumps(error)
