"""A draft as text: the contract (ODCS) and the term sheet, each proposal with its reason in a comment beside it.

What nobody has answered isn't made up: its line stands there as a comment, and the check names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, count

from contracts.declared import Basis, Grade
from contracts.drafts.proposed import Proposed, ProposedColumn, ProposedTable
from contracts.drafts.seen import SeenData
from contracts.model import LogicalType, Role, TableKind
from contracts.protection import Transform

# Small enough to begin with. What is right depends on the data and on who asks: raising one is a loosening, and `diff` tells it.
EPSILON_QUESTION, EPSILON_PERIOD, EPSILON_LIFE, DELTA = "0.1", "1", "4", "0.000001"
ROUNDS, COHORT = 20, 2
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
# Words that YAML 1.1 reads as something else than text.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What people said. None and (): nothing yet. purpose: in prose; uses: as words, for the terms. l: None: not asked for."""

    id: str
    name: str | None = None
    tenant: str | None = None
    recipient: str | None = None
    purpose: str | None = None
    uses: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    k: int = 5
    l: int | None = None  # noqa: E741 (the literature's name)
    doors: tuple[str, ...] = ("release",)
    territories: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    basis: Basis | None = None
    namespace: str | None = None


def contract_text(answers: Answers, proposed: Proposed, data: SeenData) -> str:
    """The ODCS file, version 1.0.0. It is what `contracts.odcs` reads, once all is answered."""
    return "\n".join(
        [
            "# A draft. Each proposal says why it was made; it was made from names, types and how values are spread,",
            "# and nobody has looked at it. Read every line before you offer it.",
            "apiVersion: v3.1.0",
            "kind: DataContract",
            f"id: {_word(answers.id)}",
            f"name: {_word(answers.name or answers.id)}",
            "version: 1.0.0",
            "status: active  # for readers of the standard; what is in force is what both parties signed",
            *_said("tenant", answers.tenant, "whose data it is"),
            "description:",
            *_said("  purpose", answers.purpose, "what the recipient needs it for, in a sentence"),
            *([] if answers.purpose else ["  limitations: no re-identification, no onward transfer"]),
            "servers:",
            *_server(data),
            "customProperties:",
            *_terms(answers, proposed),
            *_compliance(answers, proposed),
            *_provision(),
            "# Of each column: sluiceRole with its reason; sluiceSensitivity, personal in every table about persons unless its",
            "# name speaks of a sensitive kind; sluiceGrade, general unless its name speaks of important data. Catalogues of",
            "# important data are your sector's: compare them.",
            "schema:",
            *(line for table in proposed.tables for line in _table(table, proposed, answers)),
            "",
        ]
    )


def sheet_text(answers: Answers, proposed: Proposed) -> str:
    """The term sheet: the doors that shall open, each with all limits that it needs."""
    lines = [
        "# What both parties sign beside the contract. docs/policy.md says what each line does.",
        *(line for door in answers.doors for line in _door(door, answers, proposed)),
        "forbidden: [reidentify, distribute]",
        "# notCombinedWith: [names of data that it must never meet]",
        "deleteWithinDays: 30  # after the end of the contract",
        "reportEvery: P1M",
        "",
    ]
    return "\n".join(lines)


def _server(data: SeenData) -> Iterator[str]:
    yield "  - server: files"
    yield "    type: local"
    yield f"    path: {_word(data.path)}"
    yield f"    format: {data.format}"
    if data.delimiter is not None:
        yield "    customProperties:"
        yield f"      - {{property: sluiceDelimiter, value: {json.dumps(data.delimiter)}}}"


