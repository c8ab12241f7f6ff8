"""How long work says that it's alive. Rooms call a `Progress`; only the command decides how it looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a short step name and, where known, how much of it is done (0.0 to 1.0)."""

    def __call__(self, step: str, done: float | None = None, /) -> None: ...


def silent(step: str, done: float | None = None, /) -> None:
    """Progress that says nothing."""
