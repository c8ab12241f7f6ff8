"""A small contract over three tables, and a way to change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.model import Contract
from contracts.odcs import check_contract, load_contract

SHOP = Path(__file__).parent / "shop.odcs.yaml"


class Shop:
    """The shop's contract in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "shop.odcs.yaml"
        self.text = SHOP.read_text(encoding="utf-8")

    def changed(self, *changes: tuple[str, str]) -> Shop:
        """The same with each `old` replaced by `new`; each must stand in it once."""
        for old, new in changes:
            assert self.text.count(old) == 1, f"{old!r} stands {self.text.count(old)} times"
            self.text = self.text.replace(old, new)
        return self

    def v32(self) -> Shop:
        """The same under v3.2.0 of the standard."""
        return self.changed(("apiVersion: v3.1.0", "apiVersion: v3.2.0"))

    def write(self) -> Path:
        self.path.write_text(self.text, encoding="utf-8")
        return self.path

    def says(self) -> list[str]:
        """What is wrong with it, as "line: what. remedy"."""
        return [str(problem).removeprefix(f"{self.path}:") for problem in check_contract(self.write())]

    def load(self) -> Contract:
        return load_contract(self.write())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def says(tmp_path: Path) -> Callable[[bytes | str], list[str]]:
    """What is wrong with a file of these bytes, as "line: what. remedy"."""

    def say(content: bytes | str) -> list[str]:
        path = tmp_path / "any.odcs.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [str(problem).removeprefix(f"{path}:") for problem in check_contract(path)]

    return say
