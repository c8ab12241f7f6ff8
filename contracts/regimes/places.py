"""Where an agreement lets the data be used."""

from __future__ import annotations

from contracts.agreement.model import Agreement
from contracts.agreement.vocabulary import ODRL

_SPATIAL = ODRL + "spatial"


def territories_of(agreement: Agreement, *, door: str, seat: str | None = None) -> tuple[str, ...]:
    """Every ISO 3166 code in which the agreement lets the data of a door be used, sorted; with the recipient's seat if it's known.

    () when a permission for the door names no territory, isn't understood, or when there is none: then nobody said.
    """
    found: set[str] = set()
    for permission in agreement.permissions:
        if permission.door is not None and permission.door != door:
            continue
        said = [each.value for each in permission.constraints if each.operand.iri == _SPATIAL]
        named = {str(code) for value in said if isinstance(value, frozenset) for code in value}
        if permission.door is None or permission.unknown or not named:
            return ()
        found |= named  # all of them: that two constraints leave less is for `decide` to keep
    return tuple(sorted(found | ({seat} if found and seat is not None else set())))
