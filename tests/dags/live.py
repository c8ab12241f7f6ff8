"""An Airflow as its operators have it, for tests to look at and to befall; contracts for it; its processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from audit.events import Event, EventKind
from core.proof import Window
from core.settings import Settings
from dags.executor import TITLE
from pipeline.agreements.log import KINDS
from pipeline.airflow import guard as airflow_guard
from pipeline.airflow.api import RunView
from pipeline.airflow.runs import route_run_id
from pipeline.airflow.service import AirflowService
from pipeline.home import Home
from tests.declared import GENERAL

GOODS = (Path(__file__).parent.parent / "data" / "goods.odcs.yaml").read_text(encoding="utf-8")
PATIENCE_S = 240.0
_OF_CONTRACTS = frozenset({*KINDS.values(), EventKind.REGISTRY_TRUSTED})
_OF_ONE_SEALING = (EventKind.QUARANTINE_SEALED, EventKind.QUARANTINE_REMOVED)


def daily(text: str) -> str:
    """The contract whose facts have a day, and whose data comes every day."""
    text = text.replace(
        "customProperties: [{property: sluiceKind, value: reference}]",
        "customProperties: [{property: sluiceKind, value: reference}, {property: sluiceTime, value: sold_on}]",
    ).replace("physicalName: goods", "physicalName: sales")
    column = f"      - {{name: sold_on, logicalType: date, required: true, customProperties: [{GENERAL}]}}\n"
    return text.replace("    quality:", f"{column}    quality:") + (
        "slaProperties: [{property: frequency, value: 1, unit: d}]\n"
    )


def loaders(folder: Path) -> Path:
    """A folder of DAGs that holds the tests' loader alone."""
    dags = folder / "dags of the tests"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "loader.py", dags / "loader.py")
    return dags


class Altered(AirflowService):
    """An Airflow whose processes get `more` in their environment."""

    def __init__(self, settings: Settings, *, dags: Path, more: Mapping[str, str]) -> None:
        super().__init__(settings, dags=dags)
        self._more = dict(more)

    def _run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        self._env |= self._more
        return super()._run(name, *command)


class Live:
    """The Airflow under test, and what the hall holds beside it."""

    def __init__(self, airflow: AirflowService, dags: Path) -> None:
        self.airflow, self.dags = airflow, dags
        self.home = Home.open(airflow.settings)

    def over(self, dag_id: str, run_id: str, patience_s: float = PATIENCE_S) -> RunView:
        deadline = time.monotonic() + patience_s
        for view in self.airflow.watch(dag_id, run_id):
            assert time.monotonic() < deadline, view
        return view

    def run(self, dag_id: str) -> RunView:
        return self.over(dag_id, self.airflow.trigger(dag_id))

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.airflow.client._call(method, path, body)

    def clear(self, view: RunView, task: str, *, downstream: bool = False) -> RunView:
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": view.run_id,
            "task_ids": [task],
            "include_downstream": downstream,
        }
        self.call("POST", f"/api/v2/dags/{view.dag_id}/clearTaskInstances", body)
        return self.over(view.dag_id, view.run_id)

    def words(self, view: RunView, task: str, attempt: int) -> list[str]:
        """What the task's log of one try says, line by line."""
        entries = self.airflow.client.log(view.dag_id, view.run_id, task, attempt)
        return [str(entry.get("event", "")) for entry in entries]

    def told(self, view: RunView) -> list[Event]:
        """The ledger's events of the run."""
        run = route_run_id(view.dag_id, view.run_id)
        return [event for event in self.events() if event.run_id == run]

    def events(self) -> list[Event]:
        """All of the ledger's, but for how the contracts came about."""
        every = (self.home.ledger.event(index) for index in range(self.home.ledger.size))
        return [event for event in every if event.kind not in _OF_CONTRACTS]

    def failures(self, view: RunView) -> list[tuple[object, object]]:
        events = [event for event in self.told(view) if event.kind is EventKind.RUN_FAILED]
        return [(event.facts["step"], event.facts["error"]) for event in events]

    def releases(self, dag_id: str) -> list[Any]:
        return [each for each in self.home.catalog.releases(all=True) if each.contract_id == dag_id]

    def window(self, release: str) -> Window:
        """The window of which a release was made."""
        staged = self.home.ledger.receipt_for(EventKind.RELEASE_STAGED, release)
        assert staged is not None
        return Window.from_json(self.home.ledger.event(staged.index).facts.get("window", {}))

    def is_clean(self, view: RunView) -> bool:
        """Whether nothing of what the run staged is left, nor the key to it."""
        run = route_run_id(view.dag_id, view.run_id)
        return not self.home.runs.folder(run).exists() and run not in self.home.keys.runs_with_key()

    def consumed(self) -> list[dict[str, Any]]:
        file = self.home.settings.home / "consumed.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def states(view: RunView) -> dict[str, str]:
    return {task.task: task.state for task in view.tasks}


def repeated(events: Iterable[Event]) -> dict[object, int]:
    """What was told of a run, or of a release, more than once: it should be nothing.

    But for rows that are sealed: another try has a fresh key, so what it seals is another thing, which the ledger names.
    """
    counts = Counter(
        (event.kind, event.subject, event.digest if event.kind in _OF_ONE_SEALING else "") for event in events
    )
    return {name: count for name, count in counts.items() if count > 1}


def at_work(sessions: Iterable[int]) -> list[tuple[int, int]]:
    """The tasks that run below the schedulers of these sessions: each one's supervisor and its own process."""
    members = airflow_guard.members(set(sessions))
    names, parents = {}, {}
    for pid in members:
        try:
            names[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has just ended
    supervisors = {pid for pid, name in names.items() if name.startswith(TITLE.encode())}
    return [(parent, pid) for pid, parent in parents.items() if parent in supervisors]
