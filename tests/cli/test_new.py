"""`sluice contract new`: a draft from files, which the check takes, with no value of a row in anything that it writes or says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.main import main
from connectors.files import Files
from contracts.agreement.sheet import read_sheet
from contracts.declared import Basis
from contracts.model import LogicalType, Role, TableKind
from contracts.odcs import load_contract
from contracts.protection import Transform
from core.errors import ExitCode
from core.proof import Window
from tests.shop import open_shop

ANSWERED = ["--yes", "--recipient", "small-firm", "--tenant", "shop", "--purpose", "Plan what to make.", "--use", "demand-forecast",
            "--start", "2026-01-01", "--end", "2026-12-31", "--territory", "CN", "--grade", "SME", "--basis", "contract"]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    open_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["contract", *words]) == code, capsys.readouterr()
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", code=code))


def test_a_draft_of_a_folder_is_a_contract_that_the_check_takes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "new", "demand.odcs.yaml", "--from", "shop/data", *ANSWERED)
    assert "members: subjects, each `member` has one row" in text
    assert "sluice contract check demand.odcs.yaml" in text
    # The check finds what the draft said is open, and nothing else.
    lacking = said(capsys, "check", "demand.odcs.yaml", code=ExitCode.REFUSED)
    assert {"sluiceProvision" in line for line in lacking.splitlines()[:-1]} == {True}
    contract = load_contract(here / "demand.odcs.yaml")
    assert [table.kind for table in contract.tables] == [TableKind.SUBJECTS, TableKind.FACTS]
    assert contract.table("members").column("member").transform is Transform.DROP
    assert contract.source.path == "shop/data/{table}.csv"
    assert contract.compliance is not None
    assert contract.compliance.basis is Basis.CONTRACT
    terms = read_sheet(here / "demand.terms.yaml")
    assert terms.doors[0].purposes == ("demand-forecast",)
    # What the law asks and nobody has said is named, and nothing is made up for it.
    assert "decide" in text
    assert "sluiceProvision" in text


def test_what_is_open_is_found_and_not_made_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "new", "--from", "shop/data")
    assert (found["contract"], found["ok"]) == ("data.odcs.yaml", False)
    open_points = " ".join(each["what"] for each in found["decide"])
    for word in ("sluiceTerm", "sluiceRecipient", "`purpose`", "`grade`"):
        assert word in open_points
    said(capsys, "check", "data.odcs.yaml", code=ExitCode.REFUSED)
    # A draft doesn't take another's place.
    assert "already" in told(capsys, "new", "--from", "shop/data", code=ExitCode.USAGE)["what"]
    found = told(capsys, "new", "--from", "shop/data", "--force", *ANSWERED)
    assert found["ok"] is False
    assert all("sluiceProvision" in each["remedy"] for each in found["decide"])


def test_the_limits_of_training_that_nobody_can_guess_stay_open(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "new", "--from", "shop/data", *ANSWERED, "--door", "query", "--door", "train")
    sheet = [each for each in found["decide"] if each["where"] == "data.terms.yaml"]
    assert [each["remedy"] for each in sheet] == [
        f"Write `{name}` at the door." for name in ("algorithm", "cohortPlatform", "feature", "label")
    ]


def test_it_asks_what_nobody_gave(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(
        ["asked", "shop", "firm", "Plan.", "not a word!", "", "soon", "2026-02-01", "", "CN", "SME Auditor"]
    )
    monkeypatch.setattr("typer.prompt", lambda *_, default="", **__: next(answers) or default)
    assert main(["contract", "new", "--from", "shop/data"]) == 0
    capsys.readouterr()
    contract = load_contract(here / "asked.odcs.yaml")
    assert (contract.id, contract.recipient, contract.purpose) == ("asked", "firm", "Plan.")
    assert str(contract.term.start) == "2026-02-01"
    assert "# purpose:" in (here / "asked.terms.yaml").read_text(encoding="utf-8")
    assert "grade: [SME, Auditor]" in (here / "asked.terms.yaml").read_text(encoding="utf-8")


SECRETS = [
    "张三丰",
    "13912345678",
    "440101199001011234",
    "zhang@example.com",
    "Somewhere 12",
    "Rosebud",
    "98765.43",
]
HEADER = ["member_id", "who", "reach", "paper", "post", "lives", "word", "amount"]


def rows() -> list[list[str]]:
    return [
        [
            str(1000 + number),
            *(f"{secret}" if place in (5, 6) else secret for place, secret in enumerate(SECRETS)),
        ]
        for number in range(40)
    ]


def as_csv(path: Path) -> Path:
    file = path / "people.csv"
    file.write_text("\n".join([",".join(HEADER), *(",".join(row) for row in rows())]), encoding="utf-8")
    return file


def as_json(path: Path) -> Path:
    file = path / "people.jsonl"
    lines = [json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) for row in rows()]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def as_parquet(path: Path) -> Path:
    file = path / "people.parquet"
    columns = list(zip(*rows(), strict=True))
    pq.write_table(pa.table(dict(zip(HEADER, map(list, columns), strict=True))), file)
    return file


@pytest.mark.parametrize("write", [as_csv, as_json, as_parquet])
def test_no_value_gets_into_the_draft_or_onto_the_screen(
    here: Path, capsys: pytest.CaptureFixture[str], write: Any
) -> None:
    file = write(here)
    text = said(capsys, "new", "people.odcs.yaml", "--from", str(file), *ANSWERED)
    text += capsys.readouterr().err
    text += (here / "people.odcs.yaml").read_text("utf-8") + (here / "people.terms.yaml").read_text("utf-8")
    assert [secret for secret in SECRETS if secret in text] == []
    columns = {each.name: each for each in load_contract(here / "people.odcs.yaml").tables[0].columns}
    # By their values alone: nothing in these names speaks of persons.
    assert columns["reach"].role is columns["paper"].role is columns["post"].role is Role.IDENTIFIER


@pytest.mark.parametrize(
    "text",
    [
        "张三丰,13912345678\n李四,13812345678\n",  # no header: a person's number stands where a name belongs
        "Rosebud,East\nRosebud,West\n",  # a first row that comes again
        "a,a\n1,2\n",
        ",b\n1,2\n",
        "2026-01-01,b\n2026-01-02,2\n",
        "",
    ],
)
def test_a_file_without_column_names_is_refused_without_its_values(
    here: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (here / "bare.csv").write_text(text, encoding="utf-8")
    found = told(capsys, "new", "--from", "bare.csv", "--yes", code=ExitCode.FAULT)
    assert "column names" in found["what"]
    assert not any(word in json.dumps(found, ensure_ascii=False) for word in ("Rosebud", "张三丰", "139123"))
    assert not (here / "bare.odcs.yaml").exists()


def test_types_are_the_narrowest_that_lose_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "t.csv").write_text(
        "user_id;zip;paid;at;day;ok\n1;01234;1.50;2026-01-01 10:00:00;2026-01-01;true\n2;99999;2;2026-01-02T11:00:00Z;2026-01-02;false\n",
        encoding="utf-8",
    )
    told(capsys, "new", "--from", "t.csv", *ANSWERED)
    contract = load_contract(here / "t.odcs.yaml")
    assert [each.type for each in contract.tables[0].columns] == [
        LogicalType.INTEGER, LogicalType.STRING, LogicalType.NUMBER, LogicalType.TIMESTAMP, LogicalType.DATE, LogicalType.BOOLEAN,
    ]  # fmt: skip
    assert (contract.source.options or {})["delimiter"] == ";"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--from", "nowhere"], "no data file"),
        (["--from", "shop/data", "--kind", "members=persons"], "isn't a table and its kind"),
        (["--from", "shop/data", "--kind", "nobody=facts"], "no `nobody`"),
        (["--from", "shop/data", "--unit", "nobody"], "no `nobody`"),
        (["--from", "shop/data", "--start", "soon"], "isn't a day"),
        (["--from", "shop/data", "--start", "2026-02-01", "--end", "2026-01-01"], "ends before it begins"),
        (["--from", "shop/data", "--territory", "china"], "isn't a territory"),
    ],
)
def test_wrong_words_are_told(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], what: str
) -> None:
    assert what in told(capsys, "new", *words, "--yes", code=ExitCode.USAGE)["what"]


def test_a_table_can_be_left_out_or_called_another_kind(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "new", "--from", "shop/data", *ANSWERED, "--kind", "members=none", "--kind", "orders=subjects")  # fmt: skip
    assert [(each["name"], each["kind"]) for each in found["tables"]] == [("orders", "subjects")]


def test_a_drafts_data_is_read_as_it_says(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "new", "demand.odcs.yaml", "--from", "shop/data", *ANSWERED)
    contract = load_contract(here / "demand.odcs.yaml")
    for table in contract.tables:
        assert Files().open(contract, table, Window()).read_all().num_rows > 100
