"""What is to change in the party registry, as a short YAML file that a holder writes; a proposal is made of it.

holders: [c1-registry-1a2b.json, ...]     the public files of the keys that sign the registry, one of each holder
threshold: 2                              how many of them must sign
hall: c0-online-3c4d.json                 the public file of the key with which a hall keeps the registry fresh
parties:                                  a firm that is new, or what changes of one that is there
  - code: 91310000100000002D
    name: A Grocer Ltd.
    beneficialOwner: A Holding
    grade: Platform
    keys: [c1-contracts-5e6f.json]        keys that it signs contracts with, added to those that are there
revoked:                                  keys that end: by their files, or by id where the owner can't send one
  - c1-contracts-0a0b.revoked.json
  - {key: 0a0b..., reason: compromise, at: "2026-06-01T00:00:00Z", lastGood: [{log: hall.example/1, size: 40}]}

The first version needs all but `revoked`; what a later one leaves out stays as it is. Files are looked for beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from tuf.api.metadata import Root  # type: ignore[attr-defined]  # its public place, not marked as such

from contracts.agreement.codes import party_id
from contracts.agreement.values import Grade, time
from contracts.locate import read_yaml
from contracts.parties.holders import HOLDER
from contracts.parties.model import Parties, Party, Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.proposal import Holders
from contracts.parties.registry import Published
from contracts.problems import Problems
from contracts.reading import Node
from core.algorithms import PublicKey
from core.errors import ContractError, SluiceError
from core.partykeys import Reason
from pipeline.agreements.keyfile import KeyFile, KeyUse

_PARTY = ("code", "name", "beneficialOwner", "grade", "keys")
_MOST_HOLDERS = 100
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PartyChange:
    """One firm. None: as it is in the registry. keys: added to those that are there."""

    party: str
    name: str | None = None
    beneficial_owner: str | None = None
    grade: Grade | None = None
    keys: tuple[KeyFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """All that is to change. revoked: by key id. holders, threshold, hall: None leaves them as they are."""

    parties: tuple[PartyChange, ...] = ()
    revoked: tuple[tuple[str, Revocation], ...] = ()
    holders: tuple[KeyFile, ...] | None = None
    threshold: int | None = None
    hall: KeyFile | None = None

    def with_files(self, keys: Iterable[KeyFile], revoked: Iterable[KeyFile]) -> Change:
        """The change with further keys of registered parties, and further keys that end."""
        added = tuple(PartyChange(party=file.key.party, keys=(file,)) for file in keys)
        ended = tuple((file.key.key_id, _revocation(file)) for file in revoked)
        return replace(self, parties=(*self.parties, *added), revoked=(*self.revoked, *ended))


def read_change(path: Path) -> Change:
    """The change in a file. Raises ContractError listing every problem of it, with its line."""
    problems = Problems(path)
    node = Node(read_yaml(path, problems).data, (), problems, "The change file")
    change = Change()
    if node.mapping(("holders", "threshold", "hall", "parties", "revoked")):
        change = _change(node, path.parent)
    if problems.found:
        listed = "\n".join(str(problem) for problem in problems.in_order())
        raise ContractError(
            f"The change file can't be used:\n{listed}", problems=problems.in_order(), where=str(path)
        )
    return change


def changed_parties(change: Change, current: Parties) -> Parties:
    """The records after the change. Raises ContractError for what can't be: a new firm half described, a key that isn't there."""
    records = {record.party: record for record in current.records}
    for each in change.parties:
        records[each.party] = _changed(each, records.get(each.party))
    ends = dict(change.revoked)
    unknown = ends.keys() - {key.key_id for record in records.values() for key in record.keys}
    if unknown:
        raise ContractError(
            "A key that is to be revoked isn't in the registry.",
            where=f"key {min(unknown)}",
            remedy="`sluice party registry show --json` lists the keys; one that was never registered needs no revocation here.",
        )
    return Parties.of(
        replace(
            record,
            keys=tuple(
                replace(key, revoked=ends[key.key_id]) if key.key_id in ends else key for key in record.keys
            ),
        )
        for record in records.values()
    )


def changed_holders(change: Change, current: Published | None) -> Holders | None:
    """Who signs after the change; None when that stays. Raises ContractError when the first version doesn't say it."""
    if change.holders is None and change.threshold is None and change.hall is None and current is not None:
        return None
    now = holders_of_root(current.root) if current is not None else None
    if now is None and (change.holders is None or change.threshold is None or change.hall is None):
        raise ContractError(
            "The first version of a registry says who holds its keys: `holders`, `threshold` and `hall`.",
            remedy="Add them to the change file, with the public files of the holders' keys.",
        )
    keys = dict(now.keys) if now is not None else {}
    if change.holders is not None:
        keys = _by_party(change.holders)
    if change.hall is not None:
        check_use(change.hall, KeyUse.ONLINE)
    return Holders(
        keys=keys,
        threshold=change.threshold if change.threshold is not None else _there(now).threshold,
        hall=change.hall.key.party if change.hall is not None else _there(now).hall,
        online=change.hall.key.public if change.hall is not None else _there(now).online,
    )


