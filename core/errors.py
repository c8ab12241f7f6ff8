"""Errors that a person can act on: what happened, where, and what to do now.

One root, and a family for each person who can act. A message never holds a row value, a secret or a SQL literal:
it names tables, columns, rules, counts and limits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the `sluice` command returns."""

    DONE = 0
    REFUSED = 1  # a rule said no: contract, quality, privacy, integrity
    USAGE = 2  # the command was called wrongly
    FAULT = 3  # something broke: a source, a disk, a service, or Sluice itself


class SluiceError(Exception):
    """Root of all errors of Sluice.

    what: one sentence, what happened. where: file, table, column or step. remedy: what a person can do now.
    facts: the numbers and names of the message as values, for programs.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT

    def __init__(self, what: str, *, where: str = "", remedy: str = "", **facts: object) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.facts = facts

    def __str__(self) -> str:
        head = f"{self.what} ({self.where})" if self.where else self.what
        return f"{head} {self.remedy}" if self.remedy else head

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments don't survive pickling by themselves; Airflow and pytest-xdist pickle.
        return (_rebuild, (type(self), self.what, self.where, self.remedy, self.facts))


def _rebuild(
    kind: type[SluiceError], what: str, where: str, remedy: str, facts: dict[str, object]
) -> SluiceError:
    error = SluiceError.__new__(kind)
    SluiceError.__init__(error, what, where=where, remedy=remedy, **facts)
    return error


class UsageError(SluiceError):
    """A command or a setting was used wrongly; who called it can act."""

    exit_code = ExitCode.USAGE


class ContractError(SluiceError):
    """The contract forbids it, or can't be understood; its authors can act."""

    exit_code = ExitCode.REFUSED


class SourceError(SluiceError):
    """The platform's data did not come, or not as the contract describes it; who runs the source can act."""


class QualityError(SluiceError):
    """Data came and broke the contract's quality rules; who produces the data can act."""

    exit_code = ExitCode.REFUSED


class PrivacyError(SluiceError):
    """A privacy limit of the contract can't be met; the contract's authors can act."""

    exit_code = ExitCode.REFUSED


class CatalogError(SluiceError):
    """A release can't be staged, revealed or found."""

    exit_code = ExitCode.REFUSED


class LedgerError(SluiceError):
    """The log can't be written, or doesn't prove what it should; the auditor and the operator can act."""

    exit_code = ExitCode.REFUSED


class IntegrityError(SluiceError):
    """A file, a handoff or a stored row isn't what its digest says; nothing of it is used."""

    exit_code = ExitCode.REFUSED


class StateError(SluiceError):
    """The hall's own state or keys can't be read or written; who runs the hall can act."""


class ConflictError(SluiceError):
    """Somebody else wrote first; read again and retry."""


class InternalError(SluiceError):
    """A defect of Sluice itself."""
