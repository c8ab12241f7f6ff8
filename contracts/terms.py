"""The contract's own terms: who, until when, under which privacy limits, from which source."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.fileserver import check_files
from contracts.life.version import comparable
from contracts.model import MAX_QUARANTINE_DAYS, QUARANTINE_DAYS, Source, Term
from contracts.own import own
from contracts.problems import choose, shown
from contracts.protection import PrivacyTerms, Search
from contracts.reading import Node
from contracts.schedule import FREQUENCY, UnclearError, cron_of, one_cron

# The connectors that Sluice has; connectors/registry.py builds them, and a test holds the two against each other.
CONNECTORS = ("files", "completejourney")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VARIABLE = re.compile(r"\$\{\s*[A-Za-z_][A-Za-z0-9_.]*\s*(:-[^}]*)?\}")
PRIVACY = ("unit", "k", "l", "entropyL", "t", "search", "maxSuppressed", "maxIntersected")
_NOT_OPTIONS = {
    "id",
    "server",
    "type",
    "path",
    "format",
    "description",
    "environment",
    "roles",
    "customProperties",
}


def check_names(node: Node) -> None:
    """The contract's id and version go into files, DAGs and the ledger; of two versions one must be the later."""
    contract_id, version = node.get("id"), node.get("version")
    if isinstance(contract_id, str) and not _ID.fullmatch(contract_id):
        node.say(
            "The contract's id isn't a plain token.",
            "Use up to 128 letters, digits, dots, hyphens and underscores, like `grocery-demand`.",
            key="id",
        )
    if isinstance(version, str) and not comparable(version):
        node.say(
            "The contract's version can't be compared with other versions.",
            "Write it as up to four numbers with dots, like `1.2.0`.",
            key="version",
        )
    for key in ("name", "tenant", "status"):
        value = node.get(key)
        if isinstance(value, str) and not (value.strip() and value.isprintable()):
            node.say(
                f"The contract's {key} is blank or holds control characters.", "Write plain text.", key=key
            )


def read_term(node: Node) -> Term | None:
    """sluiceTerm {from, until}: the days on which the contract is in force, both included."""
    given = own(node, "sluiceTerm")
    if given is None:
        _lacks(node, "sluiceTerm", 'value: {from: "2026-01-01", until: "2026-12-31"}')
        return None
    if not given.mapping(("from", "until"), required=("from", "until")):
        return None
    start, end = given.day("from"), given.day("until")
    if start is None or end is None:
        return None
    if start > end:
        given.say("sluiceTerm ends before it starts.", "Swap `from` and `until`.", key="until")
        return None
    return Term(start=start, end=end)


def read_recipient(node: Node) -> str:
    """sluiceRecipient: who gets the data."""
    given = own(node, "sluiceRecipient")
    if given is None:
        _lacks(node, "sluiceRecipient", "value: the recipient's name")
        return ""
    if not isinstance(given.value, str) or not given.value.strip() or not given.value.isprintable():
        given.say("sluiceRecipient must be a name in plain text.", "Put it in quotes.")
        return ""
    return given.value


def read_quarantine(node: Node) -> tuple[float, int]:
    """sluiceQuarantine {maxShare, days}: the largest share of a table's rows that may be set aside, 0 when not given, and
    for how many days they are kept."""
    given = own(node, "sluiceQuarantine")
    if given is None or not given.mapping(("maxShare", "days"), required=("maxShare",)):
        return 0.0, QUARANTINE_DAYS
    days = given.whole("days", least=0, most=MAX_QUARANTINE_DAYS)
    return given.share("maxShare", one=True) or 0.0, QUARANTINE_DAYS if days is None else days


def read_schedule(node: Node) -> str | None:
    """The service levels `frequency` of the standard: how often data comes, as a cron expression in UTC."""
    levels = [level for level in node.each("slaProperties") if level.get("property") == FREQUENCY]
    for level in levels:
        try:
            cron_of(level.value)
        except UnclearError as error:
            level.say(error.what, error.remedy, key=error.key)
            return None
    try:
        return one_cron(level.value for level in levels)
    except UnclearError as error:
        levels[-1].say(error.what, error.remedy, key=error.key)
        return None


