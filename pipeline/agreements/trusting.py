"""What registry a hall trusts, and how it takes one that came as a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # its public place, not marked as such

from contracts.parties.memory import KEY
from contracts.parties.publish import read_lapsed
from contracts.parties.registry import Known, Published, Read, Registry, folder_reader, read_published
from core.digest import sha256_hex
from core.errors import ConflictError, ContractError, IntegrityError, StateError, UsageError
from core.files import write_whole
from core.lock import exclusive
from pipeline.agreements.log import latest
from pipeline.agreements.registry import trusted_registry
from pipeline.home import Home

TIMESTAMP = "metadata/timestamp.json"
_ROOT_NAME = re.compile(r"([1-9][0-9]{0,5})\.root\.json")
_LOCK, _WAIT_S = ".lock", 30.0  # as `contracts.parties.publish` holds it


def current_registry(home: Home) -> Published | None:
    """The registry that this hall trusts, be it fresh or not; None when it trusts none. Errors as `load_registry`."""
    root = root_here(home)
    folder = home.settings.registry
    known = _known(home)
    if root is None and known is not None:
        raise StateError(
            "The root that this hall trusted is gone.",
            where=str(home.settings.trusted_root),
            remedy="Put it back, or run `sluice party registry trust` with the registry's folder and the root's digest.",
        )
    if root is None or (known is None and not (folder / TIMESTAMP).exists()):
        return None
    return read_lapsed(folder, trusted_root=root, known=known)


def needed_registry(home: Home) -> Published:
    """The same. Raises UsageError when there is none."""
    current = current_registry(home)
    if current is None:
        raise UsageError(
            "No party registry is trusted here.",
            where=str(home.settings.registry),
            remedy="`sluice party registry trust FOLDER` takes one; `found` begins one.",
        )
    return current


def trust(home: Home, folder: Path, root_digest: str = "") -> Registry:
    """Takes a registry's folder into this hall: all that a reader needs of it, verified before a byte is written.

    root_digest: SHA-256 of a root of it, as the other parties said it; needed as long as this hall trusts no root.
    Raises IntegrityError when it's missing or isn't that of any root there, and what `load_registry` raises.
    """
    read = _Seen(folder_reader(folder))
    roots = roots_of(folder)
    trusted = root_here(home)
    if root_digest or trusted is None:
        agreed = _agreed_root(folder, roots, root_digest)
        trusted = trusted if trusted is not None else agreed
    known = _newest_known(home, trusted)
    # From the trusted root on, as every later reader will; and fresh, or it may be an old one that is passed on.
    published = read_published(read, trusted_root=trusted, now=latest(home), known=known)
    own = home.settings.registry
    if own.resolve() != folder.resolve():
        files = {name: data for name, data in read.seen.items() if data is not None}
        files[f"metadata/{Metadata[Root].from_bytes(trusted).signed.version}.root.json"] = trusted
        files[TIMESTAMP] = published.known.timestamp
        # Not read when it's what was seen before.
        files[f"metadata/{published.snapshot.version}.snapshot.json"] = published.known.snapshot
        _copy(own, files)
    # Last: before it stands there, nothing in the folder is believed.
    if root_here(home) is None:
        trust_root(home, trusted)
    return trusted_registry(home)


def roots_of(folder: Path) -> Mapping[int, bytes]:
    """The roots in a registry's folder, by version, as they came. Raises UsageError when there are none."""
    read = folder_reader(folder)
    try:
        names = [path.name for path in (folder / "metadata").iterdir()]
    except OSError:
        names = []
    versions = sorted(int(found[1]) for name in names if (found := _ROOT_NAME.fullmatch(name)))
    roots = {version: read(f"metadata/{version}.root.json") for version in versions}
    there = {version: data for version, data in roots.items() if data is not None}
    if not there:
        raise UsageError(
            "There is no party registry in this folder.",
            where=str(folder),
            remedy="Give the folder that holds `metadata` and `targets`.",
        )
    return there


def root_here(home: Home) -> bytes | None:
    """The root that this hall trusts; None when it trusts none."""
    try:
        return home.settings.trusted_root.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(
            f"The trusted root can't be read: {error.strerror}.",
            where=str(home.settings.trusted_root),
            remedy="Mend the file's mode; this user must be able to read it.",
        ) from None


def trust_root(home: Home, root: bytes) -> None:
    """Makes a root the one that this hall trusts. Raises ConflictError when it trusts another."""
    path = home.settings.trusted_root
    there = root_here(home)
    if there is not None and there != root:
        raise ConflictError(
            "Another root was trusted meanwhile.", where=str(path), remedy="Look at it with `show`."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, root)
    except OSError as error:
        raise StateError(
            f"The trusted root can't be written: {error.strerror}.",
            where=str(path),
            remedy="Mend the folder, then do it again.",
        ) from None


@dataclass
class _Seen:
    """A folder's files as they were read first, so that what is verified is what is written."""

    read: Read
    seen: dict[str, bytes | None] = field(default_factory=dict)

    def __call__(self, name: str) -> bytes | None:
        if name not in self.seen:
            self.seen[name] = self.read(name)
        return self.seen[name]


def _agreed_root(folder: Path, roots: Mapping[int, bytes], digest: str) -> bytes:
    version, newest = max(roots.items())
    if not digest:
        raise IntegrityError(
            f"No root of this registry is trusted here yet. Its newest, version {version}, has the digest "
            f"{sha256_hex(newest)}.",
            where=str(folder),
            remedy="Ask other parties for theirs (`sluice party registry show`), by another way than the folder came; "
            "then give what they say as --root-digest.",
        )
    wanted = digest.strip().lower().removeprefix("sha256:")
    for data in roots.values():
        if sha256_hex(data) == wanted:
            return data
    raise IntegrityError(
        "No root in this folder has the digest that was agreed on.",
        where=str(folder),
        remedy="Don't take it: somebody may have exchanged the folder. Compare the digest once more, and ask who "
        "publishes the registry for its folder.",
    )


def _newest_known(home: Home, trusted: bytes) -> Known | None:
    """What this hall has seen of the registry, in its store or in its own folder."""
    known = _known(home)
    folder = home.settings.registry
    if not (folder / TIMESTAMP).exists():
        return known
    try:
        return read_lapsed(folder, trusted_root=trusted, known=known).known
    except (IntegrityError, ContractError):
        return known  # a folder that was damaged, or never this registry's: what comes takes its place


def _copy(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes what isn't there; the timestamp last, until then a reader sees what was there before."""
    try:
        for part in ("metadata", "targets"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(
            folder / _LOCK, wait_s=_WAIT_S, what="The registry is being written by another process."
        ):
            there = folder_reader(folder)
            for name in sorted(files, key=lambda name: (name == TIMESTAMP, "root" in name)):
                if there(name) != files[name]:
                    write_whole(folder / name, files[name])
    except OSError as error:
        raise StateError(
            f"The party registry can't be written: {error.strerror}.",
            where=str(folder),
            remedy="Mend the folder, then trust it again.",
        ) from None


def _known(home: Home) -> Known | None:
    entry = home.store.get(KEY)
    return Known.parse(entry.value) if entry is not None else None
