"""Files that come into being whole, and the drafts that a killed writer leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.files import create_whole, remove_drafts, write_whole

DEAD = ".state.sqlite.0123456789abcdef"


def test_only_a_dead_writers_draft_is_removed(tmp_path: Path) -> None:
    for name in (DEAD, f"{DEAD}-journal", ".wrapping.key.fedcba9876543210"):
        (tmp_path / name).write_bytes(b"half")
    others = {".profile", "state.sqlite", "state.sqlite-wal", ".a.0123456789abcde", "a.0123456789abcdef"}
    for name in others:
        (tmp_path / name).write_bytes(b"")
    with create_whole(tmp_path / "key") as draft:
        companion = draft.with_name(f"{draft.name}-journal")
        companion.write_bytes(b"of a draft that is being written")
        assert remove_drafts(tmp_path) == 3
        assert companion.exists()
        draft.write_bytes(b"whole")
    assert (tmp_path / "key").read_bytes() == b"whole"
    assert remove_drafts(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {*others, "key"}
    assert remove_drafts(tmp_path) == 0


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, b"first")
    with pytest.raises(ZeroDivisionError), create_whole(file):
        raise ZeroDivisionError
    with create_whole(file) as draft:
        draft.write_bytes(b"second")
    assert file.read_bytes() == b"first"
    write_whole(file, b"third")
    assert file.read_bytes() == b"third"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