def _terms(answers: Answers, proposed: Proposed) -> Iterator[str]:
    if answers.start and answers.end:
        yield "  - property: sluiceTerm"
        yield f'    value: {{from: "{answers.start}", until: "{answers.end}"}}'
    else:
        yield '  # - {property: sluiceTerm, value: {from: "2026-01-01", until: "2026-12-31"}}  # from when, until when?'
    if answers.recipient:
        yield f"  - {{property: sluiceRecipient, value: {_word(answers.recipient)}}}"
    else:
        yield "  # - {property: sluiceRecipient, value: ...}  # who gets it?"
    if proposed.unit is None:
        return
    least = 2 if _published_sensitive(proposed) else None
    l_distinct = answers.l or least
    yield "  - property: sluicePrivacy"
    yield f"    # {_word(proposed.unit)}: its name or its values say that it tells persons apart. Is each value one person?"
    yield f"    value: {{unit: {_word(proposed.unit)}, k: {answers.k}{f', l: {l_distinct}' if l_distinct else ''}, maxSuppressed: 0}}"  # fmt: skip


def _published_sensitive(proposed: Proposed) -> bool:
    """Whether a subject table has a sensitive column: then l is 2 at least."""
    subjects = (table for table in proposed.tables if table.kind is TableKind.SUBJECTS)
    return any(column.role is Role.SENSITIVE for table in subjects for column in table.columns)


def _compliance(answers: Answers, proposed: Proposed) -> Iterator[str]:
    known = [("basis", answers.basis), ("subjectNamespace", answers.namespace)]
    level = 3 if proposed.unit is not None else None
    if level is None and not any(value for _, value in known):
        return
    yield "  - property: sluiceCompliance  # docs/compliance.md: what Chinese law asks; not legal advice"
    yield "    value:"
    for key, value in known:
        if value:
            yield f"      {key}: {_word(str(value))}"
    if level is not None:
        yield f"      deidentificationLevel: {level}  # measured on every release"
        if answers.basis is None:
            yield f"      # basis: one of {', '.join(Basis)}"
        yield "      # impactAssessment: the reference of the assessment, where a column is sensitive or goes abroad"
        yield "      # membersPerUnit: 1 where a unit is one person, else the column that counts them"
        yield "      # exclusions: the list of persons who took their consent back"


def _provision() -> Iterator[str]:
    yield "  # - property: sluiceProvision  # what a contract on the provision of data says besides; a lawyer's part"
    yield "  #   value: {description: ..., rights: ..., use: ..., delivery: ..., payment: ..., acceptance: ..., notice: ...}"


def _table(table: ProposedTable, proposed: Proposed, answers: Answers) -> Iterator[str]:
    yield f"  - name: {_word(table.name)}"
    yield f"    physicalName: {_word(table.physical_name)}"
    yield "    logicalType: object"
    for name, why in table.left_out:
        yield f"    # left out: {_word(name)}; {why}"
    yield "    customProperties:"
    yield f"      - {{property: sluiceKind, value: {table.kind}}}  # {table.why}"
    if table.time is not None:
        yield f"      - {{property: sluiceTime, value: {_word(table.time)}}}  # the column by which runs take a window"
    if table.kind is TableKind.FACTS:
        yield from _cells(table, proposed, answers)
    yield "    properties:"
    for column in table.columns:
        yield from _column(column, required=column.name == proposed.unit)


def _cells(table: ProposedTable, proposed: Proposed, answers: Answers) -> Iterator[str]:
    subjects = next((each.name for each in proposed.tables if each.kind is TableKind.SUBJECTS), None)
    yield "      - property: sluiceCells  # facts of persons go out as cells of at least k persons, never as rows"
    yield "        value:"
    if subjects is not None:
        yield f"          segmentsOf: {_word(subjects)}"
        yield f"          segmentMinUnits: {10 * answers.k}"
    yield "          dimensions:  # in the order in which a cell with too few persons is coarsened"
    types = {column.name: column.type for column in table.columns}
    for name in table.dimensions:
        levels = [f"{{column: {_word(name)}}}"]
        if types[name] is LogicalType.INTEGER:
            levels.append(f"{{column: {_word(name)}, label: {_word(f'4 {name}')}, width: 4, origin: 1}}")
        yield f"            - {{name: {_word(name)}, levels: [{', '.join(levels)}]}}"
    yield "          measures:"
    taken = {each.casefold() for name in table.dimensions for each in (name, f"{name}_level")}
    lines = next(each for each in chain(["lines"], (f"lines_{i}" for i in count(2))) if each not in taken)
    yield f"            - {{name: {lines}, aggregate: count}}"
    for name in table.sums:
        if name.casefold() not in taken | {lines}:
            decimals = ", decimals: 2" if types[name] is LogicalType.NUMBER else ""
            yield f"            - {{name: {_word(name)}, aggregate: sum, column: {_word(name)}{decimals}}}"


