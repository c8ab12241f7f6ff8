from __future__ import annotations

import pytest

from .table import Table


@pytest.fixture
def table() -> Table:
    return Table()
