"""Where an agreement lets the data go: all that it names, or nothing when anything in it is open."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.agreement.read import read_agreement
from contracts.regimes.crossborder import is_abroad
from contracts.regimes.places import territories_of
from tests.contracts.agreement.documents import limit, message


def changed(permission: int, constraints: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    """The message with another set of spatial constraints in one permission."""
    document = message()
    entry = document["agreement"]["permission"][permission]
    if constraints is not None:
        kept = [each for each in entry["constraint"] if each["leftOperand"] != "odrl:spatial"]
        entry["constraint"] = kept + constraints
    entry.update(more)
    return read_agreement(document)


def test_each_door_has_its_territories() -> None:
    both = changed(0, [limit("odrl:spatial", "isAnyOf", ["CN", "SG"])])
    assert territories_of(both, door="release") == ("CN", "SG")
    assert territories_of(both, door="query") == ("CN",)
    assert territories_of(both, door="query", seat="CN-HK") == ("CN", "CN-HK")
    assert not is_abroad(territories_of(both, door="query"))


@pytest.mark.parametrize(
    ("constraints", "more"),
    [
        ([], {}),
        ([limit("odrl:spatial", "isAnyOf", ["China"])], {}),
        ([limit("odrl:spatial", "isNoneOf", ["US"])], {}),
        (None, {"duty": [{"action": "odrl:inform"}]}),
        (None, {"action": "urn:else:release"}),
    ],
)
def test_what_is_open_or_unknown_is_nowhere_said(
    constraints: list[dict[str, Any]] | None, more: dict[str, Any]
) -> None:
    assert territories_of(changed(0, constraints, **more), door="release", seat="CN") == ()


def test_a_door_that_no_permission_opens_is_nowhere_said() -> None:
    document = message()
    del document["agreement"]["permission"][0]
    assert territories_of(read_agreement(document), door="release", seat="CN") == ()


def test_two_permissions_for_a_door_add_up() -> None:
    document = message()
    other = message()["agreement"]["permission"][0]
    other["constraint"] = [each for each in other["constraint"] if each["leftOperand"] != "odrl:spatial"]
    other["constraint"].append(limit("odrl:spatial", "eq", "SG"))
    document["agreement"]["permission"].append(other)
    assert territories_of(read_agreement(document), door="release") == ("CN", "SG")
