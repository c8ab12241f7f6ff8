from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.events import FACTS, WITHOUT_CONTRACT, DatasetRef, Event, EventKind
from audit.facts import (
    DIGEST_TYPE,
    IDENTIFIER_TYPE,
    MAX_INTEGER,
    WORD,
    Amount,
    Bound,
    Count,
    FactType,
    ListOf,
    MapOf,
    Name,
    Record,
    Share,
)
from audit.lineage import facet_schema
from core.errors import LedgerError

ROOT = Path(__file__).resolve().parents[2]
RUN = "0190a0b0-0000-7000-8000-000000000001"
CONTRACT: dict[str, str] = {
    "contract_id": "orders",
    "contract_version": "1.0.0",
    "contract_digest": "cd" * 32,
}
SAID: dict[str, Any] = {
    "digest": "ab" * 32,
    "mark": "cd" * 32,
    "by": "urn:uscc:91110000600037341L",
    "side": "provider",
}
NEEDED: dict[EventKind, dict[str, Any]] = {
    EventKind.DATA_RECEIVED: {"digest": "ab" * 32, "rows": {"订单": 3}},
    EventKind.DATA_VALIDATED: {"checks": 3, "quarantined": {}},
    EventKind.DATA_ANONYMIZED: {"tables": {"order lines": 0}},
    EventKind.RELEASE_STAGED: {
        "release": "r1",
        "digest": "ab" * 32,
        "tables": {"t": {"sha256": "ef" * 32, "rows": 1}},
    },
    EventKind.RELEASE_REVEALED: {"release": "r1", "tables": {"t": 0}},
    EventKind.RUN_FAILED: {"step": "validate", "error": "QualityError"},
    EventKind.CATALOG_READ: {"releases": ["r1"], "tables": ["orders.订单"], "rows": 3},
    EventKind.QUARANTINE_SEALED: {
        "digest": "ab" * 32,
        "release": "r1",
        "tables": {"订单": 3},
        "until": "2026-12-31T00:00:00+00:00",
        "key": "platform",
    },
    EventKind.QUARANTINE_OPENED: {"tables": {"订单": 3}},
    EventKind.TOKENS_OPENED: {
        "tokens": 3,
        "table": "订单",
        "column": "buyer",
        "holder": "notary-office",
        "purpose": "recall of lot 17",
    },
    EventKind.QUARANTINE_RELEASED: {"tables": {"订单": 3}, "form": "parquet"},
    EventKind.QUARANTINE_REMOVED: {"digest": "ab" * 32, "why": "expired"},
    **{
        key: {**SAID, "terms": "ef" * 32}
        for key in (EventKind.CONTRACT_REQUESTED, EventKind.CONTRACT_OFFERED, EventKind.CONTRACT_ACCEPTED)
    },
    **{
        key: {**SAID, "agreement": "ef" * 32, "envelope": "01" * 32, "marks": ["23" * 32]}
        for key in (EventKind.CONTRACT_AGREED, EventKind.CONTRACT_VERIFIED, EventKind.CONTRACT_FINALIZED)
    },
    EventKind.NEGOTIATION_TERMINATED: SAID,
    **{
        key: {**SAID, "agreement": "ef" * 32}
        for key in (EventKind.CONTRACT_SUSPENDED, EventKind.CONTRACT_RESUMED, EventKind.CONTRACT_TERMINATED)
    },
    **{
        key: {"agreement": "ef" * 32, "since": "2026-12-31T00:00:00+00:00"}
        for key in (EventKind.CONTRACT_EXPIRED, EventKind.CONTRACT_SUPERSEDED)
    },
    EventKind.CONTRACT_FORGOTTEN: {"agreement": "ef" * 32, "fingerprint": "ab" * 32},
    EventKind.RELEASE_HIDDEN: {
        "release": "r1",
        "why": "suspended",
        "since": "2026-12-31T00:00:00+00:00",
    },
    EventKind.RELEASE_SHOWN: {"release": "r1"},
    EventKind.RELEASE_DELETED: {
        "release": "r1",
        "tables": {"订单": {"version": 0, "rows": 3, "files": 1, "sha256": "ef" * 32}},
        "agreement": "ef" * 32,
    },
    EventKind.REGISTRY_TRUSTED: {"digest": "ab" * 32, "version": 2, "root": 1},
    EventKind.KEY_CREATED: {
        "key": "ab" * 32,
        "party": "urn:uscc:91310000100000002D",
        "use": "contracts",
        "valid_from": "2026-01-01T00:00:00+00:00",
        "valid_until": "2027-01-01T00:00:00+00:00",
    },
    EventKind.KEY_REVOKED: {"key": "ab" * 32, "reason": "retired", "at": "2026-06-01T00:00:00+00:00"},
    EventKind.THRESHOLDS_CHANGED: {"digest": "ab" * 32, "values": {"level3LargestRisk": 0.1}},
}


