"""`sluice party` between halls that share nothing but files: from three firms' first keys to a contract that two of them signed."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
import termios
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from core.errors import ExitCode
from core.keys import KeyStore
from pipeline.home import Home

PLATFORM, FIRM, AUDITOR = "91110000100000001W", "91310000100000002D", "91440000100000003K"
GOODS = Path(__file__).parents[1] / "data" / "goods.odcs.yaml"


class Desk:
    """A table on which files lie, and the halls around it; a command is called in one of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self._capsys, self._patch = folder, capsys, patch
        self.shown = ""
        patch.chdir(folder)
        patch.setenv("COLUMNS", "80")
        for name in ("SLUICE_REGISTRY", "SLUICE_REGISTRY_ROOT"):
            patch.delenv(name, raising=False)

    def said(self, hall: str, *words: object, code: int = 0) -> tuple[str, str]:
        self._patch.setenv("SLUICE_HOME", str(self.folder / hall))
        self._capsys.readouterr()
        self._patch.setattr("sys.stdin", io.StringIO("n\n"))  # whoever is asked says no
        assert main([str(word) for word in words]) == code, self._capsys.readouterr()
        shown = self._capsys.readouterr()
        self.shown += shown.out + shown.err
        return shown.out, shown.err

    def told(self, hall: str, *words: object, code: int = 0) -> Any:
        return json.loads(self.said(hall, *words, "--json", code=code)[0])

    def key(self, hall: str, code: str, use: str = "contracts") -> Any:
        return self.told(hall, "party", "key", "create", "--for", code, "--use", use)

    def refused(self, hall: str, *words: object, code: ExitCode = ExitCode.REFUSED) -> Any:
        error = self.told(hall, *words, code=code)
        assert set(error) >= {"error", "what", "where", "remedy"}
        assert error["remedy"]
        return error

    def founded(self, *signers: str) -> str:
        """Keys of three firms and a founding proposal, signed in these halls."""
        halls = {"a": PLATFORM, "b": FIRM, "c": AUDITOR}
        files = {
            (hall, use): self.key(hall, code, use)["file"]
            for hall, code in halls.items()
            for use in ("contracts", "registry")
        }
        online = self.key("a", PLATFORM, "online")["file"]
        firms = [
            (PLATFORM, "甲 Platform Ltd.", "Holding", "Platform", files["a", "contracts"]),
            (FIRM, "B Firm", "Ms B", "SME", files["b", "contracts"]),
            (AUDITOR, "C Audit", "C Partners", "Auditor", files["c", "contracts"]),
        ]
        lines = [
            f"holders: [{', '.join(files[hall, 'registry'] for hall in halls)}]",
            "threshold: 2",
            f"hall: {online}",
            "parties:",
            *(
                f"  - {{code: {code}, name: {name}, beneficialOwner: {owner}, grade: {grade}, keys: [{key}]}}"
                for code, name, owner, grade, key in firms
            ),
        ]
        Path("founders.yaml").write_text("\n".join(lines), encoding="utf-8")
        proposal: str = self.told("a", "party", "registry", "found", "founders.yaml")["file"]
        for hall in signers:
            self.said(hall, "party", "registry", "sign", proposal, "--yes")
        return proposal

    def published(self) -> str:
        """A registry that all three halls trust; gives its root's digest."""
        done = self.told("a", "party", "registry", "publish", self.founded("b", "c"))
        for hall in ("b", "c"):
            self.said(hall, "party", "registry", "trust", self.post(), "--root-digest", done["root_digest"])
        digest: str = done["root_digest"]
        return digest

    def post(self) -> Path:
        """The registry's folder as it comes to another hall."""
        shutil.rmtree("post", ignore_errors=True)
        shutil.copytree("a/registry", "post")
        return Path("post")

    def secrets(self) -> list[str]:
        """The private side of every key in every hall, as it might be printed."""
        found = []
        for folder in self.folder.glob("*/keys"):
            store = KeyStore(folder)
            for file in store.sealed_files("party-"):
                opened = store.unseal(file, "party")
                assert opened is not None
                found.append(opened[1].hex())
        return [secret for secret in found if secret]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, capsys, monkeypatch)