def holders_of_root(root: Root) -> Holders:
    """Who signs by a root that keeps the rules."""

    def key(key_id: str) -> tuple[str, PublicKey]:
        found = root.keys[key_id]
        raw = bytes.fromhex(str(found.keyval["public"]))
        return str(found.unrecognized_fields[HOLDER]), PublicKey(found.keytype, raw)

    (hall, online), *_ = (key(key_id) for key_id in root.roles["timestamp"].keyids)
    shared = root.roles["targets"]
    return Holders(
        keys=dict(key(key_id) for key_id in shared.keyids),
        threshold=shared.threshold,
        hall=hall,
        online=online,
    )


def _there(holders: Holders | None) -> Holders:
    assert holders is not None  # `changed_holders` refused the first version without them
    return holders


def _by_party(files: Iterable[KeyFile]) -> dict[str, PublicKey]:
    keys: dict[str, PublicKey] = {}
    for file in files:
        check_use(file, KeyUse.REGISTRY)
        if file.key.party in keys:
            raise ContractError(
                f"{file.key.party} would hold two keys of the registry.",
                where="holders",
                remedy="Give one key of each holder: nobody has two voices.",
            )
        keys[file.key.party] = file.key.public
    return keys


def _changed(change: PartyChange, there: Party | None) -> Party:
    for file in change.keys:
        check_use(file, KeyUse.CONTRACTS)
    keys = tuple(file.key for file in change.keys)
    if there is not None:
        known = {replace(key, revoked=None) for key in there.keys}
        return replace(
            there,
            name=change.name or there.name,
            beneficial_owner=change.beneficial_owner or there.beneficial_owner,
            grade=change.grade or there.grade,
            keys=(*there.keys, *(key for key in keys if key not in known)),
        )
    if change.name is None or change.beneficial_owner is None or change.grade is None:
        raise ContractError(
            "This firm isn't in the registry yet: its name, beneficial owner and grade are needed.",
            where=change.party,
            remedy="Describe it under `parties` in a change file: code, name, beneficialOwner, grade, keys.",
        )
    return Party(
        party=change.party,
        name=change.name,
        beneficial_owner=change.beneficial_owner,
        grade=change.grade,
        keys=keys,
    )


def _change(node: Node, folder: Path) -> Change:
    holders = _files(node, "holders", folder, KeyUse.REGISTRY) if node.has("holders") else None
    return Change(
        parties=tuple(
            each
            for item in node.items("parties", what="A party")
            if (each := _party(item, folder)) is not None
        ),
        revoked=tuple(
            ended
            for item in node.items("revoked", what="A revoked key")
            if (ended := _ended(item, folder)) is not None
        ),
        holders=holders,
        threshold=node.whole("threshold", least=2, most=_MOST_HOLDERS),
        hall=_file(node.at("hall"), folder, KeyUse.ONLINE) if node.has("hall") else None,
    )