def _event(kind: EventKind, **changes: Any) -> Event:
    contract = {} if kind in WITHOUT_CONTRACT else CONTRACT
    fields: dict[str, Any] = {
        "run_id": RUN,
        "subject": "r1",
        "facts": NEEDED.get(kind, {}),
        **contract,
        **changes,
    }
    return Event(kind=kind, **fields)


@pytest.mark.parametrize("kind", EventKind)
def test_each_kind_takes_what_it_needs(kind: EventKind) -> None:
    assert _event(kind).facts == NEEDED.get(kind, {})


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, facts in NEEDED.items() for name in facts])
def test_a_needed_fact_cant_be_left_out(kind: EventKind, name: str) -> None:
    facts = {other: value for other, value in NEEDED[kind].items() if other != name}
    with pytest.raises(LedgerError) as caught:
        _event(kind, facts=facts)
    assert caught.value.what == f"An event {kind} can't be recorded: {name} must be there."


def test_an_undeclared_fact_is_refused_and_not_repeated() -> None:
    with pytest.raises(LedgerError) as caught:
        _event(EventKind.RUN_FAILED, facts={**NEEDED[EventKind.RUN_FAILED], "Zhang San": "13800000000"})
    assert str(caught.value) == (
        "An event run.failed carries a fact that isn't declared. (step, error) "
        "docs/events.md lists what an event may carry; a row value never belongs in one."
    )


# What a careless caller might hand over: each holds a person, and each has to bounce off every text there is.
LEAKS = [
    "Zhang San",
    "张三",
    "Conversion Error: Could not convert string 'Zhang San' to INT32",
    "SELECT * FROM t WHERE name = 'Zhang San'",
    "zhang\nsan",
    "",
    "x" * 129,
    None,
    3,
    ["Zhang San"],
    {"name": "zhang"},
]


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (EventKind.RUN_FAILED, "step"),
        (EventKind.RUN_FAILED, "error"),
        (EventKind.RELEASE_STAGED, "release"),
        (EventKind.RELEASE_STAGED, "digest"),
        (EventKind.DATA_RECEIVED, "digest"),
        (EventKind.DATA_RECEIVED, "connector"),
        (EventKind.DATA_RECEIVED, "window"),
        (EventKind.CATALOG_READ, "releases"),
    ],
)
def test_free_text_is_refused_and_not_repeated(kind: EventKind, name: str, leak: object) -> None:
    with pytest.raises(LedgerError, match=f"An event {kind} can't be recorded: {name} must be") as caught:
        _event(kind, facts={**NEEDED[kind], name: leak})
    assert "zhang" not in str(caught.value).lower()
    assert "张" not in str(caught.value)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_subject_is_an_identifier(leak: object) -> None:
    with pytest.raises(LedgerError, match="subject must be an identifier"):
        _event(EventKind.RUN_STARTED, subject=leak)


def test_no_fact_can_hold_free_text() -> None:
    """Each declared type is walked: text in it is an identifier, a word, a digest, a time or a table's name."""

    def texts(of: FactType) -> set[str]:
        if isinstance(of, MapOf | ListOf):
            return texts(of.of)
        if isinstance(of, Record):
            return {text for _, part in of.fields for text in texts(part)}
        return {of.label}

    labels = {text for facts in FACTS.values() for fact in facts.values() for text in texts(fact.type)}
    assert labels == {"identifier", "word", "digest", "time or null", "name", "count", "number", "share"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "not a uuid"),
        ("run_id", RUN.upper()),
        ("run_id", 3),
        ("contract_id", ""),
        ("contract_id", "a\nb"),
        ("contract_version", ""),
        ("contract_digest", "cd"),
        ("contract_digest", "CD" * 32),
    ],
)
def test_who_and_what_is_checked(field: str, value: object) -> None:
    with pytest.raises(LedgerError, match=f"{field} must be"):
        _event(EventKind.RUN_STARTED, **{field: value})


