"""Empty frames in place of a report's pictures, for tests that look at something else: each release would draw for a third of a
second."""

from __future__ import annotations

import importlib
from collections.abc import Callable

_DRAWINGS = ("_bars", "_curve", "_unicity", "_intervals")


def leave_out_pictures(replace: Callable[[object, str, object], None] = setattr) -> None:
    """Replaces what draws; replace: how, `setattr` or a monkeypatch's."""
    pictures = importlib.import_module("privacy.report.pictures")
    for draw in _DRAWINGS:
        replace(pictures, draw, lambda *_: 'viewBox="0 0 1 1"></svg>')
