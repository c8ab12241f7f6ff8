from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sql import quoted, text

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(name=PRINTABLE, value=PRINTABLE)
def test_any_name_and_any_text_come_back_as_they_were(name: str, value: str) -> None:
    with duckdb.connect() as con:
        result = con.execute(f"SELECT {text(value)} AS {quoted(name)}")
        assert [column[0] for column in result.description] == [name]
        assert result.fetchall() == [(value,)]
