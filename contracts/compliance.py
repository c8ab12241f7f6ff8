"""Our keys about the rules of the land, read: sluiceCompliance, sluiceProvision, and a column's grade, sensitivity and doors.

Read is what is there; whether it suffices is asked by `contracts.regimes`, so that a contract without them still loads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from contracts.declared import (
    DOORS,
    Basis,
    Compliance,
    Exclusions,
    Filing,
    FilingKind,
    Grade,
    ProvisionTerms,
    Sensitivity,
)
from contracts.own import own
from contracts.problems import choose, json_path, shown
from contracts.reading import Node

PROVISION = ("description", "rights", "use", "delivery", "payment", "acceptance", "notice")
_COMPLIANCE = ("basis", "purpose", "impactAssessment", "approval", "deidentificationLevel", "criticalInfrastructureOperator",
               "subjectNamespace", "membersPerUnit", "filings", "exclusions")  # fmt: skip
_FILING = ("kind", "reference", "until")
_EXCLUSIONS = ("path", "column", "mayBeEmpty")
LIST_SUFFIXES = (".csv", ".parquet")
MAX_MEMBERS = 10_000  # of one unit: beyond it a unit is no household

_Word = TypeVar("_Word", Grade, Sensitivity)


class _NamedColumn(Protocol):
    @property
    def name(self) -> str: ...


class _TableOfColumns(Protocol):
    @property
    def about_persons(self) -> bool: ...
    @property
    def columns(self) -> Sequence[_NamedColumn]: ...


def read_grade(node: Node) -> Grade | None:
    """sluiceGrade of a column; None when it isn't given."""
    return _word(node, "sluiceGrade", Grade)


def read_sensitivity(node: Node) -> Sensitivity | None:
    """sluiceSensitivity of a column; None when it isn't given."""
    return _word(node, "sluiceSensitivity", Sensitivity)


def read_doors(node: Node) -> tuple[str, ...] | None:
    """sluiceDoors of a column: the doors it may pass, in our order; None when it isn't given, which is every door."""
    given = own(node, "sluiceDoors")
    if given is None:
        return None
    if not isinstance(given.value, list):
        given.say(
            f"{node.label}: sluiceDoors must be a list.", "Write [release, query, train], or some of them."
        )
        return ()
    for i, door in enumerate(given.value):
        if door not in DOORS:
            given.say(f"{node.label}: there is no door `{shown(door)}`.", choose(str(door), DOORS), key=i)
        elif door in given.value[:i]:
            given.say(f"{node.label}: the door `{door}` stands twice.", "Keep one of them.", key=i)
    return tuple(door for door in DOORS if door in given.value)


def read_compliance(node: Node, *, unit: str | None, tables: Sequence[_TableOfColumns]) -> Compliance | None:
    """sluiceCompliance; None when it isn't given. unit: the contract's privacy unit, None without one or a usable one."""
    given = own(node, "sluiceCompliance")
    if given is None or not given.mapping(_COMPLIANCE):
        return None
    basis = given.choice("basis", [word.value for word in Basis])
    return Compliance(
        basis=Basis(basis) if basis else None,
        purpose=given.text("purpose"),
        impact_assessment=given.text("impactAssessment"),
        approval=given.text("approval"),
        deidentification_level=given.whole("deidentificationLevel", least=1, most=4),
        critical_infrastructure_operator=_truth(given, "criticalInfrastructureOperator"),
        subject_namespace=_namespace(given),
        members_per_unit=_members(given, tables),
        filings=tuple(_filings(given)),
        exclusions=_exclusions(given, unit, told=own(node, "sluicePrivacy") is not None),
        clause=json_path(given.where),
    )


def read_provision(node: Node) -> ProvisionTerms | None:
    """sluiceProvision; None when it isn't given."""
    given = own(node, "sluiceProvision")
    if given is None or not given.mapping(PROVISION):
        return None
    return ProvisionTerms(**{key: given.text(key) for key in PROVISION}, clause=json_path(given.where))


def _word(node: Node, key: str, words: type[_Word]) -> _Word | None:
    given = own(node, key)
    if given is None:
        return None
    known = [word.value for word in words]
    if not isinstance(given.value, str) or given.value not in known:
        given.say(f"{node.label}: {key} can't be `{shown(given.value)}`.", choose(str(given.value), known))
        return None
    return words(given.value)


def _truth(node: Node, key: str) -> bool | None:
    value = node.get(key)
    if value is not None and not isinstance(value, bool):
        node.say(f"{node.label}: `{key}` must be true or false.", "Write it without quotes.", key=key)
        return None
    return value


def _namespace(node: Node) -> str | None:
    """Compared letter by letter: one that is spelt differently is another one, and its persons are added."""
    name = node.text("subjectNamespace")
    if name is not None and (name != name.strip() or len(name) > 128):
        node.say(
            f"{node.label}: `subjectNamespace` has spaces around it, or over 128 letters.",
            "Write the plain name that all contracts about these persons give.",
            key="subjectNamespace",
        )
        return None
    return name


def _members(node: Node, tables: Sequence[_TableOfColumns]) -> int | str | None:
    key = "membersPerUnit"
    value = node.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return node.whole(key, least=1, most=MAX_MEMBERS)
    if not isinstance(value, str):
        node.say(f"{node.label}: `{key}` must be a whole number or a column.",
                 "Write 1 where a unit is one person, or the name of the column that counts its members.", key=key)  # fmt: skip
        return None
    names = [column.name for table in tables if table.about_persons for column in table.columns]
    if value not in names:
        node.say(f"{node.label}: `{key}` names `{shown(value)}`, which isn't a column of a table about persons.",
                 choose(value, names), key=key)  # fmt: skip
        return None
    return value


def _filings(node: Node) -> Iterator[Filing]:
    for item in node.items("filings", what=f"{node.label}: a filing"):
        if not item.mapping(_FILING, required=("kind", "reference")):
            continue
        kind, reference = item.choice("kind", [word.value for word in FilingKind]), item.text("reference")
        until = item.day("until")
        if kind is not None and reference is not None and (until is not None or not item.has("until")):
            yield Filing(kind=FilingKind(kind), reference=reference, until=until)


def _exclusions(node: Node, unit: str | None, *, told: bool) -> Exclusions | None:
    """told: whether what is wrong with the privacy unit is said elsewhere."""
    given = node.at("exclusions")
    if given.value is None:
        return None
    if unit is None and told:
        return None
    if unit is None:
        given.say(f"{given.label} would take out persons, and no column tells whose a row is.",
                  "Add sluicePrivacy with its `unit`, or take it out.")  # fmt: skip
        return None
    if isinstance(given.value, str):
        path, column, may_be_empty = node.text("exclusions"), unit, False
    else:
        if not given.mapping(_EXCLUSIONS, required=("path",)):
            return None
        path, column = given.text("path"), given.text("column") or unit
        may_be_empty = bool(_truth(given, "mayBeEmpty"))
    if path is None:
        return None
    if not path.lower().endswith(LIST_SUFFIXES):
        given.say(f"{given.label} names a list in no format that is read.",
                  "Give a file whose name ends in .csv or .parquet.")  # fmt: skip
        return None
    return Exclusions(path=path, column=column, may_be_empty=may_be_empty)
