"""docs/settings.md names every setting there is, and none that isn't."""

from __future__ import annotations

import re

import pytest

from core.settings import Settings
from tests.frame.tree import ROOMS, ROOT

DOC = (ROOT / "docs" / "settings.md").read_text("utf-8")
VARIABLE = re.compile(r"\bSLUICE_[A-Z][A-Z_]*\b")


def read_in(*folders: str) -> set[str]:
    return {
        name
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for name in VARIABLE.findall(path.read_text("utf-8"))
    }


def documented() -> set[str]:
    return set(re.findall(r"^\| `(SLUICE_[A-Z_]+)` \|", DOC, re.MULTILINE))


def test_every_variable_in_the_rooms_has_its_row() -> None:
    assert read_in(*ROOMS) <= documented()


def test_no_row_speaks_of_a_variable_that_nobody_reads() -> None:
    assert documented() <= read_in(*ROOMS, "tests")


PLACES = [name for name, value in vars(Settings).items() if isinstance(value, property)]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_in_the_home_has_its_row(place: str) -> None:
    settings = Settings.from_env({"SLUICE_HOME": "/home"})
    name = getattr(settings, place).relative_to(settings.home)
    assert f"| `{name}` |" in DOC


def test_there_are_places() -> None:
    assert len(PLACES) >= 6


def test_every_variable_of_the_makefile_is_told() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name in re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE):
        assert f"| `{name}` |" in DOC
