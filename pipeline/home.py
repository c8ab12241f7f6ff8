"""Opens the rooms under one SLUICE_HOME: the store, the keys, the ledger and the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from audit.ledger import Ledger
from catalog.catalog import Catalog
from core.clock import Clock, utc_now
from core.errors import UsageError
from core.folder import prepare_home, usable
from core.keys import KeyStore
from core.settings import Settings
from core.store import SqliteStore, Store
from pipeline.runs import Runs


@dataclass(frozen=True, kw_only=True)
class Home:
    """The open rooms of one hall."""

    settings: Settings
    clock: Clock
    store: Store
    keys: KeyStore
    runs: Runs
    ledger: Ledger
    catalog: Catalog

    @classmethod
    def open(cls, settings: Settings | None = None, *, clock: Clock = utc_now, create: bool = True) -> Home:
        """Opens (and on first use makes) the state under SLUICE_HOME, mode 0700.

        create: False for who comes to check: an empty home at a mistyped path must not look like one that holds.
        Raises UsageError when there's none, or when it can't be made.
        """
        settings = settings or Settings.from_env()
        if not create and not settings.database.is_file():
            raise UsageError(
                "There is no hall here.",
                where=str(settings.home),
                remedy="Set SLUICE_HOME to the folder of its state.",
            )
        prepare_home(settings.home)
        with usable(settings.home):
            for folder in (settings.runs, settings.quarantine, settings.catalog):
                folder.mkdir(mode=0o700, exist_ok=True)
        store = SqliteStore(settings.database)
        keys = KeyStore(settings.keys)
        return cls(
            settings=settings,
            clock=clock,
            store=store,
            keys=keys,
            runs=Runs(settings.runs, keys),
            ledger=Ledger(store, keys.signer(), clock),
            catalog=Catalog(settings.catalog, store, clock),
        )
