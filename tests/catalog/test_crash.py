"""A fault before every durable step, and a process killed between them: readers see the old release whole, a re-run the new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from catalog import delta, staging

Hall = Any


class Stopped(BaseException):
    """The machine stopped here."""


class Fault:
    """Stops at the n-th step that changes something on disk."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def before(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self.steps += 1
            if self.steps == self.at:
                raise Stopped
            return act(*args, **kwargs)

        return step


@contextmanager
def stopped_at(number: int, hall: Hall) -> Iterator[Fault]:
    fault = Fault(number)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((staging, "sync"), (staging.os, "replace")):
            patch.setattr(module, name, fault.before(getattr(module, name)))
        for name in ("create_table_with_add_actions", "sync"):
            patch.setattr(delta, name, fault.before(getattr(delta, name)))
        patch.setattr(
            DeltaTable, "create_write_transaction", fault.before(DeltaTable.create_write_transaction)
        )
        patch.setattr(hall.store, "commit", fault.before(hall.store.commit))
        yield fault


@pytest.mark.slow
def test_a_stop_before_any_step_leaves_the_old_release_and_a_re_run_the_new(
    hall: Hall, tmp_path: Path
) -> None:
    number = 0
    finished = False
    while not finished:
        number += 1
        there = type(hall)(tmp_path / f"stop-{number}")
        there.publish("r_1", households=[1], demand=[1])
        try:
            with stopped_at(number, there) as fault:
                there.publish("r_2", households=[2, 2], demand=[2, 2])
                finished = fault.steps < number
        except Stopped:
            assert [release.release for release in there.catalog.releases()] == ["r_1"]
            assert there.catalog.find("r_2") is None
        visible = there.catalog.releases()[0].release
        both = there.catalog.query(
            "SELECT n FROM grocery_demand.households UNION ALL SELECT n FROM grocery_demand.demand"
        )
        assert set(both.table["n"].to_pylist()) == ({1} if visible == "r_1" else {2})
        release = there.publish("r_2", households=[2, 2], demand=[2, 2])
        assert [table.version for table in release.tables] == [1, 1]  # each table committed once, not twice
        assert there.catalog.releases(all=True)[-1] == release
        assert len(there.catalog.releases(all=True)) == 2
        assert not list(there.root.rglob(".unfinished-*"))
    assert number > 20


@pytest.mark.slow
def test_a_first_release_may_stop_anywhere_too(hall: Hall, tmp_path: Path) -> None:
    number = 0
    finished = False
    while not finished:
        number += 1
        there = type(hall)(tmp_path / f"stop-{number}")
        try:
            with stopped_at(number, there) as fault:
                there.publish("r_1")
                finished = fault.steps < number
        except Stopped:
            assert there.catalog.releases(all=True) == ()
        release = there.publish("r_1")
        assert [table.version for table in release.tables] == [0, 0]
    assert number > 20


def test_a_sweep_keeps_what_delta_tells_readers_of_though_no_release_names_it(hall: Hall) -> None:
    """Stopped after the commits to Delta and before the manifest."""
    hall.publish("r_1", households=[1], demand=[1])
    staged = hall.catalog.stage(hall.safe("r_2", households=[2], demand=[2]), hall.contract)
    receipt = hall.receipt(staged)

    def stop(*_: object) -> None:
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hall.store, "commit", stop)
        with pytest.raises(Stopped):
            hall.catalog.reveal(staged, receipt, hall.contract)
    stray = hall.catalog.stage(hall.safe("r_3", households=[3], demand=[3]), hall.contract)
    assert hall.catalog.sweep() > 0
    assert not [file.path for file in stray.tables.values() if file.path.exists()]
    for file in staged.tables.values():
        assert file.path.exists()
        versions = [DeltaTable(str(file.path.parent), version=number) for number in (0, 1)]
        assert [table.to_pyarrow_table()["n"].to_pylist() for table in versions] == [[1], [2]]
    release = hall.publish("r_2", households=[2], demand=[2])
    assert [table.version for table in release.tables] == [1, 1]


def test_a_sweep_removes_what_deltas_own_writer_left(hall: Hall) -> None:
    """It writes a commit under another name first; a kill may come before the right one."""
    release = hall.publish("r_1", households=[1], demand=[1])
    log = Path(release.tables[0].uri) / "_delta_log"
    before = sorted(log.iterdir())
    for name in ("00000000000000000001.json#1", "_last_checkpoint#12"):
        (log / name).write_bytes(b"{}")
    hall.catalog.sweep()
    assert sorted(log.iterdir()) == before
    assert hall.publish("r_2", households=[2], demand=[2]).tables[0].version == 1


def test_another_release_may_come_between_a_stop_and_its_re_run(hall: Hall) -> None:
    hall.publish("r_1")
    staged = hall.catalog.stage(hall.safe("r_2", households=[2], demand=[2]), hall.contract)
    receipt = hall.receipt(staged)
    with stopped_at(5, hall), pytest.raises(Stopped):
        hall.catalog.reveal(staged, receipt, hall.contract)
    assert DeltaTable(staged.tables["households"].path.parent).version() == 1
    assert DeltaTable(staged.tables["demand"].path.parent).version() == 0
    assert hall.catalog.query("SELECT n FROM grocery_demand.households").rows == 3
    hall.publish("r_3", households=[3, 3], demand=[3, 3])
    release = hall.catalog.reveal(staged, receipt, hall.contract)
    assert hall.catalog.query("SELECT n FROM grocery_demand.households").table["n"].to_pylist() == [2]
    for table in release.tables:  # plain tools that read the newest version see the current release as well
        assert DeltaTable(table.uri).version() == table.version


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    import conftest
    from catalog import catalog, staging

    hall = conftest.Hall(Path({home!r}))
    hall.publish("r_1")
    module, name, count = {point!r}
    module = {{"staging": staging, "catalog": catalog}}[module]
    act, calls = getattr(module, name), []

    def killed(*args, **kwargs):
        calls.append(name)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **kwargs)

    setattr(module, name, killed)
    hall.publish("r_2", households=[2], demand=[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", [("staging", "sync", 1), ("catalog", "commit", 2)])
def test_a_killed_process_holds_no_lock_and_leaves_no_half(
    hall: Hall, tmp_path: Path, point: tuple[str, str, int]
) -> None:
    home = tmp_path / "大厅 killed"
    script = textwrap.dedent(KILLED).format(tests=str(Path(__file__).parent), home=str(home), point=point)
    root = str(Path(staging.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    there = type(hall)(home)
    assert [release.release for release in there.catalog.releases()] == ["r_1"]
    assert there.catalog.query("SELECT n FROM grocery_demand.households").rows == 3
    left = list(there.root.rglob(".unfinished-*"))
    assert bool(left) == (point[0] == "staging")
    release = there.publish("r_2", households=[2], demand=[2])
    assert [table.version for table in release.tables] == [1, 1]
    assert not list(there.root.rglob(".unfinished-*"))
