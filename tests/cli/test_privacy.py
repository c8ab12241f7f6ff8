"""`sluice privacy`: a file is measured or settings are tried, and no hall hears of it, nor does a raw row stay behind."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.main import main
from contracts.odcs import load_contract
from core.errors import ExitCode
from tests.shop import open_shop, raw_member

CONTRACT = "small-shop.odcs.yaml"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop without a hall, and a place for temporary files of its own."""
    folder = open_shop(tmp_path / "shop").parent
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "no hall"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_stays(shop: Path) -> Any:
    yield
    assert not (shop.parent / "no hall").exists()
    assert list((shop.parent / "temporary").iterdir()) == []


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["privacy", *words, "--contract", CONTRACT]) == code, capsys.readouterr()
    return capsys.readouterr().out


def treated(folder: Path) -> Path:
    """What somebody else made of the members: no names, hardly any detail, text where the contract has numbers."""
    with (folder / "data/members.csv").open(encoding="utf-8", newline="") as file:
        rows = [["19xx-20xx", "*", row["plan"]] for row in csv.DictReader(file)]
    path = folder / "treated.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["born", "town", "plan"], *rows])
    return path


def alone(folder: Path, limit: str, other: str) -> None:
    """The contract without its facts, so that every search can be had, and with another limit."""
    path = folder / CONTRACT
    text = path.read_text(encoding="utf-8").partition("  - name: orders")[0]
    assert limit in text
    path.write_text(text.replace(limit, other), encoding="utf-8")


def test_a_raw_file_is_refused_and_every_reason_told(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "assess", "data/members.csv", code=ExitCode.REFUSED)
    for part in (
        "k                  4        1  BROKEN",
        "l      plan        2        1  BROKEN",
        "kept back by the contract, and in the file: member",
        "singling-out.sensitive",
        "counted by member",
        "refused: the file does not hold what the contract asks for.",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80
    assert raw_member(0) not in text


def test_a_file_that_somebody_treated_holds_and_its_report_is_written(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "assess", str(treated(shop)), "--out", "report")
    assert "good: the file holds the contract's limits." in text
    assert "each row counts as one" in text
    page = (shop / "report/disclosure.html").read_text(encoding="utf-8")
    assert "The file <bdi>treated.csv</bdi>, as it is" in page
    assert "This file keeps every limit" in page
    written = json.loads((shop / "report/disclosure.json").read_text(encoding="utf-8"))
    told = json.loads(said(capsys, "assess", "treated.csv", "--json"))
    assert told.pop("holds") is True
    assert told == written
    assert {limit["name"]: limit["reached"] for limit in told["assessed"]["limits"]} == {"k": 120, "l": 3}
    assert told["assessed"]["missing"] == ["member"]


def test_parquet_of_any_types_is_read_as_it_stands(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pa.table(
        {
            "born": pa.array([1990.5] * 8).dictionary_encode(),
            "town": pa.array(["N"] * 8, pa.large_string()),
            "plan": pa.array([1, 2] * 4, pa.int8()),
            "tags": pa.array([["x"]] * 8),
        }
    )
    pq.write_table(rows, shop / "odd.parquet")
    told = json.loads(said(capsys, "assess", "odd.parquet", "--json", code=ExitCode.REFUSED))
    assert told["assessed"]["undeclared"] == ["tags"]
    assert [(limit["name"], limit["reached"]) for limit in told["assessed"]["limits"]] == [("k", 8), ("l", 2)]


def test_the_settings_that_lose_least_are_lines_for_the_contract(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone(shop, "k: 4", "search: fullDomain, k: 4")
    told = json.loads(said(capsys, "tune", "data/members.csv", "--json"))
    best = told["settings"][0]
    assert (best["search"], best["agreed"]) == ("multidimensional", False)
    text = said(capsys, "tune", "data/members.csv")
    assert max(map(len, text.splitlines())) <= 100
    (line,) = re.findall("    value: ({.*})", text)
    assert json.loads(line) == best["sluicePrivacy"]
    path = shop / CONTRACT
    path.write_text(re.sub(r"{unit: member,.*?}", line, path.read_text(encoding="utf-8")), encoding="utf-8")
    terms = load_contract(path).privacy
    assert terms is not None
    assert (terms.search.value, terms.k, terms.l) == ("multidimensional", 4, 2)
    assert "nothing loses less than what the contract says now" in said(capsys, "tune", "data/members.csv")


def test_limits_out_of_reach_have_no_setting(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone(shop, "l: 2", "l: 4")  # there are three plans
    text = said(capsys, "tune", "data/members.csv", code=ExitCode.REFUSED)
    assert "no setting holds the contract's limits" in text


def test_wrong_use_is_told(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "notes.txt").write_text("x", encoding="utf-8")
    for words, what in (
        (("assess", "none.csv"), "There is no such file."),
        (("assess", "notes.txt"), "doesn't say that it's CSV or Parquet"),
        (("assess", "data/members.csv", "--table", "orders"), "`orders` is no table"),
    ):
        assert what in json.loads(said(capsys, *words, "--json", code=ExitCode.USAGE))["what"]
    # Half of the way: the file is there, and isn't what the contract says. Nothing of it stays, see `nothing_stays`.
    refused = json.loads(said(capsys, "tune", str(treated(shop)), "--json", code=ExitCode.FAULT))
    assert "`member`" in refused["what"]
    assert main(["privacy", "tune", "data/members.csv", "--contract", "none.yaml"]) == ExitCode.USAGE
