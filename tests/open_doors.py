"""Doors that stand open, for tests of what lies behind them: as if both parties had signed whatever contract comes by.

Who tests signing, or runs the whole of it as its users do, signs (`tests.signed`).
"""

from __future__ import annotations

import pytest

from pipeline.agreements import doors


@pytest.fixture
def open_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every contract were signed, in force and within the rules of the land."""
    monkeypatch.setattr(doors, "require", lambda *_: None)
    monkeypatch.setattr(doors, "require_measured", lambda *_: None)
