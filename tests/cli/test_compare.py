"""`sluice contract diff`: what it says of files, of dossiers and of what lies in the hall, and with which code it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from core.errors import ExitCode, UsageError
from core.settings import Settings
from pipeline.agreements.desk import Desk
from pipeline.home import Home
from tests import signed
from tests.shop import open_shop

SHEET = """\
release:
  purpose: [demand-forecast]
  from: 2026-01-01
  until: 2026-12-31
  territory: [CN]
  grade: [SME]
  minGroupSize: 5
forbidden: [reidentify, distribute]
deleteWithinDays: 30
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    contract = open_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLUICE_CONTRACTS", str(contract.parent))
    return contract


def changed(path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a file beside it with each `old` replaced by `new`; each must stand in it."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    copy = path.with_name(name)
    copy.write_text(text, encoding="utf-8")
    return copy


def sheet(tmp_path: Path, name: str, *changes: tuple[str, str]) -> str:
    path = tmp_path / "sheet.yaml"
    path.write_text(SHEET, encoding="utf-8")
    return str(changed(path, name, *changes))


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["contract", "diff", *words]) == code, capsys.readouterr()
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", code=code))


def test_one_and_the_same_file_has_no_diff(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing changes." in said(capsys, str(shop), str(shop))
    found = told(capsys, str(shop), str(shop))
    assert (found["widens"], found["changes"], found["compared"]) == (False, [], ["data"])


def test_a_lower_k_widens_and_the_code_says_so(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looser = changed(shop, "v2.odcs.yaml", ("k: 4", "k: 3"), ("version: 1.0.0", "version: 2.0.0"))
    text = said(capsys, str(shop), str(looser), code=ExitCode.REFUSED)
    assert "widens    k changes from 4 to 3: the persons in the data lose protection." in text
    assert "the persons in the data lose; sluicePrivacy.k" in text
    found = told(capsys, str(shop), str(looser), code=ExitCode.REFUSED)
    assert found["widens"] is True
    assert found["new"] == {"contract": "small-shop", "version": "2.0.0", "from": str(looser)}
    (change,) = found["changes"]
    assert (change["who"], change["gains"], change["what"]) == ("the persons in the data", False, "k")
    # And back again nothing widens.
    assert "narrows   k changes from 3 to 4" in said(capsys, str(looser), str(shop))


def test_the_worst_comes_first(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(shop, "v2.odcs.yaml", ("k: 4", "k: 3"), ("sluiceRecipient, value: ", "sluiceRecipient, value: another-"))  # fmt: skip
    found = told(capsys, str(shop), str(other), code=ExitCode.REFUSED)
    assert [change["what"] for change in found["changes"]] == ["parties", "k"]


def test_term_sheets_are_compared_with_their_contracts(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = sheet(tmp_path, "old.yaml")
    wider = sheet(tmp_path, "wide.yaml", ("[demand-forecast]", "[demand-forecast, advertising]"))
    words = [str(shop), str(shop), "--terms-old", old, "--terms-new"]
    assert told(capsys, *words, old)["compared"] == ["data", "terms"]
    (change,) = told(capsys, *words, wider, code=ExitCode.REFUSED)["changes"]
    assert change["words"] == "The recipient gains purposes (release): `advertising`."
    assert change["clause_new"] == "agreement.permission[0].constraint[0]"
    dropped = sheet(tmp_path, "dropped.yaml", ("[reidentify, distribute]", "[reidentify]"))
    assert "no longer forbidden `distribute`" in said(capsys, *words, dropped, code=ExitCode.REFUSED)


def test_one_sheet_alone_compares_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = told(capsys, str(shop), str(shop), "--terms-new", sheet(tmp_path, "a.yaml"), code=ExitCode.USAGE)
    assert found["what"] == "OLD has no terms to compare with."


def test_what_is_neither_a_file_nor_a_contract_is_named(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "nothing-like-it", str(shop), code=ExitCode.USAGE)
    assert "nothing-like-it" in found["what"]
    broken = changed(shop, "broken.odcs.yaml", ("k: 4", "k: 1"))
    assert told(capsys, str(shop), str(broken), code=ExitCode.REFUSED)["problems"]


def test_what_is_in_force_against_what_they_send_and_what_we_draft(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = Home.open(Settings.from_env())
    signed.trust(home.settings)
    signed.conclude(home, shop)
    # The other party's second version comes as a file, and only the hall's own is in the ledger.
    second = changed(shop, "v2.odcs.yaml", ("version: 1.0.0", "version: 2.0.0"), ("k: 4", "k: 3"))
    theirs = Settings(home=tmp_path / "theirs", contracts=shop.parent)
    signed.trust(theirs)
    offered = signed.begin(Home.open(theirs), second, side=signed.P, version="2.0.0")
    file = tmp_path / "v2.dossier.json"
    file.write_bytes(offered.path.read_bytes())

    found = told(capsys, "small-shop", str(file), code=ExitCode.REFUSED)
    assert found["old"]["from"] == "here, in force"
    assert found["new"]["from"].endswith("v2.dossier.json, offered")
    assert found["compared"] == ["data", "terms"]
    # The other text isn't told as another target, only as what differs in it; its k stands in the terms too.
    assert {change["what"] for change in found["changes"]} == {"k"}
    assert len(found["changes"]) == 2
    # It's looked at, and not taken in.
    with pytest.raises(UsageError):
        Desk(home).open(offered.made.id)
    # The same against itself: an offer that would be agreed a moment later is no change.
    assert told(capsys, str(file), str(file))["changes"] == []
    negotiation = told_list(capsys)[0]["negotiation"]
    assert told(capsys, negotiation[:8], "small-shop")["changes"] == []

    # A draft with its sheet: compared as if it were between the same parties.
    terms = sheet(tmp_path, "draft.yaml", ("[demand-forecast]", "[planning]"), ("minGroupSize: 5", "minGroupSize: 4"))  # fmt: skip
    draft = told(capsys, "small-shop", str(shop), "--terms-new", terms, code=ExitCode.REFUSED)
    # The sheet has no limit on l, and another term.
    assert {change["what"] for change in draft["changes"]} == {"l", "time"}
    assert "There is no limit on l (release) any more; it was 2." in [
        change["words"] for change in draft["changes"]
    ]
    # Without it, only the data; and terms beside terms are a mistake.
    assert told(capsys, "small-shop", str(shop))["compared"] == ["data"]
    assert "no place beside" in told(capsys, "small-shop", str(shop), "--terms-old", terms, code=ExitCode.USAGE)["what"]  # fmt: skip


def told_list(capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main(["contract", "list", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_forged_file_is_not_compared(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = Home.open(Settings.from_env())
    signed.trust(home.settings)
    made = signed.conclude(home, shop)
    document = json.loads(made.path.read_bytes())
    first, second = document["sayings"][:2]
    first["signatures"], second["signatures"] = second["signatures"], first["signatures"]
    file = tmp_path / "forged.dossier.json"
    file.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True), encoding="utf-8")
    assert "error" in told(capsys, "small-shop", str(file), code=ExitCode.REFUSED)


@pytest.mark.slow
def test_it_reads_well_at_eighty_columns(shop: Path, tmp_path: Path) -> None:
    other = changed(shop, "v2.odcs.yaml", ("k: 4", "k: 3"), ("sluiceRecipient, value: ", "sluiceRecipient, value: another-"))  # fmt: skip
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    words = ["contract", "diff", shop.name, other.name]
    program = f"import sys; from cli.main import main; sys.exit(main({words!r}))"
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=theirs, stderr=theirs, cwd=shop.parent,
        env=environment | {"PYTHONPATH": str(root)},
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # how Linux ends a terminal that nobody holds open any more
            pass
        assert running.wait() == ExitCode.REFUSED
    os.close(ours)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert any("WIDENS" in line for line in lines)