def read_privacy(node: Node, *, persons: bool, sensitive: Node | None) -> PrivacyTerms | None:
    """sluicePrivacy {unit, k, l, entropyL, t, search, maxSuppressed, maxIntersected}.

    persons: whether any table is about persons; without privacy terms that is refused. sensitive: a column with the role
    sensitive, if there is one: then l is 2 unless more is asked for, and never less. Without one nothing could be measured
    against entropyL or t.
    """
    given = own(node, "sluicePrivacy")
    if given is None:
        if persons:
            _lacks(node, "sluicePrivacy", "value: {unit: ..., k: 5, l: 2}, because tables are about persons")
        return None
    if not given.mapping(PRIVACY, required=("unit", "k")):
        return None
    unit, k = given.text("unit"), given.whole("k", least=2)
    least = 2 if sensitive is not None else 1
    l_distinct = given.whole("l", least=1)
    if l_distinct is not None and l_distinct < least:
        given.say(
            f"sluicePrivacy: `l` is {l_distinct}, and there is a sensitive column.",
            "Write 2 or more: else a class may tell its people's sensitive value.",
            key="l",
        )
    entropy_l, t = given.number("entropyL", above=1), given.number("t", above=0, most=1)
    for key in ("entropyL", "t"):
        if sensitive is None and given.has(key):
            given.say(
                f"sluicePrivacy: `{key}` limits what a class tells of a sensitive column, and no subject table has one.",
                "Take it out, or set sluiceRole: sensitive on the column that it's meant for.",
                key=key,
            )
    search = given.choice("search", [each.value for each in Search])
    max_suppressed = given.share("maxSuppressed", one=False)
    max_intersected = given.share("maxIntersected", one=True)
    if unit is None or k is None:
        return None
    return PrivacyTerms(
        unit=unit,
        k=k,
        l=max(l_distinct or least, least),
        max_suppressed=max_suppressed or 0.0,
        entropy_l=float(entropy_l) if entropy_l is not None else None,
        t=float(t) if t is not None else None,
        search=Search(search) if search is not None else Search.AUTO,
        max_intersected=max_intersected or 0.0,
    )


def read_source(node: Node, *, base: Path, tables: int) -> Source | None:
    """The server that the data comes from: the only one, or the one that names a connector."""
    servers = list(node.each("servers"))
    if not servers:
        node.say(
            "The contract names no server to get the data from.",
            "Add servers: [{server: ..., type: local, path: ..., format: ...}].",
            key="servers",
        )
        return None
    _distinct_servers(servers)
    named = [server for server in servers if own(server, "sluiceConnector") is not None]
    if len(named) > 1 or (len(servers) > 1 and not named):
        told = "Several servers name" if named else "There are several servers, and none names"
        (named or servers)[-1].say(
            f"{told} a connector.", "Give the customProperty sluiceConnector to the one that data comes from."
        )
        return None
    server = (named or servers)[0]
    connector = _connector(server)
    if connector is None:
        return None
    path, kind = server.get("path"), server.get("format")
    options = {
        key: str(value)
        for key, value in server.value.items()
        if key not in _NOT_OPTIONS and isinstance(value, (str, int, float))
    }
    if connector == "files":
        options |= check_files(server, tables=tables)
    return Source(
        connector=connector, path=path, format=kind.lower() if kind else None, base=base, options=options
    )


def _connector(server: Node) -> str | None:
    given = own(server, "sluiceConnector")
    if given is not None:
        if given.value not in CONNECTORS:
            given.say(f"There is no connector `{shown(given.value)}`.", choose(str(given.value), CONNECTORS))
            return None
        return str(given.value)
    if server.get("type") == "local":
        return "files"
    remedy = "Use type local for files, or type custom with the customProperty sluiceConnector."
    server.say(f"No connector reads a server of type `{shown(server.get('type'))}`.", remedy, key="type")
    return None


def _distinct_servers(servers: list[Node]) -> None:
    seen: set[str] = set()
    for server in servers:
        name = server.get("server")
        if name in seen:
            server.say(
                f"Two servers are called `{shown(name)}`.", "Give each a name of its own.", key="server"
            )
        if name:
            seen.add(name)


def check_variables(node: Node, value: object, *where: str | int) -> None:
    """Refuses ${VARIABLES}: what is agreed must stand in the contract, whose digest both parties sign.

    Prose, customProperties of others and SQL (whose placeholders look alike) are left alone.
    """
    if isinstance(value, str) and _VARIABLE.search(value):
        node.problems.add(
            (*node.where, *where),
            "A ${variable} stands where a value belongs.",
            "Write the value itself: the agreed text must say all that is agreed.",
        )
    elif isinstance(value, list):
        for i, item in enumerate(value):
            check_variables(node, item, *where, i)
    elif isinstance(value, dict):
        if "property" in value and not str(value["property"]).startswith("sluice"):
            return
        for key, item in value.items():
            if key not in (
                "description",
                "query",
                "pattern",
                "transformLogic",
                "transformDescription",
                "support",
                "team",
            ):
                check_variables(node, item, *where, key)


def _lacks(node: Node, key: str, example: str) -> None:
    node.say(
        f"The contract lacks {key}.", f"Add the customProperty {key} with {example}.", key="customProperties"
    )
