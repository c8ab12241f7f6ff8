"""The commands are tested behind open doors, but for the tests that sign."""

from __future__ import annotations

import pytest

from tests.open_doors import open_doors

__all__ = ["open_doors"]


@pytest.fixture(autouse=True)
def signed_or_not(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("signed") is None:
        request.getfixturevalue("open_doors")
