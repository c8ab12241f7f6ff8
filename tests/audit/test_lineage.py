from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing import Registry, Resource

from audit.events import FACTS, WITHOUT_CONTRACT, DatasetRef, Event, EventKind
from audit.facts import Amount, Bound, Count, FactType, ListOf, MapOf, Name, Record, Share, Text
from audit.lineage import facet_schema, from_openlineage, to_openlineage
from core.digest import canonical
from core.errors import LedgerError

ROOT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("SLUICE_VECTORS") or ROOT / "no-vectors") / "openlineage"
AT = datetime(2026, 11, 22, 8, 0, 0, 5, UTC)
SALT = bytes(range(16))

COUNTS = st.integers(0, 2**53 - 1)
SHARES = st.floats(0, 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9) | st.just("order lines")
IDS = st.from_regex(r"[a-z0-9][A-Za-z0-9._:/@+-]{0,9}", fullmatch=True)
WINDOWS = st.fixed_dictionaries(
    {}, optional={side: st.none() | st.just("2026-01-01T00:00:00+00:00") for side in ("start", "end")}
)


def _values(type_: FactType) -> st.SearchStrategy[Any]:
    """Anything that a fact of this type may be."""
    match type_:
        case Text():
            return st.from_regex(type_.pattern, fullmatch=True)
        case Bound():
            return st.none() | st.just("2026-12-31T00:00:00+00:00")
        case MapOf():
            return st.dictionaries(NAMES, _values(type_.of), max_size=3)
        case ListOf():
            return st.lists(_values(type_.of), max_size=3)
        case Record():
            fields = {name: _values(of) for name, of in type_.fields}
            return (
                st.fixed_dictionaries({}, optional=fields) if type_.partial else st.fixed_dictionaries(fields)
            )
    return {Name: NAMES, Count: COUNTS, Amount: COUNTS | SHARES, Share: SHARES}[type(type_)]


def _facts(kind: EventKind) -> st.SearchStrategy[dict[str, Any]]:
    declared = {name: (_values(fact.type), fact.needed) for name, fact in FACTS[kind].items()}
    return st.fixed_dictionaries(
        {name: values for name, (values, needed) in declared.items() if needed},
        optional={name: values for name, (values, needed) in declared.items() if not needed},
    )


REFS = st.lists(st.builds(DatasetRef, NAMES, NAMES), max_size=2).map(tuple)


@st.composite
def events(draw: Callable[..., Any]) -> Event:
    kind = draw(st.sampled_from(EventKind))
    contract = {"contract_id": draw(NAMES), "contract_version": "1.0.0", "contract_digest": draw(DIGESTS)}
    return Event(
        kind=kind,
        run_id=str(draw(st.uuids())),
        subject=draw(IDS),
        facts=draw(_facts(kind)),
        inputs=draw(REFS),
        outputs=draw(REFS),
        **({} if kind in WITHOUT_CONTRACT else contract),
    )


MOMENTS = st.datetimes(
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=8))), min_value=datetime(1900, 1, 2)
)


@settings(deadline=None)
@given(events(), MOMENTS, st.binary(min_size=16, max_size=16))
def test_any_event_goes_there_and_back_through_its_canonical_form(
    event: Event, at: datetime, salt: bytes
) -> None:
    document = json.loads(canonical(to_openlineage(event, at, salt)))
    recorded = from_openlineage(document)
    assert (recorded.event, recorded.at, recorded.salt) == (event, at, salt)
    assert canonical(to_openlineage(recorded.event, recorded.at, recorded.salt)) == canonical(document)


@pytest.fixture
def staged_document(staged: Callable[..., Event]) -> dict[str, Any]:
    return to_openlineage(staged(), AT, SALT)


def test_what_an_event_looks_like(staged_document: dict[str, Any]) -> None:
    """Pinned: old ledgers must go on to verify."""
    assert staged_document == {
        "eventType": "RUNNING",
        "eventTime": "2026-11-22T08:00:00.000005Z",
        "producer": "urn:sluice:ledger",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {
            "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, "orders_1")),
            "facets": {
                "sluice": {
                    "_producer": "urn:sluice:ledger",
                    "_schemaURL": "urn:sluice:schema:sluice-run-facet:1-0-0#/$defs/SluiceRunFacet",
                    "salt": "000102030405060708090a0b0c0d0e0f",
                    "kind": "release.staged",
                    "subject": "orders_1",
                    "contract": {"id": "订单 orders", "version": "1.0.0", "digest": "cd" * 32},
                    "facts": {
                        "release": "orders_1",
                        "digest": "ab" * 32,
                        "tables": {"订单": {"sha256": "ef" * 32, "rows": 3}},
                    },
                }
            },
        },
        "job": {"namespace": "sluice", "name": "订单 orders"},
        "inputs": [],
        "outputs": [{"namespace": "sluice://catalog", "name": "orders/订单"}],
    }


