"""The pictures of a disclosure report as SVG that stands inside a page: text as text, no script, nothing from elsewhere.

Only this module loads vl-convert. Charts are Vega-Lite's own JSON: to build the four of them by Altair took as long as to draw
them, most of it Altair's import. The tests hold them against Altair's copy of the schema.

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
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import vl_convert

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
Json = dict[str, Any]


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
def _bars(rows: tuple[tuple[int, int, float], ...], series: int, limit: float | None) -> str:
    large = max((value for *_, value in rows), default=0) > 0.5
    bar = _layer(
        "bar",
        ({"what": _place(what), "which": which, "value": value} for what, which, value in rows),
        x=_number(
            "value",
            title=None,
            scale={"domain": [0, 1]} if large else {"domainMin": 0},
            axis=_shares(None if large else 4),
        ),
        y=_named(rows),
        yOffset={"field": "which", "type": "ordinal"},
        color=_coloured("which", (_PALE, _INK)[-series:]),
    )
    layers = [bar] if limit is None else [bar, _rule(limit, "x")]
    return _svg(layers, width=WIDTH - 110, height=max(60, _ROW * (1 + max(what for what, *_ in rows))))


@lru_cache(maxsize=8)
def _curve(points: tuple[tuple[int, float], ...], chosen: int | None) -> str:
    values = [{"k": k, "loss": loss} for k, loss in points]
    x = _number(
        "k",
        title=_place(0),
        scale={"type": "log", "nice": False},
        axis={"values": [2, 5, 10, 20, 50, 100]},
    )
    y = _number("loss", title=_place(1), scale={"domainMin": 0}, axis=_shares(5))
    layers = [
        _layer("line", values, {"color": _INK}, x=x, y=y),
        _layer("point", values, {"color": _INK, "filled": True, "size": 36}, x=x, y=y),
    ]
    if chosen is not None and points and points[0][0] <= chosen <= points[-1][0]:
        layers.append(_rule(chosen, "x"))
    return _svg(layers, width=WIDTH, height=190)


@lru_cache(maxsize=8)
def _unicity(tables: tuple[tuple[float, ...], ...], limit: float) -> str:
    values = [
        {"table": table, "points": points, "share": share}
        for table, shares in enumerate(tables)
        for points, share in enumerate(shares, start=1)
    ]
    x = {"field": "points", "type": "ordinal", "title": _place(0), "axis": {"labelAngle": 0}}
    y = _number("share", title=_place(1), scale={"domain": [0, 1]}, axis=_shares(5))
    color = _coloured("table", [_TABLES[n % len(_TABLES)] for n in range(len(tables))])
    layers = [
        _layer("line", values, x=x, y=y, color=color),
        _layer("point", values, {"filled": True, "size": 36}, x=x, y=y, color=color),
        _rule(limit, "y"),
    ]
    return _svg(layers, width=WIDTH, height=190)


@lru_cache(maxsize=8)
def _intervals(rows: tuple[tuple[int, int, float, float, float], ...], series: int) -> str:
    fields = ("which", "rate", "low", "high")
    values = [{"what": _place(row[0]), **dict(zip(fields, row[1:], strict=True))} for row in rows]
    places = {
        "y": _named(rows),
        "yOffset": {"field": "which", "type": "ordinal"},
        "color": _coloured("which", (_LINE, _WARM)[:series]),
    }
    scale = {"domain": [0, 1]}
    low = _number("low", title=None, scale=scale, axis=_shares())
    layers = [
        _layer("rule", values, {"strokeWidth": 2}, x=low, x2={"field": "high"}, **places),
        _layer("point", values, {"filled": True, "size": 50, "opacity": 1}, x=_number("rate", scale=scale), **places),
    ]  # fmt: skip
    return _svg(layers, width=WIDTH - 110, height=max(60, _ROW * (1 + max(what for what, *_ in rows))))


def _layer(kind: str, values: Iterable[Json], look: Json | None = None, **encoding: Json) -> Json:
    """One layer of a chart. look: properties of its marks."""
    return {"data": {"values": list(values)}, "mark": {"type": kind, **(look or {})}, "encoding": encoding}


def _number(field: str, **more: Any) -> Json:
    return {"field": field, "type": "quantitative", **more}


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


def _named(rows: Sequence[tuple[Any, ...]]) -> Json:
    # A fixed room for names, wider than the names as drawn: a reader's font may be wider than that of whoever draws.
    axis = {"minExtent": 155, "maxExtent": 155, "labelPadding": 6, "ticks": False, "domain": False}
    sort = [_place(what) for what in sorted({row[0] for row in rows})]
    return {"field": "what", "type": "nominal", "title": None, "sort": sort, "axis": axis}


def _shares(ticks: int | None = None) -> Json:
    """About so many ticks; None: nothing, half and all."""
    return {"format": "~%", **({"tickCount": ticks} if ticks else {"values": [0, 0.5, 1]})}


def _coloured(field: str, colours: Sequence[str]) -> Json:
    scale = {"domain": list(range(len(colours))), "range": list(colours)}
    return {"field": field, "type": "ordinal", "scale": scale, "legend": None}


def _rule(at: float, channel: str) -> Json:
    look = {"color": _WARM, "strokeDash": [4, 3], "strokeWidth": 1.5}
    return _layer("rule", [{"at": at}], look, **{channel: _number("at")})


def _svg(layers: Sequence[Json], *, width: int, height: int) -> str:
    """The picture, with places for its texts. Its own English descriptions are left out; see `_said`."""
    axis = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#e3e8eb"}
    look = {"font": _FONT, "aria": False, "background": "transparent", "axis": axis, "view": {"stroke": None}}
    drawn = _drawn({"config": look, "layer": list(layers), "width": width, "height": height})
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert size is not None  # every SVG of Vega has one
    # Inside HTML an SVG needs no namespace, and so no address stands in the page.
    return f'viewBox="0 0 {size[1]} {size[2]}">{drawn[drawn.index(">") + 1 :]}'


def _drawn(spec: Json) -> str:
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