def test_from_three_firms_keys_to_a_contract(desk: Desk) -> None:
    proposal = desk.founded("b")
    assert "Too few holders" in desk.refused("a", "party", "registry", "publish", proposal)["what"]
    signed = desk.told("c", "party", "registry", "sign", proposal)
    assert (signed["version"], signed["lacks"]) == (1, {})
    assert signed["signed_by"] == [f"urn:uscc:{FIRM}", f"urn:uscc:{AUDITOR}"]
    done = desk.told("a", "party", "registry", "publish", proposal)
    digest = done["root_digest"]
    assert digest in desk.refused("b", "party", "registry", "trust", desk.post())["what"]
    for hall in ("b", "c"):
        taken = desk.told(hall, "party", "registry", "trust", desk.post(), "--root-digest", digest)
        assert {**taken, "folder": ""} == {**done, "folder": ""}
        assert desk.told(hall, "party", "registry", "show")["root_digest"] == digest

    now = datetime.now(UTC)
    Path("terms.yaml").write_text(
        f"release: {{purpose: [demand-forecast], from: {now - timedelta(days=1):%Y-%m-%d}, "
        f"until: {now + timedelta(days=99):%Y-%m-%d}, territory: [CN], grade: [SME], minGroupSize: 5}}\n"
        "deleteWithinDays: 30\n",
        encoding="utf-8",
    )
    offer = desk.told("a", "contract", "offer", GOODS, "--to", FIRM, "--terms", "terms.yaml")
    file = offer["file"]
    for hall in ("b", "a", "b", "a"):
        made = desk.told(hall, "contract", "sign", file)
    assert made["phase"] == "FINALIZED"
    assert desk.told("b", "contract", "take", file)["phase"] == "FINALIZED"
    for hall in ("a", "b"):
        verified = desk.told(hall, "contract", "verify", "goods-list")
        assert {by["party"] for by in verified["signed"].values()} == {
            f"urn:uscc:{PLATFORM}",
            f"urn:uscc:{FIRM}",
        }
        assert verified["registry"] == 1
    # The auditor is no party to it, and can check it from the file and the registry alone.
    assert desk.told("c", "contract", "verify", file)["signed"] == verified["signed"]

    secrets = desk.secrets()
    assert len(secrets) == 7
    travelled = [path for path in desk.folder.rglob("*") if path.is_file() and "keys" not in path.parts]
    for text in (desk.shown, *(path.read_bytes().decode("latin-1") for path in travelled)):
        assert not any(secret in text.lower() for secret in secrets)


def test_a_stolen_key_ends_and_another_takes_its_place(desk: Desk) -> None:
    desk.published()
    (old,) = (key for key in desk.told("b", "party", "key", "list") if key["use"] == "contracts")
    assert (old["registered"], old["revoked"]) == (True, None)
    new = desk.told("b", "party", "key", "rotate", old["id"][:6])
    log = desk.told("b", "audit", "verify")
    origin, size = log["key"].partition("+")[0], log["entries"]
    gone = desk.told(
        "b", "party", "key", "revoke", old["id"], "--reason", "compromise",
        "--last-good", size, "--last-good", "other.example/1@40",
    )  # fmt: skip
    assert gone["revoked"] == "compromise"
    listed = {key["id"]: key for key in desk.told("b", "party", "key", "list")}
    assert (listed[new["id"]]["registered"], listed[new["id"]]["replaces"]) == (False, old["id"])
    assert listed[old["id"]]["revoked_at"]
    next_ = desk.told("c", "party", "registry", "propose", "--key", new["file"], "--revoked", gone["file"])
    assert sorted(change["what"] for change in next_["changes"]) == ["new key", "revoked", "version"]
    for hall in ("c", "b"):
        desk.said(hall, "party", "registry", "sign", next_["file"], "--yes")
    assert desk.told("a", "party", "registry", "publish", next_["file"])["version"] == 2
    assert desk.told("b", "party", "registry", "trust", desk.post())["version"] == 2
    shown = desk.told("b", "party", "registry", "show")
    (firm,) = (party for party in shown["parties"] if party["party"] == f"urn:uscc:{FIRM}")
    by_id = {key["id"]: key for key in firm["keys"]}
    assert by_id[old["id"]]["revoked"]["last_good"] == sorted(
        [{"log": origin, "size": size}, {"log": "other.example/1", "size": 40}], key=lambda each: each["log"]
    )
    assert by_id[new["id"]]["valid"] is True
    assert desk.told("b", "party", "key", "export", old["id"])["revoked"] == "compromise"
    assert desk.told("a", "party", "registry", "renew")["version"] == 2


