"""Tables on terminals of any width: no head broken, no number folded, no value lost, no cursor moved."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.layout import Column, folded, grid, one_line, printable

WIDE = [Column("release_name"), Column("remarks"), Column("rows_in", number=True)]
ROW = [
    "small_shop_0123456789",
    "a long text of several words that must be folded somewhere in it",
    "1,234,567",
]


def test_a_row_is_one_line_where_no_terminal_stands() -> None:
    head, body = grid(WIDE, [ROW, ROW], width=None)
    assert (len(head), len(body)) == (1, 2)
    assert body[0] == "  ".join([*ROW[:2], ROW[2]])


def test_cells_fold_at_words_and_numbers_stand_right() -> None:
    head, body = grid(WIDE, [ROW, ["x", "y", "1"]], width=60)
    assert head == ["release_name           remarks                       rows_in"]
    assert body == [
        "small_shop_0123456789  a long text of several      1,234,567",
        "                       words that must be folded",
        "                       somewhere in it",
        "x                      y                                   1",
    ]


@pytest.mark.parametrize("width", [30, 40, 50])
def test_where_columns_do_not_fit_rows_come_as_blocks(width: int) -> None:
    head, body = grid(
        [*WIDE, Column("another_long_head"), Column("and_one_more")], [[*ROW, "true", "x"]] * 2, width=width
    )
    assert head == []
    assert [line.split()[0] for line in body if line and line[0] != " "] == [
        "release_name", "remarks", "rows_in", "another_long_head", "and_one_more",
    ] * 2  # fmt: skip
    assert body.count("") == 1
    assert max(map(cell_len, body)) <= max(width, len("another_long_head") + 2 + 20)


def test_a_wider_terminal_is_used() -> None:
    assert len(grid(WIDE, [ROW], width=200)[1]) == 1


def test_a_name_to_be_copied_is_never_folded() -> None:
    _, body = grid([Column("name", whole=True), Column("text")], [["n" * 30, "word " * 9]], width=50)
    assert body[0].startswith("n" * 30 + "  ")


_CELL = st.text(st.sampled_from("ab 需求é1"), max_size=60)


@given(rows=st.lists(st.tuples(_CELL, _CELL, st.integers().map(str)), max_size=4), width=st.integers(20, 200))
def test_nothing_is_lost_and_nothing_stands_out(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = [Column("first"), Column("a second"), Column("n", number=True)]
    head, body = grid(columns, rows, width=width)
    assert re.sub(r"\s", "", "".join(sorted("".join(body)))) == re.sub(
        r"\s",
        "",
        "".join(
            sorted("".join("".join(row) for row in rows) + ("" if head else "firstasecondn" * len(rows)))
        ),
    )
    if head:
        assert max(map(cell_len, [*head, *body])) <= width


@given(text=_CELL, width=st.integers(2, 40))
def test_folding_keeps_every_letter_within_the_width(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)
    whole = folded(text, width, whole_words=True)
    assert " ".join(" ".join(whole).split()) == " ".join(text.split())


def test_a_value_cannot_write_to_the_terminal() -> None:
    assert printable("a\x1b[31m\r\nb\u202e") == "a\\x1b[31m\\r\\nb\\u202e"
    assert grid([Column("\x07")], [["\n"]], width=None) == (["\\x07"], ["\\n"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("To plan.\nterritory CN only", "To plan. territory CN only"),
        ("a  \r\n\n  b\n", "a b"),
        ("a\u2028b\x85c\x0bd", "a b c d"),
        ("\x1b[8mhidden\x9b2J", "\\x1b[8mhidden\\x9b2J"),
        ("\u202eevil\u2066\u200b\ufeff\x00\x08", "\\u202eevil\\u2066\\u200b\\ufeff\\x00\\x08"),
        ("a\tb", "a b"),
        ("数据\u3000用途  two spaces", "数据\u3000用途  two spaces"),
    ],
)
def test_a_text_stays_on_its_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert one_line(shown) == shown
