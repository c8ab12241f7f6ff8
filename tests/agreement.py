"""A contract built by hand, for tests of what stands behind the reading of contract files."""

from __future__ import annotations

from datetime import date
from typing import Any

from contracts.model import Contract, Source, Table, Term


def agreement(*tables: Table, **about: Any) -> Contract:
    """A contract of these tables, in force in 2026, without privacy terms; about: what else it says than the usual."""
    usual: dict[str, Any] = {
        "id": "a-contract",
        "version": "1.0.0",
        "name": "A contract",
        "status": "active",
        "digest": "0" * 64,
        "tenant": "platform",
        "recipient": "supplier",
        "purpose": "tests",
        "term": Term(start=date(2026, 1, 1), end=date(2026, 12, 31)),
        "source": Source(connector="files"),
        "privacy": None,
        "max_quarantined": 0.0,
        "tables": tables,
    }
    return Contract(**(usual | about))
