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
    registry_folder: SLUICE_REGISTRY, the party registry's folder (default: `registry` in SLUICE_HOME).
    registry_root: SLUICE_REGISTRY_ROOT, the root of the registry that this hall trusts (default: `registry-root.json` there).
    key_backups: SLUICE_KEY_BACKUPS, folders that are copies of the key store, with `:` between them; what is destroyed here is
    destroyed there too.
    thresholds: SLUICE_THRESHOLDS, the operator's own numbers for the rules of the land, each with its reason (docs/compliance.md).
    token_keys: SLUICE_TOKEN_KEYS, a folder with the key files that tokens' second holders lent for a run (docs/tokens.md).
    """

    home: Path
    contracts: Path
    platform_key: Path | None = None
    registry_folder: Path | None = None
    registry_root: Path | None = None
    key_backups: tuple[Path, ...] = ()
    thresholds: Path | None = None
    token_keys: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Settings from environment variables; an empty variable counts as not set."""
        env = os.environ if env is None else env
        return cls(
            home=_path(env.get("SLUICE_HOME") or ".sluice"),
            contracts=_path(env.get("SLUICE_CONTRACTS") or str(PUBLISHED)),
            platform_key=_or_none(env.get("SLUICE_PLATFORM_KEY")),
            registry_folder=_or_none(env.get("SLUICE_REGISTRY")),
            registry_root=_or_none(env.get("SLUICE_REGISTRY_ROOT")),
            key_backups=tuple(
                map(_path, filter(None, (env.get("SLUICE_KEY_BACKUPS") or "").split(os.pathsep)))
            ),
            thresholds=_or_none(env.get("SLUICE_THRESHOLDS")),
            token_keys=_or_none(env.get("SLUICE_TOKEN_KEYS")),
        )

    def as_env(self) -> dict[str, str]:
        """The variables from which another process gets these settings; "" for what isn't set."""
        return {
            "SLUICE_HOME": str(self.home),
            "SLUICE_CONTRACTS": str(self.contracts),
            "SLUICE_PLATFORM_KEY": str(self.platform_key or ""),
            "SLUICE_REGISTRY": str(self.registry_folder or ""),
            "SLUICE_REGISTRY_ROOT": str(self.registry_root or ""),
            "SLUICE_KEY_BACKUPS": os.pathsep.join(map(str, self.key_backups)),
            "SLUICE_THRESHOLDS": str(self.thresholds or ""),
            "SLUICE_TOKEN_KEYS": str(self.token_keys or ""),
        }

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
    def memory(self) -> Path:
        """What the hall remembers of whom its releases show, outside the catalog."""
        return self.home / "memory"

    @property
    def quarantine(self) -> Path:
        """Rows that broke a rule, sealed to the platform's key, outside the catalog."""
        return self.home / "quarantine"

    @property
    def agreements(self) -> Path:
        """What was said about each contract, and what both parties signed."""
        return self.home / "agreements"

    def dossiers(self, contract: str) -> Path:
        """Where the negotiations of one contract are kept, by its slug; there is no such folder before the first."""
        return self.agreements / contract

    @property
    def registry(self) -> Path:
        """The party registry's folder."""
        return self.registry_folder or self.home / "registry"

    @property
    def trusted_root(self) -> Path:
        """The root of the party registry that this hall trusts."""
        return self.registry_root or self.home / "registry-root.json"

    @property
    def demo_firms(self) -> Path:
        """The halls of the demo's firms, which sign its contracts with this one."""
        return self.home / "demo-firms"

    @property
    def airflow(self) -> Path:
        """Airflow's home for `sluice demo` and `sluice up`."""
        return self.home / "airflow"


def _path(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _or_none(text: str | None) -> Path | None:
    return _path(text) if text else None
