"""A release in one screen: what came in, what was set aside, what was published, the risk left, where it lies, what next."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from catalog.release import Release, Withheld
from cli.layout import Column
from cli.output import out, print_grid, print_line, program
from cli.story import Story, in_words, story
from contracts.model import slug
from core.errors import CatalogError
from core.sql import quoted
from pipeline.home import Home
from privacy.report.report import DISCLOSURE, PAGE

VALIDATION = "validation.json"  # its file name beside a release
_MUCH_LOST = 0.5  # normalised certainty penalty


def summarize(release: Release, home: Home, *, new: bool | None = None) -> None:
    """Prints the summary of a release. new: whether this run published it (None: nobody asked)."""
    made, report, current = story(release, home), disclosure(release, home), current_of(release, home)
    held = release.withheld
    is_current = held is None and (current is None or current.release == release.release)
    if new is False:
        out.print(
            f"[bold yellow]nothing new[/]: {release.release} was published before; nothing was published twice."
        )
    title = f"{release.contract_id} {release.contract_version}"
    out.print(
        f"\n[bold]{escape(title)}[/]  release [bold]{release.release}[/]  {release.published_at:%Y-%m-%d %H:%M} UTC"
    )
    out.print()
    print_grid(
        [
            Column("table"),
            *(Column(name, number=True) for name in ("rows in", "quarantined", "published", "version")),
        ],
        [
            [
                table.name,
                f"{made.rows_in[table.name]:,}" if table.name in made.rows_in else "-",
                f"{made.quarantined.get(table.name, 0):,}",
                f"{table.rows:,}{' cells' if table.name in report['cells'] else ''}",
                str(table.version),
            ]
            for table in release.tables
        ],
        style="dim",
    )
    out.print()
    lines = risk_lines(report, made)
    if current is not None and not is_current:
        lines.insert(
            0,
            ("current", f"not this one: {current.release}, since {current.published_at:%Y-%m-%d %H:%M} UTC"),
        )
    if made.window:
        lines.append(("window", in_words(made.window)))
    if made.failed_warnings:
        rules = "1 rule" if made.failed_warnings == 1 else f"{made.failed_warnings:,} rules"
        where = home.catalog.documents(release.release).get(VALIDATION)
        lines.append(("warnings", f"{rules} of severity warning failed{f', see {where}' if where else ''}"))
    lines.append(("receipt", release.receipt))
    if held is None or not held.deleted:
        lines.append(("lies in", str(home.settings.catalog)))
        page = home.catalog.documents(release.release).get(PAGE)
        if page is not None:
            lines.append(("report", f"there, {page.relative_to(home.settings.catalog)}"))
    if held is not None:
        lines.insert(0, _withheld(held))
    if any(made.quarantined.values()):
        lines.append(
            ("set aside", "raw rows, for the platform's own engineer only: `sluice quarantine list`")
        )
    for label, text in lines:
        print_line(label, text)
    out.print("\nNext:")
    for words in _next(release, report, is_current=is_current):
        out.print(f"  {escape(' '.join([program(), *words]))}")


def _withheld(held: Withheld) -> tuple[str, str]:
    since = f"{held.why} since {held.since:%Y-%m-%d %H:%M} UTC"
    if held.deleted:
        return "deleted", f"its files are gone for good; {since}"
    return "withheld", f"{since}: no reader is shown it"


def _next(release: Release, report: Mapping[str, Any], *, is_current: bool) -> list[tuple[str, ...]]:
    """The commands that go on from here."""
    if release.withheld is not None:  # no query reads it
        return [("contract", "show", shlex.quote(release.contract_id)), ("audit", "verify")]
    about = next(
        (table.name for table in release.tables if table.name in report["cells"]), release.tables[0].name
    )
    schema = slug(release.contract_id) if is_current else release.release
    return [
        ("catalog", "show", shlex.quote(release.contract_id if is_current else release.release)),
        ("catalog", "query", _in_shell(f"FROM {schema}.{_in_sql(about)} LIMIT 5")),
        ("audit", "verify"),
    ]


def current_of(release: Release, home: Home) -> Release | None:
    """The current release of the contract that `release` belongs to; None while all of them are withheld."""
    return next((each for each in home.catalog.releases() if each.contract_id == release.contract_id), None)


def disclosure(release: Release, home: Home) -> Mapping[str, Any]:
    """The disclosure report that lies beside a release. Raises CatalogError when it's gone."""
    path = home.catalog.documents(release.release).get(DISCLOSURE)
    if path is None:
        raise CatalogError(
            f"The disclosure report of {release.release} is gone.",
            remedy="Run `sluice audit verify`; restore it from a copy.",
        )
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def risk_lines(report: Mapping[str, Any], made: Story) -> list[tuple[str, str]]:
    """The disclosure report in a few lines: (label, text)."""
    lines: list[tuple[str, str]] = []
    risk = report["subjects"]
    if risk and not risk["units"]:
        lines.append(("persons", _nothing(made.rows_in.get(risk["table"], 0))))
    elif risk:
        lines.append(
            (
                "persons",
                f"k {risk['k']} (asked {report['k_limit']}), "
                + (f"l {risk['l']} (asked {report['l_limit']}), " if risk["l"] is not None else "")
                + f"{risk['units']:,} in {risk['classes']:,} classes, "
                + _left_out(risk["suppressed_units"], report["k_limit"]),
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
        if risk["ncp"] > _MUCH_LOST and risk["ncp_by_column"]:
            column, lost = max(risk["ncp_by_column"].items(), key=lambda pair: pair[1])
            lines.append(
                (
                    "hint",
                    f"much detail was lost, most in {column} ({lost:.0%}); "
                    "more persons, a smaller k, fewer quasi-identifiers or a finer hierarchy would keep more",
                )
            )
    for name, cells in report["cells"].items():
        if cells["cells"]:
            text = (
                f"at least {cells['smallest']} of {cells['units']:,} in each; "
                f"{cells['suppressed_facts']:,} of {cells['facts']:,} facts suppressed"
            )
        else:
            text = _nothing(cells["facts"])
        lines.append(("cells", f"{name}: {text}"))
    return lines or [("persons", "none in this release")]


def _left_out(steps: int, k: int | None) -> str:
    """A report says how many in steps of k."""
    return f"{f'{steps:,} or more' if steps else f'fewer than {k or 1:,}'} left out"


def _nothing(came: int) -> str:
    """What is said of a table of persons without a row. came: rows that there were to publish."""
    return (
        f"nothing published: all {came:,} rows were set aside or left out"
        if came
        else "nothing published: no rows came"
    )


def _in_sql(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else quoted(name)


def _in_shell(sql: str) -> str:
    """In double quotes, as people write SQL, unless a shell would read something into them."""
    return shlex.quote(sql) if re.search(r'["$`\\!]', sql) else f'"{sql}"'
