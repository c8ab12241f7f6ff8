"""A data contract from its file: the Open Data Contract Standard v3.1.0 or v3.2.0 with our terms in customProperties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.compile import check_reachable, compile_checks
from contracts.compliance import read_compliance, read_provision
from contracts.locate import read_yaml
from contracts.model import Contract
from contracts.own import check_own_keys
from contracts.problems import MALFORMED, Problem, Problems
from contracts.reading import Node
from contracts.sources import check_sources
from contracts.standard import check_model, check_standard, settle
from contracts.tables import finish_tables, read_tables, sensitive_column
from contracts.terms import (
    check_names,
    check_variables,
    read_privacy,
    read_quarantine,
    read_recipient,
    read_schedule,
    read_source,
    read_term,
)
from contracts.transforms import check_holders
from core.digest import document_digest
from core.errors import ContractError

UNSAID = "unknown"  # what stands for a tenant that the contract doesn't name


def load_contract(path: Path, content: bytes | None = None) -> Contract:
    """The contract in a file, whole and checked. content: the file's bytes where they came another way than by `path`,
    such as in a negotiation's dossier: a tree in a file stays unread then (`HierarchySpec.unread`), known by its digest.

    Raises ContractError that lists every problem, one a line as "file:line: what. remedy"; `facts["problems"]` has them as
    values. Whether the contract may be shared is asked by `contracts.sharing`, whether it's in force by the doors.
    """
    contract, said = read_contract(Path(path), content)
    if contract is None:
        problems = said.in_order()
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        listed = "\n".join(str(problem) for problem in problems)
        raise ContractError(f"The contract can't be used, {count}:\n{listed}", problems=problems)
    return contract


def check_contract(path: Path) -> tuple[Problem, ...]:
    """Everything that is wrong with a contract file, top of the file first; empty when it can be used."""
    return read_contract(Path(path))[1].in_order()


def read_contract(path: Path, content: bytes | None = None) -> tuple[Contract | None, Problems]:
    """The contract in a file and what is wrong with it; None when anything is. Read once: the file may be a pipe."""
    problems = Problems(path)
    data = read_yaml(path, problems, content).data
    if not isinstance(data, dict) and not problems.found:
        problems.add(
            (),
            "The file doesn't hold a mapping.",
            "A contract starts with keys like apiVersion and kind.",
            kind=MALFORMED,
        )
    if not isinstance(data, dict):
        return None, problems
    document, owed = check_standard(data, problems)
    # Bytes that came another way have no folder: what stands in files beside the contract isn't at hand.
    folder = path.resolve().parent if content is None else None
    contract = _contract(Node(document, (), problems, "The contract"), data, path, folder)
    settle(owed, problems)
    if not problems.found:
        check_model(data, problems)
    return (None if problems.found else contract), problems


def _contract(node: Node, data: dict[str, Any], path: Path, folder: Path | None) -> Contract | None:
    """The contract, or None when what is wrong leaves nothing to build; problems are said on the way."""
    check_own_keys(node.value, node.problems)
    check_names(node)
    check_variables(node, node.value)
    if node.value.get("kind") is not None and node.get("status") is None and data.get("status") is None:
        node.say(
            "`status` is missing.",
            "Add status: draft, and status: active once both parties agreed.",
            key="status",
        )
    term, recipient = read_term(node), read_recipient(node)
    max_quarantined, quarantine_days = read_quarantine(node)
    schedule = read_schedule(node)
    table_nodes = read_tables(node, folder)
    for table in table_nodes:
        check_holders(table.placed, recipient=recipient, tenant=node.get("tenant"))
    persons = any(table.about_persons for table in table_nodes)
    privacy = read_privacy(node, persons=persons, sensitive=sensitive_column(table_nodes))
    unit = privacy.unit if privacy is not None else None
    compliance, provision = read_compliance(node, unit=unit, tables=table_nodes), read_provision(node)
    source = read_source(node, base=path.resolve().parent, tables=len(table_nodes))
    check_sources(table_nodes, source)
    tables = finish_tables(table_nodes, privacy)
    checked = compile_checks(table_nodes, tables, privacy)
    check_reachable(table_nodes, checked, privacy)
    if node.problems.found or term is None or source is None:
        return None
    description = node.get("description") or {}
    return Contract(
        id=node.get("id"),
        version=node.get("version"),
        name=node.get("name") or node.get("id"),
        status=node.get("status"),
        digest=document_digest(data),
        tenant=node.get("tenant") or UNSAID,
        recipient=recipient,
        purpose=description.get("purpose") or "",
        term=term,
        source=source,
        privacy=privacy,
        max_quarantined=max_quarantined,
        quarantine_days=quarantine_days,
        tables=tuple(
            replace(table, checks=checks, notes=notes)
            for table, (checks, notes) in zip(tables, checked, strict=True)
        ),
        schedule=schedule,
        compliance=compliance,
        provision=provision,
        path=path.resolve(),
    )
