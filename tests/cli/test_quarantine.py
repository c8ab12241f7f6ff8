"""`sluice quarantine` as the platform's engineer calls it: what it shows, what it hides, what the ledger keeps of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cli import quarantine
from cli.main import main
from core.errors import ExitCode
from core.settings import Settings
from tests.shop import BAD, MEMBERS, open_shop, raw_member
from tests.signed import sign_all


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hall with two quarantines: one of a release, sealed to the hall's key, one of a run that was stopped, to the platform's."""
    folder = tmp_path_factory.mktemp("hall")
    shop = open_shop(folder / "shop")
    sign_all(Settings(home=folder / "home", contracts=shop.parent))
    key = X25519PrivateKey.generate()
    (folder / "private.pem").touch(0o600)
    (folder / "private.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "public.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (folder / "public.pem").chmod(0o644)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder / "home"))
        patch.setenv("SLUICE_CONTRACTS", str(shop.parent))
        assert main(["run", "small-shop"]) == 0
        with (shop.parent / "data" / "orders.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{raw_member(n)},tea,0,2026-05-05\n" for n in range(120))
        patch.setenv("SLUICE_PLATFORM_KEY", str(folder / "public.pem"))
        assert main(["run", "small-shop"]) == ExitCode.REFUSED
    return folder


@pytest.fixture
def hall(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(kept, tmp_path / "hall", symlinks=True)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "hall" / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "hall"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["quarantine", *words]) == code, capsys.readouterr()
    shown = capsys.readouterr()
    return shown.out, shown.err


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", code=code)[0])


@pytest.mark.parametrize("terminal", [True, False])
def test_csv_moves_no_terminals_cursor(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    capsys.readouterr()
    quarantine._print_csv(pa.table({"a": ["\x1b[2Jx"], "_rules": [["one", "two"]]}))
    shown = "\\x1b[2Jx" if terminal else "\x1b[2Jx"
    assert capsys.readouterr().out == f"a,_rules\n{shown},one; two\n"


def ids(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [entry["id"] for entry in told(capsys, "list")]


def kinds(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["audit", "log", "--limit", "1000", "--json"]) == 0
    events = json.loads(capsys.readouterr().out)
    assert raw_member(10) not in json.dumps(events)
    return [event["event"]["run"]["facets"]["sluice"]["kind"] for event in events]


def holds_raw(text: str) -> bool:
    return any(raw_member(number) in text for number in range(MEMBERS + 30))


def test_an_empty_list_says_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "none"))
    assert said(capsys, "list")[0].startswith("Nothing is kept: no run set rows aside")
    assert told(capsys, "list") == []
    said(capsys, "show", "1", code=ExitCode.USAGE)
    assert not (tmp_path / "none").exists()


def test_the_list_fits_a_terminal_and_holds_no_row(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "list")[0].splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:2] == ["id", "release"]
    assert [line.split()[-3:] for line in lines[1:]] == [["1", str(BAD), "1"], ["1", str(120 + BAD), "1"]]
    entries = told(capsys, "list")
    assert [entry["key"]["holder"] for entry in entries] == ["hall", "platform"]
    assert all(entry["holds"] for entry in entries)
    assert not holds_raw(json.dumps(entries))
    assert "quarantine.opened" not in kinds(capsys)


