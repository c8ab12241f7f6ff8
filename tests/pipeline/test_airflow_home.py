from __future__ import annotations

import configparser
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import IntegrityError, UsageError
from core.settings import Settings
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.api import AirflowClient, AirflowError, RunView, TaskView
from pipeline.airflow.home import environment, prepare
from pipeline.airflow.runs import route_run_id
from pipeline.airflow.service import AirflowService, _free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "a hall 100% 图"
    return Settings(home=home, contracts=tmp_path / "contracts")


def read(settings: Settings) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(settings.airflow / "airflow.cfg", encoding="utf-8")
    return config


def test_the_settings_file_keeps_odd_paths_and_listens_on_loopback_only(settings: Settings) -> None:
    prepare(settings, port=9999)
    config = read(settings)
    assert config["api"]["host"] == "127.0.0.1"
    assert config["api"]["base_url"] == "http://127.0.0.1:9999"
    assert config["core"]["execution_api_server_url"] == "http://127.0.0.1:9999/execution/"
    assert config["database"]["sql_alchemy_conn"] == f"sqlite:///{settings.airflow}/airflow.db?timeout=60"
    assert config["scheduler"]["enable_health_check"] == "False"
    assert config["core"]["load_examples"] == "False"
    assert "simple_auth_manager_all_admins" not in config["core"]


def test_what_was_killed_is_found_within_a_minute(settings: Settings) -> None:
    prepare(settings, port=9999)
    scheduler = read(settings)["scheduler"]
    silent, looks = (
        int(scheduler["scheduler_health_check_threshold"]),
        int(scheduler["orphaned_tasks_check_interval"]),
    )
    assert (
        int(scheduler["scheduler_heartbeat_sec"]) * 5 <= silent
    )  # one that is only slow isn't taken for dead
    assert silent + looks <= 60
    assert int(scheduler["task_instance_heartbeat_timeout"]) <= 60


def test_secrets_are_random_kept_and_private(settings: Settings, tmp_path: Path) -> None:
    first, again = prepare(settings, port=1), prepare(settings, port=2)
    other = prepare(Settings(home=tmp_path / "other", contracts=tmp_path), port=1)
    assert first == again
    assert first.password != other.password
    assert first.password not in repr(first)
    assert json.loads((settings.airflow / "passwords.json").read_text()) == {"admin": first.password}
    for name in ("secrets.json", "passwords.json", "airflow.cfg"):
        assert stat.S_IMODE((settings.airflow / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.airflow.stat().st_mode) == 0o700


def test_unreadable_secrets_are_told(settings: Settings) -> None:
    prepare(settings, port=1)
    (settings.airflow / "secrets.json").write_text('{"password": "x"}', encoding="utf-8")
    with pytest.raises(IntegrityError, match="Airflow's secrets can't be read") as caught:
        prepare(settings, port=1)
    assert "Remove the folder" in caught.value.remedy


def test_another_airflow_s_settings_and_a_proxy_dont_reach_ours(settings: Settings) -> None:
    base = {
        "AIRFLOW__CORE__EXECUTOR": "Celery",
        "AIRFLOW_HOME": "/else",
        "HTTP_PROXY": "http://p:1",
        "no_proxy": "intra",
    }
    env = environment(settings, base)
    assert [name for name in env if name.startswith("AIRFLOW")] == ["AIRFLOW_HOME", "AIRFLOW_CONFIG"]
    assert env["AIRFLOW_HOME"] == str(settings.airflow)
    assert env["NO_PROXY"] == env["no_proxy"] == "intra,127.0.0.1,localhost"
    assert env["HTTP_PROXY"] == "http://p:1"
    assert "password" not in json.dumps(env).lower()


def test_a_busy_port_is_left_and_a_free_one_taken() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        free = _free_port(taken)
        assert free not in (0, taken)
    assert _free_port(free) == free


def test_one_airflow_a_home_and_its_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "below" / "a hall 图", contracts=tmp_path)
    first, second = AirflowService(settings), AirflowService(settings)
    before = os.umask(0)
    try:
        first._claim()
        with pytest.raises(UsageError, match="Airflow of this SLUICE_HOME already runs") as caught:
            second._claim()
    finally:
        os.umask(before)
        first.stop()
    assert caught.value.where == "it is just starting"
    for path in (settings.home.parent, settings.home, settings.airflow):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert stat.S_IMODE((settings.airflow / "service.lock").stat().st_mode) == 0o600
    second._claim()  # the lock went with the first
    second.stop()


def test_a_run_has_one_uuid_and_dags_dont_share_them() -> None:
    run = "scheduled__2026-01-01T00:00:00+00:00"
    assert route_run_id("a", run) == route_run_id("a", run)
    assert route_run_id("a", run) != route_run_id("b", run)
    assert route_run_id("a/b", "c") != route_run_id("a", "b/c")


def test_a_run_whose_clean_up_failed_is_no_success() -> None:
    def task(name: str, state: str) -> TaskView:
        return TaskView(task=name, state=state, seconds=1.0, attempt=1)

    view = RunView(
        dag_id="d", run_id="r", state="success", tasks=(task("publish", "success"), task("clean", "failed"))
    )
    assert view.over
    assert view.failed == ("clean",)
    assert not RunView(dag_id="d", run_id="r", state="failed", tasks=(task("clean", "running"),)).over


def test_nobody_there_is_told_and_isn_t_healthy() -> None:
    client = AirflowClient(_free_port(0), user="admin", password="x", timeout_s=1)
    assert client.health() == {}
    client.warm()
    with pytest.raises(AirflowError, match=r"Airflow's API didn't answer \(ConnectionRefusedError\)"):
        client.has_dag("d")


def test_the_guard_ends_whole_sessions_when_its_parent_is_killed(tmp_path: Path) -> None:
    """Also a process that left its parent's group, as Airflow's tasks do, and one that doesn't listen to SIGTERM."""
    child = "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    leader = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"guard = subprocess.Popen([sys.executable, '-I', {airflow_guard.__file__!r}], stdin=subprocess.PIPE,"
        " start_new_session=True)\n"
        f"leader = subprocess.Popen([sys.executable, '-c', {leader!r}], start_new_session=True)\n"
        "guard.stdin.write(f'{leader.pid}\\n'.encode()); guard.stdin.flush()\n"
        "print(leader.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    session = int(process.stdout.readline())
    _until(lambda: (tmp_path / "child").exists() and len(airflow_guard.members({session})) == 2)
    process.kill()
    process.communicate()
    _until(lambda: airflow_guard.members({session}) == [])


def test_only_the_sessions_named_are_ended() -> None:
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        airflow_guard.end_sessions([victim.pid], patience_s=2)
        assert victim.wait(timeout=5) != 0
        assert bystander.poll() is None
        assert os.getpid() not in airflow_guard.members({bystander.pid})
    finally:
        bystander.kill()
        bystander.wait()


def _until(condition: object, *, timeout_s: float = 20) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
