"""Airflow's home for one machine: its settings file, its secrets, and the environment its processes get.

Everything listens on 127.0.0.1, nothing is reported to anyone, and what other Airflows of this user are set to (their
AIRFLOW__ variables) doesn't reach it. Files are 0600 and folders 0700: logs and the database tell of runs.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import IntegrityError
from core.files import write_whole
from core.settings import Settings

DAGS = Path(__file__).resolve().parents[2] / "dags"
USER = "admin"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What one Airflow home signs and opens with. Made once, kept in `secrets.json`."""

    fernet_key: str
    jwt_secret: str
    secret_key: str
    password: str

    def __repr__(self) -> str:
        return "Secrets(...)"


def prepare(settings: Settings, *, port: int, dags: Path = DAGS) -> Secrets:
    """Folder, secrets, login and settings file of `settings.airflow`, for an API server on `port`."""
    home = settings.airflow
    for folder in (settings.home, home, home / "logs", home / "plugins", home / "bundles"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    kept = _secrets(home / "secrets.json")
    write_whole(home / "passwords.json", json.dumps({USER: kept.password}).encode())
    write_whole(home / "airflow.cfg", _ini(_options(home, kept, port=port, dags=dags)).encode())
    return kept


def environment(settings: Settings, base: Mapping[str, str], *, dags: Path = DAGS) -> dict[str, str]:
    """The environment of Airflow's processes: `base` without other Airflows' settings, and without a proxy to ourselves."""
    env = {name: value for name, value in base.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    direct = ",".join(filter(None, (base.get("no_proxy") or base.get("NO_PROXY"), "127.0.0.1,localhost")))
    return env | {
        "AIRFLOW_HOME": str(settings.airflow),
        "AIRFLOW_CONFIG": str(settings.airflow / "airflow.cfg"),
        **settings.as_env(),
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PYTHONPATH": os.pathsep.join(filter(None, (base.get("PYTHONPATH"), str(dags.parent)))),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "DO_NOT_TRACK": "1",
        "SCARF_ANALYTICS": "false",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _secrets(path: Path) -> Secrets:
    if not path.exists():
        fresh = Secrets(
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            jwt_secret=secrets.token_urlsafe(48),
            secret_key=secrets.token_urlsafe(48),
            password=secrets.token_urlsafe(12),
        )
        write_whole(path, json.dumps(vars(fresh)).encode())
        return fresh
    try:
        return Secrets(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise IntegrityError(
            "Airflow's secrets can't be read.",
            where=str(path),
            remedy=f"Remove the folder {path.parent}: it holds run histories and logs, nothing that was published.",
        ) from None


def _options(home: Path, kept: Secrets, *, port: int, dags: Path) -> dict[str, dict[str, object]]:
    url = f"http://127.0.0.1:{port}"
    return {
        "core": {
            "dags_folder": dags,
            "plugins_folder": home / "plugins",
            "executor": "dags.executor.Supervisors",
            "parallelism": 4,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "fernet_key": kept.fernet_key,
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": home / "passwords.json",
            # Both this and the base URL must follow the port, or every task fails.
            "execution_api_server_url": f"{url}/execution/",
        },
        # Who waits for the one file's lock waits longer than SQLite's 5 s: on a busy machine a pass over many DAGs takes that.
        "database": {"sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}?timeout=60"},
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
            "colored_console_log": False,
        },
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "workers": 1,
            "secret_key": kept.secret_key,
            "expose_config": False,
        },
        "api_auth": {"jwt_secret": kept.jwt_secret},
        # A finished task's process is seen after one beat; with Airflow's 5 s, stopping waits that long.
        "workers": {"min_heartbeat_interval": 1},
        # Short waits: on one machine nobody else is kept busy by them. What a killed scheduler left running is found
        # when that has been silent for 30 s, and looked for that often, not every 5 minutes; a task that runs and isn't
        # heard of, when its supervisor is gone with a scheduler, after a minute.
        "scheduler": {
            "enable_health_check": False,
            "scheduler_idle_sleep_time": 0.2,
            "job_heartbeat_sec": 2,
            "scheduler_heartbeat_sec": 2,
            "scheduler_health_check_threshold": 30,
            "orphaned_tasks_check_interval": 15,
            "task_instance_heartbeat_timeout": 60,
        },
        "dag_processor": {
            "dag_bundle_storage_path": home / "bundles",
            "parsing_processes": 1,
            "min_file_process_interval": 15,
            "refresh_interval": 15,
            "print_stats_interval": 0,
        },
    }


def _ini(options: Mapping[str, Mapping[str, object]]) -> str:
    lines = ["# Written by Sluice at each start; what you change here is lost."]
    for section, entries in options.items():
        lines += ["", f"[{section}]"]
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in entries.items()]
    return "\n".join(lines) + "\n"
