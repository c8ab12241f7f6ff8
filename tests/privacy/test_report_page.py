"""The page of a disclosure report: whole in both languages, harmless whatever a name is, and the same each time."""

from __future__ import annotations

import json
import multiprocessing
import re
import string
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from xml.etree import ElementTree

import altair
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.facts.beside import Together
from privacy.report import pictures
from privacy.report.page import page
from privacy.report.parts import Assessed, Limit, Suspect
from privacy.report.pictures import bars
from privacy.report.report import Beside, DisclosureReport
from privacy.report.sections import limits
from privacy.report.tongue import Tongue
from privacy.report.words import WORDS
from tests.privacy.test_report import CELLS, RISK, report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg><script src='https://evil.example/x.js'>",
    "a&amp;b ]]> -- {key} {0} %s \\",
    "nul\x00 bell\x07 turned\u202eeman",
    "年龄" * 80,
)


def as_json(made: DisclosureReport) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(made.as_json()))
    return value


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return as_json(report())


def tree(html: str) -> ElementTree.Element:
    assert html.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def renamed(made: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The report with `name` wherever a contract's author can write one."""
    value = json.loads(json.dumps(made))
    value["contract_id"] = value["contract_version"] = name
    value["subjects"]["table"] = name
    value["rows"], value["cells"] = {name: 1}, {name: value["cells"]["baskets"]}
    value["unicity"] = {name: value["unicity"]["trips"]}
    value["measures"]["utility"] |= {"ncp_by_column": {name: 0.5}, "shift_by_column": {name: 0.25}}
    for each in value["measures"]["attacks"]:
        each["column"] = name if each["column"] is not None else None
    return value


def of_a_file(name: str = "treated.csv") -> dict[str, Any]:
    """The report of a file that somebody else made, with `name` for it and for each of its columns."""
    measured = report().measures
    assert measured is not None
    limits = (
        Limit(name="k", column=None, asked=5, reached=6, kept=True),
        Limit(name="t", column=name, asked=0.3, reached=0.412, kept=False),
        Limit(name="maxUnicity", column=None, asked=0.05, reached=0.04, kept=True),
    )
    found = Assessed(
        file=name,
        counted_by=name,
        shown=(name,),
        missing=(name,),
        held_back=(name,),
        undeclared=(name,),
        personal=(Suspect(column=name, kind="mobile", share=0.25),),
        limits=limits,
    )
    nothing_lost = replace(RISK, suppressed_units=None, suppressed_rows=None, ncp=None, unique_before=None)
    return as_json(
        replace(
            report(),
            subjects=nothing_lost,
            measures=replace(measured, before=None, utility=None, frontier=None),
            assessed=found,
        )
    )


def test_it_is_well_formed_and_says_everything_in_both_languages(made: dict[str, Any]) -> None:
    root = tree(page(made, language="zh"))
    chinese, english = root.findall(".//main")
    assert (chinese.get("lang"), english.get("lang")) == ("zh-CN", "en")
    for heading in ("h2", "svg", "tr", "li", "p"):
        assert len(chinese.findall(f".//{heading}")) == len(english.findall(f".//{heading}")) > 0
    assert len(chinese.findall(".//svg")) == 5
    for svg in root.findall(".//svg"):
        assert svg.get("aria-label")
        assert svg.findall(".//text"), "text as text, not outlines"


@pytest.mark.parametrize(("language", "tag"), [("zh", "zh-CN"), ("en", "en")])
def test_the_language_asked_for_is_shown_first(made: dict[str, Any], language: str, tag: str) -> None:
    root = tree(page(made, language=language))
    assert root.get("lang") == tag
    (checked,) = [each.get("id") for each in root.iter("input") if each.get("checked")]
    assert checked == f"pick-{language}"


def test_it_loads_and_runs_nothing(made: dict[str, Any]) -> None:
    html = page(made)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|@font-face|javascript:", html)
    root = tree(html)
    assert not {each.tag for each in root.iter()} & {
        "script",
        "link",
        "iframe",
        "img",
        "object",
        "form",
        "a",
        "image",
    }
    assert not [
        name
        for each in root.iter()
        for name in each.attrib
        if name.startswith("on") or name in ("src", "href")
    ]
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(made: dict[str, Any], name: str) -> None:
    plain, hostile = tree(page(made)), tree(page(renamed(made, name)))
    assert not {each.tag for each in hostile.iter()} - {each.tag for each in plain.iter()}
    shown = [each.text for each in hostile.iter("bdi")]
    assert Tongue.clean(name) in shown
    assert not [
        key
        for each in hostile.iter()
        for key in each.attrib
        if key.startswith("on") or key in ("src", "href")
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_a_file_or_its_columns_stays_text(name: str) -> None:
    plain, hostile = tree(page(of_a_file())), tree(page(of_a_file(name)))
    assert [each.tag for each in hostile.iter()] == [each.tag for each in plain.iter()]
    assert [each.text for each in hostile.iter("bdi")].count(Tongue.clean(name)) == 16


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_any_name_is_well_formed_and_reads_as_it_was_cleaned(name: str) -> None:
    # A line's end is the same to XML however it's written; all of them are cleaned away as control characters.
    assert (ElementTree.fromstring(Tongue.name(name)).text or "") == Tongue.clean(name)


def test_names_that_are_cut_are_still_told_apart(made: dict[str, Any]) -> None:
    """Long ones, ones alike up to the cut, and signs that take two code units where Vega counts."""
    names = (
        ["x" * 60 + str(number) for number in range(3)]
        + ["𠮷" * number for number in range(9, 16)]
        + ["😀" * 30]
    )
    value = json.loads(json.dumps(made))
    value["measures"]["utility"]["ncp_by_column"] = dict.fromkeys(names, 0.5)
    value["measures"]["utility"]["shift_by_column"] = dict.fromkeys(names, 0.5)
    svg = tree(page(value)).findall(".//svg")[1]
    shown = [text.text or "" for text in svg.iter("text")]
    assert (
        len([each for each in shown if each[:1] in "x𠮷😀"])
        == len(set(shown) & {each for each in shown if each[:1] in "x𠮷😀"})
        == len(names)
    )
    assert "𠮷" * 12 in shown


def test_every_text_is_there_in_both_languages_with_the_same_places_for_numbers() -> None:
    for key, text in WORDS.items():
        assert text.zh.strip(), key
        assert text.en.strip(), key
        places = [{name for _, name, *_ in string.Formatter().parse(each) if name} for each in text]
        assert places[0] == places[1], key
        assert re.search("[\u4e00-\u9fff]", text.zh), key
        assert not re.search("[\u4e00-\u9fff]", text.en), key


def test_no_chinese_stands_in_the_english_half_and_no_text_lacks_its_number(made: dict[str, Any]) -> None:
    chinese, english = tree(page(made)).findall(".//main")
    assert not re.search("[\u4e00-\u9fff]", "".join(english.itertext()))
    for half in (chinese, english):
        assert not re.search(r"[{}]|None|nan", "".join(half.itertext()))


def test_the_same_report_gives_the_same_page(made: dict[str, Any]) -> None:
    assert page(made) == page(json.loads(json.dumps(made)))


def test_what_was_reached_stands_beside_what_was_asked(made: dict[str, Any]) -> None:
    assert set(limits(made).values()) == {True}
    text = "".join(tree(page(made)).findall(".//main")[1].itertext())
    assert "This release keeps every limit that the contract sets." in text
    assert "at least so many persons stand behind anything published; asked: 5" in text
    assert "This release reaches level 3." in text


@pytest.mark.parametrize("change", [
    {"k_limit": 6}, {"l_limit": 3}, {"max_suppressed": 0.04}, {"level": {"reached": 2, "asked": 3}},
    {"unicity": {"trips": {"shares": [0.0, 0.06], "units": 9, "points": 2, "limit": 0.05}}},
])  # fmt: skip
def test_a_limit_that_is_broken_is_told(made: dict[str, Any], change: dict[str, Any]) -> None:
    text = "".join(tree(page({**made, **change})).findall(".//main")[1].itertext())
    assert "This release breaks a limit of the contract." in text
    assert "✗" in text


def test_a_file_that_somebody_else_made_is_told_as_such() -> None:
    chinese, english = ("".join(half.itertext()) for half in tree(page(of_a_file())).findall(".//main"))
    assert "This file is not what the contract lets out." in english
    for said in ("0.412 ✗", "6 ✓", "4.0% ✓", "treated.csv (mobile, 25.0%) ✗", "What is in the file"):
        assert said in english
    for absent in ("This release keeps", "Before", "Not measured for this release", "Persons left out"):
        assert absent not in english
    assert "该文件不符合合同约定" in chinese
    assert not re.search(r"[{}]|None|nan", chinese + english)
    limits_kept = of_a_file()
    limits_kept["assessed"] |= {"limits": [], "held_back": [], "undeclared": [], "personal": []}
    assert "This file keeps every limit that the contract sets" in page(limits_kept)


def test_what_other_live_releases_add_is_told_where_there_are_any(made: dict[str, Any]) -> None:
    assert "live releases" not in page(made)
    value = {**made, "beside": asdict(Beside(live=2, persons=1400, exposed=3, smallest=4, k=5, held=7))}
    text = "".join(tree(page(value)).findall(".//main")[1].itertext())
    for said in (
        "There are 2 other live releases",
        "in any of them1,400",
        "exposed3",
        "can’t be shown so yet (in steps of k: this many or more)7",
    ):
        assert said in text


def test_what_other_tables_of_cells_add_is_told_where_there_are_any(made: dict[str, Any]) -> None:
    counted = {"facts": 90, "cells": 4, "smallest": 5, "suppressed_facts": 0}
    together = asdict(Together(live=2, persons=1400, exposed=0, k=5))
    value = {
        **made,
        "cells": {"orders": {**counted, "beside": together}, "clicks": {**counted, "beside": None}},
    }
    chinese, english = tree(page(value)).findall(".//main")
    for text, said in ((english, "gives should be of at least 5 persons"), (chinese, "应至少有 5 人")):
        assert said in "".join(text.itertext())
    assert "orders21,4000" in "".join(english.itertext())


def test_what_other_tables_of_rows_add_is_told_where_there_are_any(made: dict[str, Any]) -> None:
    together = {"live": 1, "points": 3, "limit": 0.25, "reached": {"share": 0.2, "low": 0.1, "high": 0.22}}
    value = {**made, "facts": {"trips": {"beside": together}, "clicks": {"beside": None}}}
    chinese, english = tree(page(value)).findall(".//main")
    assert "trips1320.0%≤ 25.0%" in "".join(english.itertext())
    assert "把它们并排阅读" in "".join(chinese.itertext())


def test_what_earlier_releases_add_to_rows_is_told_where_there_are_any(made: dict[str, Any]) -> None:
    together = {"live": 4, "points": 3, "limit": 0.25, "reached": {"share": 0.2, "low": 0.1, "high": 0.22}}
    value = {**made, "facts": {"trips": {"beside": None, "earlier": together}}}
    chinese, english = tree(page(value)).findall(".//main")
    said = "".join(english.itertext())
    assert "trips4320.0%≤ 25.0%" in said
    assert "side by side" not in said
    assert "沿着假名" in "".join(chinese.itertext())


def test_each_picture_is_drawn_once_and_no_name_reaches_who_draws(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = pictures.vl_convert.vegalite_to_svg

    def watched(spec: Any, **options: Any) -> str:
        drawn.append(json.dumps(spec, ensure_ascii=False))
        svg: str = draw(spec, **options)
        return svg

    monkeypatch.setattr(pictures.vl_convert, "vegalite_to_svg", watched)
    for each in ("_bars", "_curve", "_unicity", "_intervals"):
        getattr(pictures, each).cache_clear()
    html = page(renamed(made, "Zhang"))
    assert html.count("Zhang") > 10
    assert len(drawn) == 5  # for both languages
    for spec in drawn:
        assert set(json.loads(spec)) == {"config", "layer", "width", "height"}
        altair.LayerChart.from_dict(json.loads(spec), validate=True)  # against the schema of Vega-Lite
    assert not re.search("Zhang|prosecutor|[一-鿿]", "".join(drawn))


def test_what_no_release_protects_from_is_on_every_page(made: dict[str, Any]) -> None:
    for value in (
        made,
        as_json(replace(report(), subjects=None, measures=None, cells={}, unicity={}, level=None)),
    ):
        chinese, english = ("".join(half.itertext()) for half in tree(page(value)).findall(".//main"))
        for word in ("Background knowledge", "Other releases", "Collusion", "Inference from the population"):
            assert word in english
        for word in ("背景知识", "其他发布", "串通", "统计推断"):
            assert word in chinese


def test_a_report_from_before_there_were_measures_has_a_page() -> None:
    old = as_json(replace(report(), measures=None))
    for key in ("measures", "unicity", "level"):
        del old[key]
    text = "".join(tree(page(old)).findall(".//main")[1].itertext())
    assert "Not measured for this release." in text


@pytest.mark.parametrize("subjects", [None, replace(RISK, units=0, rows=0, classes=0, k=0, l=None)])
def test_cells_alone_and_nobody_at_all_have_a_page(subjects: Any) -> None:
    for cells in ({}, {"baskets": CELLS}, {"baskets": replace(CELLS, facts=0, cells=0, smallest=0)}):
        value = as_json(
            replace(report(), subjects=subjects, cells=cells, measures=None, k_limit=None, l_limit=None)
        )
        assert "No rows of persons are published." in page(value)


def test_a_share_never_looks_like_nothing_or_all_when_it_is_not() -> None:
    assert [Tongue.share(each) for each in (0.0, 1e-9, 0.001, 0.5, 0.9999, 1.0)] == [
        "0.0%", "&lt;0.1%", "0.1%", "50.0%", "&gt;99.9%", "100%",
    ]  # fmt: skip


def test_a_control_and_a_population_are_shown_where_there_are(made: dict[str, Any]) -> None:
    value = json.loads(json.dumps(made))
    value["measures"]["attacks"][-1]["control"] = {
        "attempts": 50, "successes": 21, "rate": 0.4242, "low": 0.3, "high": 0.6,
    }  # fmt: skip
    value["measures"]["after"] |= {"population": True, "journalist_largest": 0.0123}
    html = page(value)
    assert "42.4%" in html
    assert "1.2%" in html
    assert "No population was given" not in html
    assert "No population was given" in page(made)


def test_who_only_reads_reports_loads_no_drawing_library() -> None:
    code = (
        "import sys; import privacy.anonymize, privacy.report.level; "
        "sys.exit(bool({'altair', 'vl_convert', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_child_of_a_process_that_has_drawn_draws_as_well() -> None:
    """V8's threads don't survive a fork: where a pool of processes publishes, the page must not wait for ever."""
    draw_one("here")
    child = multiprocessing.get_context("fork").Process(target=draw_one, args=("in a child",))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def draw_one(name: str) -> None:
    assert "<svg" in bars([(name, "s", 0.5)], series=["s"], alt_text=name)
