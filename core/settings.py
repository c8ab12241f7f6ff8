"""Where state lies and what may be set from the environment. Every setting is in `Settings`; docs/settings.md lists them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PUBLISHED = Path(__file__).resolve().parent.parent / "contracts" / "published"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process.

    home: SLUICE_HOME, all state of this hall (default `.sluice` in the working folder).
    contracts: SLUICE_CONTRACTS, the folder of published contracts (default: the ones that ship with Sluice).
    platform_key: SLUICE_PLATFORM_KEY, the public key that quarantined rows are sealed to (PEM), or a folder of them, one
    for each platform; None: the hall makes a pair for each.
    """

    home: Path
    contracts: Path
    platform_key: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Settings from environment variables; an empty variable counts as not set."""
        env = os.environ if env is None else env
        key = env.get("SLUICE_PLATFORM_KEY")
        return cls(
            home=Path(env.get("SLUICE_HOME") or ".sluice").expanduser().resolve(),
            contracts=Path(env.get("SLUICE_CONTRACTS") or PUBLISHED).expanduser().resolve(),
            platform_key=Path(key).expanduser().resolve() if key else None,
        )

    @property
    def database(self) -> Path:
        """The SQLite file of `core.store`."""
        return self.home / "state.sqlite"

    @property
    def keys(self) -> Path:
        """The key store's folder, mode 0700."""
        return self.home / "keys"

    @property
    def runs(self) -> Path:
        """What is staged between the steps of a run; a run's folder is gone when it ends."""
        return self.home / "runs"

    @property
    def catalog(self) -> Path:
        """Published tables and what is staged for them."""
        return self.home / "catalog"

    @property
    def quarantine(self) -> Path:
        """Rows that broke a rule, sealed to the platform's key, outside the catalog."""
        return self.home / "quarantine"

    @property
    def airflow(self) -> Path:
        """Airflow's home for `sluice demo` and `sluice up`."""
        return self.home / "airflow"
