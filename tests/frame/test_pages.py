"""What the pages point at is there: links, files, commands with their options, targets of `make`; and no page is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frame.tree import ROOMS, ROOT, script

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?<!\\)\]\(\s*([^)\s]+)\s*\)")
FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|ya?ml|txt|in|sh|toml|svg))`")
MODULE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w/]+)`")
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^    (.*)$", re.MULTILINE)
COMMANDS = script("reference").command_tree()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """What a page's headings can be linked by, as the common renderers make it."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path, text: str) -> list[str]:
    """Targets of a page's own links, and files that it names, that aren't there."""
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue  # another site's
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        known = anchors(text if there == page else there.read_text("utf-8")) if there.is_file() else set()
        if not there.exists() or (anchor and anchor not in known):
            broken.append(target)
    return broken + lost_files(text)


def lost_files(text: str) -> list[str]:
    """Files, and modules of the rooms as `core/proof`, that a text names and that aren't there."""
    modules = [name for name in MODULE.findall(text) if not (ROOT / f"{name}.py").exists()]
    return [name for name in (*FILE.findall(text), *modules) if not (ROOT / name).exists()]


def commands_in(text: str) -> Iterator[str]:
    """Each call of `sluice` in a page's code, from its name on: in backticks, or at the start of a block's line."""
    for code in (*CODE.findall(text), *BLOCK.findall(text)):
        call = re.match(r"(?:[A-Z_]+=\S+ |\$ )*(?:\S*/)?(sluice(?: .*)?)$", code.strip())
        if call:
            yield call[1]


def unknown_words(call: str) -> list[str]:
    """Words of a call that name no command, or an option that its command doesn't have."""
    words = re.split(r" [>|&#]", call)[0].split()
    path = [words.pop(0)]
    while words and hasattr(COMMANDS[" ".join(path)], "list_commands"):
        if not re.match(r"[a-z]", words[0]):
            break  # an option of the group, or a stand-in such as COMMAND
        path.append(words.pop(0))
        if " ".join(path) not in COMMANDS:
            return [" ".join(path)]
    options = {option for each in COMMANDS[" ".join(path)].params for option in each.opts} | {"--help"}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in options]


def targets_in(text: str) -> set[str]:
    """Targets of `make` that code in a page names."""
    code = "\n".join((*CODE.findall(text), *(line.strip() for line in BLOCK.findall(text))))
    return set(re.findall(r"^make ([a-z][a-z-]*)", code, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_named_files_are_there(page: Path) -> None:
    assert broken_links(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_commands_have_what_is_typed(page: Path) -> None:
    assert [word for call in commands_in(page.read_text("utf-8")) for word in unknown_words(call)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_targets_are_the_makefiles(page: Path) -> None:
    assert targets_in(page.read_text("utf-8")) <= TARGETS


@pytest.mark.parametrize("room", [*ROOMS, "scripts"])
def test_remedies_name_commands_targets_and_pages_that_are_there(room: str) -> None:
    """A remedy that sends somebody to a command that isn't there is none."""
    for path in sorted((ROOT / room).rglob("*.py")):
        text = path.read_text("utf-8")
        spoken = re.sub(r'"\s*\n\s*f?"', "", text)  # a message that goes on in the next line
        assert [word for call in commands_in(spoken) for word in unknown_words(call)] == [], path
        assert targets_in(spoken) <= TARGETS, path
        assert [
            page for page in re.findall(r"\bdocs/[\w/-]+\.md\b", text) if not (ROOT / page).exists()
        ] == []


def test_every_page_is_found_from_the_readme() -> None:
    found, ahead = set(), [ROOT / "README.md", ROOT / "docs" / "decisions" / "README.md"]
    assert "(docs/decisions)" in ahead[0].read_text("utf-8")
    while ahead:
        page = ahead.pop().resolve()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        targets = (target.partition("#")[0] for target in LINK.findall(page.read_text("utf-8")))
        ahead += [page.parent / target for target in targets if target and (page.parent / target).is_file()]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= found


@pytest.mark.parametrize(
    "text",
    [
        "[a](no.md)",
        "![a](docs/no.svg)",
        "[a](README.md#no)",
        "[a](#no)",
        "see `core/no.py`",
        "see `core/no`",
        "[a](docs/no)",
    ],
)
def test_a_broken_link_is_found(text: str) -> None:
    assert len(broken_links(ROOT / "README.md", text)) == 1


@pytest.mark.parametrize(
    "text",
    ["[a](docs/events.md#events)", "[a](#here)\n\n# Here", "[a](https://no.example)", "`core/keys.py`"],
)
def test_a_good_link_is_good(text: str) -> None:
    assert broken_links(ROOT / "README.md", text) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("`sluice catalog shout`", ["sluice catalog shout"]),
        ("`sluice demmo`", ["sluice demmo"]),
        ("    .venv/bin/sluice run my.yaml --begin 2026-01-01", ["--begin"]),
        ("    SLUICE_HOME=/x sluice audit verify --kept a --json > out --no", []),
        ("the `sluice` facet and `sluice run CONTRACT`; `sluice COMMAND --help`", []),
    ],
)
def test_an_unknown_command_or_option_is_found(text: str, unknown: list[str]) -> None:
    assert [word for call in commands_in(text) for word in unknown_words(call)] == unknown


def test_a_target_of_make_is_found_in_code_only() -> None:
    assert targets_in("make sure\n    make demo # x\n`make no-such PYTHON=x` and `make`") == {
        "demo",
        "no-such",
    }
