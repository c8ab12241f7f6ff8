"""The file of a tree, beside the contract's file: found, held against its digest, and read as CSV or YAML text."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from contracts.problems import shown
from contracts.protection import TreeFile
from contracts.reading import Node
from core.digest import sha256_hex

MAX_BYTES = 5_000_000
CSV, YAML = (".csv",), (".yaml", ".yml")
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Bytes:
    """What the file holds, proved to be what the contract names."""

    file: TreeFile
    raw: bytes


def named_file(node: Node) -> TreeFile | None:
    """The file that `file` and `sha256` name, by form; what is wrong with the names is said."""
    path, digest = node.text("file"), node.text("sha256")
    if path is not None and not _inside(path):
        node.say(
            f"{node.label}: `file` isn't a path inside the contract's folder.",
            "Put the file beside the contract, and write its path from there, with slashes: trees/regions.csv.",
            key="file",
        )
        return None
    if path is not None and not path.lower().endswith((*CSV, *YAML)):
        node.say(
            f"{node.label}: `file` is of no format that is read.",
            "Give a file whose name ends in .csv, .yaml or .yml.",
            key="file",
        )
        return None
    if digest is not None and (len(digest) != 64 or not set(digest) <= _HEX):
        node.say(
            f"{node.label}: `sha256` isn't a SHA-256.",
            "Write what `sha256sum FILE` prints: 64 digits and letters from a to f.",
            key="sha256",
        )
        return None
    return TreeFile(path=path, sha256=digest) if path is not None and digest is not None else None


def read_bytes(node: Node, file: TreeFile, folder: Path) -> Bytes | None:
    """What the file holds, or None when it can't be had or is another one than the contract names (and said)."""
    name = f"{node.label}: the file `{shown(file.path)}`"
    try:
        raw = _read(folder / file.path, folder)
    except _OutsideError:
        node.say(
            f"{name} is a link that leads out of the contract's folder.",
            "Copy the file there.",
            key="file",
        )
        return None
    except FileNotFoundError:
        node.say(
            f"{name} isn't there.",
            "Put it beside the contract, where the contract says: it goes with the contract wherever that is run.",
            key="file",
        )
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
        node.say(f"{name} can't be read ({why}).", "Check what it is and its mode.", key="file")
        return None
    if len(raw) > MAX_BYTES:
        node.say(
            f"{name} is larger than {MAX_BYTES} bytes.",
            "Leave out values that don't occur, or use coarser source values.",
            key="file",
        )
        return None
    if sha256_hex(raw) != file.sha256:
        node.say(
            f"{name} isn't the one whose SHA-256 stands here.",
            "Put the agreed file back; or write its digest (`sha256sum FILE`) into a new version, and agree on that.",
            key="sha256",
        )
        return None
    return Bytes(file, raw)


class _OutsideError(Exception):
    """A path whose links lead out of the folder."""


def _inside(path: str) -> bool:
    """Whether a path is relative, plain, and stays in its folder by its words alone, for every system alike."""
    plain = PurePosixPath(path)
    return not (
        plain.is_absolute()
        or PureWindowsPath(path).drive
        or "\\" in path
        or path.startswith("~")
        or ".." in plain.parts
        or str(plain) != path
    )


def _read(path: Path, folder: Path) -> bytes:
    """The file's bytes, one past the bound at most. Raises OSError, _OutsideError."""
    home, real = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    if not real.is_relative_to(home):
        raise _OutsideError
    # Resolved above: a link that stands there now was put there since, and isn't followed. A pipe isn't waited for.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it's no plain file")
        return stream.read(MAX_BYTES + 1)
