"""A provider's key of one calendar year: it counts the persons whose data went abroad in it, and does nothing else.

Random and its own, so that the meter joins no release, and one year's meter no other. Destroyed, it leaves its name behind:
a year that ended for good never starts again from nothing.
"""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

from core.digest import sha256_hex
from core.errors import IntegrityError, InternalError, StateError
from core.keys import KeyStore

_USE = "abroad"
_NAME = re.compile(r"(\d{4}):(.+)", re.DOTALL)


class YearKey:
    """The key of one provider's year. Can't be printed, copied or pickled."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def digest(self, message: bytes) -> bytes:
        """HMAC-SHA256 of a message, 32 bytes (RFC 2104)."""
        return hmac.digest(self._key, message, "sha256")

    def __repr__(self) -> str:
        return "YearKey(...)"

    def __reduce__(self) -> NoReturn:
        raise InternalError(
            "A year's key can't be copied or pickled.", remedy="Pass the provider and the year."
        )


def make_year_key(keys: KeyStore, provider: str, year: int) -> YearKey:
    """The key, made when it was never there. Raises StateError when it was destroyed."""
    name, secret = keys.make_sealed(_file(provider, year), _USE, _name(provider, year))
    return _opened(name, secret, provider, year)


def year_key(keys: KeyStore, provider: str, year: int) -> YearKey | None:
    """The key; None when it was never made. Raises StateError when it was destroyed."""
    found = keys.unseal(_file(provider, year), _USE)
    return None if found is None else _opened(*found, provider, year)


def destroy_year_key(keys: KeyStore, provider: str, year: int) -> None:
    """Makes what was counted under the key unreadable for good; safe to call twice, and for a key that never was."""
    keys.seal(_file(provider, year), _USE, _name(provider, year), b"")


def year_keys(keys: KeyStore) -> tuple[tuple[str, int], ...]:
    """Provider and year of every key that is still there, in order."""
    found = []
    for file in keys.sealed_files(f"{_USE}-"):
        name, secret = keys.unseal(file, _USE) or ("", b"")
        match = _NAME.fullmatch(name)
        if secret and match and _file(match[2], int(match[1])) == file:
            found.append((match[2], int(match[1])))
    return tuple(sorted(found))


def _opened(name: str, secret: bytes, provider: str, year: int) -> YearKey:
    if name != _name(provider, year):
        raise IntegrityError(
            "A year's key was put in another's place.",
            where=_file(provider, year),
            remedy="Put the whole key folder back from its backup; without it these keys are lost.",
        )
    if not secret:
        raise StateError(
            f"The meter of {year} has ended and its key is destroyed.",
            where=_file(provider, year),
            remedy="Set this machine's clock: data is provided today.",
        )
    return YearKey(secret)


def _name(provider: str, year: int) -> str:
    return f"{year:04d}:{provider}"


def _file(provider: str, year: int) -> str:
    return f"{_USE}-{year:04d}-{sha256_hex(provider.encode())[:32]}.json"
