"""docs/settings.md names every setting there is, and none that isn't, each with the default that it has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings
from tests.frame.tree import ROOMS, ROOT

DOC = (ROOT / "docs" / "settings.md").read_text("utf-8")
VARIABLE = re.compile(r"\bSLUICE_[A-Z][A-Z_]*\b")
SHELL = [ROOT / "Makefile", ROOT / ".ci" / "run", *sorted((ROOT / "scripts").glob("*.sh"))]
ENVIRONMENTS = {
    "environ",
    "env",
    "environment",
    "getenv",
    "os",
}  # what holds variables, by its name in the code


def reads(source: str) -> set[str]:
    """The environment variables that Python code reads by name: `environ.get("X")`, `environ["X"]`, `"X" in environ`."""
    return set(_reads(ast.parse(source)))


def _reads(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=holder), args=[ast.Constant(value=str(name)), *_]):
                pass
            case ast.Call(func=ast.Name(id="getenv") as holder, args=[ast.Constant(value=str(name)), *_]):
                pass
            case ast.Subscript(value=holder, slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                pass
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[holder]):
                pass
            case _:
                continue
        held = getattr(holder, "attr", getattr(holder, "id", ""))
        if re.fullmatch(r"[A-Z][A-Z0-9_]+", name) and held in ENVIRONMENTS:
            yield name


def python(*folders: str) -> Iterator[Path]:
    return (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


def read_in(*folders: str) -> set[str]:
    """Read there, in Python or from a shell; "scripts" has the Makefile with it, without `make`'s own variables."""
    shell = [path for path in SHELL if (path.parent.name if path.parent != ROOT else "scripts") in folders]
    return {name for path in python(*folders) for name in reads(path.read_text("utf-8"))} | {
        name for path in shell for name in re.findall(r"\$[{(]?(SLUICE_[A-Z_]+)", path.read_text("utf-8"))
    }


def rows(title: str) -> dict[str, str]:
    """Variable -> default, of the table in the section of that title."""
    section = re.split(r"^##? ", DOC, flags=re.MULTILINE)
    (text,) = [each for each in section if each.startswith(f"{title}\n")]
    return dict(re.findall(r"^\| `([A-Z_]+)` \| .+ \| (.+) \|$", text, re.MULTILINE))


def test_reading_is_seen_in_all_its_forms() -> None:
    source = """
os.environ.get("A1"); os.environ["B1"]; os.getenv("C1"); getenv("D1"); env.get("E1") or "F1"; "G1" in os.environ
os.environ["H1"] = "set"; monkeypatch.setenv("I1", ""); {"J1": 1}; kwargs.get("K1"); env.pop("L1", None)
"""
    assert reads(source) == {"A1", "B1", "C1", "D1", "E1", "G1", "L1"}


def test_the_settings_are_those_that_the_rooms_read() -> None:
    assert set(rows("Settings")) == read_in(*ROOMS, "benchmarks") | {
        name for name in read_in("scripts", ".ci") if name.startswith("SLUICE_")
    } - set(rows("For the tests"))


def test_the_settings_of_the_tests_are_those_that_the_tests_read() -> None:
    assert set(rows("For the tests")) == {
        name for name in read_in("tests") if name.startswith("SLUICE_")
    } - set(rows("Settings"))


def test_no_text_speaks_of_a_variable_that_has_no_row() -> None:
    texts = [
        *python(*ROOMS, "scripts", "benchmarks"),
        *SHELL,
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
    ]
    spoken = {name for path in texts for name in VARIABLE.findall(path.read_text("utf-8"))}
    assert spoken <= {*rows("Settings"), *rows("For the tests")}


def test_each_setting_has_the_default_that_is_written() -> None:
    settings, defaults = Settings.from_env({}), rows("Settings")
    for name, place, base in (
        ("SLUICE_HOME", settings.home, Path.cwd()),
        ("SLUICE_CONTRACTS", settings.contracts, ROOT),
    ):
        assert f"`{place.relative_to(base.resolve())}`" in defaults.pop(name)
    assert settings.platform_key is None
    assert defaults.pop("SLUICE_PLATFORM_KEY").startswith("none: ")
    for name, place in (
        ("SLUICE_REGISTRY", settings.registry),
        ("SLUICE_REGISTRY_ROOT", settings.trusted_root),
    ):
        assert defaults.pop(name) == f"`{place.relative_to(settings.home)}` in `SLUICE_HOME`"
    assert settings.key_backups == ()
    assert defaults.pop("SLUICE_KEY_BACKUPS") == "none"
    assert settings.thresholds is None
    assert defaults.pop("SLUICE_THRESHOLDS") == "the numbers that ship"
    assert settings.token_keys is None
    assert defaults.pop("SLUICE_TOKEN_KEYS") == "none"
    assert defaults == {}, "a setting that this test doesn't know: hold its default against the code here"


PLACES = [name for name, value in vars(Settings).items() if isinstance(value, property)]


def test_the_places_in_the_home_are_those_of_the_settings() -> None:
    settings = Settings.from_env({"SLUICE_HOME": "/home"})
    named = [str(getattr(settings, place).relative_to(settings.home)) for place in PLACES]
    section = DOC.partition("## What lies in `SLUICE_HOME`\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)) == sorted(named)
    assert len(PLACES) >= 6


def test_another_process_gets_the_same_settings() -> None:
    told = {name: f"/some where/{name.lower()}" for name in rows("Settings")} | {
        "SLUICE_KEY_BACKUPS": "/one:/an other"
    }
    settings = Settings.from_env(told)
    assert settings.as_env() == told
    assert Settings.from_env(settings.as_env()) == settings
    assert Settings.from_env(Settings.from_env({}).as_env()) == Settings.from_env({})


@pytest.mark.parametrize("name", rows("For `make`"))
def test_a_variable_of_make_is_the_makefiles(name: str) -> None:
    assert re.search(rf"^{name} \?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_every_variable_of_the_makefile_is_told_with_its_default() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    defaults = dict(re.findall(r"^([A-Z_]+) \?=[ \t]*(.*)$", makefile, re.MULTILINE))
    assert set(defaults) == set(rows("For `make`"))
    for name, default in defaults.items():
        assert not default or rows("For `make`")[name] == f"`{default}`"
