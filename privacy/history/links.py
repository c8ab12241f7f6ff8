"""Which releases tell of the same persons, and which of them were made in the same way."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version

from contracts.model import Contract, Table
from core.digest import document_digest, sha256_hex


def plan_of(contract: Contract, table: Table) -> str:
    """How a table of persons is protected, as a digest: two releases under one plan can be continued, one by the other."""
    terms = contract.privacy
    said = {
        "columns": [
            {
                "name": column.name,
                "role": column.role.value,
                "type": column.type.value,
                "transform": column.transform.value,
                "treatment": asdict(column.treatment) if column.treatment else None,
                "hierarchy": asdict(column.hierarchy) if column.hierarchy else None,
            }
            for column in table.columns
        ],
        "terms": asdict(terms) if terms else None,
        "recipient": contract.recipient,
        "segments": max(
            (t.cells.segment_min_units for t in contract.tables if t.cells and t.cells.segments_of), default=0
        ),
    }
    return sha256_hex(json.dumps(said, sort_keys=True, default=str).encode())


def cells_plan_of(contract: Contract, table: Table) -> str:
    """How the cells of a table of facts are made, as a digest: only cells of one plan can be held together."""
    terms = contract.privacy
    said = {
        "cells": asdict(table.cells) if table.cells else None,
        "k": terms.k if terms else None,
        "unit": terms.unit if terms else None,
        # What an atom's facts add up to is told by the engine's own hash, which another version may make otherwise.
        "engine": version("duckdb"),
    }
    return sha256_hex(json.dumps(said, sort_keys=True, default=str).encode())


@dataclass(frozen=True, kw_only=True)
class Origins:
    """What a table's persons are known by, each as a digest. namespace: that of subjects which the contract declares, or "";
    platform: the platform and the unit's column; place: where the rows come from."""

    namespace: str
    platform: str
    place: str

    def meets(self, other: Origins) -> bool:
        """Whether the two tell of the same persons, as far as anyone can say: where they come from the same place, or are in
        one declared namespace. Where one of them declares none, a platform knows its users by one id."""
        if self.place == other.place:
            return True
        if self.namespace and other.namespace:
            return self.namespace == other.namespace
        return self.platform == other.platform


def origins_of(contract: Contract, table: Table) -> Origins:
    """What the table's persons are known by."""
    unit = contract.privacy.unit if contract.privacy else ""
    physical = next((c.physical_name or c.name for c in table.columns if c.name == unit), unit)
    declared = contract.compliance.subject_namespace if contract.compliance else None
    came = {**_came(contract, table), "unit": physical}
    return Origins(
        namespace=sha256_hex(declared.encode()) if declared else "",
        platform=document_digest({"platform": contract.tenant, "unit": physical}),
        place=document_digest(came),
    )


@dataclass(frozen=True, kw_only=True)
class FactOrigins:
    """Which facts a table holds, each as a digest. place: where its rows come from; table: the platform and its table's name."""

    place: str
    table: str

    def meets(self, other: FactOrigins) -> bool:
        """Whether the two may hold the same facts: from one place, or from tables of one name on one platform."""
        return self.place == other.place or self.table == other.table


def facts_of(contract: Contract, table: Table) -> FactOrigins:
    """Which facts the table holds."""
    named = {"platform": contract.tenant, "table": table.physical_name}
    return FactOrigins(place=document_digest(_came(contract, table)), table=document_digest(named))


def _came(contract: Contract, table: Table) -> dict[str, object]:
    """Where a table's rows come from."""
    source = contract.source
    place = source.path or ""
    if source.connector == "files" and place:
        place = os.path.realpath(os.path.join(source.base or "", place))
    return {
        "connector": source.connector,
        "place": place,
        "options": dict(source.options or {}),
        "table": table.physical_name,
    }
