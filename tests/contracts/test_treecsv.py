"""A tree from CSV: each that is one is read as it stands, and each that isn't is refused with its line."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.treecsv import MAX_DEPTH, Tree, tree_of_csv

REGIONS = "Abay,north,coast\nCove,south,coast\nBree,north,coast\nDell,inland\nElm\n"


def told(text: str) -> list[str]:
    tree, faults = tree_of_csv(text)
    assert (tree is None) == bool(faults)
    return [f"{fault.line}: {fault.what}. {fault.remedy}" for fault in faults]


def test_rows_of_different_depth_make_one_tree() -> None:
    tree, faults = tree_of_csv(REGIONS)
    assert faults == ()
    assert tree == Tree(
        leaves=(("Abay", 1), ("Bree", 3), ("Cove", 2), ("Dell", 4), ("Elm", 5)),
        nodes=(("coast", 0, 2), ("north", 0, 1), ("south", 2, 2), ("inland", 3, 3)),
    )


@pytest.mark.parametrize(
    "text",
    [
        REGIONS.replace(",", ";"),
        REGIONS.replace("\n", "\r\n"),
        REGIONS.removesuffix("\n"),
        REGIONS.replace("Abay", '"Abay"').replace("coast", '"coast"'),
        "\n".join(f"{row},*" for row in REGIONS.split()),
    ],
)
def test_other_tools_write_it_otherwise(text: str) -> None:
    assert tree_of_csv(text) == tree_of_csv(REGIONS)


def test_a_quoted_cell_may_hold_any_sign() -> None:
    tree, faults = tree_of_csv('"a;b";"x,y"\n"say ""hi""";"x,y"\n')
    assert faults == ()
    assert tree is not None
    assert [leaf for leaf, _ in tree.leaves] == ["a;b", 'say "hi"']


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,x,y\nb,x,z\n", "2: puts `x` under `z`, and line 1 puts it under `y`. A name has one parent: rename it, or write the same ancestors each time."),
        ("a,x,y\nb,x\n", "2: puts `x` at the top, and line 1 puts it under `y`. A name has one parent: rename it, or write the same ancestors each time."),
        ("a,x\nb,y\na,y\n", "3: has the value `a` again, first seen on line 1. Each value has one row; keep one."),
        ("a,x\nb,a\n", "2: has `a` as a value and as a name over values (line 1). Rename one of them."),
        ("a,x\nx,y\n", "2: has `x` as a value and as a name over values (line 1). Rename one of them."),
        ("a,x\nb,,y\n", "2: has an empty cell. Write a name there, or end the row before it: rows may be of different depth."),
        ("a,x\nb, \n", "2: has an empty cell. Write a name there, or end the row before it: rows may be of different depth."),
        ("a,x\n\nb,x\n", "2: is an empty line. Take it out."),
        ("a,x\nb,y ,z\n", "2: has a cell with spaces around it or control characters. Write plain text."),
        ("a,x\nb,\u202ey\n", "2: has a cell with spaces around it or control characters. Write plain text."),
        ("a,x,y,x\n", "1: has `x` above itself, a cycle. Keep it once on the row; rows may be of different depth."),
        ("a,a\n", "1: has `a` above itself, a cycle. Keep it once on the row; rows may be of different depth."),
        ("a,x,y\nb,y,x\n", "2: puts `y` under `x`, which is under it by line 1, a cycle. Write each row from fine to coarse."),
        ("", "0: holds no values. Write one row for each value: the value, then its ancestors."),
        ("a,x;y\n", '1: holds commas and semicolons, and nobody can tell which part its cells. Put cells that hold such a sign in quotes: "a, b".'),
        ("a\nb,x;y\n", '2: holds commas and semicolons, and nobody can tell which part its cells. Put cells that hold such a sign in quotes: "a, b".'),
        ('a"b;c,d\n', '1: holds commas and semicolons, and nobody can tell which part its cells. Put cells that hold such a sign in quotes: "a, b".'),
        ('a,x\nb,"x\n', '2: isn\'t CSV as RFC 4180 has it. Close each quote, and write a quote in quotes twice: "".'),
        ('a,x\nb,"x"y\n', '2: isn\'t CSV as RFC 4180 has it. Close each quote, and write a quote in quotes twice: "".'),
        (",".join(map(str, range(MAX_DEPTH + 1))), f"1: is deeper than {MAX_DEPTH} levels. Leave levels out."),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_refused_with_its_line(text: str, says: str) -> None:
    assert told(text) == [says]


def test_a_cycle_over_several_rows_is_refused() -> None:
    assert [line[:2] for line in told("a,x,y\nb,y,z\nc,z,x\n")] == ["2:", "3:"]


def test_only_the_first_faults_are_told() -> None:
    assert len(told("a,x\n" * 100)) == 10


NAMES = st.text(st.sampled_from('ab ,;"é东'), min_size=1, max_size=4).filter(
    lambda text: text.strip() == text
)


@st.composite
def trees(draw: st.DrawFn) -> list[list[str]]:
    """Rows of a random tree with names that stand once."""
    names = iter(draw(st.lists(NAMES, min_size=2, max_size=24, unique=True)))
    rows: list[list[str]] = []
    above: list[list[str]] = [[]]
    for name in names:
        over = draw(st.sampled_from(above))
        if draw(st.booleans()):
            above.append([name, *over])
        else:
            rows.append([name, *over])
    return rows


def written(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def read_back(tree: Tree) -> set[tuple[str, ...]]:
    """Each leaf with its ancestors, from the runs alone."""
    return {
        (leaf, *(name for name, first, last in reversed(tree.nodes) if first <= i <= last))
        for i, (leaf, _) in enumerate(tree.leaves)
    }


@given(trees().filter(bool), st.sampled_from(",;"))
def test_every_tree_survives(rows: list[list[str]], delimiter: str) -> None:
    tree, faults = tree_of_csv(written(rows, delimiter))
    assert faults == ()
    assert tree is not None
    assert read_back(tree) == {tuple(row) for row in rows}


@given(trees().filter(bool), st.data())
def test_damage_is_refused_or_leaves_a_tree(rows: list[list[str]], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(rows))
        cell = data.draw(st.integers(0, len(row) - 1))
        other = data.draw(st.sampled_from(data.draw(st.sampled_from(rows))))
        change: Any = data.draw(st.sampled_from(["set", "insert", "empty", "again"]))
        if change == "set":
            row[cell] = other
        elif change == "insert":
            row.insert(cell, other)
        elif change == "empty":
            row[cell] = ""
        else:
            rows.append(list(row))
    tree, faults = tree_of_csv(written(rows, ","))
    if tree is None:
        assert faults
        assert all(1 <= fault.line <= len(rows) for fault in faults)
        return
    leaves = [leaf for leaf, _ in tree.leaves]
    names = [name for name, _, _ in tree.nodes]
    assert len(set(leaves) | set(names)) == len(leaves) + len(names)
    assert read_back(tree) == {tuple(row) for row in rows}
    for _, first, last in tree.nodes:  # runs nest or lie apart
        assert all(
            last < a or b < first or (first <= a and b <= last) or (a <= first and last <= b)
            for _, a, b in tree.nodes
        )


@given(st.text(st.sampled_from('ab,;"\n\r *\ufeff'), max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    tree, faults = tree_of_csv(text)
    assert (tree is None) == bool(faults)
