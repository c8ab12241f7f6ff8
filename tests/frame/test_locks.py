"""The lock files: every name pinned and hashed, nothing that says where packages come from, nothing forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.frame.tree import PROJECT, ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][A-Za-z0-9.+!]*)(?P<marker> ; [^\\]+?)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?P<more> \\)?")


def pins(text: str) -> dict[str, set[str]]:
    """name -> the pinned "version marker" texts; raises AssertionError at any line that is neither pin nor hash."""
    found: dict[str, set[str]] = {}
    open_pin = ""
    for number, line in enumerate(text.splitlines(), start=1):
        hashed = HASH.fullmatch(line)
        if hashed:
            assert open_pin, f"line {number}: a hash without its package"
            open_pin = open_pin if hashed["more"] else ""
            continue
        pinned = PIN.fullmatch(line)
        assert pinned, f"line {number}: neither a pinned name nor a hash"
        assert not open_pin, f"line {number}: {open_pin} has no hash or an unfinished one"
        open_pin = pinned["name"]
        found.setdefault(open_pin, set()).add(pinned["version"] + (pinned["marker"] or ""))
    assert not open_pin, f"{open_pin} has no hash"
    return found


def locked(name: str) -> dict[str, set[str]]:
    return pins((ROOT / "requirements" / f"{name}.txt").read_text("utf-8"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_lock_is_pins_and_hashes_and_nothing_else(lock: Path) -> None:
    assert pins(lock.read_text("utf-8"))


GOOD = "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.mark.parametrize(
    "bad",
    [
        "--index-url https://packages.example/simple\n",
        "--extra-index-url https://packages.example/simple\n",
        "# made by a tool\n",
        "numpy==2.4.6\n",
        "numpy==2.4.6 \\\n",
        "numpy>=2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\n",
        "numpy==2.4.6 \\\n    --hash=md5:" + "0" * 32 + "\n",
        "numpy @ https://packages.example/numpy.whl \\\n    --hash=sha256:" + "0" * 64 + "\n",
        "-e /srv/numpy\n",
        "    # via pandas\n",
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_anything_else_is_found(bad: str, place: str) -> None:
    with pytest.raises(AssertionError):
        pins(bad + GOOD if place == "before" else GOOD + bad)


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=lambda path: path.name)
def test_nothing_names_a_host_or_a_folder(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"--(index|extra-index|find-links|trusted-host)\b", text)
    assert not re.search(r"(^|\s)/(?!dev/null)\w", text, re.MULTILINE)


def wanted(*extras: str) -> list[Requirement]:
    project = PROJECT["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("hall", ("hall", "demo")), ("dev", ("hall", "demo", "dev")), ("federated", ("federated",))],
)
def test_every_wanted_package_is_locked_at_a_fitting_version(lock: str, extras: tuple[str, ...]) -> None:
    found = locked(lock)
    for requirement in wanted(*extras):
        name = canonicalize_name(requirement.name)
        assert name in found, f"{name} is not in {lock}.txt: run requirements/compile.sh"
        for pin in found[name]:
            version = pin.split(" ;")[0]
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{name} {version} in {lock}.txt"
            )


@pytest.mark.parametrize("lock", ["hall", "dev", "federated"])
def test_lock_holds_what_builds_the_project_without_an_index(lock: str) -> None:
    assert {"hatchling", "editables"} <= set(locked(lock))


def test_dev_holds_all_of_hall_at_the_same_versions() -> None:
    hall, dev = locked("hall"), locked("dev")
    assert {name: dev.get(name) for name in hall} == hall


def test_every_extra_has_its_lock() -> None:
    assert set(PROJECT["project"]["optional-dependencies"]) == {"hall", "federated", "demo", "dev"}


def test_compile_script_writes_each_lock() -> None:
    text = (ROOT / "requirements" / "compile.sh").read_text("utf-8")
    assert {path.name for path in LOCKS} == set(re.findall(r"^lock (\S+\.txt)", text, re.MULTILINE))