def test_a_stopped_run_says_how_to_look(
    kept: Path, hall: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_CONTRACTS", str(hall / "shop"))
    capsys.readouterr()
    assert main(["run", "small-shop", "--json"]) == ExitCode.REFUSED
    error = json.loads(capsys.readouterr().out)
    assert error["where"].startswith("quarantine ")
    start = error["where"].removeprefix("quarantine ")
    assert f"`sluice quarantine show {start} --rows 10`" in error["remedy"]
    assert told(capsys, "show", start)["tables"][0]["rows"] == 120 + BAD
    assert len(ids(capsys)) == 2  # that of the same data was replaced


def test_counts_are_shown_without_a_look_at_rows(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id = ids(capsys)[0]
    out, err = said(capsys, "show", id[:8])
    assert "pieces is in range" in out
    assert f"sluice quarantine release {id[:8]} --to FOLDER" in out
    assert not holds_raw(out + err)
    assert "quarantine.opened" not in kinds(capsys)


def test_rows_are_shown_with_a_warning_and_told_to_the_ledger(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = ids(capsys)[0]
    out, err = said(capsys, "show", id[:8], "--rows", "2")
    assert out.count("-raw") == 2
    assert err == "Raw data of persons, for the platform's own engineer only. The ledger has this look.\n"
    found = told(capsys, "show", id, "--rows", "100")["rows_shown"]["orders"]
    assert [row["pieces"] for row in found] == [0] * BAD
    assert found[0]["_rules"] == ["pieces is in range"]
    out, _ = said(capsys, "show", id, "--rows", "3", "--csv", "--table", "orders")
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["member", "goods", "pieces", "day", "_rules"]
    assert len(rows) == 4
    assert rows[1][-1] == "pieces is in range"
    assert kinds(capsys).count("quarantine.opened") == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--rows", "1", "--table", "nothing"),
        ("--csv",),
        ("--csv", "--rows", "1", "--json"),
        ("--rows", "-1"),
        ("--rows", "1", "--key", "nowhere.pem"),
    ],
)
def test_wrong_use_is_two_and_no_look(
    hall: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    said(capsys, "show", ids(capsys)[0], *words, code=ExitCode.USAGE)
    assert "quarantine.opened" not in kinds(capsys)


def test_the_platforms_own_key_opens_what_the_hall_cannot(
    hall: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    id = ids(capsys)[1]
    _, err = said(capsys, "show", id, "--rows", "1", code=ExitCode.USAGE)
    assert "sealed to the platform's own key" in err
    assert "--key" in err
    out, _ = said(capsys, "show", id, "--rows", "1", "--key", str(hall / "private.pem"))
    assert holds_raw(out)
    said(
        capsys, "show", ids(capsys)[0], "--rows", "1", "--key", str(hall / "private.pem"), code=ExitCode.USAGE
    )
    (hall / "private.pem").chmod(0o644)
    _, err = said(capsys, "show", id, "--rows", "1", "--key", str(hall / "private.pem"), code=ExitCode.USAGE)
    assert "Others may read this private key" in err


def test_rows_are_handed_out_once(hall: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    id = ids(capsys)[0]
    said(capsys, "release", id, "--to", str(hall / "home" / "catalog"), code=ExitCode.USAGE)
    done = told(capsys, "release", id[:8], "--to", str(tmp_path / "rows"), "--as", "csv")
    place = tmp_path / "rows" / f"small_shop-{id[:8]}"
    assert done == {"folder": str(place), "as": "csv", "files": ["orders.csv"]}
    assert holds_raw((place / "orders.csv").read_text("utf-8"))
    assert id not in ids(capsys)
    said(capsys, "release", id, "--to", str(tmp_path / "again"), code=ExitCode.USAGE)
    assert kinds(capsys)[-2:] == ["quarantine.released", "quarantine.removed"]
    capsys.readouterr()
    assert main(["audit", "verify"]) == 0


def test_sealed_rows_are_carried_to_where_the_key_is(
    hall: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = ids(capsys)[1]
    capsys.readouterr()
    assert main(["audit", "verify", "--json"]) == 0
    verifier = json.loads(capsys.readouterr().out)["key"]
    carried = told(capsys, "release", id, "--to", str(tmp_path / "carried"), "--as", "sealed")["folder"]
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "nowhere"))
    key = str(hall / "private.pem")
    to = ("--to", str(tmp_path / "rows"))
    place, err = said(capsys, "open", carried, "--key", key, *to, "--hall", verifier)
    assert "Who sealed it" not in err
    assert pq.read_table(Path(place.strip()) / "orders.parquet", partitioning=None).num_rows == 120 + BAD
    said(capsys, "open", carried, "--key", key, *to, code=ExitCode.USAGE)  # they are there already
    _, err = said(capsys, "open", carried, "--key", key, "--to", str(tmp_path / "other"))
    assert "Who sealed it was not asked" in err
    said(capsys, "open", carried, "--key", key, *to, "--as", "sealed", code=ExitCode.USAGE)
    said(capsys, "open", str(tmp_path), "--key", key, *to, code=ExitCode.USAGE)
    assert not (tmp_path / "nowhere").exists()


def test_one_that_was_changed_is_listed_as_such(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id = ids(capsys)[0]
    [manifest] = (hall / "home" / "quarantine").glob(f"*/{id}/manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"2026", b"2096").replace(b"2027", b"2097"))
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows":7', b'"rows":8'))
    out, err = said(capsys, "list")
    assert "doesn't hold" in out
    assert err == f"{id[:8]}: The manifest of this quarantine isn't as the hall wrote it.\n"
    assert told(capsys, "list")[-1]["holds"] is False
    _, err = said(capsys, "show", id, "--rows", "1", code=ExitCode.REFUSED)
    assert "Find out who changed it" in err


def test_help_teaches_by_example(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["list"], ["show"], ["release"], ["open"]):
        assert "Examples:" in said(capsys, *words, "--help")[0]