def _party(node: Node, folder: Path) -> PartyChange | None:
    if not node.mapping(_PARTY, required=("code",)):
        return None
    code = node.text("code")
    party = _tried(node, "code", lambda: party_id(code)) if code is not None else None
    grade = node.choice("grade", Grade)
    keys = _files(node, "keys", folder, KeyUse.CONTRACTS)
    if party is None:
        return None
    for file in keys:
        if file.key.party != party:
            node.say(
                f"A key in `keys` belongs to {file.key.party}.", "List it under its own firm.", key="keys"
            )
    return PartyChange(
        party=party,
        name=node.text("name"),
        beneficial_owner=node.text("beneficialOwner"),
        grade=Grade(grade) if grade else None,
        keys=keys,
    )


def _files(node: Node, key: str, folder: Path, use: KeyUse) -> tuple[KeyFile, ...]:
    items = node.items(key, what=f"{node.label} `{key}`")
    return tuple(file for item in items if (file := _file(item, folder, use)) is not None)


def _file(node: Node, folder: Path, use: KeyUse) -> KeyFile | None:
    """The key file that a place names; a problem when it isn't one of a living key for `use`."""
    if not isinstance(node.value, str):
        node.say(f"{node.label} must name a file.", "Write the path of a public key file.")
        return None
    name = node.value
    file = _tried(node, None, lambda: KeyFile.load(folder / name))
    if file is None:
        return None
    try:
        check_use(file, use)
    except ContractError as error:
        node.say(error.what, error.remedy)
        return None
    return file


def check_use(file: KeyFile, use: KeyUse) -> None:
    """Raises ContractError for a key of another use, or a revoked one."""
    if file.use is not use:
        raise ContractError(
            f"The key of {file.key.party} is for {file.use}, and one for {use} is needed.",
            where=file.name,
            remedy=f"Its owner makes one by `sluice party key create --use {use}`.",
        )
    if file.key.revoked is not None:
        raise ContractError(
            f"The key of {file.key.party} is revoked.", where=file.name, remedy="List it under `revoked`."
        )


def _ended(node: Node, folder: Path) -> tuple[str, Revocation] | None:
    if isinstance(node.value, str):
        name = node.value
        file = _tried(node, None, lambda: KeyFile.load(folder / name))
        return _tried(node, None, lambda: (file.key.key_id, _revocation(file))) if file is not None else None
    if not node.mapping(("key", "reason", "at", "lastGood"), required=("key", "reason", "at")):
        return None
    key, reason, at = node.text("key"), node.choice("reason", Reason), _moment(node, "at")
    good = _last_good(node) if node.has("lastGood") else ()
    if key is None or reason is None or at is None:
        return None
    revocation = _tried(node, None, lambda: Revocation(at=at, reason=Reason(reason), last_good=good))
    return (key, revocation) if revocation is not None else None


def _last_good(node: Node) -> tuple[LogPosition, ...]:
    found = []
    for each in node.items("lastGood", what=f"{node.label} `lastGood`"):
        if each.mapping(("log", "size"), required=("log", "size")):
            log, size = each.text("log"), each.whole("size", least=1)
            found += [LogPosition(origin=log, size=size)] if log and size else []
    return tuple(sorted(found, key=lambda good: good.origin))


def _moment(node: Node, key: str) -> datetime | None:
    value = node.get(key)
    moment = value if isinstance(value, datetime) and value.tzinfo else time(value)
    if not isinstance(moment, datetime) or moment.microsecond:
        if value is not None:
            node.say(
                f"{node.label}: `{key}` isn't a moment with its zone.",
                'Write "2026-06-01T00:00:00Z".',
                key=key,
            )
        return None
    return moment.astimezone(UTC)


def _revocation(file: KeyFile) -> Revocation:
    if file.key.revoked is None:
        raise ContractError(
            f"The key of {file.key.party} isn't revoked.",
            where=file.name,
            remedy="Its owner runs `sluice party key revoke`, which writes the file.",
        )
    return file.key.revoked


def _tried(node: Node, key: str | None, make: Callable[[], T]) -> T | None:
    """What `make` gives; its refusal becomes a problem of this place."""
    try:
        return make()
    except SluiceError as error:
        where = f" ({error.where})" if error.where else ""
        node.say(f"{error.what}{where}", error.remedy, key=key)
        return None
