"""The whole route on real rooms: it publishes once, leaves no raw row behind, and finds whatever is changed on its way."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from audit.events import EventKind
from audit.ledger import Ledger
from contracts.life.state import Turn
from core.digest import document_digest
from core.errors import (
    CatalogError,
    ContractError,
    IntegrityError,
    LedgerError,
    PrivacyError,
    QualityError,
    SluiceError,
    UsageError,
)
from core.proof import Window
from core.settings import Settings
from pipeline import route
from pipeline.agreements.desk import Desk
from pipeline.attest import attest
from pipeline.handoff import Handoff
from pipeline.home import Home
from tests.shop import BAD, MEMBERS, open_shop, raw_member
from tests.signed import KEYS, C, sign_all


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return open_shop(tmp_path / "a shop [1] 店=1")


def settings_in(folder: Path, contracts: Path | None = None) -> Settings:
    return Settings(home=folder / "home* 家=2", contracts=contracts or folder)


@pytest.fixture
def home(tmp_path: Path, shop: Path) -> Home:
    return Home.open(settings_in(tmp_path, shop.parent))


def kinds(home: Home) -> list[str]:
    return [str(home.ledger.event(entry.index).kind) for entry in home.ledger.entries()]


def raw_left(folder: Path) -> list[Path]:
    """Files below `folder` in which a raw member's name stands; Parquet that isn't encrypted is read as rows too."""
    names = {raw_member(number) for number in range(MEMBERS + 30)}
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        held = {name for name in names if name.encode() in path.read_bytes()}
        if path.read_bytes()[:4] == b"PAR1":
            held |= names & {str(v) for column in pq.read_table(path).columns for v in column.to_pylist()}
        if held:
            found.append(path)
    return found


def test_one_run_publishes_a_release_that_holds(home: Home) -> None:
    said: list[str] = []
    publication = route.run("small-shop", home=home, progress=lambda step, done=None, /: said.append(step))
    assert publication.new
    assert [table.name for table in publication.release.tables] == ["members", "orders"]
    assert kinds(home) == [
        "run.started", "data.received", "quarantine.sealed", "data.validated", "data.anonymized", "release.staged",
        "release.revealed", "run.completed",
    ]  # fmt: skip
    found = attest(home)
    assert (found.releases, found.files) == (1, 2)
    assert {"check", "receive", "validate", "anonymize", "publish"} <= set(said)
    answer = home.catalog.query(
        "SELECT min(n) FROM (SELECT count(*) AS n FROM small_shop.members GROUP BY born, town)"
    )
    assert answer.table.to_pylist()[0].popitem()[1] >= 4
    event = home.ledger.event(3)
    assert event.facts["quarantined"] == {"orders": BAD}


def test_no_raw_name_stays(home: Home) -> None:
    route.run("small-shop", home=home)
    assert list(home.settings.runs.iterdir()) == []
    assert list(home.settings.quarantine.glob("*/*/*.parquet"))
    assert raw_left(home.settings.home) == []


def test_a_second_run_publishes_nothing_twice(home: Home) -> None:
    first = route.run("small-shop", home=home)
    second = route.run("small-shop", home=home)
    assert not second.new
    assert second.release.as_json() == first.release.as_json()
    assert len(home.catalog.releases(all=True)) == 1
    assert kinds(home)[8:] == ["run.started", "data.received", "run.completed"]
    attest(home)


def test_new_data_is_a_new_release_and_the_old_one_stays(home: Home, shop: Path) -> None:
    first = route.run("small-shop", home=home).release
    with (shop.parent / "data" / "orders.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{raw_member(n)},silk,3,2026-05-05\n" for n in range(60))
    second = route.run("small-shop", home=home).release
    assert first.release != second.release
    assert [release.release for release in home.catalog.releases()] == [second.release]
    silk = "SELECT count(*) AS n FROM {}.orders WHERE goods = 'silk'"
    assert home.catalog.query(silk.format(first.release)).table.to_pylist() == [{"n": 0}]
    assert home.catalog.query(silk.format("small_shop")).table.to_pylist()[0]["n"] > 0
    attest(home)


def window(start: int | None, end: int | None) -> Window:
    first, last = (datetime(2026, month, 1, tzinfo=UTC) if month else None for month in (start, end))
    return Window(start=first, end=last)


def test_windows_that_touch_are_releases_of_their_own(home: Home) -> None:
    first = route.run("small-shop", home=home, window=window(1, 7)).release
    second = route.run("small-shop", home=home, window=window(7, None)).release
    assert first.release != second.release
    assert not route.run("small-shop", home=home, window=window(1, 7)).new
    attest(home)


@pytest.mark.parametrize("bounds", [(None, None), (1, 8), (6, 9), (2, 3), (None, 2)])
def test_a_window_that_could_be_subtracted_from_another_is_refused(
    home: Home, bounds: tuple[int, int]
) -> None:
    """The attack: January to June, then January to June and a day; the difference is that day's few persons."""
    route.run("small-shop", home=home, window=window(1, 7))
    with pytest.raises(PrivacyError, match="its window overlaps that of small_shop_"):
        route.run("small-shop", home=home, window=window(*bounds))
    assert len(home.catalog.releases(all=True)) == 1


