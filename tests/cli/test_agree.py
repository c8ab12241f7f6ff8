"""`sluice contract offer`, `sign` and what comes after, between a platform's hall and a firm's."""

from __future__ import annotations

import json
import stat
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from contracts.agreement.values import Grade
from core.digest import document_digest
from core.errors import ExitCode
from core.settings import Settings
from pipeline.agreements.parties import Firm, demo_parties
from pipeline.home import Home

PLATFORM, FIRM, AUDITOR = "91310000100000002D", "91440000100000003K", "91440000100000004N"
GOODS = (Path(__file__).parents[1] / "data" / "goods.odcs.yaml").read_text(encoding="utf-8")
TERMS = """
release:
  purpose: [demand-forecast]
  from: 2026-01-01
  until: 2099-12-31
  territory: CN
  grade: [SME]
  minGroupSize: {k}
deleteWithinDays: 30
"""


class Town:
    """Two halls and a table with files between them."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._capsys = folder, patch, capsys
        homes = {
            name: Home.open(Settings(home=folder / name, contracts=folder / "contracts"))
            for name in ("platform", "firm", "auditor")
        }
        demo_parties(
            [
                Firm(
                    code=PLATFORM,
                    name="平台 Co.",
                    beneficial_owner="A",
                    grade=Grade.PLATFORM,
                    home=homes["platform"],
                ),
                Firm(code=FIRM, name="小店 Co.", beneficial_owner="B", grade=Grade.SME, home=homes["firm"]),
                Firm(
                    code=AUDITOR,
                    name="审计 Co.",
                    beneficial_owner="C",
                    grade=Grade.AUDITOR,
                    home=homes["auditor"],
                ),
            ],
            hall=PLATFORM,
        )
        patch.chdir(folder)
        patch.setenv("SLUICE_CONTRACTS", str(folder / "contracts"))
        self.write("goods.odcs.yaml", GOODS)
        self.write("terms.yaml", TERMS.replace("{k}", "5"))

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def said(self, hall: str, *words: str, code: int = 0) -> str:
        self._patch.setenv("SLUICE_HOME", str(self.folder / hall))
        self._capsys.readouterr()
        ended = main(["contract", *words])
        shown = self._capsys.readouterr()
        assert ended == code, shown
        return shown.out + shown.err

    def told(self, hall: str, *words: str, code: int = 0) -> Any:
        return json.loads(self.said(hall, *words, "--json", code=code))

    def offer(self, contract: str = "goods.odcs.yaml", terms: str = "terms.yaml") -> str:
        self.said("platform", "offer", contract, "--to", FIRM, "--terms", terms)
        return "goods-list.dossier.json"

    def conclude(self, contract: str = "goods.odcs.yaml") -> str:
        file = self.offer(contract)
        for hall in ("firm", "platform", "firm", "platform"):
            self.said(hall, "sign", file, "--yes")
        self.said("firm", "take", file)
        return file


@pytest.fixture
def town(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Town]:
    return Town(tmp_path, monkeypatch, capsys)


def test_a_contract_comes_about_by_a_file_that_goes_to_and_fro(town: Town) -> None:
    said = town.said("platform", "offer", "goods.odcs.yaml", "--to", FIRM, "--terms", "terms.yaml")
    file = town.folder / "goods-list.dossier.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert said.splitlines() == [
        "good      goods-list 1.0.0 is OFFERED",
        f"send      goods-list.dossier.json to urn:uscc:{FIRM}",
        "then      they run `sluice contract sign goods-list.dossier.json`",
    ]
    phases = [
        town.told(hall, "sign", str(file))["phase"] for hall in ("firm", "platform", "firm", "platform")
    ]
    assert phases == ["ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"]
    assert town.told("firm", "take", str(file))["phase"] == "FINALIZED"
    for hall in ("platform", "firm"):
        (listed,) = town.told(hall, "list")
        assert (listed["contract"], listed["standing"]) == ("goods-list", "in force")
        signed = town.told(hall, "verify", "goods-list")["signed"]
        assert [signed[side]["party"] for side in ("assigner", "assignee")] == [
            f"urn:uscc:{PLATFORM}",
            f"urn:uscc:{FIRM}",
        ]


def test_a_firm_asks_and_the_platform_answers_with_other_terms(town: Town) -> None:
    town.said(
        "firm", "request", "goods.odcs.yaml", "--of", PLATFORM, "--terms", "terms.yaml", "--out", "wish.json"
    )
    strict = town.write("strict.yaml", TERMS.replace("{k}", "20"))
    town.said("platform", "counter", "wish.json", "--terms", strict, "--out", "answer.json")
    assert "k at least 20" in town.said("firm", "show", "answer.json")
    for hall in ("firm", "platform", "firm", "platform"):
        town.said(hall, "sign", "answer.json", "--yes", "--out", "answer.json")
    assert town.told("platform", "list")[0]["standing"] == "in force"


def test_what_is_agreed_is_shown_before_it_is_signed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    file = town.offer()
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    said = town.said("firm", "sign", file, code=ExitCode.REFUSED)
    for part in (
        "contract  goods-list 1.0.0: Goods of a small shop",
        f"provider  平台 Co., {PLATFORM} (Platform)",
        f"recipient 小店 Co., {FIRM} (SME)",
        "release   purposes demand-forecast; from 2026-01-01",
        "k at least 5",
        "never     reidentify",
        "duty      delete within 30 days",
        "digest    sha256 ",
    ):
        assert part in said
    assert town.told("firm", "list")[0]["phase"] == "OFFERED"  # taken in, not signed


def test_it_is_shown_by_id_and_by_the_beginning_of_its_negotiation(town: Town) -> None:
    town.conclude()
    (listed,) = town.told("platform", "list")
    for ref in ("goods-list", listed["negotiation"], listed["negotiation"][:8]):
        shown = town.told("platform", "show", ref)
        assert (shown["standing"], shown["negotiation"]) == ("in force", listed["negotiation"])
    said = town.said("platform", "show", "goods-list")
    assert "stands    in force since 20" in said
    assert "next      It is concluded" in said
    assert "in force" in town.said("platform", "list")


def test_looking_at_a_file_records_nothing(town: Town) -> None:
    file = town.offer()
    town.said("firm", "show", file)
    assert town.told("firm", "list") == []
    assert "No contract was negotiated here" in town.said("firm", "list")


def test_stopped_and_started_again_in_both_halls(town: Town) -> None:
    file = town.conclude()
    for command, standing in (("suspend", "suspended"), ("resume", "in force"), ("terminate", "terminated")):
        town.told("firm", command, "goods-list", "--reason", "an audit")
        town.said("platform", "take", file)
        for hall in ("firm", "platform"):
            assert town.told(hall, "list")[0]["standing"] == standing


def test_who_has_not_signed_yet_is_told(town: Town) -> None:
    file = town.offer()
    error = town.told("firm", "verify", file, code=ExitCode.REFUSED)
    assert error["what"] == "Both haven't signed: the negotiation is OFFERED."
    assert error["remedy"] == "Now the consumer can ask for other terms or the consumer can accept."


def test_out_of_turn_and_strangers_are_refused(town: Town) -> None:
    file = town.offer()
    assert (
        "isn't the provider's turn"
        in town.told("platform", "sign", "goods-list", code=ExitCode.REFUSED)["what"]
    )
    assert "acts for neither" in town.told("auditor", "sign", file, code=ExitCode.REFUSED)["what"]
    assert town.told("auditor", "list") == []
    assert "goods-list" in town.said("auditor", "show", file)


def test_who_you_are_can_be_said_and_must_be_true(town: Town) -> None:
    error = town.told(
        "platform",
        "offer",
        "goods.odcs.yaml",
        "--to",
        FIRM,
        "--terms",
        "terms.yaml",
        "--as",
        FIRM,
        code=ExitCode.USAGE,
    )
    assert "No key of urn:uscc:" in error["what"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "nothing"), ExitCode.USAGE, "No contract here is called nothing."),
        (("take", "nothing.json"), ExitCode.USAGE, "The file can't be read (No such file or directory)."),
        (("take", "terms.yaml"), ExitCode.REFUSED, "The document isn't JSON in UTF-8."),
        (("offer", "terms.yaml", "--to", FIRM, "--terms", "terms.yaml"), ExitCode.REFUSED, "can't be used"),
        (
            ("offer", "goods.odcs.yaml", "--to", FIRM, "--terms", "goods.odcs.yaml"),
            ExitCode.REFUSED,
            "term sheet",
        ),
        (
            ("offer", "goods.odcs.yaml", "--to", PLATFORM, "--terms", "terms.yaml"),
            ExitCode.REFUSED,
            "both sides",
        ),
        (
            ("offer", "goods.odcs.yaml", "--to", "9144", "--terms", "terms.yaml"),
            ExitCode.REFUSED,
            "characters",
        ),
    ],
)
def test_wrong_use_is_told(town: Town, words: tuple[str, ...], code: ExitCode, told: str) -> None:
    assert told in town.told("platform", *words, code=code)["what"]


def test_terms_that_lack_a_limit_are_not_put_forward(town: Town) -> None:
    lax = town.write("lax.yaml", TERMS.replace("  minGroupSize: {k}\n", ""))
    error = town.told(
        "platform", "offer", "goods.odcs.yaml", "--to", FIRM, "--terms", lax, code=ExitCode.REFUSED
    )
    assert "clause agreement.permission[0]" in error["where"]
    assert town.told("platform", "list") == []


def test_a_file_that_cannot_be_written_says_where_the_words_are_kept(town: Town) -> None:
    error = town.told(
        "platform", "offer", "goods.odcs.yaml", "--to", FIRM, "--terms", "terms.yaml", "--out", "no/where.json",
        code=ExitCode.USAGE,
    )  # fmt: skip
    assert "what was said is kept in" in error["remedy"]
    assert town.told("platform", "list")[0]["phase"] == "OFFERED"


def test_housekeeping_does_what_is_due(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    town.conclude()
    town.told("platform", "terminate", "goods-list")
    for _ in range(2):
        capsys.readouterr()
        assert main(["housekeeping", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found == {
            **{key: [] for key in ("withheld", "shown", "deleted", "forgotten", "counts_destroyed")},
            "registry_renewed": False,
        }
    assert main(["housekeeping"]) == 0
    assert "nothing was due" in capsys.readouterr().out


def test_an_id_means_what_the_command_is_about(town: Town) -> None:
    """A contract in force beside a new version that is being negotiated: neither is taken for the other."""
    town.conclude()
    second = town.write("v2.odcs.yaml", GOODS.replace("version: 1.0.0", "version: 2.0.0"))
    offered = town.told("platform", "offer", second, "--to", FIRM, "--terms", "terms.yaml")
    assert (
        offered["file"] == f"goods-list-{offered['negotiation'][:8]}.dossier.json"
    )  # the other's file stays
    assert town.told("platform", "suspend", "goods-list")["version"] == "1.0.0"
    assert town.told("platform", "resume", "goods-list")["standing"] == "in force"
    assert town.told("firm", "sign", offered["file"])["phase"] == "ACCEPTED"
    assert town.told("firm", "terminate", "goods-list")["version"] == "1.0.0"
    third = town.write("v3.odcs.yaml", GOODS.replace("version: 1.0.0", "version: 3.0.0"))
    town.said("platform", "offer", third, "--to", FIRM, "--terms", "terms.yaml")
    several = town.told("platform", "sign", "goods-list", code=ExitCode.USAGE)
    assert several["what"] == "Several negotiations about goods-list could be meant."
    assert f"{offered['negotiation'][:8]} (version 2.0.0)" in several["remedy"]


def test_a_folder_of_the_contracts_name_is_no_file_of_it(town: Town) -> None:
    town.conclude()
    (town.folder / "goods-list").mkdir()
    assert "in force" in town.said("platform", "show", "goods-list")
    assert town.told("platform", "suspend", "goods-list")["standing"] == "suspended"


def test_the_end_of_a_contract_is_asked_for_by_its_name(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.conclude()
    asked: list[str] = []

    def no(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("typer.confirm", no)
    town.said("platform", "terminate", "goods-list", code=ExitCode.REFUSED)
    assert asked == [f"End the contract goods-list 1.0.0 with urn:uscc:{FIRM} for good?"]
    assert town.told("platform", "list")[0]["standing"] == "in force"


def test_who_stopped_it_and_why_is_shown_in_both_halls(town: Town) -> None:
    file = town.conclude()
    said = town.said("firm", "suspend", "goods-list", "--reason", "an audit\nis under way")
    assert said.splitlines()[0] == "good      goods-list 1.0.0 is suspended by the consumer"
    assert "contract take goods-list.dossier.json" in said
    assert "is suspended by the consumer" in town.said("platform", "take", file)
    for hall in ("firm", "platform"):
        shown = town.said(hall, "show", "goods-list")
        assert "told      suspended by the consumer: an audit" in shown
        assert "\nis under way" not in shown
        assert "next      Who suspended it resumes it" in shown
    error = town.told("platform", "resume", "goods-list", code=ExitCode.REFUSED)
    assert "only who suspended it resumes it" in error["what"]
    ended = town.said("firm", "terminate", "goods-list", "--yes")
    assert "goods-list 1.0.0 is terminated by the consumer" in ended
    assert "It is over" in town.said("firm", "show", "goods-list")


def test_both_documents_are_there_to_the_letter(town: Town) -> None:
    file = town.offer()
    town.said("firm", "show", file, "--save", "offered")
    assert sorted(path.name for path in (town.folder / "offered").iterdir()) == ["goods-list.odcs.yaml"]
    for hall in ("firm", "platform", "firm", "platform"):
        town.said(hall, "sign", file, "--yes")
    town.said("firm", "show", file, "--save", "signed")
    folder = town.folder / "signed"
    assert (folder / "goods-list.odcs.yaml").read_text(encoding="utf-8") == GOODS
    statement = json.loads(b64decode(json.loads((folder / "signatures.dsse.json").read_bytes())["payload"]))
    agreement = document_digest(json.loads((folder / "agreement.json").read_bytes()))
    assert agreement in {subject["digest"]["sha256"] for subject in statement["subject"]}


def test_what_would_keep_the_door_shut_is_told_when_it_is_offered(town: Town) -> None:
    town.write(
        "goods.odcs.yaml", GOODS.replace("{property: sluiceGrade, value: general}", "{property: x, value: y}")
    )
    found = town.told("platform", "offer", "goods.odcs.yaml", "--to", FIRM, "--terms", "terms.yaml")
    assert found["phase"] == "OFFERED"
    assert any("has no grade" in each["what"] for each in found["findings"])


@pytest.mark.parametrize(
    "words",
    [("take", "/dev/zero"), ("counter", "goods-list", "--contract", "no.yaml", "--terms", "terms.yaml")],
)
def test_a_file_that_is_none_is_refused_in_words(town: Town, words: tuple[str, ...]) -> None:
    town.offer()
    code = ExitCode.REFUSED if words[0] == "take" else ExitCode.USAGE
    assert town.told("platform", *words, code=code)["what"]
