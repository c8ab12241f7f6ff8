"""The disclosure report beside a release: whole, in the log, and found out when it's changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audit.events import EventKind
from core.digest import file_digest
from core.errors import IntegrityError
from core.settings import Settings
from pipeline import route
from pipeline.attest import attest
from pipeline.home import Home
from privacy.report.report import DISCLOSURE, PAGE
from tests.shop import open_shop

STRICTER = "level3LargestRisk: {value: 0.01, reason: ours, who: steward, when: 2026-01-01}\n"


def test_the_page_and_the_numbers_go_with_the_release_and_into_the_log(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    text = shop.read_text(encoding="utf-8").replace("k: 4", "k: 5")  # level 3 asks for a risk of one in five
    shop.write_text(text, encoding="utf-8")
    home = Home.open(Settings(home=tmp_path / "home", contracts=shop.parent))
    release = route.run("small-shop", home=home).release
    documents = home.catalog.documents(release.release)
    report = json.loads(documents[DISCLOSURE].read_text(encoding="utf-8"))
    page = documents[PAGE].read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert f"<b>{report['k_reached']}</b>" in page
    facts = {event.kind: event.facts for event in map(home.ledger.event, range(home.ledger.size))}
    digests = {name: file_digest(documents[name]) for name in (DISCLOSURE, PAGE)}
    assert digests.items() <= facts[EventKind.RELEASE_STAGED]["documents"].items()
    assert facts[EventKind.DATA_ANONYMIZED]["disclosure"] == digests[DISCLOSURE]
    attest(home)
    documents[PAGE].write_text(page.replace("✗", "✓").replace("20.0%", "2.0%"), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"disclosure\.html"):
        attest(home)

    # Another hall, whose operator bears less risk: the same release doesn't reach the level there.
    own = tmp_path / "thresholds.yaml"
    own.write_text(STRICTER, encoding="utf-8")
    other = Home.open(replace(home.settings, home=tmp_path / "other", thresholds=own))
    stricter = other.catalog.documents(route.run("small-shop", home=other).release.release)[DISCLOSURE]
    assert (report["level"]["reached"], json.loads(stricter.read_text())["level"]["reached"]) == (3, 2)