def test_nothing_that_stays_confirms_a_guess_of_the_raw_data(home: Home, shop: Path) -> None:
    """The attack: who knows the whole source but one value tries all values against a digest that stands somewhere."""
    handoff = steps(home, shop, "validate")
    content = json.loads(handoff.path.read_text(encoding="utf-8"))
    tables = {table["name"]: table["sha256"] for table in content["tables"]}
    guesses = {document_digest([[name, digest] for name, digest in tables.items()]), *tables.values()}
    route.publish(route.anonymize(route.validate(handoff, home=home), home=home), home=home)
    route.clean("run-1", home=home)
    for path in home.settings.home.rglob("*"):
        if path.is_file():
            assert not any(guess.encode() in path.read_bytes() for guess in guesses), path
    again = route.receive(route.check(str(shop), run_id="run-1", home=home), home=home)
    assert again.sha256 != handoff.sha256, "a handoff's name stays in Airflow's database"


STEPS = ("receive", "validate", "anonymize", "publish")


def steps(home: Home, shop: Path, until: str) -> Handoff:
    """The handoff that the step `until` is given."""
    handoff = route.check(str(shop), run_id="run-1", home=home)
    for name in STEPS[: STEPS.index(until)]:
        handoff = getattr(route, name)(handoff, home=home)
    return handoff


@pytest.mark.parametrize("step", STEPS)
def test_a_contract_that_changed_between_two_steps_is_refused(home: Home, shop: Path, step: str) -> None:
    handoff = steps(home, shop, step)
    shop.write_text(shop.read_text(encoding="utf-8").replace("k: 4", "k: 2"), encoding="utf-8")
    with pytest.raises(ContractError, match="Contract small-shop was changed while run run-1 was under way"):
        getattr(route, step)(handoff, home=home)
    assert home.catalog.releases() == ()


@pytest.mark.signed
@pytest.mark.parametrize("step", STEPS)
def test_a_contract_that_ran_out_between_two_steps_is_refused(home: Home, shop: Path, step: str) -> None:
    shop.write_text(shop.read_text(encoding="utf-8").replace("2099-12-31", "2050-12-31"), encoding="utf-8")
    sign_all(home.settings)
    handoff = steps(home, shop, step)
    later = Home.open(home.settings, clock=lambda: datetime(2051, 1, 1, tzinfo=UTC))
    with pytest.raises(ContractError, match="ended with 2050-12-31"):
        getattr(route, step)(handoff, home=later)
    assert home.catalog.releases() == ()


@pytest.mark.signed
@pytest.mark.parametrize("step", STEPS)
def test_a_contract_that_was_suspended_between_two_steps_is_refused(
    home: Home, shop: Path, step: str
) -> None:
    [made] = sign_all(home.settings)
    handoff = steps(home, shop, step)
    Desk(home).turn(made.made.id, Turn.SUSPEND, side=C, signer=KEYS[C])
    with pytest.raises(ContractError, match="is suspended by the consumer"):
        getattr(route, step)(handoff, home=home)
    assert home.catalog.releases() == ()