def test_what_changes_is_shown_before_it_is_signed(desk: Desk) -> None:
    proposal = desk.founded()
    before = Path(proposal).read_bytes()
    out, err = desk.said("b", "party", "registry", "sign", proposal, code=ExitCode.REFUSED)
    assert f"new firm  B Firm, {FIRM} (SME), owned by Ms B" in out
    assert "needs     2 of 3 holders sign each change" in out
    assert f"Sign this as urn:uscc:{FIRM}?" in err
    assert Path(proposal).read_bytes() == before
    out, _ = desk.said("b", "party", "registry", "sign", proposal, "--yes", "--out", "signed.json")
    assert f"signed by {FIRM}" in out
    assert f"lacks     1 of {PLATFORM}, {AUDITOR}" in out
    assert "send      signed.json to one of them, who runs `sluice party registry sign`" in out
    assert Path(proposal).read_bytes() == before


def test_a_key_is_not_destroyed_unasked(desk: Desk) -> None:
    desk.published()
    (key,) = (key for key in desk.told("b", "party", "key", "list") if key["use"] == "registry")
    words = ("party", "key", "revoke", key["id"], "--reason", "compromise")
    out, err = desk.said("b", *words, code=ExitCode.REFUSED)
    assert "counts    nothing that it signed" in out
    assert "the registry is signed with it" in out
    assert "It never comes back." in err
    assert desk.told("b", "party", "key", "list") == [
        each for each in desk.told("b", "party", "key", "list") if each["revoked"] is None
    ]
    assert "revoked   registry key" in desk.said("b", *words, "--yes")[0]


def test_files_that_travel_are_public_and_all_else_is_not(desk: Desk) -> None:
    desk.published()
    for path in desk.folder.iterdir():
        if path.is_file() and path.suffix == ".json":
            assert stat.S_IMODE(path.stat().st_mode) == 0o644, path
    for home in ("a", "b", "c"):
        state = [*(desk.folder / home / "keys").iterdir(), desk.folder / home / "registry-root.json"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in state} == {0o600}
        assert stat.S_IMODE((desk.folder / home).stat().st_mode) == 0o700


REFUSALS = [
    (("key", "create", "--for", "91110000100000001X"), ExitCode.REFUSED, "check digit"),
    (("key", "create", "--for", "9111000010000000IW"), ExitCode.REFUSED, "can't be a unified social credit code"),
    (("key", "create", "--for", "Ꮖ1110000100000001W"), ExitCode.REFUSED, "only looks like"),
    (("key", "create", "--for", PLATFORM, "--days", "0"), ExitCode.USAGE, "can't be valid for 0 days"),
    (("key", "create", "--for", PLATFORM, "--use", "all"), ExitCode.USAGE, "Invalid value for '--use'"),
    (("key", "create", "--for", PLATFORM, "--out", "no/where.json"), ExitCode.USAGE, "can't be written"),
    (("key", "revoke", "ffff", "--reason", "retired"), ExitCode.USAGE, "No key in this hall begins so"),
    (("key", "rotate", "f"), ExitCode.USAGE, "No key in this hall begins so"),
    (("key", "export", "../../x"), ExitCode.USAGE, "No key in this hall begins so"),
    (("registry", "found", "none.yaml"), ExitCode.REFUSED, "change file can't be used"),
    (("registry", "found", "founders.yaml"), ExitCode.USAGE, "trusts a party registry already"),
    (("registry", "propose", "--key", "founders.yaml"), ExitCode.REFUSED, "isn't JSON"),
    (("registry", "propose", "--key", "none.json"), ExitCode.USAGE, "can't be read"),
    (("registry", "sign", "founders.yaml"), ExitCode.REFUSED, "isn't JSON"),
    (("registry", "sign", "registry-1.proposal.json"), ExitCode.REFUSED, "isn't the version that comes next"),
    (("registry", "publish", "registry-1.proposal.json"), ExitCode.REFUSED, "isn't the version that comes next"),
    (("registry", "trust", "none"), ExitCode.USAGE, "no party registry in this folder"),
    (("registry", "trust", "post", "--root-digest", "0" * 64), ExitCode.REFUSED, "No root in this folder"),
]  # fmt: skip


