"""Names that are UUIDs: of runs, and of what is kept by run."""

from __future__ import annotations

import uuid


def is_uuid(name: str) -> bool:
    """Whether this is a UUID as we write it: lower case, with dashes. No other spelling names the same thing."""
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def uuid_of(name: str) -> str:
    """The UUID that stands for a name of ours, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sluice:{name}"))
