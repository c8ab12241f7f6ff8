"""Small and read-only file systems, in a mount namespace of the child's own: they are gone when it ends."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def own_mounts() -> None:
    """Gives this process, which has one thread, mounts of its own. Raises OSError where the system doesn't let it."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _do(_libc.unshare(_NEW_MOUNTS))
    else:
        _do(_libc.unshare(_NEW_MOUNTS | _NEW_USER))
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    _mount("none", Path("/"), None, _RECURSIVE | _PRIVATE)


def possible() -> str:
    """Why mounts of its own can't be had, or nothing. For a child of its own."""
    try:
        own_mounts()
    except OSError as error:
        return str(error.strerror)
    return ""


def small_disk(folder: Path, size: int) -> None:
    """A disk of so many bytes (whole pages) at `folder`."""
    _mount("tmpfs", folder, "tmpfs", 0, f"size={size},mode=700")


def make_room(folder: Path, size: int) -> None:
    """The disk at `folder` has so many bytes now."""
    _mount("tmpfs", folder, "tmpfs", _REMOUNT, f"size={size}")


def read_only(path: Path) -> None:
    """A folder or a file, and what is mounted below, can't be written from here on."""
    _mount(str(path), path, None, _BIND | _RECURSIVE)
    _mount("none", path, None, _BIND | _REMOUNT | _READ_ONLY)


def as_before(path: Path) -> None:
    """Takes `read_only` back."""
    _do(_libc.umount2(os.fsencode(path), 2))  # lazily: a library may still hold a file


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    encoded = kind.encode() if kind else None
    _do(
        _libc.mount(
            os.fsencode(source), os.fsencode(target), encoded, ctypes.c_ulong(flags), options.encode() or None
        )
    )


def _do(failed: int) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
