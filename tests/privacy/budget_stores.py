"""Stores for the tests of the budget: one in memory that behaves as `Store` says, and one with faults put into it."""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from contracts.agreement.vocabulary import Door
from core.errors import ConflictError, InternalError
from core.store import Entry, Store, Write
from privacy.budget.amounts import Limit
from privacy.budget.terms import Account, Cap, Caps, Scope, Spender

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BASKETS = Account(dataset="grocery/baskets", unit="household/whole-record")
SPENDER = Spender(contract="urn:sluice:contract:grocery", owners=("Owner A",), door=Door.QUERY)
RESULT = "5" * 64


def life(rho: float, delta: float = 0, *, finite: bool = False) -> Cap:
    """The cap that every budget needs."""
    return Cap(scope=Scope.ACCOUNT, limit=Limit.of(rho, delta), finite=finite)


def caps(*each: Cap, rho: float = 100, delta: float = 0.5) -> Caps:
    """These caps, and a wide one over the account's life."""
    return Caps((life(rho, delta), *each))


def new_id() -> str:
    """A reservation's id."""
    return str(uuid.uuid4())


class MemoryStore:
    """A `Store` in a dict, for one thread."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.commits = 0
        self._keys: list[str] = []  # sorted

    def get(self, key: str) -> Entry | None:
        return self.entries.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
        entries, keys = self.entries, self._keys
        for place in range(bisect.bisect_left(keys, max(prefix, start)), len(keys)):
            if not keys[place].startswith(prefix):
                return
            yield entries[keys[place]]

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def commit(self, writes: Sequence[Write]) -> None:
        if len({write.key for write in writes}) != len(writes):
            raise InternalError("One commit writes a key twice.")
        for write in writes:
            entry = self.entries.get(write.key)
            if (entry.version if entry else 0) != write.expected:
                raise ConflictError("Somebody else wrote first.", where=write.key)
        self.commits += 1
        for write in writes:
            if write.value is None:
                del self.entries[write.key]
                self._keys.remove(write.key)
            else:
                if write.key not in self.entries:
                    bisect.insort(self._keys, write.key)
                self.entries[write.key] = Entry(write.key, write.value, self.commits)

    def put(self, key: str, value: bytes | None) -> None:
        """What somebody with the file in hand does: writes a row past every rule."""
        entry = self.entries.get(key)
        self.commit([Write(key, value, entry.version if entry else 0)])


class FaultyStore:
    """Another store, in which each commit first meets the next of `before`, and afterwards the next of `after`.

    A fault is a call: it raises, or does what a rival does at that moment. None lets the commit be.
    """

    def __init__(
        self,
        inner: Store,
        *,
        before: Sequence[Callable[[], None] | None] = (),
        after: Sequence[Callable[[], None] | None] = (),
    ) -> None:
        self._inner = inner
        self.before = list(before)
        self.after = list(after)

    def get(self, key: str) -> Entry | None:
        return self._inner.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
        return self._inner.scan(prefix, start=start)

    def held(self) -> AbstractContextManager[None]:
        return self._inner.held()

    def commit(self, writes: Sequence[Write]) -> None:
        for faults in (self.before, self.after):
            fault = faults.pop(0) if faults else None
            if fault is not None:
                fault()
            if faults is self.before:
                self._inner.commit(writes)


def raising(error: BaseException) -> Callable[[], None]:
    """A fault that raises."""

    def fault() -> None:
        raise error

    return fault
