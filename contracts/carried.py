"""Kinds of personal data that a column may be declared to carry (`sluiceCarries`), and that a scan looks for undeclared."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What stands in the cells of a column, as the contract says it."""

    RESIDENT_ID = "residentId"
    USCC = "uscc"
    MOBILE = "mobile"
    LANDLINE = "landline"
    BANK_CARD = "bankCard"
    PLATE = "plate"
    PASSPORT = "passport"
    EMAIL = "email"
    IP = "ip"
    NAME = "name"
    ADDRESS = "address"


OF_FIRMS = frozenset({Kind.USCC})
"""Kinds that tell a firm, not a person: no transform is asked for where they stand."""
