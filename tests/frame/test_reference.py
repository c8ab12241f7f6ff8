"""docs/commands.md and docs/events.md say what the code says: commands, exit codes, errors, kinds of event and their facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from audit import lineage
from audit.events import FACTS, EventKind
from audit.facts import (
    DIGEST_TYPE,
    IDENTIFIER_TYPE,
    MAX_INTEGER,
    WORD,
    FactType,
    ListOf,
    MapOf,
    Name,
    Record,
)
from cli.main import HELP, main
from core.errors import ExitCode
from tests.frame.tree import ROOT, script

reference = script("reference")
house = script("house")
EVENTS = (ROOT / "docs" / "events.md").read_text("utf-8")
PARTS: Mapping[str, Mapping[str, str]] = reference.parts()


@pytest.mark.parametrize("page", PARTS)
def test_what_the_code_can_say_is_written_as_it_says_it(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert reference.rewritten(page, text, PARTS[page]) == text, f"{page} is stale. {reference.REMEDY}"


PAGE = "Ours.\n\n<!-- a: from the code, by scripts/reference.py -->\nstale\n<!-- end of a -->\nOurs too.\n"


def test_writing_a_page_leaves_what_is_written_by_hand() -> None:
    new = reference.rewritten("page", PAGE, {"a": "fresh\n"})
    assert new == PAGE.replace("stale", "\nfresh\n")
    assert reference.rewritten("page", new, {"a": "fresh\n"}) == new


@pytest.mark.parametrize(
    ("page", "wanted"), [(PAGE, {"a": "", "b": ""}), (PAGE, {}), (PAGE + PAGE, {"a": ""}), ("", {"a": ""})]
)
def test_a_part_without_its_one_place_is_told(page: str, wanted: Mapping[str, str]) -> None:
    with pytest.raises(reference.PageError, match="Give each part one place"):
        reference.rewritten("page", page, wanted)


def test_the_reference_holds_every_command_as_its_help_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Through the command itself, not through what writes the page."""
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    tree = reference.command_tree()
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == list(tree)
    for path in tree:
        assert main([*path.split()[1:], "--help"]) == ExitCode.DONE
        shown, _, names = capsys.readouterr().out.partition(
            "\nCommands:\n"
        )  # whose lines are cut off at the width
        section = text.partition(f"\n### {path}\n")[2].partition("\n### ")[0]
        assert "".join(shown.split()) in "".join(section.split())  # whatever the terminal's width is
        for name in re.findall(r"^  (\S+)", names, re.MULTILINE):
            assert f"{path} {name}" in tree


def test_the_help_names_every_exit_code() -> None:
    told = HELP.partition("Exit codes:")[2]
    assert sorted(map(int, re.findall(r"\b\d+\b", told))) == sorted(ExitCode)


def test_each_kind_has_a_section_and_no_other_has() -> None:
    sections = {
        title: text.partition("\n## ")[0]
        for title, text in re.findall(r"\n## `(.+?)`\n(.*?)(?=\n## |\Z)", EVENTS, re.DOTALL)
    }
    assert list(sections) == [kind.value for kind in EventKind] == [kind.value for kind in FACTS]
    for kind in EventKind:
        # Its own facts stand under its own heading, and what OpenLineage calls it is what is written.
        assert f"<!-- {kind.value}: from the code" in sections[kind.value]
        assert re.findall(r"OpenLineage: (\w+)\.", sections[kind.value]) == [
            lineage._EVENT_TYPES.get(kind, "OTHER")
        ]


def _plain(of: FactType) -> Iterator[str]:
    """The names of the types without parts that a type is made of."""
    if isinstance(of, MapOf | ListOf):
        yield from _plain(of.of)
    elif isinstance(of, Record):
        for _, part in of.fields:
            yield from _plain(part)
    else:
        yield of.label


def _types() -> dict[str, str]:
    table = EVENTS.partition("| type | takes |\n| --- | --- |\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))


def test_the_table_of_types_holds_those_that_are_used() -> None:
    used = {label for facts in FACTS.values() for fact in facts.values() for label in _plain(fact.type)}
    assert {label for label in _types() if not label.startswith(("{", "["))} == used


@pytest.mark.parametrize("of", [IDENTIFIER_TYPE, WORD, Name(), DIGEST_TYPE], ids=lambda of: of.label)
def test_the_limits_of_a_type_are_those_of_the_code(of: FactType) -> None:
    said = _types()[of.label]
    if of is DIGEST_TYPE:
        assert said == "SHA-256 in lower-case hex"
        assert of.takes("0123456789abcdef" * 4)
        return
    (longest,) = map(int, re.findall(r"up to (\d+)", said))
    assert (of.takes("a" * longest), of.takes("a" * (longest + 1))) == (True, False)
    if of is not Name():
        marks = set("".join(re.findall(r"`(.+?)`", said)).replace(" ", ""))
        taken = {mark for mark in map(chr, range(32, 0x250)) if of.takes(f"a{mark}")}
        if marks:
            assert {mark for mark in taken if not mark.isalnum()} == marks


def test_a_counts_limit_is_the_codes() -> None:
    assert _types()["count"] == "a whole number from 0 to 2^53 - 1"
    assert MAX_INTEGER == 2**53 - 1


def test_the_picture_of_imports_is_drawn_from_the_code() -> None:
    drawn = house.draw(house.imports())
    assert house.PICTURE.read_text(encoding="utf-8") == drawn, "Run `python scripts/house.py`."
    assert house._WRONG not in drawn  # nothing is imported upwards


def test_an_import_upwards_would_be_seen() -> None:
    assert house._WRONG in house.draw({("core", "pipeline"): 1})
