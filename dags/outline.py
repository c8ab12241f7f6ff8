"""What the loader must know of a contract file to draw its DAG, read in a millisecond or two, and no more than that.

The contract itself is read, checked and refused by the task `check`: a scheduler that parses a folder of a thousand
contracts again and again can't afford the standard's model, and must not fail for one bad file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from contracts.model import slug
from contracts.schedule import UnclearError, one_cron

PATTERN = "*.odcs.yaml"  # as in contracts.shelf, which can't be imported here: it brings the standard's model
REFUSED = "refused."
HOUSEKEEPING = "sluice.housekeeping"  # no contract's DAG: dags/housekeeping.py


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A contract file as the loader sees it.

    dag_id: the contract's id, what Airflow can't take in a DAG id turned to "-". tables: the names of its tables.
    schedule: how often data comes, a cron expression, "" when the contract doesn't say. term: first and last day in
    force, where they can be read. timed: whether a run can be cut to a window, since a table says when its facts happened.
    problem: why no contract can be taken from the file; its DAG then only fails, saying so, and is called
    "refused.<file name>" when the file shows no id.
    """

    path: Path
    dag_id: str
    contract_id: str = ""
    version: str = ""
    status: str = ""
    name: str = ""
    tables: tuple[str, ...] = ()
    schedule: str = ""
    term: tuple[date, date] | None = None
    timed: bool = False
    problem: str = ""

    def due(self, today: date) -> str:
        """The cron expression by which runs start by themselves; "" on days that the text says it isn't in force."""
        in_term = self.term is None or self.term[0] <= today <= self.term[1]
        return self.schedule if in_term else ""

    @property
    def assets(self) -> dict[str, str]:
        """Asset name -> URI of each table, as the catalog names them."""
        space = slug(self.contract_id)
        return {f"{space}.{table}": f"sluice://catalog/{space}/{table}" for table in self.tables}


def outlines(folder: Path) -> tuple[Outline, ...]:
    """The outline of each contract in `folder`, by file name; never raises for what a file holds.

    An id that several files say comes once, as a `problem`: which of them would be the contract?
    """
    drawn: dict[str, list[Outline]] = {}
    for path in _files(folder):
        outline = _outline(path)
        drawn.setdefault(outline.dag_id, []).append(outline)
    return tuple(_one(same) for same in drawn.values())


def outline_of(folder: Path, dag_id: str) -> Outline | None:
    """What `outlines` gives for this DAG; of the other files no more than the id is read."""
    same = [_outline(path) for path in _files(folder) if _id_of(path) == dag_id]
    if same and all(outline.dag_id == dag_id for outline in same):
        return _one(same)
    return next((outline for outline in outlines(folder) if outline.dag_id == dag_id), None)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(PATTERN) if path.is_file())


def _one(same: list[Outline]) -> Outline:
    if len(same) == 1:
        return same[0]
    files = ", ".join(outline.path.name for outline in same)
    return Outline(
        path=same[0].path, dag_id=same[0].dag_id, problem=f"Several files hold this contract: {files}."
    )


def _outline(path: Path) -> Outline:
    try:
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return _refused(path, f"The file isn't readable YAML{_place(error)}.")
    identity = document.get("id") if isinstance(document, dict) else None
    if not isinstance(identity, str) or not identity.strip():
        return _refused(path, "The file has no text under `id`, so it names no contract.")
    if _airflow_id(identity) == HOUSEKEEPING:
        return _refused(path, f"The id {HOUSEKEEPING} is taken by the hall's daily round.")
    try:
        schedule = one_cron(_mappings(document.get("slaProperties"))) or ""
    except UnclearError as error:
        return Outline(path=path, dag_id=_airflow_id(identity), contract_id=identity, problem=str(error))
    tables = list(_mappings(document.get("schema")))
    names = [table.get("name") for table in tables]
    return Outline(
        path=path,
        dag_id=_airflow_id(identity),
        contract_id=identity,
        version=str(document.get("version", "")),
        status=str(document.get("status", "")),
        name=str(document.get("name", "")),
        tables=tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name)),
        schedule=schedule,
        term=_term(document),
        timed=any(_own(table, "sluiceTime") is not None for table in tables),
    )


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    return (entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else iter(())


def _own(place: dict[str, Any], key: str) -> Any:
    found = (
        entry.get("value")
        for entry in _mappings(place.get("customProperties"))
        if entry.get("property") == key
    )
    return next(found, None)


def _term(document: dict[str, Any]) -> tuple[date, date] | None:
    term = _own(document, "sluiceTerm")
    try:
        return date.fromisoformat(str(term["from"])), date.fromisoformat(str(term["until"]))
    except (KeyError, TypeError, ValueError):
        return None  # `check` says what is wrong with it


def _refused(path: Path, problem: str) -> Outline:
    dag_id = REFUSED + _airflow_id(path.name.removesuffix(PATTERN.lstrip("*")))
    return Outline(path=path, dag_id=dag_id, problem=problem)


def _id_of(path: Path) -> str:
    """The DAG id that the file's top-level `id` gives, read no further than that; "" when there is none."""
    depth, key = 0, None
    try:
        with path.open("rb") as file:
            for event in yaml.parse(file, Loader=yaml.CSafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                    event, yaml.CollectionEndEvent
                )
                scalar = event.value if depth == 1 and isinstance(event, yaml.ScalarEvent) else None
                if key == "id" and scalar is not None:
                    return _airflow_id(scalar)
                key = scalar if key is None else None
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    return ""


def _airflow_id(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text.strip())[:200]


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
