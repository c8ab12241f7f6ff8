"""What this home knows of the party registry, kept in the store, so that an older copy is refused from then on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from contracts.parties.registry import Known, Registry, load_registry
from core.errors import ConflictError
from core.store import Store, Write

KEY = "parties/known"
_TRIES = 5


def load_remembering(folder: Path, *, trusted_root: bytes, now: datetime, store: Store) -> Registry:
    """The registry in a folder, held against what was known and then remembered. Errors as `load_registry`."""
    for _ in range(_TRIES):
        entry = store.get(KEY)
        known = Known.parse(entry.value) if entry is not None else None
        registry = load_registry(folder, trusted_root=trusted_root, now=now, known=known)
        if registry.known == known:
            return registry
        try:
            store.commit(
                [Write(KEY, registry.known.to_bytes(), expected=entry.version if entry is not None else 0)]
            )
        except ConflictError:
            continue  # another process saw something newer, perhaps: what we read is held against that too
        return registry
    raise ConflictError("The party registry is being read by too many at once.", remedy="Try again.")
