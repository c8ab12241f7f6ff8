"""Files that aren't quite YAML, or too much of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.locate import MAX_BYTES, MAX_DEPTH, read_yaml
from contracts.odcs import check_contract
from contracts.problems import MALFORMED, UNSHAREABLE, Problems
from contracts.standard import MAX_TOLD

Says = Callable[[bytes | str], list[str]]


def read(path: Path, text: str) -> tuple[Any, Problems]:
    path.write_text(text, encoding="utf-8")
    problems = Problems(path)
    return read_yaml(path, problems).data, problems


def test_marks_are_the_lines_of_keys_and_items(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb:\n  - c: x\n  - [p,\n     q]\n", encoding="utf-8")
    located = read_yaml(path, Problems(path))
    assert located.data == {"a": 1, "b": [{"c": "x"}, ["p", "q"]]}
    assert located.marks["b",] == (2, 1)
    assert located.marks["b", 0, "c"] == (3, 5)
    assert located.marks["b", 1, 1] == (5, 6)


def test_dates_stay_text_and_plain_scalars_are_read_as_other_tools_do(tmp_path: Path) -> None:
    data, problems = read(
        tmp_path / "a.yaml",
        "[2026-01-01, 2026-01-01T10:00:00Z, 1, 0x10, 1.5, yes, off, ~, 'no', 1_000, \"\\u4e2d\"]\n",
    )
    assert data == ["2026-01-01", "2026-01-01T10:00:00Z", 1, 16, 1.5, True, False, None, "no", 1000, "中"]
    assert not problems.found


def test_an_alias_is_followed(tmp_path: Path) -> None:
    data, problems = read(tmp_path / "a.yaml", "a: &x [1, 2]\nb: *x\n")
    assert data == {"a": [1, 2], "b": [1, 2]}
    assert not problems.found


def test_an_alias_bomb_ends_at_a_bound(says: Says) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert says("l0: &l0 [x]\n" + levels) == [
        "1: The document holds more than 100000 values once its aliases are followed. "
        "Write out what is meant; a contract is a few pages."
    ]


def test_an_alias_to_its_own_holder_is_refused(says: Says) -> None:
    assert "1: An alias points at a value that holds it. Write the value out." in says("a: &x [*x]\n")


@pytest.mark.parametrize(
    "text", ["[" * 20_000 + "]" * 20_000, "{a: " * 3000 + "1" + "}" * 3000, "- " * 3000 + "x"]
)
def test_deep_nesting_is_refused_before_it_is_built(says: Says, text: str) -> None:
    assert says(text) == [f"1: The document nests deeper than {MAX_DEPTH} levels. Flatten it."]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "1: The file is empty. Write a data contract in it, or remove it."),
        (b"# nothing\n", "1: The file is empty. Write a data contract in it, or remove it."),
        (b"- a\n", "1: The file doesn't hold a mapping. A contract starts with keys like apiVersion and kind."),
        (b"text", "1: The file doesn't hold a mapping. A contract starts with keys like apiVersion and kind."),
        (b"a: 1\nb: \xff\xfe\n", "2: The file isn't UTF-8. Save it with the encoding UTF-8."),
        ("a: ü\n".encode("utf-16"), "1: The file isn't UTF-8. Save it with the encoding UTF-8."),
        (b"a: !!int five\n", "1: The text here can't be read as `!!int`, which YAML takes it for. Put it in quotes, without a tag."),
        (b"a: 0x_\n", "1: The text here can't be read as `!!int`, which YAML takes it for. Put it in quotes, without a tag."),
        (b"a: &x 1\nb: &x 2\n", "2: The file isn't valid YAML: an anchor stands twice. Give each `&anchor` a name of its own."),
        (b"a: !!set {x}\n", "1: The YAML tag `!!set` isn't taken here. Remove the tag; write plain text, numbers, lists and mappings."),
        (b"a: !!binary aGk=\n", "1: The YAML tag `!!binary` isn't taken here. Remove the tag; write plain text, numbers, lists and mappings."),
        (b"a: .inf\n", "1: A number isn't finite. Write a finite number, or leave the key out."),
        (b"~: 1\n", "1: A key isn't a word. Write keys as plain text."),
        (b"a: 'x\n", "2: The file isn't valid YAML: found unexpected end of stream. Mend it there or on the line above; an editor with YAML support shows where."),
    ],
)  # fmt: skip
def test_what_is_no_contract_is_told_first(says: Says, content: bytes, told: str) -> None:
    assert says(content)[0] == told


def test_a_control_character_is_refused(says: Says) -> None:
    (told,) = says(b"a: \x00\n")
    assert told.startswith("1: The file isn't valid YAML: ")


def test_a_huge_file_is_not_read(says: Says) -> None:
    assert says(b"#" * (MAX_BYTES + 1)) == [
        f"1: The file is larger than {MAX_BYTES} bytes. A contract is a few pages; split it."
    ]


def test_a_byte_order_mark_is_taken(shop: Any) -> None:
    shop.text = "\ufeff" + shop.text
    assert shop.says() == []


def test_a_missing_file_and_a_folder_are_told_without_a_line(tmp_path: Path) -> None:
    missing = tmp_path / "no.yaml"
    assert [str(p) for p in check_contract(missing)] == [f"{missing}: There is no such file. Check the path."]
    (told,) = check_contract(tmp_path)
    assert str(told).startswith(f"{tmp_path}: The file can't be read (")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(shop: Any) -> None:
    shop.write().chmod(0)
    (told,) = check_contract(shop.path)
    assert told.what == "The file can't be read (Permission denied)."


def test_merged_keys_are_read_and_cannot_be_shared(tmp_path: Path) -> None:
    text = "a: &x {p: 1, q: 2}\nb: &y {q: 3, r: 4}\nc:\n  q: 5\n  <<: [*x, *y]\nd: {<<: *x}\n"
    data, problems = read(tmp_path / "a.yaml", text)
    assert data["c"] == {"q": 5, "p": 1, "r": 4}
    assert data["d"] == {"p": 1, "q": 2}
    assert [(problem.kind, problem.line) for problem in problems.in_order()] == [
        (UNSHAREABLE, 5),
        (UNSHAREABLE, 6),
    ]


@pytest.mark.parametrize("text", ["a: 1\n<<: 5\n", "a: &x\n  <<: *x\n"])
def test_a_merge_of_no_mapping_is_malformed(tmp_path: Path, text: str) -> None:
    _, problems = read(tmp_path / "a.yaml", text)
    assert MALFORMED in {problem.kind for problem in problems.found}


def test_an_integer_that_json_cannot_carry_is_valid_and_cannot_be_shared(tmp_path: Path) -> None:
    data, problems = read(tmp_path / "a.yaml", "a: 99999999999999999999\n")
    assert isinstance(data["a"], int)
    assert [problem.kind for problem in problems.found] == [UNSHAREABLE]


def test_a_malformed_value_is_told_where_an_unshareable_one_stands_already(tmp_path: Path) -> None:
    problems = Problems(tmp_path)
    problems.add(("a",), "x.", "y.", dead=True)
    problems.add(("a", "b"), "silent.", "y.")
    problems.add(("a",), "loud.", "y.", dead=True, kind=MALFORMED)
    problems.add(("a", "b"), "silent too.", "y.", kind=MALFORMED)
    assert [problem.what for problem in problems.found] == ["x.", "loud."]


def test_null_alone_is_no_contract(says: Says) -> None:
    assert says("null\n") == [
        "1: The file doesn't hold a mapping. A contract starts with keys like apiVersion and kind."
    ]


def test_a_control_character_is_told_with_its_line(says: Says) -> None:
    assert says("a: ü\nb: 1\nc: \x00\n")[0].startswith("3: ")


def test_what_comes_through_a_pipe_is_read(shop: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(shop.text, encoding="utf-8"))
    writer.start()
    try:
        assert check_contract(pipe) == ()
    finally:
        writer.join()


def test_a_silent_pipe_does_not_hold_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.locate.WAIT_S", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (told,) = check_contract(pipe)
    assert (told.kind, told.line) == (MALFORMED, 0)
    assert told.what.startswith("Nothing came through the pipe")


def test_a_file_that_says_nothing_and_never_ends_does_not_hold_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some files of the kernel do, which pass for plain ones."""
    monkeypatch.setattr("contracts.locate.WAIT_S", 0.05)
    monkeypatch.setattr("contracts.locate.stat.S_ISREG", lambda _mode: True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    try:
        (told,) = check_contract(pipe)
    finally:
        os.close(held)
    assert told.what.startswith("Nothing came through the pipe")


def test_a_device_without_end_is_too_large(tmp_path: Path) -> None:
    (told,) = check_contract(Path("/dev/zero"))
    assert told.what == f"The file is larger than {MAX_BYTES} bytes."


def test_many_mistakes_are_not_all_told(says: Says) -> None:
    told = says("apiVersion: v3.1.0\n" + "".join(f"wrong{number}: x\n" for number in range(MAX_TOLD + 50)))
    assert "1: 54 more breaks of the standard aren't listed. Mend those that are listed first." in told
    assert len(told) < MAX_TOLD + 20
