"""What a decision costs: each door's request held against an agreement of three doors, all its clauses kept.

    python -m benchmarks.decide [--repeat 9] [--json]

The floor is what no decision can go below: one look-up by key in a dict for each constraint of the door's permission.
Best of the repeats, in one process; `wide` asks for 500 features of 500. Exits 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from contracts.agreement.message import DoorTerms, Terms, agreement_document
from contracts.agreement.read import read_agreement
from contracts.agreement.vocabulary import Door
from contracts.decision import Permit, Request, decide

LIMIT_US = 50.0
ASSIGNER, ASSIGNEE = "91110000100000001W", "91310000100000002D"
NOW = datetime(2027, 3, 1, tzinfo=UTC)
FEATURES = tuple(f"feature_{i}" for i in range(500))
_CALLS = 2000
_BUDGET = {"epsilonForLife": "8", "deltaForLife": "0.000001", "privacyUnit": "whole-record"}
_LIMITS: dict[Door, dict[str, object]] = {
    Door.RELEASE: {"minGroupSize": 10, "diversity": 2},
    Door.QUERY: {"minGroupSize": 10, "epsilonPerQuestion": "0.5", "epsilonPerPeriod": "2", "epsilonPeriod": "P1M", **_BUDGET},
    Door.TRAIN: {
        "rounds": 20, "algorithm": ["logistic-newton"], "cohortPlatform": [ASSIGNER], "minCohort": 2, "feature": FEATURES,
        "label": "redeemed", **_BUDGET,
    },
}  # fmt: skip


def terms() -> Terms:
    """An agreement that opens all three doors, with every limit that a door needs."""
    return Terms(
        target="urn:sluice:contract:grocery:1.0.0",
        doors=tuple(
            DoorTerms(
                door=door,
                purposes=("demand-forecast",),
                start=NOW - timedelta(30),
                end=NOW + timedelta(300),
                territories=("CN",),
                grades=("SME",),
                limits=limits,  # type: ignore[arg-type]
            )
            for door, limits in _LIMITS.items()
        ),
        not_combined_with=("credit-scores",),
        delete_within_days=90,
        report_every="P1M",
    )


def asked(door: Door, **demands: object) -> Request:
    """A request within the limits."""
    return Request(
        door=door,
        assignee=ASSIGNEE,
        grade="SME",
        purpose="demand-forecast",
        territory="CN",
        demands={**_LIMITS[door], **demands},
    )


def best_us(call: Callable[[], object], repeat: int) -> float:
    """Microseconds of one call, the best of the repeats."""
    return min(timeit.repeat(call, number=_CALLS, repeat=repeat)) / _CALLS * 1e6


def measure(repeat: int) -> dict[str, dict[str, float]]:
    """Per door: microseconds of a decision, of the floor, and how many times the floor it is."""
    document = agreement_document(
        terms(),
        agreement_id="urn:uuid:a",
        assigner=ASSIGNER,
        assignee=ASSIGNEE,
        timestamp=NOW - timedelta(60),
        provider_pid="urn:uuid:p",
        consumer_pid="urn:uuid:c",
    )
    agreement = read_agreement(document)
    requests = {str(door): asked(door, feature=frozenset(FEATURES[:8])) for door in Door}
    requests["wide"] = asked(Door.TRAIN, feature=frozenset(FEATURES))
    found = {}
    for name, request in requests.items():
        decision = decide(request, agreement, NOW)
        if not isinstance(decision, Permit):
            raise SystemExit(f"{name} was denied: {decision}")
        permission = next(each for each in agreement.permissions if each.clause == decision.clause)
        names = [each.operand.name for each in permission.constraints]
        demands = dict(request.demands)

        def floor(names: list[str] = names, demands: dict[str, object] = demands) -> None:
            for each in names:
                demands.get(each)

        def decision_of(request: Request = request) -> object:
            return decide(request, agreement, NOW)

        decision_us, floor_us = best_us(decision_of, repeat), best_us(floor, repeat)
        found[name] = {"decision_us": decision_us, "floor_us": floor_us, "ratio": decision_us / floor_us}
    return found


def main() -> None:
    """Measures and prints; exits 1 when a decision takes longer than the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.repeat)
    if given.json:
        print(json.dumps(found))
    else:
        for name, each in found.items():
            print(
                f"{name:8} {each['decision_us']:6.1f} us, {each['ratio']:4.0f} x the floor of {each['floor_us']:.2f} us"
            )
    sys.exit(any(each["decision_us"] > LIMIT_US for each in found.values()))


if __name__ == "__main__":
    main()
