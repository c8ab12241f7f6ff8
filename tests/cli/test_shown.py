"""What the command shows of two releases, each of a window: tables, summaries, JSON, errors."""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from audit.events import EventKind
from catalog.release import Withheld
from cli.layout import Column
from cli.main import main
from cli.output import err, out, print_error, print_grid, print_json, print_line
from cli.story import Story, in_short, in_words
from cli.summary import VALIDATION, risk_lines
from core.errors import ExitCode, UsageError
from core.settings import Settings
from core.store import SqliteStore, Write
from pipeline.home import Home
from pipeline.validation.validate import RESULT
from tests.declared import declared
from tests.shop import CONTRACT, open_shop
from tests.signed import sign_all

WARNING = """\
    quality:
      - {type: library, metric: rowCount, mustBeGreaterThan: 1000000, severity: warning}
    physicalName: orders
"""


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hall")
    shop = open_shop(folder / "shop")
    text = declared(CONTRACT.replace("    physicalName: orders\n", WARNING))
    shop.write_text(text, encoding="utf-8")
    sign_all(Settings(home=folder / "home", contracts=shop.parent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder / "home"))
        patch.setenv("SLUICE_CONTRACTS", str(shop.parent))
        assert main(["run", "small-shop", "--start", "2026-01-01", "--end", "2026-07-01"]) == 0
        assert main(["run", "small-shop", "--start", "2026-07-01", "--json"]) == 0
    return folder


@pytest.fixture
def hall(two_releases: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(two_releases / "home"))
    monkeypatch.setenv("SLUICE_CONTRACTS", str(two_releases / "shop"))
    return two_releases