def _column(column: ProposedColumn, *, required: bool) -> Iterator[str]:
    yield f"      - name: {_word(column.name)}"
    yield f"        logicalType: {column.type}"
    if column.physical_type is not None:
        yield f"        physicalType: {json.dumps(column.physical_type)}"
    if required:
        yield "        required: true"
    yield "        customProperties:"
    yield f"          - {{property: sluiceRole, value: {column.role}}}  # {column.why}"
    if column.transform is not None:
        yield f"          - {{property: sluiceTransform, value: {column.transform}}}"
    if column.role is Role.QUASI_IDENTIFIER and column.transform is not Transform.DROP:
        yield "          - property: sluiceHierarchy"
        yield "            value: {kind: natural}  # the values' own order; write `ordered` or `tree` where another makes sense"
    kind = "  # a guess by its name or its values" if column.sensitivity.is_sensitive else ""
    yield f"          - {{property: sluiceSensitivity, value: {_word(column.sensitivity.value)}}}{kind}"
    grade = "  # a guess by its name; it needs an approval" if column.grade is not Grade.GENERAL else ""
    yield f"          - {{property: sluiceGrade, value: {column.grade}}}{grade}"


def _door(door: str, answers: Answers, proposed: Proposed) -> Iterator[str]:
    yield f"{door}:"
    yield from _list(
        "  purpose", answers.uses, "[demand-forecast]  # for what, in words of ASCII letters and hyphens?"
    )
    for key, day in (("from", answers.start), ("until", answers.end)):
        yield f'  {key}: "{day}"' if day else f"  # {key}: 2026-12-31  # a day, in UTC"
    yield from _list("  territory", answers.territories, "[CN]  # where may it be used?")
    yield from _list("  grade", answers.grades, "[SME]  # firms of which grades?")
    if door != "train":
        yield f"  minGroupSize: {answers.k if proposed.unit else 1}"
        if answers.l and proposed.unit:
            yield f"  diversity: {answers.l}"
    if door == "query":
        yield f'  epsilonPerQuestion: "{EPSILON_QUESTION}"  # small to begin with'
        yield f'  epsilonPerPeriod: "{EPSILON_PERIOD}"'
        yield "  epsilonPeriod: P1M"
    if door in ("query", "train"):
        yield f'  epsilonForLife: "{EPSILON_LIFE}"'
        yield f'  deltaForLife: "{DELTA}"'
        yield "  privacyUnit: whole-record  # the stricter of the two"
    if door == "train":
        yield f"  rounds: {ROUNDS}"
        yield "  # algorithm: [logistic-regression]  # which may run?"
        yield "  # cohortPlatform: [codes of the platforms that may take part]"
        yield f"  minCohort: {COHORT}"
        yield "  # feature: [columns that the model may see]"
        yield "  # label: the column that it learns to tell"


def _list(key: str, values: Sequence[str], otherwise: str) -> Iterator[str]:
    if values:
        yield f"{key}: [{', '.join(_word(value) for value in values)}]"
    else:
        yield f"{key.replace(key.strip(), '# ' + key.strip())}: {otherwise}"


def _said(key: str, value: str | None, question: str) -> Iterator[str]:
    if value:
        yield f"{key}: {_word(value)}"
    else:
        yield f"{key.replace(key.strip(), '# ' + key.strip())}: ...  # {question}?"


def _word(text: str) -> str:
    """A text as YAML: bare where every reader takes it for text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return f'"{"".join(map(_letter, text))}"'


def _letter(letter: str) -> str:
    """One character within double quotes. A sign that isn't printable could end the line, and the comment or the value with it."""
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"
