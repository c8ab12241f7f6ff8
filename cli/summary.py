"""A release in one screen: what came in, what was set aside, what was published, the risk left, where it lies, what next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from audit.events import Event, EventKind
from catalog.release import Release
from cli.output import out, program
from core.errors import CatalogError
from pipeline.home import Home
from privacy.report import DISCLOSURE


def summarize(release: Release, home: Home, *, new: bool | None = None) -> None:
    """Prints the summary of a release. new: whether this run published it (None: nobody asked)."""
    story = _story(release, home)
    report = disclosure(release, home)
    received: Mapping[str, int] = story.get(EventKind.DATA_RECEIVED, {}).get("rows", {})
    set_aside: Mapping[str, int] = story.get(EventKind.DATA_VALIDATED, {}).get("quarantined", {})
    if new is False:
        out.print(f"[bold yellow]nothing new[/]: {release.release} was published before; nothing was published twice.")
    title = f"{release.contract_id} {release.contract_version}"
    out.print(f"\n[bold]{escape(title)}[/]  release [bold]{release.release}[/]  {release.published_at:%Y-%m-%d %H:%M} UTC\n")
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("table")
    for name in ("rows in", "quarantined", "published", "version"):
        shown.add_column(name, justify="right")
    for table in release.tables:
        cells = " cells" if table.name in report["cells"] else ""
        shown.add_row(
            escape(table.name),
            f"{received[table.name]:,}" if table.name in received else "-",
            f"{set_aside.get(table.name, 0):,}",
            f"{table.rows:,}{cells}",
            str(table.version),
        )
    out.print(shown)
    out.print()
    for label, text in [*_risk(report), ("receipt", release.receipt), ("lies in", str(home.settings.catalog))]:
        out.print(f"[dim]{label:<10}[/]{escape(text)}")
    if any(set_aside.values()):
        out.print(f"[dim]{'set aside':<10}[/]{escape(str(home.settings.quarantine))}")
    slug = release.release.rsplit("_", 1)[0]
    about = next((table.name for table in release.tables if table.name in report["cells"]), release.tables[0].name)
    out.print("\nNext:")
    for command in (
        f"catalog show {release.contract_id}",
        f'catalog query "FROM {slug}.{about} LIMIT 5"',
        "audit verify",
    ):
        out.print(f"  {escape(program())} {escape(command)}")


def disclosure(release: Release, home: Home) -> Mapping[str, Any]:
    """The disclosure report that lies beside a release. Raises CatalogError when it's gone."""
    path = home.catalog.documents(release.release).get(DISCLOSURE)
    if path is None:
        raise CatalogError(
            f"The disclosure report of {release.release} is gone.", remedy="Run `sluice audit verify`; restore it from a copy."
        )
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def _story(release: Release, home: Home) -> dict[EventKind, Mapping[str, Any]]:
    """The facts of each event of the run that made the release."""
    events: list[Event] = [home.ledger.event(entry.index) for entry in home.ledger.entries()]
    runs = [e.run_id for e in events if e.kind is EventKind.RELEASE_STAGED and e.subject == release.release]
    return {event.kind: event.facts for event in events if runs and event.run_id == runs[-1]}


def _risk(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The disclosure report in a few lines."""
    lines: list[tuple[str, str]] = []
    risk = report["subjects"]
    if risk:
        lines.append(
            (
                "persons",
                f"k {risk['k']} (asked {report['k_limit']}), "
                + (f"l {risk['l']} (asked {report['l_limit']}), " if risk["l"] is not None else "")
                + f"{risk['units']:,} in {risk['classes']:,} classes, {risk['suppressed_units']:,} left out",
            )
        )
        lines.append(
            (
                "risk",
                f"largest {risk['risk_largest']:.1%}, mean {risk['risk_mean']:.1%}; "
                f"unique {risk['unique_before']:.0%} before, {risk['unique_after']:.0%} after; "
                f"detail lost (NCP) {risk['ncp']:.0%}",
            )
        )
    for name, cells in report["cells"].items():
        lines.append(
            (
                "cells",
                f"{name}: at least {cells['smallest']} of {cells['units']:,} in each; "
                f"{cells['suppressed_facts']:,} of {cells['facts']:,} facts suppressed",
            )
        )
    return lines or [("persons", "none in this release")]
