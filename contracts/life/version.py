"""Which of two versions of a contract is the later one."""

from __future__ import annotations

import re

from core.errors import ContractError

_DOTTED = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", re.ASCII)


def comparable(version: str) -> bool:
    """Whether `order` takes it."""
    return _DOTTED.fullmatch(version) is not None


def order(version: str) -> tuple[int, int, int, int]:
    """A version of numbers and dots as something to compare; what is left out is 0. Raises ContractError for another form.

    Anything else (rc1, dates with letters, build tags) sorts one way here and another way there, and which contract holds
    must not hang on that.
    """
    if not comparable(version):
        raise ContractError(
            "The version can't be compared with other versions.",
            where="version",
            remedy="Write it as numbers with dots, like 1.2.0.",
        )
    numbers = [int(part) for part in version.split(".")]
    first, second, third, fourth = (*numbers, 0, 0, 0)[:4]
    return first, second, third, fourth
