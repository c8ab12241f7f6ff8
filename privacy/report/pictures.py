"""The pictures of a disclosure report as SVG that stands inside a page: text as text, no script, nothing from elsewhere.

Only this module loads Altair and vl-convert: together they take half a second to import, and commands count milliseconds.

A picture is drawn once for all languages. What it draws are numbers and places for texts; texts are put into the finished
picture, so that no name ever reaches the drawing libraries. Keys to colours stand under the picture, as the page's own text.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any, TypeVar

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

WIDTH = 300  # of the plot; with its axis a picture still fits a telephone
_FONT = "system-ui, sans-serif"  # the page's own stack takes over, see `privacy.report.style`
_INK, _PALE, _WARM, _LINE = "#1f5f8b", "#b9c7d1", "#c2571a", "#8a949b"
_TABLES = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666")  # "dark2"
_ROW = 34  # height of one bar's row
_ROOM = 145  # for a name beside it, in pixels: 22 letters or 12 Han characters
_PLACE = 0xE000  # the first of the private characters that hold a text's place
_PLACES = re.compile("[\ue000-\uf8ff]")

_drew: int | None = None  # the process in which V8 was started

Row = tuple[str, str, float]  # what, which of the series, value
Interval = tuple[str, str, float, float, float]  # what, which of the series, rate, low, high
Draw = TypeVar("Draw", bound=Callable[..., str])


def _unchecked(draw: Draw) -> Draw:
    """Without Altair's check of each part of a chart: it takes a third of the time, and Vega-Lite refuses what is wrong."""
    unchecked: Draw = debug_mode(False)(draw)
    return unchecked


def bars(rows: Sequence[Row], *, series: Sequence[str], alt_text: str, limit: float | None = None) -> str:
    """Bars from 0 to 1, one or two for each name. rows: (what, which of the series, value). limit: a line across all."""
    names = _short(what for what, _, _ in rows)
    places = {what: number for number, what in enumerate(names)}
    drawn = _bars(tuple((places[what], series.index(which), value) for what, which, value in rows), len(series), limit)  # fmt: skip
    colours = (_PALE, _INK)[-len(series) :]
    return _said(drawn, list(names.values()), alt_text) + _keys(series, colours)


def curve(points: Sequence[tuple[int, float]], *, chosen: int | None, x: str, y: str, alt_text: str) -> str:
    """Loss against k on a logarithmic scale. chosen: the k that the contract has, as a line."""
    return _said(_curve(tuple(points), chosen), [x, y], alt_text)


def unicity(tables: Mapping[str, Sequence[float]], *, limit: float, x: str, y: str, alt_text: str) -> str:
    """Share of units that so many known points single out, a line for each table."""
    drawn = _unicity(tuple(tuple(shares) for shares in tables.values()), limit)
    keys = _keys(list(tables), [_TABLES[n % len(_TABLES)] for n in range(len(tables))])
    return _said(drawn, [x, y], alt_text) + (keys if len(tables) > 1 else "")


def intervals(rows: Sequence[Interval], *, series: Sequence[str], alt_text: str) -> str:
    """Rates as points with their intervals, 0 to 1. rows: (what, which of the series, rate, low, high)."""
    names = _short(row[0] for row in rows)
    places = {what: number for number, what in enumerate(names)}
    drawn = _intervals(tuple((places[what], series.index(which), *numbers) for what, which, *numbers in rows), len(series))  # fmt: skip
    return _said(drawn, list(names.values()), alt_text) + _keys(series, (_LINE, _WARM))


@lru_cache(maxsize=8)
@_unchecked
def _bars(rows: tuple[tuple[int, int, float], ...], series: int, limit: float | None) -> str:
    large = max((value for *_, value in rows), default=0) > 0.5
    scale = {"domain": [0, 1]} if large else {"domainMin": 0}
    chart: Any = (
        alt.Chart(_inline({"what": _place(what), "which": which, "value": value} for what, which, value in rows))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=None, scale=alt.Scale(**scale), axis=_shares(None if large else 4)),
            y=_named(rows),
            yOffset=alt.YOffset("which:O"),
            color=_coloured("which:O", (_PALE, _INK)[-series:]),
        )
    )  # fmt: skip
    if limit is not None:
        chart = chart + _rule(limit, "x")
    return _svg(chart, width=WIDTH - 110, height=max(60, _ROW * (1 + max(what for what, *_ in rows))))


@lru_cache(maxsize=8)
@_unchecked
def _curve(points: tuple[tuple[int, float], ...], chosen: int | None) -> str:
    base = alt.Chart(_inline({"k": k, "loss": loss} for k, loss in points)).encode(
        x=alt.X(
            "k:Q",
            title=_place(0),
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=[2, 5, 10, 20, 50, 100]),
        ),
        y=alt.Y("loss:Q", title=_place(1), scale=alt.Scale(domainMin=0), axis=_shares(5)),
    )
    chart: Any = base.mark_line(color=_INK) + base.mark_point(color=_INK, filled=True, size=36)
    if chosen is not None and points and points[0][0] <= chosen <= points[-1][0]:
        chart = chart + _rule(chosen, "x")
    return _svg(chart, width=WIDTH, height=190)