def test_a_look_at_the_catalog_carries_no_contract() -> None:
    with pytest.raises(LedgerError, match="contract must be empty"):
        _event(EventKind.CATALOG_READ, **CONTRACT)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid EventKind"):
        Event(kind="run.dreamt", run_id=RUN, subject="r1")  # type: ignore[arg-type]


def test_data_sets_have_printable_names() -> None:
    assert DatasetRef("sluice://平台", "order lines").name == "order lines"
    for bad in (("", "a"), ("a", ""), ("a", "b\nc"), ("a", "x" * 129)):
        with pytest.raises(LedgerError):
            DatasetRef(*bad)


def test_facts_are_a_plain_copy_that_stays() -> None:
    rows: dict[str, int] = {"t": 3}
    event = _event(EventKind.DATA_RECEIVED, facts={"digest": "ab" * 32, "rows": rows})
    rows["t"] = 4
    assert event.facts["rows"] == {"t": 3}
    with pytest.raises(TypeError):
        event.facts["digest"] = ""  # type: ignore[index]
    share = _event(EventKind.DATA_ANONYMIZED, facts={"tables": {}, "ncp": np.float64(0.1)}).facts["ncp"]
    assert type(share) is float
    with pytest.raises(LedgerError, match="k must be count"):
        _event(EventKind.DATA_ANONYMIZED, facts={"tables": {}, "k": np.int64(5)})


MOMENT = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("of", "good", "bad"),
    [
        (Count(), [0, 1, MAX_INTEGER], [-1, True, 1.0, "1", None, MAX_INTEGER + 1]),
        (
            Amount(),
            [0, 0.05, MAX_INTEGER],
            [-1, True, "1", float("nan"), float("inf"), None, MAX_INTEGER + 1],
        ),
        (Share(), [0, 1, 0.5], [-0.1, 1.1, True, "0.5", float("nan"), float("inf"), None]),
        (DIGEST_TYPE, ["0f" * 32], ["0f" * 31, "0F" * 32, "0f" * 32 + "\n", b"0f" * 32]),
        (IDENTIFIER_TYPE, ["r1", "a/b:c@d+e-f_g.h"], ["", "-a", "a b", "a\n", "é", "x" * 129]),
        (WORD, ["QualityError", "completejourney"], ["1a", "a b", "a/b", "", "x" * 65]),
        (Name(), ["orders", "订单", "order lines"], ["", "a\tb", "x" * 129, "\ud800", 3]),
        (Bound(), [None, MOMENT, "2026-01-01T00:00:00Z"], ["2026-01-01T00:00:00", "yesterday", 3, ""]),
        (MapOf(Count()), [{}, {"订单": 3}], [{"t": "3"}, {3: 3}, {"a\n": 3}, [], None]),
        (ListOf(Count()), [[], [1, 2]], [[1, "2"], {}, None, (1,)]),
        (Record((("a", Count()),)), [{"a": 1}], [{}, {"a": "1"}, {"a": 1, "b": 1}, [], None]),
        (Record((("a", Bound()),), partial=True), [{}, {"a": None}, {"a": MOMENT}], [{"b": None}, {"a": 3}]),
    ],
    ids=lambda value: value.label if hasattr(value, "label") else None,
)
def test_each_type_of_fact(of: FactType, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert of.takes(value), value
        jsonschema.validate(value, of.schema())
    for value in bad:
        assert not of.takes(value), value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats(-1, 2)
    | st.sampled_from(["r1", "ab" * 32, "a b", "", MOMENT, "t"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["t", "订单", "sha256", "rows", "start", "end"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.sampled_from([fact.type for facts in FACTS.values() for fact in facts.values()]), JSON)
def test_what_the_code_takes_the_schema_takes(of: FactType, value: object) -> None:
    if of.takes(value):
        jsonschema.validate(value, of.schema(), cls=jsonschema.Draft202012Validator)


def test_the_schema_file_is_what_is_declared() -> None:
    file = ROOT / "audit" / "schemas" / "sluice-run-facet.json"
    assert json.loads(file.read_text(encoding="utf-8")) == facet_schema()
    jsonschema.Draft202012Validator.check_schema(facet_schema())