@pytest.mark.parametrize("step", STEPS)
def test_a_changed_handoff_is_refused(home: Home, shop: Path, step: str) -> None:
    handoff = steps(home, shop, step)
    content = json.loads(handoff.path.read_text(encoding="utf-8"))
    handoff.path.write_text(json.dumps({**content, "run_id": "run-2"}), encoding="utf-8")
    with pytest.raises(IntegrityError, match="is not what that step wrote"):
        getattr(route, step)(handoff, home=home)


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_changed_file_is_refused(home: Home, shop: Path, step: str) -> None:
    """The attack: raw rows put where safe ones are expected, with the handoff left as it was."""
    handoff = steps(home, shop, step)
    content = json.loads(handoff.path.read_text(encoding="utf-8"))
    file = handoff.path.parent / content["tables"][0]["path"]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="`members` is not what the step before wrote"):
        getattr(route, step)(handoff, home=home)
    assert home.catalog.releases() == ()


def test_a_handoff_of_another_step_is_refused(home: Home, shop: Path) -> None:
    """The attack: received tables handed to `publish`, past validation and anonymisation."""
    received = steps(home, shop, "validate")
    with pytest.raises(
        IntegrityError, match="A handoff of step received came where one of anonymized is due"
    ):
        route.publish(received, home=home)
    with pytest.raises(IntegrityError, match="where one of validated is due"):
        route.anonymize(received, home=home)


def test_a_handoff_from_elsewhere_is_refused(home: Home, shop: Path, tmp_path: Path) -> None:
    handoff = steps(home, shop, "validate")
    elsewhere = tmp_path / "received.json"
    elsewhere.write_bytes(handoff.path.read_bytes())
    with pytest.raises(IntegrityError):
        route.validate(Handoff(path=elsewhere, sha256=handoff.sha256), home=home)


def test_a_run_that_ended_cannot_go_on(home: Home, shop: Path) -> None:
    handoff = steps(home, shop, "validate")
    route.clean("run-1", home=home)
    route.clean("run-1", home=home)
    with pytest.raises(IntegrityError, match="left nothing here any more"):
        route.validate(handoff, home=home)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_may_be_done_twice(home: Home, shop: Path, step: str) -> None:
    handoff = steps(home, shop, step)
    act = getattr(route, step)
    first = act(handoff, home=home)
    if step == "publish":
        assert act(handoff, home=home).release.as_json() == first.release.as_json()
        assert len(home.catalog.releases(all=True)) == 1
        attest(home)
        return
    told = json.loads(first.path.read_text(encoding="utf-8"))
    second = act(handoff, home=home)
    again = json.loads(second.path.read_text(encoding="utf-8"))
    for each in (told, again):  # what is encrypted twice isn't the same file; what is published is
        each["salt"] = ""
        each["memory"] = sorted(each.get("memory", ()))
        for table in each["tables"] if step != "anonymize" else ():
            for file in filter(None, (table, table["without"])):
                file["sha256"] = ""
    assert told == again


CUTS: list[tuple[str, Callable[[pytest.MonkeyPatch, Home], None]]] = [
    ("before the receipt", lambda patch, home: patch.setattr(type(home.ledger), "append", _cut_at(EventKind.RELEASE_STAGED))),
    ("before revealing", lambda patch, home: patch.setattr(type(home.catalog), "reveal", _cut)),
    ("after revealing", lambda patch, home: patch.setattr(type(home.ledger), "append", _cut_at(EventKind.RELEASE_REVEALED))),
    ("before the last word", lambda patch, home: patch.setattr(type(home.ledger), "append", _cut_at(EventKind.RUN_COMPLETED))),
]  # fmt: skip


class Cut(BaseException):
    """The moment at which power fails."""


def _cut(*_: object, **__: object) -> None:
    raise Cut


def _cut_at(kind: EventKind) -> Callable[..., object]:
    append = Ledger.append

    def cutting(self: Ledger, event: object, **more: object) -> object:
        if getattr(event, "kind", None) is kind:
            raise Cut
        return append(self, event, **more)  # type: ignore[arg-type]

    return cutting


@pytest.mark.parametrize(("when", "cut"), CUTS, ids=[when for when, _ in CUTS])
def test_a_run_cut_off_while_publishing_is_completed_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch, when: str, cut: Callable[[pytest.MonkeyPatch, Home], None]
) -> None:
    with monkeypatch.context() as patch:
        cut(patch, home)
        with pytest.raises(Cut):
            route.run("small-shop", home=home)
    again = Home.open(home.settings)
    publication = route.run("small-shop", home=again)
    assert len(again.catalog.releases(all=True)) == 1
    told = kinds(again)
    assert (told.count("release.staged"), told.count("release.revealed")) == (1, 1)
    assert told[-1] == "run.completed"
    attest(again)
    assert publication.new == (when != "before the last word")  # told by the run that could tell it first