@lru_cache(maxsize=8)
@_unchecked
def _unicity(tables: tuple[tuple[float, ...], ...], limit: float) -> str:
    base = alt.Chart(
        _inline(
            {"table": table, "points": points, "share": share}
            for table, shares in enumerate(tables)
            for points, share in enumerate(shares, start=1)
        )
    ).encode(
        x=alt.X("points:O", title=_place(0), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share:Q", title=_place(1), scale=alt.Scale(domain=[0, 1]), axis=_shares(5)),
        color=_coloured("table:O", [_TABLES[n % len(_TABLES)] for n in range(len(tables))]),
    )
    chart: Any = base.mark_line() + base.mark_point(filled=True, size=36) + _rule(limit, "y")
    return _svg(chart, width=WIDTH, height=190)


@lru_cache(maxsize=8)
@_unchecked
def _intervals(rows: tuple[tuple[int, int, float, float, float], ...], series: int) -> str:
    fields = ("which", "rate", "low", "high")
    base = alt.Chart(
        _inline({"what": _place(row[0]), **dict(zip(fields, row[1:], strict=True))} for row in rows)
    ).encode(
        y=_named(rows), yOffset=alt.YOffset("which:O"), color=_coloured("which:O", (_LINE, _WARM)[:series])
    )
    scale = alt.Scale(domain=[0, 1])
    chart: Any = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=None, scale=scale, axis=_shares()), x2=alt.X2("high:Q")
    ) + base.mark_point(filled=True, size=50, opacity=1).encode(x=alt.X("rate:Q", scale=scale))
    return _svg(chart, width=WIDTH - 110, height=max(60, _ROW * (1 + max(what for what, *_ in rows))))


def _inline(values: Iterable[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(values))


def _place(number: int) -> str:
    """What stands in a drawing for a text until that is known."""
    return chr(_PLACE + number)


def _short(names: Iterable[str]) -> dict[str, str]:
    """Each name as it's written in a picture: cut where there's no room for it, and no two the same."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        room: float = _ROOM
        short = ""
        for sign in name:
            room -= 12 if unicodedata.east_asian_width(sign) in "WF" else 6.5
            if room < 0:
                short += "…"
                break
            short += sign
        while short in found.values():
            short += "′"
        found[name] = short
    return found


def _named(rows: Sequence[tuple[Any, ...]]) -> alt.Y:
    # A fixed room for names, wider than the names as drawn: a reader's font may be wider than that of whoever draws.
    axis = alt.Axis(minExtent=155, maxExtent=155, labelPadding=6, ticks=False, domain=False)
    return alt.Y("what:N", title=None, sort=[_place(what) for what in sorted({row[0] for row in rows})], axis=axis)  # fmt: skip


def _shares(ticks: int | None = None) -> alt.Axis:
    """About so many ticks; None: nothing, half and all."""
    return alt.Axis(format="~%", tickCount=ticks) if ticks else alt.Axis(format="~%", values=[0, 0.5, 1])


def _coloured(field: str, colours: Sequence[str]) -> alt.Color:
    return alt.Color(
        field, scale=alt.Scale(domain=list(range(len(colours))), range=list(colours)), legend=None
    )


def _rule(at: float, channel: str) -> Any:
    place = alt.X("at:Q") if channel == "x" else alt.Y("at:Q")
    return (
        alt.Chart(_inline([{"at": at}]))
        .mark_rule(color=_WARM, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(place)
    )


def _svg(chart: Any, *, width: int, height: int) -> str:
    """The picture, with places for its texts. Its own English descriptions are left out; see `_said`."""
    spec = (
        chart.properties(width=width, height=height)
        .configure(font=_FONT, aria=False, background="transparent")
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#e3e8eb")
        .configure_view(stroke=None)
        .to_dict()
    )
    drawn = _drawn(spec)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert size is not None  # every SVG of Vega has one
    # Inside HTML an SVG needs no namespace, and so no address stands in the page.
    return f'viewBox="0 0 {size[1]} {size[2]}">{drawn[drawn.index(">") + 1 :]}'


def _drawn(spec: dict[str, Any]) -> str:
    """The SVG of a chart. V8's threads don't survive a fork: in a child of a process that has drawn, another process draws."""
    global _drew
    if _drew in (None, os.getpid()):
        _drew = os.getpid()
        return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    code = "import json, sys, vl_convert as v; print(v.vegalite_to_svg(json.load(sys.stdin), allowed_base_urls=[]))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], input=json.dumps(spec), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _said(drawn: str, texts: Sequence[str], alt_text: str) -> str:
    """A drawing with its texts. alt_text: says in the page's language what it shows."""
    whole = _PLACES.sub(lambda found: escape(texts[ord(found[0]) - _PLACE]), drawn)
    return f'<svg role="img" aria-label="{escape(alt_text)}" {whole}'


def _keys(texts: Sequence[str], colours: Sequence[str]) -> str:
    """Which colour is what."""
    each = (
        f'<span><i style="background:{colour}"></i>{escape(text)}</span>'
        for text, colour in zip(texts, colours, strict=True)
    )
    return f'<div class="keys">{"".join(each)}</div>'
