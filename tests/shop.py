"""A small platform for tests: a contract, and the CSV files it speaks of, with persons who can be looked for afterwards."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from tests.declared import declared

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: small-shop
name: A small shop
version: 1.0.0
status: active
tenant: shop-platform
description: {purpose: planning}
servers:
  - {server: files, type: local, path: "data/{table}.csv", format: csv}
customProperties:
  - {property: sluiceTerm, value: {from: "2020-01-01", until: "2099-12-31"}}
  - {property: sluiceRecipient, value: small-firm}
  - {property: sluicePrivacy, value: {unit: member, k: 4, l: 2, maxSuppressed: 0.0}}
  - {property: sluiceQuarantine, value: {maxShare: 0.05}}
schema:
  - name: members
    physicalName: members
    logicalType: object
    customProperties: [{property: sluiceKind, value: subjects}]
    properties:
      - name: member
        logicalType: string
        required: true
        unique: true
        customProperties:
          - {property: sluiceRole, value: identifier}
          - {property: sluiceTransform, value: pseudonym}
      - name: born
        logicalType: integer
        required: true
        logicalTypeOptions: {minimum: 1900, maximum: 2020}
        customProperties: [{property: sluiceRole, value: quasiIdentifier}]
      - name: town
        logicalType: string
        customProperties:
          - {property: sluiceRole, value: quasiIdentifier}
          - {property: sluiceHierarchy, value: {kind: ordered, values: ["East", "North", "West"]}}
      - name: plan
        logicalType: string
        required: true
        customProperties: [{property: sluiceRole, value: sensitive}]
  - name: orders
    physicalName: orders
    logicalType: object
    customProperties:
      - {property: sluiceKind, value: facts}
      - {property: sluiceTime, value: day}
      - property: sluiceCells
        value:
          segmentsOf: members
          segmentMinUnits: 20
          countAs: members
          dimensions:
            - {name: goods, levels: [{label: goods, column: goods}]}
          measures:
            - {name: pieces, aggregate: sum, column: pieces}
    properties:
      - {name: member, logicalType: string, required: true, customProperties: [{property: sluiceRole, value: identifier}]}
      - {name: goods, logicalType: string, required: true, customProperties: [{property: sluiceRole, value: attribute}]}
      - name: pieces
        logicalType: integer
        required: true
        logicalTypeOptions: {minimum: 1}
        customProperties: [{property: sluiceRole, value: attribute}]
      - {name: day, logicalType: date, required: true, customProperties: [{property: sluiceRole, value: excluded}]}
"""
MEMBERS, ORDERS, BAD = 120, 1500, 7


def open_shop(folder: Path, *, seed: int = 7) -> Path:
    """Writes the contract and its data (120 members, 1,500 orders, 7 of them without pieces); returns the contract."""
    rng = random.Random(seed)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with (folder / "data" / "members.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["member", "born", "town", "plan"])
        for number in range(MEMBERS):
            town = rng.choice(["East", "North", "West", ""])
            write.writerow(
                [raw_member(number), rng.randint(1940, 2004), town, rng.choice(["free", "paid", "gold"])]
            )
    with (folder / "data" / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["member", "goods", "pieces", "day"])
        for number in range(ORDERS):
            day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
            pieces = 0 if number % (ORDERS // BAD) == 5 else rng.randint(1, 9)
            write.writerow(
                [raw_member(rng.randrange(MEMBERS + 30)), rng.choice(["tea", "rice", "soap"]), pieces, day]
            )
    contract = folder / "small-shop.odcs.yaml"
    contract.write_text(declared(CONTRACT), encoding="utf-8")
    return contract


def raw_member(number: int) -> str:
    """A member's raw name at the platform; no release, log or leftover may hold it."""
    return f"member-{number:04d}-raw"
