"""Airflow itself, started and stopped: the slow ones of the suite."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from core.errors import InternalError, QualityError, UsageError
from core.settings import Settings
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.api import AirflowClient, AirflowError
from pipeline.airflow.service import AirflowService
from tests.signed import sign_all

pytestmark = [pytest.mark.slow, pytest.mark.signed]

ROOT = Path(__file__).resolve().parent.parent.parent
GOODS = ROOT / "tests" / "data" / "goods.odcs.yaml"


def hall(folder: Path) -> Settings:
    contracts = folder / "my contracts 合同"
    (contracts / "data").mkdir(parents=True)
    (contracts / "data" / "goods.csv").write_text("id,name\n1,bread\n2,milk\n3,茶\n", encoding="utf-8")
    for name, rows in (("goods-list", 0), ("too-few", 10)):
        text = GOODS.read_text(encoding="utf-8").replace("goods-list", name)
        text = text.replace("mustBeGreaterThan: 0", f"mustBeGreaterThan: {rows}")
        (contracts / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    settings = Settings(home=folder / "the hall 图", contracts=contracts)
    sign_all(settings, live=True)  # Airflow's processes stand before the doors as they are
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return hall(tmp_path)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One home for the tests that start all of Airflow: its database takes seconds to make."""
    return hall(tmp_path_factory.mktemp("lasting"))