def test_bad_data_stops_the_run_and_the_log_says_where(home: Home, shop: Path) -> None:
    with (shop.parent / "data" / "orders.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{raw_member(n)},tea,0,2026-05-05\n" for n in range(120))
    with pytest.raises(QualityError) as refused:
        route.run("small-shop", home=home)
    assert "127 of 1620 rows of orders" in str(refused.value)
    assert kinds(home) == ["run.started", "data.received", "quarantine.sealed", "run.failed"]
    failure = home.ledger.event(3)
    assert failure.facts == {"step": "validate", "error": "QualityError"}
    assert failure.contract_id == "small-shop"
    assert list(home.settings.runs.iterdir()) == []
    assert raw_left(home.settings.home) == []


def test_a_source_that_breaks_leaves_nothing(home: Home, shop: Path) -> None:
    (shop.parent / "data" / "orders.csv").write_bytes(b"member,goods,pieces,day\n\xff\xfe,tea,1,2026-01-01\n")
    with pytest.raises(SluiceError):
        route.run("small-shop", home=home)
    assert raw_left(home.settings.home) == []
    assert kinds(home) == ["run.started", "run.failed"]


def test_a_window_without_facts_publishes_nothing(home: Home) -> None:
    nothing = Window(start=datetime(2031, 1, 1, tzinfo=UTC))
    with pytest.raises(QualityError, match="No rows of `orders` are left"):
        route.run("small-shop", home=home, window=nothing)
    assert home.catalog.releases() == ()


def test_a_window_of_a_contract_that_knows_no_time_is_refused(home: Home, shop: Path) -> None:
    timeless = shop.read_text(encoding="utf-8").replace("      - {property: sluiceTime, value: day}\n", "")
    shop.write_text(timeless, encoding="utf-8")
    with pytest.raises(UsageError, match="says of no table when its facts happened"):
        route.run("small-shop", home=home, window=window(1, 7))


@pytest.mark.signed
def test_a_contract_that_nobody_signed_moves_nothing(home: Home) -> None:
    with pytest.raises(ContractError, match="nothing unsigned moves data"):
        route.run("small-shop", home=home)
    assert kinds(home) == [EventKind.RUN_FAILED]  # that it was refused is kept, and nothing else
    assert home.ledger.event(0).facts == {"step": "check", "error": "ContractError"}


@pytest.mark.signed
def test_a_contract_out_of_force_moves_nothing(home: Home, shop: Path) -> None:
    shop.write_text(shop.read_text(encoding="utf-8").replace("2099-12-31", "2020-12-31"), encoding="utf-8")
    sign_all(home.settings)
    signed = kinds(home)
    with pytest.raises(ContractError, match=r"sluiceTerm\.until"):
        route.run("small-shop", home=home)
    assert kinds(home) == [*signed, EventKind.RUN_FAILED]


@pytest.mark.signed
def test_a_signed_contract_goes_its_whole_way_and_may_say_retired(home: Home, shop: Path) -> None:
    """What a contract's file says of its status is for its readers: the signatures decide."""
    shop.write_text(
        shop.read_text(encoding="utf-8").replace("status: active", "status: retired"), encoding="utf-8"
    )
    sign_all(home.settings)
    assert route.run("small-shop", home=home).new
    attest(home)


def test_an_unknown_contract_is_named_with_those_that_exist(home: Home) -> None:
    with pytest.raises(UsageError, match="No published contract is called large-shop"):
        route.run("large-shop", home=home)
    with pytest.raises(UsageError, match="There is no contract file"):
        route.run("nowhere/large-shop.odcs.yaml", home=home)


