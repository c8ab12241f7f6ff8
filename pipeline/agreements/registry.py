"""The party registry as this hall trusts it: never one that is older than what it has seen."""

from __future__ import annotations

from audit.events import Event, EventKind
from contracts.parties.memory import load_remembering
from contracts.parties.registry import Registry
from core.errors import StateError, UsageError
from core.ids import uuid_of
from pipeline.agreements.log import latest
from pipeline.home import Home


def trusted_registry(home: Home) -> Registry:
    """The registry in the hall's folder, fresh and signed by its holders; the ledger is told of each new version.

    Fresh at `latest`: a clock set back makes no old registry fresh again. Raises UsageError when there is no root to trust;
    what `load_registry` raises.
    """
    settings = home.settings
    try:
        root = settings.trusted_root.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            "No party registry is trusted here.",
            where=str(settings.trusted_root),
            remedy="`sluice party registry trust` takes the registry's folder, and the digest of its root that the parties "
            "agreed on.",
        ) from None
    except OSError as error:
        raise StateError(
            f"The root of the party registry can't be read ({error.strerror or type(error).__name__}).",
            where=str(settings.trusted_root),
            remedy="Check the disk and the modes of SLUICE_HOME; then do it again.",
        ) from None
    registry = load_remembering(settings.registry, trusted_root=root, now=latest(home), store=home.store)
    name = f"registry/{registry.root_version}.{registry.version}"
    home.ledger.append(
        Event(
            kind=EventKind.REGISTRY_TRUSTED,
            run_id=uuid_of(name),
            subject=name,
            facts={
                "digest": registry.digest,
                "version": registry.version,
                "root": registry.root_version,
            },
        )
    )
    return registry