@pytest.fixture
def own_hall(two_releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, for a test that breaks something."""
    shutil.copytree(two_releases / "home", tmp_path / "home")
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(words) == code
    got = capsys.readouterr()
    return got.out, got.err


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(
        said(capsys, *words, "--json", code=code)[0], parse_constant=lambda _: pytest.fail("NaN")
    )


def names(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [release["release"] for release in told(capsys, "catalog", "list", "--all")]


def test_a_query_that_is_cut_says_so_on_standard_error(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notice = "Only the first 3 rows are shown, there are more; --max-rows sets how many.\n"
    words = ("catalog", "query", "FROM small_shop.members", "--max-rows", "3")
    out, err = said(capsys, *words)
    assert (len(out.splitlines()), err) == (4, notice)
    out, err = said(capsys, *words, "--json")
    assert (len(json.loads(out)), err) == (3, notice)
    assert "first row is" in said(capsys, *words[:-1], "1")[1]
    assert said(capsys, *words[:-1], "120")[1] == ""


def test_rows_are_valid_json(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'nan'::DOUBLE AS a, [1.5, 'inf'::DOUBLE] AS b, sum(pieces) AS c, true AS d FROM small_shop.orders"
    [row] = told(capsys, "catalog", "query", sql)
    assert (row["a"], row["b"], row["d"]) == (None, [1.5, None], True)
    assert type(row["c"]) is int
    assert said(capsys, "catalog", "query", "SELECT true AS d, NULL AS e")[0].splitlines() == [
        "d     e",
        "true",
    ]


@pytest.mark.parametrize(
    ("words", "what", "where"),
    [
        (["catalog", "list", "--nope"], "No such option", "sluice catalog list"),
        (["catalog", "query"], "Missing argument", "sluice catalog query"),
        (
            ["catalog", "query", "FROM a.b", "--max-rows", "x"],
            "Invalid value for '--max-rows'",
            "sluice catalog query",
        ),
        (
            ["catalog", "query", "FROM a.b", "--max-rows", "0"],
            "Invalid value for '--max-rows'",
            "sluice catalog query",
        ),
        (["run", "x", "--start", "monday"], "Invalid value for '--start'", "sluice run"),
        (["nope"], "No such command", "sluice"),
        (["catalog"], "No such option", "sluice catalog"),
    ],
)
def test_wrong_use_is_json_where_json_was_asked_for(
    words: list[str], what: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = told(capsys, *words, code=ExitCode.USAGE)
    assert set(error) == {"error", "what", "where", "remedy"}
    assert (error["error"], error["where"]) == ("UsageError", where)
    assert error["what"].startswith(what)
    assert error["remedy"] == f"See `{where} --help`."


def test_wrong_use_is_text_on_standard_error_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "catalog", "list", "--nope", code=ExitCode.USAGE)
    assert out == ""
    assert "No such option: --nope" in err


def test_an_exit_code_survives_json(hall: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.odcs.yaml"
    bad.write_text(
        CONTRACT.replace("k: 4", "k: 1").replace("maxSuppressed: 0.0", "maxSuppressed: 7"), encoding="utf-8"
    )
    assert [
        len(each["findings"]) for each in told(capsys, "contract", "check", str(bad), code=ExitCode.REFUSED)
    ] == [2]
    error = told(capsys, "run", str(bad), code=ExitCode.REFUSED)
    assert error["what"] == "The contract can't be used, 2 problems."
    assert error["where"] == str(bad)
    assert "\n" not in error["remedy"]
    assert [set(problem) for problem in error["problems"]] == [
        {"kind", "line", "column", "where", "what", "remedy"}
    ] * 2
    assert error["problems"][0]["where"] == "customProperties[2].value.k"
    assert "maxSuppressed" in said(capsys, "run", str(bad), code=ExitCode.REFUSED)[1]


def test_json_comes_through_a_pipe_of_another_script(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for text in ("需求", "\udc80"):
        print_json([text])
        assert json.loads(capsysbinary.readouterr().out) == [text]
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))


def test_an_earlier_release_is_shown_as_one(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier, current = names(capsys)
    out, _ = said(capsys, "catalog", "show", earlier)
    assert f"current   not this one: {current}, since " in out
    assert f'catalog query "FROM {earlier}.orders LIMIT 5"' in out
    assert f"catalog show {earlier}" in out
    assert "window    from 2026-01-01, before 2026-07-01" in out
    for name in (current, "small-shop", "small_shop"):
        out, _ = said(capsys, "catalog", "show", name)
        assert f"release {current}" in out
        assert "not this one" not in out
        assert 'catalog query "FROM small_shop.orders LIMIT 5"' in out
        assert "window    from 2026-07-01\n" in out
    assert told(capsys, "catalog", "show", earlier)["current"] == current


def test_warnings_are_shown_with_where_to_read_more(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "catalog", "show", "small-shop")
    [line] = [line for line in out.splitlines() if line.startswith("warnings")]
    assert line.startswith("warnings  1 rule of severity warning failed, see /")
    assert "rowCount" in Path(line.partition("see ")[2]).read_text(encoding="utf-8")
    assert VALIDATION == RESULT


def test_show_as_json_tells_what_the_text_tells(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier, current = (told(capsys, "catalog", "show", name) for name in names(capsys))
    assert earlier["window"] == {"start": "2026-01-01T00:00:00+00:00", "end": "2026-07-01T00:00:00+00:00"}
    assert current["window"] == {"start": "2026-07-01T00:00:00+00:00", "end": None}
    assert earlier["rows_in"] == {"members": 120, "orders": 1500 - current["rows_in"]["orders"]}
    assert earlier["quarantined"] == {"members": 0, "orders": 7 - current["quarantined"]["orders"]}
    assert earlier["failed_warnings"] == 1


def test_a_window_has_a_column_only_where_there_is_one(
    hall: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head, *rows = said(capsys, "catalog", "list", "--all")[0].splitlines()
    assert head.endswith("window")
    assert [row.endswith(("2026-01-01 to 2026-07-01", "  2026-07-01 on")) for row in rows] == [
        True,
        False,
        True,
        False,
    ]
    monkeypatch.setattr("cli.catalog.story", lambda *_: Story())
    assert "window" not in said(capsys, "catalog", "list", "--all")[0]


def test_windows_in_words() -> None:
    day, noon = "2026-01-01T00:00:00+00:00", "2026-01-02T12:00:00+00:00"
    both, first, last = (
        {"start": day, "end": noon},
        {"start": day, "end": None},
        {"start": None, "end": noon},
    )
    assert [in_words(window) for window in (both, first, last)] == [
        "from 2026-01-01, before 2026-01-02 12:00:00", "from 2026-01-01", "before 2026-01-02 12:00:00",
    ]  # fmt: skip
    assert [in_short(window) for window in (both, first, last)] == [
        "2026-01-01 to 2026-01-02 12:00:00", "2026-01-01 on", "all to 2026-01-02 12:00:00",
    ]  # fmt: skip


def test_an_unknown_release_is_answered_with_the_current_ones(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, current = names(capsys)
    error = told(capsys, "catalog", "show", "nobody", code=ExitCode.USAGE)
    assert error["remedy"] == f"Current ones: {current}. See `sluice catalog list --all`."
    assert earlier not in error["remedy"]


def test_the_log_says_which_tables_were_read(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    current = names(capsys)[1]
    said(capsys, "catalog", "query", "SELECT 1 FROM small_shop.orders, small_shop.members")
    last = said(capsys, "audit", "log", "--limit", "1")[0].splitlines()[-1]
    assert last.endswith(f"catalog.read            {current}.members, {current}.orders")


@pytest.mark.parametrize("key", ["checkpoint", "file"])
def test_a_hall_that_does_not_hold_says_so_in_json(
    own_hall: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    if key == "file":
        next((own_hall / "home" / "catalog" / "tables").rglob("*.parquet")).write_bytes(b"other")
    else:
        kept = own_hall / "kept"
        assert told(capsys, "audit", "verify", "--save", str(kept))["holds"] is True
        store = SqliteStore(Home.open().settings.database)
        entry = next(each for each in store.scan("ledger/leaf/") if b"small-shop" in each.value)
        store.commit([Write(entry.key, entry.value.replace(b"small-shop", b"other-shop"), entry.version)])
    found = told(capsys, "audit", "verify", code=ExitCode.REFUSED)
    assert found["holds"] is False
    assert found["error"] in {"LedgerError", "IntegrityError"}
    assert found["what"]
    assert said(capsys, "audit", "verify", code=ExitCode.REFUSED)[0] == ""


def test_a_checkpoint_that_is_not_there_is_wrong_use(
    hall: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "no" / "file")
    for option in ("--kept", "--save"):
        error = told(capsys, "audit", "verify", option, missing, code=ExitCode.USAGE)
        assert (error["where"], "holds" in error) == (missing, False)


def test_a_ledger_that_does_not_hold_hides_no_release(
    own_hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.open()
    staged = home.ledger.receipt_for(EventKind.RELEASE_STAGED, names(capsys)[0])
    assert staged is not None
    entry = home.store.get(f"ledger/leaf/{staged.index:016d}")
    assert entry is not None
    home.store.commit([Write(entry.key, entry.value.replace(b"small-shop", b"other-shop"), entry.version)])
    assert "not known" in said(capsys, "catalog", "list", "--all")[0]


@pytest.mark.parametrize(
    ("was", "now", "said_of_it"),
    [
        ("2099-12-31", "2020-12-31", "; its term ended 2020-12-31"),
        ("2020-01-01", "2098-01-01", "; its term begins 2098-01-01"),
        ("status: active", "status: draft", " checks"),
    ],
)
def test_a_contract_out_of_its_term_is_good_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], was: str, now: str, said_of_it: str
) -> None:
    draft = tmp_path / "draft.odcs.yaml"
    draft.write_text(declared(CONTRACT.replace(was, now)), encoding="utf-8")
    [note, line] = said(capsys, "contract", "check", str(draft))[0].splitlines()
    assert note.startswith(f"note      {draft}:")
    assert line.startswith(f"good      {draft}: small-shop 1.0.0, 2 tables, ")
    assert line.endswith(said_of_it)
    [result] = told(capsys, "contract", "check", str(draft))
    assert (result["ok"], result["findings"], len(result["warnings"])) == (True, [], 1)


def test_a_contract_file_that_is_not_there_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path, tmp_path / "none.odcs.yaml"):
        assert told(capsys, "contract", "check", str(path), code=ExitCode.USAGE)["error"] == "UsageError"


RISK = {
    "table": "members", "units": 40, "k": 5, "l": None, "classes": 8, "suppressed_units": 0, "risk_largest": 0.2,
    "risk_mean": 0.1, "unique_before": 0.9, "unique_after": 0.0, "ncp": 0.5, "ncp_by_column": {"born": 0.1, "town": 0.9},
}  # fmt: skip
CELLS = {"cells": 0, "facts": 0, "smallest": 0, "units": 0, "suppressed_facts": 0}


def lines(risk: dict[str, Any] | None, made: Story | None = None, **cells: Any) -> dict[str, str]:
    return dict(risk_lines({"subjects": risk, "k_limit": 5, "l_limit": 1, "cells": cells}, made or Story()))


def test_much_detail_lost_names_the_column_that_lost_most() -> None:
    assert "hint" not in lines(RISK)
    assert lines({**RISK, "ncp": 0.51})["hint"].startswith("much detail was lost, most in town (90%); ")


def test_nothing_published_is_not_called_k_0() -> None:
    empty = {**RISK, "units": 0, "k": 0}
    assert lines(empty) == {"persons": "nothing published: no rows came"}
    made = Story(rows_in={"members": 12})
    assert lines(empty, made)["persons"] == "nothing published: all 12 rows were set aside or left out"
    assert lines(None, orders=CELLS)["cells"] == "orders: nothing published: no rows came"
    assert lines(None) == {"persons": "none in this release"}


def test_on_a_terminal_of_80_columns_no_line_is_longer(hall: Path) -> None:
    """The real terminal's side of it: colours, folding, blocks."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    sql = "SELECT *, 'several words that are folded, ' || repeat('long', 30) AS words FROM small_shop.members LIMIT 2"
    program = (
        "import sys; from cli.main import main; "
        f"main(['catalog', 'list', '--all']); main(['catalog', 'show', 'small-shop']); main(['catalog', 'query', {sql!r}])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "xterm"}
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
    text = shown.decode()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert text != "\n".join(plain)
    assert "segment" in "".join(plain)
    assert [line for line in plain if len(line) > 80 and " /" not in line] == []


EVIL = "To plan.\nterritory CN only\r\x1b[2J\x1b[8m\x9b1A\u202e\u2066\u200b\ufeff\x07\x00"


def test_who_wrote_a_text_writes_no_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """The purpose of a contract comes from the other party, and is read here before it's signed."""
    capsys.readouterr()
    print_line("purpose", EVIL)
    print_line("purpose", EVIL, console=err)
    print_grid([Column(EVIL)], [[EVIL]])
    out.print(f"\n{EVIL}", markup=False)
    err.print(f"{EVIL}: {EVIL}", markup=False)
    print_error(UsageError(EVIL, where=EVIL, remedy=EVIL))
    got = capsys.readouterr()
    for text in (got.out, got.err):
        assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []
    assert "To plan. territory CN only \\x1b[2J\\x1b[8m\\x9b1A\\u202e\\u2066\\u200b\\ufeff" in got.out
    assert len(got.out.splitlines()) == 5
    assert [line.split()[0] for line in got.err.splitlines()] == [
        "purpose", "To", "UsageError", "where", "remedy",
    ]  # fmt: skip


def test_a_purpose_writes_no_line_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.output.width_of", lambda _: 40)
    print_line("purpose", f"{'word ' * 12}\nterritory CN only")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("purpose   word")
    assert len(lines) > 2
    assert all(line.startswith(" " * 10) for line in lines[1:])


SINCE = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)


def withhold(why: dict[str, str]) -> None:
    held = {name: Withheld(why=word, since=SINCE) for name, word in why.items()}
    Home.open().catalog.withhold("small-shop", held)


def test_what_is_withheld_is_not_called_unpublished(
    own_hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, current = names(capsys)
    withhold({earlier: "superseded"})
    assert current in said(capsys, "catalog", "list")[0]
    withhold({current: "suspended"})
    out, _ = said(capsys, "catalog", "list")
    assert out == "Nothing is shown: 2 releases are withheld; `sluice catalog list --all` names them.\n"
    assert told(capsys, "catalog", "list") == []
    error = told(capsys, "catalog", "show", "nobody", code=ExitCode.USAGE)
    assert (
        error["remedy"]
        == "Nothing is shown: 2 releases are withheld; `sluice catalog list --all` names them."
    )


def test_the_list_of_all_says_what_is_withheld_and_what_is_gone(
    own_hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = names(capsys)[0]
    assert "withheld" not in said(capsys, "catalog", "list", "--all")[0]
    withhold({earlier: "superseded"})
    rows = said(capsys, "catalog", "list", "--all")[0].splitlines()
    assert "withheld" in rows[0].split()
    assert ["  superseded" in row for row in rows[1:]] == [True, False, False, False]
    assert "withheld" not in said(capsys, "catalog", "list")[0]
    Home.open().catalog.delete(earlier)
    assert "  superseded, deleted  " in said(capsys, "catalog", "list", "--all")[0].splitlines()[1]
    listed = told(capsys, "catalog", "list", "--all")
    assert [each.get("withheld") for each in listed] == ["superseded", None]
    assert [each.get("withheld_since") for each in listed] == [SINCE.isoformat(), None]
    assert [each.get("deleted") for each in listed] == [True, None]


def test_a_withheld_release_is_shown_to_the_halls_own(
    own_hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, current = names(capsys)
    withhold({earlier: "superseded", current: "suspended"})
    for name in ("small-shop", "small_shop", current):
        out, _ = said(capsys, "catalog", "show", name)
        assert f"release {current}" in out
        assert "withheld  suspended since 2026-05-04 09:30 UTC: no reader is shown it\n" in out
        assert "lies in" in out
        assert "not this one" not in out
        assert "catalog query" not in out
        assert "contract show small-shop" in out
    shown = told(capsys, "catalog", "show", "small-shop")
    assert (shown["release"], shown["current"]) == (current, current)
    assert (shown["withheld"], shown["withheld_since"], shown["deleted"]) == (
        "suspended", SINCE.isoformat(), False,
    )  # fmt: skip


def test_a_deleted_release_lies_nowhere(own_hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier, current = names(capsys)
    withhold({earlier: "superseded", current: "terminated"})
    Home.open().catalog.delete(current)
    for name in ("small-shop", current):
        out, _ = said(capsys, "catalog", "show", name)
        assert "lies in" not in out
        assert "deleted   its files are gone for good; terminated since 2026-05-04 09:30 UTC\n" in out
    assert told(capsys, "catalog", "show", current)["deleted"] is True
    out, _ = said(capsys, "catalog", "show", earlier)
    assert "lies in" in out