@pytest.mark.parametrize(("at", "salt"), [(datetime(2026, 1, 1), SALT), (AT, b""), (AT, bytes(15))])
def test_an_event_needs_a_zone_and_a_whole_salt(
    staged: Callable[..., Event], at: datetime, salt: bytes
) -> None:
    with pytest.raises(LedgerError):
        to_openlineage(staged(), at, salt)


def _set(path: tuple[str, ...], value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


FACET = ("run", "facets", "sluice")


@pytest.mark.parametrize(
    "change",
    [
        _set(("eventType",), "COMPLETE"),
        _set(("eventTime",), "2026-11-22T08:00:00Z"),  # the same moment, written otherwise
        _set(("eventTime",), 3),
        _set(("producer",), "urn:other"),
        _set(("more",), 1),
        _set(("run", "facets", "more"), {}),
        _set(("job", "name"), "other"),
        _set(("inputs",), [{"namespace": "a", "name": "b", "facets": {}}]),
        _set(("outputs",), None),
        _set((*FACET, "salt"), "00"),
        _set((*FACET, "salt"), "AA" * 16),
        _set((*FACET, "kind"), "run.dreamt"),
        _set((*FACET, "kind"), "data.received"),
        _set((*FACET, "facts", "more"), "Zhang San"),
        _set((*FACET, "facts", "tables"), []),
        _set((*FACET, "contract"), {}),
        _set((*FACET, "contract"), 3),
        _set(FACET, None),
    ],
)
def test_a_document_that_the_ledger_never_writes_is_refused(
    staged_document: dict[str, Any], change: Callable[[dict[str, Any]], None]
) -> None:
    changed = copy.deepcopy(staged_document)
    change(changed)
    with pytest.raises(LedgerError) as caught:
        from_openlineage(changed)
    assert "Zhang" not in str(caught.value)


@pytest.mark.parametrize("document", [None, [], 3, "", {}, {"run": []}])
def test_what_is_no_event_at_all_is_refused(document: object) -> None:
    with pytest.raises(LedgerError, match="isn't an event as the ledger writes them"):
        from_openlineage(document)


def _validator(schema: dict[str, Any], *others: dict[str, Any]) -> jsonschema.Draft202012Validator:
    registry: Registry[Any] = Registry().with_resources(
        [(other["$id"], Resource.from_contents(other)) for other in (schema, *others)]
    )
    return jsonschema.Draft202012Validator(
        schema, registry=registry, format_checker=jsonschema.FormatChecker()
    )


@settings(deadline=None)
@given(events())
def test_every_event_keeps_our_facets_schema(event: Event) -> None:
    facets = to_openlineage(event, AT, SALT)["run"]["facets"]
    validator = _validator(facet_schema())
    validator.validate(facets)
    facets["sluice"]["facts"]["name"] = "Zhang San"
    assert not validator.is_valid(facets)


# One line, in the summary that `-ra` prints, says what was left out.
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="1 conformance test left out: OpenLineage's schemas aren't in SLUICE_VECTORS"
)


@needs_vectors
@settings(deadline=None)
@given(event=events())
def test_every_event_conforms_to_openlineage_2_0_2(event: Event) -> None:
    schema = json.loads((VECTORS / "OpenLineage.json").read_text(encoding="utf-8"))
    # Our facet is held against its own schema and the standard's base facet at once.
    standard = _validator(schema)
    document = to_openlineage(event, AT, SALT)
    standard.validate(document)
    base = _validator(
        {"$schema": schema["$schema"], "$id": "urn:test", "$ref": f"{schema['$id']}#/$defs/RunFacet"}, schema
    )
    base.validate(document["run"]["facets"]["sluice"])
    del document["run"]["facets"]["sluice"]["_producer"]
    assert not standard.is_valid(document)