def test_each_refusal_says_what_where_and_what_now(desk: Desk) -> None:
    desk.published()
    for words, code, what in REFUSALS:
        error = desk.refused("a", "party", *words, code=code)
        assert what in error["what"], (words, error)
    (contracts, *_) = (key for key in desk.told("a", "party", "key", "list") if key["use"] == "contracts")
    for words, what in (
        (("--reason", "retired", "--last-good", "1"), "no last good checkpoint"),
        (("--reason", "compromise", "--last-good", "999"), "nobody can vouch for entry 999"),
        (("--reason", "compromise", "--last-good", "0"), "a log's size, at least 1"),
        (("--reason", "compromise", "--last-good", "log@x"), "a log's size, at least 1"),
        (("--reason", "boredom"), "Invalid value for '--reason'"),
    ):
        error = desk.refused("a", "party", "key", "revoke", contracts["id"], *words, code=ExitCode.USAGE)
        assert what in error["what"]
    online = next(key for key in desk.told("a", "party", "key", "list") if key["use"] == "online")
    file = desk.told("a", "party", "key", "export", online["id"])["file"]
    assert "is for online" in desk.refused("a", "party", "registry", "propose", "--key", file)["what"]
    assert "isn't revoked" in desk.refused("a", "party", "registry", "propose", "--revoked", file)["what"]
    assert (
        "doesn't hold the registry's online key"
        in desk.refused("b", "party", "registry", "renew", code=ExitCode.USAGE)["what"]
    )


def test_looking_makes_no_hall(desk: Desk) -> None:
    assert desk.told("d", "party", "key", "list") == []
    assert "This hall holds no party's key." in desk.said("d", "party", "key", "list")[0]
    for words in (
        ("registry", "show"),
        ("registry", "renew"),
        ("registry", "propose"),
        ("registry", "sign", "x"),
        ("key", "export", "abcd"),
    ):
        assert "There is no hall here" in desk.refused("d", "party", *words, code=ExitCode.USAGE)["what"]
    desk.refused("d", "party", "key", "create", "--for", "x")
    assert not Path("d").exists()
    desk.key("d", FIRM)
    error = desk.refused("d", "party", "registry", "show", code=ExitCode.USAGE)
    assert error["what"] == "No party registry is trusted here."


def test_a_registry_that_lapsed_is_shown_as_such(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.published()
    later = datetime.now(UTC) + timedelta(days=8)
    opened = Home.open
    monkeypatch.setattr(Home, "open", lambda *a, **o: opened(*a, **{**o, "clock": lambda: later}))
    out, _ = desk.said("b", "party", "registry", "show")
    assert re.search(r"^expired   .* UTC: bring a copy that the hall has renewed$", out, re.MULTILINE)
    assert desk.told("b", "party", "registry", "show")["fresh"] is False


def test_on_a_terminal_of_80_columns_no_line_is_longer(desk: Desk) -> None:
    desk.published()
    (key,) = (key for key in desk.told("a", "party", "key", "list") if key["use"] == "contracts")
    desk.said("a", "party", "key", "revoke", key["id"], "--reason", "compromise", "--last-good", "1", "--yes")
    revoked = f"{PLATFORM}-contracts-{key['id'][:8]}.revoked.json"
    desk.said("a", "party", "registry", "propose", "--revoked", revoked)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    program = (
        "from cli.main import main\n"
        "for words in ('key list', 'registry show', 'registry sign registry-2.proposal.json --yes',\n"
        "              'registry publish registry-2.proposal.json'):\n"
        "    main(['party', *words.split()])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {
        "TERM": "xterm",
        "SLUICE_HOME": str(desk.folder / "a"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # how Linux ends a terminal that nobody holds open any more
            pass
        assert running.wait() == 0
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert any("only what" in line for line in plain)
    assert any("signed by" in line for line in plain)
    assert [line for line in plain if len(line) > 80 and " /" not in line] == []


@pytest.mark.parametrize(
    "words",
    [(), *(("key", name) for name in ("create", "list", "rotate", "revoke", "export"))]
    + [("registry", name) for name in ("found", "propose", "sign", "publish", "renew", "show", "trust")],
)
def test_help_teaches_by_example(words: tuple[str, ...], desk: Desk) -> None:
    shown = desk.said("d", "party", *words, "--help")[0]
    assert "Example" in shown
    assert max(map(len, shown.splitlines())) <= 80
