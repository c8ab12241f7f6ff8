"""What Hypothesis draws for tests of agreements: any JSON, requests near what was agreed, and limits made tighter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from contracts.decision import Request
from tests.contracts.agreement.documents import ASSIGNER, NOW, OTHER, OWN, message, put, request

DOORS = ("release", "query", "train")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["@id", "odrl:purpose", "isAnyOf", "lteq", "10", "urn:x", OWN + "release", "P1M", "2027-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.text(max_size=5) | st.sampled_from(["@id", "@type", "@value", "constraint", "action", "leftOperand", "operator", "rightOperand", "odrl:action", "duty"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def every_path(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [each for step, item in steps for each in every_path(item, (*path, step))]
    return [*([path] if path else []), *inner]


PLACES = every_path(message())


# Requests near what was agreed, so that permits and denials both come up.
NEAR: dict[str, st.SearchStrategy[Any]] = {
    "minGroupSize": st.integers(8, 20),
    "diversity": st.integers(1, 4),
    "epsilonPerQuestion": st.sampled_from(["0", "0.25", "0.5", "0.75"]),
    "epsilonPerPeriod": st.sampled_from([0, 1, 2, 3]),
    "epsilonForLife": st.sampled_from([0, 4, 8, 9]),
    "deltaForLife": st.sampled_from([0, 1e-7, 1e-6, 1e-5]),
    "rounds": st.integers(15, 25),
    "minCohort": st.integers(1, 4),
    "algorithm": st.sampled_from(["logistic-newton", "histogram-gbdt", "x"]),
    "feature": st.lists(st.sampled_from(["age", "收入", "household_size", "x"]), min_size=1, max_size=3),
    "cohortPlatform": st.lists(st.sampled_from([ASSIGNER, OTHER]), min_size=1, max_size=2),
}


FIELDS_NEAR: dict[str, st.SearchStrategy[Any]] = {
    "purpose": st.sampled_from(["supply-chain-credit", "advertising"]),
    "grade": st.sampled_from(["LittleGiant", "Platform"]),
    "territory": st.sampled_from(["US"]),
    "combined_with": st.frozensets(st.sampled_from(["weather", "credit-scores", "holidays"]), max_size=2),
    "acts": st.frozensets(st.sampled_from(["distribute", "reidentify", "combine"]), max_size=1),
}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request that differs from what was agreed in two places at most."""
    door = draw(st.sampled_from(DOORS))
    near = sorted(NEAR.keys() & request(door).demands.keys())
    demands = {name: draw(NEAR[name]) for name in draw(st.lists(st.sampled_from(near), max_size=1))}
    fields = {
        name: draw(FIELDS_NEAR[name])
        for name in draw(st.lists(st.sampled_from(sorted(FIELDS_NEAR)), max_size=1))
    }
    return request(door, demands=demands, **fields)


MOMENTS = st.just(NOW) | st.datetimes(datetime(2026, 12, 1), datetime(2028, 2, 1), timezones=st.just(UTC))


TIMES = ["2026-12-31T16:00:00Z", "2027-01-01T00:00:00Z", "2027-05-01T00:00:00Z", "2027-12-31T15:59:59Z"]


@st.composite
def tightened(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message, and the same with one constraint of one permission tighter."""
    before, after = message(), message()
    permission = draw(st.integers(0, 2))
    constraints = before["agreement"]["permission"][permission]["constraint"]
    place = draw(st.integers(0, len(constraints) - 1))
    constraint = constraints[place]
    operator, value = constraint["operator"], constraint["rightOperand"]
    if operator == "isAnyOf":
        loose = draw(st.lists(st.sampled_from(value), min_size=1, unique=True))
        tight = draw(st.lists(st.sampled_from(loose), unique=True))
        operator = draw(st.sampled_from(["isAnyOf", "odrl:eq"])) if len(tight) == 1 else operator
    elif operator == "eq":
        assume(False)
    elif constraint["leftOperand"] == "odrl:dateTime":
        one, other = sorted(draw(st.lists(st.sampled_from(TIMES), min_size=2, max_size=2)))
        loose, tight = (one, other) if operator == "gteq" else (other, one)
        operator = draw(st.sampled_from(["lteq", "lt"])) if operator == "lteq" else operator
    else:
        numbers = sorted(draw(st.lists(st.integers(0, 30), min_size=2, max_size=2)))
        loose, tight = map(str, numbers if operator == "gteq" else reversed(numbers))
    path = ("agreement", "permission", permission, "constraint", place)
    put(before, path, {**constraint, "rightOperand": loose})
    put(after, path, {**constraint, "operator": operator, "rightOperand": tight})
    return before, after