def listening() -> dict[int, set[str]]:
    """Inode -> hexadecimal local address and port of every TCP socket that listens."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.setdefault(int(fields[9]), set()).add(fields[1])
    return found


def sockets_of(pids: list[int]) -> set[str]:
    """The addresses on which one of these processes listens."""
    open_inodes = set()
    for pid in pids:
        for descriptor in _descriptors(pid):
            if descriptor.startswith("socket:["):
                open_inodes.add(int(descriptor[8:-1]))
    return {
        address for inode, addresses in listening().items() if inode in open_inodes for address in addresses
    }


def _descriptors(pid: int) -> Iterator[str]:
    try:
        entries = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            yield os.readlink(entry)
        except OSError:
            continue


def sessions(airflow: AirflowService) -> set[int]:
    return {process.pid for process in airflow._processes.values()}


def test_a_contract_goes_through_airflow_to_a_release_once(lasting: Settings) -> None:
    from cli.demo import carry  # noqa: PLC0415 (only these tests need what it brings)

    screen = io.StringIO()
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        carried = carry(
            "goods-list", lasting, console=Console(file=screen, width=200), port=busy.getsockname()[1]
        )
    assert carried.new
    assert [(table.name, table.rows) for table in carried.release.tables] == [("goods", 3)]
    assert next(iter(carried.seconds)) == "start"
    assert set(carried.seconds) >= {
        "check",
        "receive",
        "validate",
        "anonymize",
        "publish",
        "clean",
        "stop",
        "total",
    }
    assert list(lasting.runs.iterdir()) == []
    lines = screen.getvalue()
    assert "is taken; Airflow listens on http://127.0.0.1:" in lines
    for said in ("Airflow: making its database", "publish done", "Airflow: stopping", "reading the release"):
        assert said in lines
    assert "\x1b" not in lines  # plain lines where there's no terminal


class Impatient(io.StringIO):
    """A screen whose reader presses Ctrl-C, once, as soon as it tells that data comes: on a busy machine the next it tells may be
    that the run has failed already."""

    pressed = False

    def write(self, text: str, /) -> int:
        if ("receive runs" in text or "receive done" in text) and not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt
        return super().write(text)


def test_ctrl_c_in_the_middle_leaves_no_raw_data_and_no_process(lasting: Settings) -> None:
    from audit.events import EventKind  # noqa: PLC0415 (as above)
    from cli.demo import carry  # noqa: PLC0415 (as above)
    from pipeline.home import Home  # noqa: PLC0415 (as above)

    with pytest.raises(KeyboardInterrupt):
        carry("too-few", lasting, console=Console(file=Impatient(), width=200))
    assert list(lasting.runs.iterdir()) == []
    assert not (lasting.airflow / "service.json").exists()
    ledger = Home.open(lasting).ledger
    last_event = ledger.event(ledger.size - 1)
    assert (last_event.kind, last_event.facts["error"]) == (EventKind.RUN_FAILED, "KeyboardInterrupt")
    # The lock is free, and the run that was cut off doesn't hold up the next: it fails, once its clean-up has run.
    with AirflowService(lasting) as airflow:
        (left,) = airflow.client.unfinished("too-few")
        again = airflow.trigger("too-few")
        *_, last = airflow.watch("too-few", left)
        assert (last.state, {t.task: t.state for t in last.tasks}["clean"]) == ("failed", "success"), last
        *_, last = airflow.watch("too-few", again)
        assert last.failed == ("validate",)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_a_refusal_through_airflow_and_nothing_left_behind(lasting: Settings) -> None:
    from cli.demo import _failure, _published  # noqa: PLC0415 (as above)

    with AirflowService(lasting) as airflow:
        ours = sessions(airflow)
        with pytest.raises(UsageError, match="already runs") as second, AirflowService(lasting):
            pass
        assert airflow.url in second.value.where
        with pytest.raises(AirflowError, match="refused POST /auth/token with 401"):
            AirflowClient(airflow.port, user="admin", password="wrong").has_dag("goods-list")

        *_, refused = airflow.watch("too-few", run_id := airflow.trigger("too-few"))
        assert sockets_of(airflow_guard.members(ours)) == {
            f"0100007F:{airflow.port:04X}"
        }  # 127.0.0.1, nothing else
        assert (refused.state, refused.failed) == ("failed", ("validate",))
        states = {task.task: task.state for task in refused.tasks}
        assert states["publish"] == "upstream_failed"
        assert states["clean"] == "success"
        told = _failure(airflow, refused)
        assert isinstance(told, QualityError)
        assert told.what
        assert told.where.endswith("task validate")
        assert told.remedy
        with pytest.raises(InternalError, match="the ledger knows nothing of it"):
            _published("too-few", run_id, lasting)
        with pytest.raises(AirflowError, match="found no DAG nowhere"):
            airflow.trigger("nowhere", timeout_s=0)
    assert list(lasting.runs.iterdir()) == []
    assert airflow_guard.members(ours) == []
    assert not any(f"0100007F:{airflow.port:04X}" in addresses for addresses in listening().values())
    assert not (lasting.airflow / "service.json").exists()
    for path in (lasting.airflow / "logs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert path.is_dir() or airflow.password not in path.read_text(encoding="utf-8", errors="replace")


def test_up_says_where_it_is_and_goes_with_ctrl_c(lasting: Settings) -> None:
    env = {**os.environ, "SLUICE_HOME": str(lasting.home), "SLUICE_CONTRACTS": str(lasting.contracts)}
    up = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up", "--json"],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    told = json.loads("".join(iter(up.stdout.readline, "}\n")) + "}")
    client = AirflowClient(int(told["url"].rpartition(":")[2]), user=told["user"], password=told["password"])
    assert client.health()["scheduler"] == "healthy"
    up.send_signal(signal.SIGINT)
    _, said = up.communicate(timeout=30)
    assert up.returncode == 0
    assert said.splitlines()[-2:] == ["stopping Airflow", "stopped"]
    assert client.health() == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_airflow_ends_with_its_parent(settings: Settings, number: signal.Signals) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from core.settings import Settings\n"
        "from pipeline.airflow.service import AirflowService\n"
        "def hold(step, done=None):\n"
        "    print(*[process.pid for process in airflow._processes.values()], flush=True)\n"
        "    time.sleep(600)\n"
        "home, contracts = map(pathlib.Path, sys.argv[1:])\n"
        "airflow = AirflowService(Settings(home=home, contracts=contracts), progress=hold)\n"
        "airflow.__enter__()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.home), str(settings.contracts)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    ours = {int(pid) for pid in parent.stdout.readline().split()}
    assert len(ours) == 2  # the API server, which loads, and what makes the database
    assert airflow_guard.members(ours)
    parent.send_signal(number)
    parent.communicate(timeout=30)
    deadline = time.monotonic() + 20
    while airflow_guard.members(ours) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert airflow_guard.members(ours) == []


def test_a_component_that_ends_stops_the_others_and_shows_its_last_words(settings: Settings) -> None:
    def kill(step: str, _: float | None = None, /) -> None:
        ours.update(sessions(airflow))
        os.kill(airflow._processes["api-server"].pid, signal.SIGKILL)
        time.sleep(0.1)

    ours: set[int] = set()
    airflow = AirflowService(settings, progress=kill)
    with (
        pytest.raises(AirflowError, match=r"Airflow's api-server ended by itself \(code -9\)") as caught,
        airflow,
    ):
        pass
    assert caught.value.where.endswith("api-server.log")
    assert caught.value.remedy == "Everything was stopped."
    assert airflow_guard.members(ours) == []


def test_a_database_that_can_t_be_made_is_told(settings: Settings) -> None:
    (settings.airflow / "airflow.db").mkdir(parents=True)  # in the way
    with (
        pytest.raises(AirflowError, match="Airflow's database can't be made") as caught,
        AirflowService(settings),
    ):
        pass
    assert "unable to open database file" in caught.value.what