def test_a_tampered_row_of_the_ledger_is_found(home: Home) -> None:
    route.run("small-shop", home=home)
    with sqlite3.connect(home.settings.database) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        changed = 0
        for table in tables:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            if {"key", "value"} <= set(columns):
                changed += database.execute(
                    f'UPDATE "{table}" SET value = CAST(replace(CAST(value AS TEXT), \'"orders":7\', \'"orders":6\') AS BLOB) '
                    "WHERE key LIKE 'ledger/leaf/%' AND CAST(value AS TEXT) LIKE '%\"orders\":7%data.validated%'"
                ).rowcount
    assert changed == 1
    with pytest.raises(LedgerError, match="doesn't verify"):
        attest(Home.open(home.settings))


def test_a_tampered_published_file_is_found(home: Home) -> None:
    release = route.run("small-shop", home=home).release
    path = Path(release.tables[0].uri) / release.tables[0].file
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(IntegrityError, match="is not the one that was recorded"):
        attest(home)


def test_a_report_that_was_made_to_look_better_is_found(home: Home) -> None:
    release = route.run("small-shop", home=home).release
    report = home.catalog.documents(release.release)["disclosure.json"]
    report.write_text(
        report.read_text(encoding="utf-8").replace('"risk_largest": 0.', '"risk_largest": 0.0'),
        encoding="utf-8",
    )
    with pytest.raises(IntegrityError, match=r"The report disclosure\.json beside release"):
        attest(home)


def test_a_manifest_that_the_ledger_does_not_know_is_found(home: Home, tmp_path: Path, shop: Path) -> None:
    """The attack: another hall's catalog put beside this hall's ledger."""
    route.run("small-shop", home=home)
    other = Home.open(settings_in(tmp_path / "other", shop.parent))
    stranger = Home(
        settings=home.settings,
        clock=home.clock,
        store=other.store,
        keys=other.keys,
        runs=other.runs,
        ledger=other.ledger,
        catalog=home.catalog,
    )
    with pytest.raises(LedgerError, match="the ledger knows nothing of it"):
        attest(stranger)


def test_published_files_are_read_by_tools_that_are_not_ours(home: Home) -> None:
    release = route.run("small-shop", home=home).release
    for table in release.tables:
        files = f"{table.uri}/*.parquet".replace("'", "''")
        assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{files}')").fetchall() == [(table.rows,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="SLUICE_HOME can't be used"):
        Home.open(settings_in(tmp_path / "ro"))


def test_a_home_below_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="SLUICE_HOME can't be used"):
        Home.open(settings_in(tmp_path / "file"))


def test_a_release_that_vanished_is_told(home: Home, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    route.run("small-shop", home=home)
    handoff = steps(home, shop, "publish")
    monkeypatch.setattr(type(home.catalog), "find", lambda *_: None)
    with pytest.raises((IntegrityError, CatalogError), match="is gone now"):
        route.publish(handoff, home=home)


GOODS = """\
  - name: goods
    physicalName: goods
    logicalType: object
    customProperties: [{property: sluiceKind, value: reference}]
    properties:
      - {name: goods, logicalType: string, required: true}
      - {name: price, logicalType: integer, required: true, logicalTypeOptions: {minimum: 0}}
"""


def test_what_was_set_aside_is_in_no_table_of_the_release(home: Home, shop: Path) -> None:
    """Rows are left out by their numbers, not copied: the attack is a step that reads the file and not the numbers."""
    text = shop.read_text(encoding="utf-8").replace("maxShare: 0.05", "maxShare: 0.5")
    shop.write_text(text + GOODS, encoding="utf-8")
    (shop.parent / "data" / "goods.csv").write_text(
        "goods,price\ntea,3\nplanted,-1\nrice,2\n", encoding="utf-8"
    )
    for name, row in (
        ("orders", "planted,tea,-1000000,2026-05-05\n"),
        ("members", "planted,1066,East,free\n"),
    ):
        with (shop.parent / "data" / f"{name}.csv").open("a", encoding="utf-8") as file:
            file.write(row)
    release = route.run("small-shop", home=home).release
    rows = {table.name: table.rows for table in release.tables}
    assert (rows["goods"], rows["members"]) == (2, 120)
    cells = home.catalog.query(
        "SELECT sum(pieces) AS total, min(pieces) AS least FROM small_shop.orders"
    ).table
    assert cells["least"][0].as_py() > 0
    assert cells["total"][0].as_py() > 5_000
    goods = home.catalog.query("SELECT goods FROM small_shop.goods ORDER BY 1").table["goods"].to_pylist()
    assert goods == ["rice", "tea"]
