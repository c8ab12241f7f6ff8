"""The pictures of a disclosure report as SVG that stands inside a page: text as text, no script, nothing from elsewhere.

Only this module and `privacy.report.page` load Altair and vl-convert: together they take half a second to import, and
commands count milliseconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import altair as alt
import vl_convert

WIDTH = 300  # of the plot; with its axis a picture still fits a telephone
_FONT = "system-ui, sans-serif"  # the page's own stack takes over, see `privacy.report.style`
_INK, _PALE, _WARM, _LINE = "#1f5f8b", "#b9c7d1", "#c2571a", "#8a949b"
_ROW = 34  # height of one bar's row
_ROOM = 145  # for a name beside it, in pixels: 22 letters or 12 Han characters


def bars(
    rows: Sequence[tuple[str, str, float]],
    *,
    series: tuple[str, str],
    alt_text: str,
    limit: float | None = None,
) -> str:
    """Pairs of bars from 0 to 1. rows: (what, which of the two series, value). limit: a line across all."""
    names = _short(each for each, _, _ in rows)
    values = [{"what": names[what], "which": which, "value": value} for what, which, value in rows]
    what = list(names.values())
    scale = (
        alt.Scale(domain=[0, 1]) if max((v for *_, v in rows), default=0) > 0.5 else alt.Scale(domainMin=0)
    )
    chart: Any = (
        alt.Chart(_inline(values))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title=None, scale=scale, axis=alt.Axis(format="~%", tickCount=4)),
            y=alt.Y("what:N", title=None, sort=what, axis=_names()),
            yOffset=alt.YOffset("which:N", sort=list(series)),
            color=alt.Color(
                "which:N",
                scale=alt.Scale(domain=list(series), range=[_PALE, _INK]),
                legend=_legend(),
            ),
        )
    )
    if limit is not None:
        chart = chart + _rule(limit, "x")
    return _svg(chart.properties(width=WIDTH - 110, height=max(60, _ROW * len(what))), alt_text)


def curve(points: Sequence[tuple[int, float]], *, chosen: int | None, x: str, y: str, alt_text: str) -> str:
    """Loss against k on a logarithmic scale. chosen: the k that the contract has, as a line."""
    values = [{"k": k, "loss": loss} for k, loss in points]
    base = alt.Chart(_inline(values)).encode(
        x=alt.X(
            "k:Q",
            title=x,
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=[2, 5, 10, 20, 50, 100]),
        ),
        y=alt.Y("loss:Q", title=y, scale=alt.Scale(domainMin=0), axis=alt.Axis(format="~%", tickCount=5)),
    )
    chart: Any = base.mark_line(color=_INK) + base.mark_point(color=_INK, filled=True, size=36)
    if chosen is not None and points and points[0][0] <= chosen <= points[-1][0]:
        chart = chart + _rule(chosen, "x")
    return _svg(chart.properties(width=WIDTH, height=190), alt_text)


def unicity(tables: Mapping[str, Sequence[float]], *, limit: float, x: str, y: str, alt_text: str) -> str:
    """Share of units that so many known points single out, a line for each table."""
    names = _short(tables)
    values = [
        {"table": names[name], "points": number, "share": share}
        for name, shares in tables.items()
        for number, share in enumerate(shares, start=1)
    ]
    base = alt.Chart(_inline(values)).encode(
        x=alt.X("points:O", title=x, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share:Q", title=y, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="~%", tickCount=5)),
        color=alt.Color(
            "table:N", scale=alt.Scale(scheme="dark2"), legend=_legend() if len(tables) > 1 else None
        ),
    )
    chart: Any = base.mark_line() + base.mark_point(filled=True, size=36) + _rule(limit, "y")
    return _svg(chart.properties(width=WIDTH, height=190), alt_text)


def intervals(
    rows: Sequence[tuple[str, str, float, float, float]], *, series: tuple[str, str], alt_text: str
) -> str:
    """Rates as points with their intervals, 0 to 1. rows: (what, which of the two series, rate, low, high)."""
    names = _short(row[0] for row in rows)
    values = [
        dict(zip(("what", "which", "rate", "low", "high"), (names[row[0]], *row[1:]), strict=True))
        for row in rows
    ]
    what = list(names.values())
    base = alt.Chart(_inline(values)).encode(
        y=alt.Y("what:N", title=None, sort=what, axis=_names()),
        yOffset=alt.YOffset("which:N", sort=list(series)),
        color=alt.Color(
            "which:N", scale=alt.Scale(domain=list(series), range=[_LINE, _WARM]), legend=_legend()
        ),
    )
    axis = alt.Axis(format="~%", tickCount=4)
    scale = alt.Scale(domain=[0, 1])
    chart: Any = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=None, scale=scale, axis=axis), x2=alt.X2("high:Q")
    ) + base.mark_point(filled=True, size=50, opacity=1).encode(x=alt.X("rate:Q", scale=scale))
    return _svg(chart.properties(width=WIDTH - 110, height=max(60, _ROW * len(what))), alt_text)


def _inline(values: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=values)


def _short(names: Iterable[str]) -> dict[str, str]:
    """Each name as it's written in a picture: cut where there's no room for it, and no two the same.

    Vega's own cut goes through the middle of a sign beyond the first 65,536, as rare Han characters are, and fails.
    """
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


def _names() -> alt.Axis:
    # A fixed room for names, wider than the names as drawn: a reader's font may be wider than that of whoever draws.
    return alt.Axis(minExtent=155, maxExtent=155, labelLimit=0, ticks=False, domain=False)


def _legend() -> alt.Legend:
    return alt.Legend(title=None, orient="top", labelLimit=0, columns=2)


def _rule(at: float, channel: str) -> Any:
    place = alt.X("at:Q") if channel == "x" else alt.Y("at:Q")
    return (
        alt.Chart(_inline([{"at": at}]))
        .mark_rule(color=_WARM, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(place)
    )


def _svg(chart: Any, alt_text: str) -> str:
    """The picture. Its own English descriptions are left out: `alt_text` says in the page's language what it shows."""
    spec = (
        chart.configure(font=_FONT, aria=False, background="transparent")
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#e3e8eb")
        .configure_legend(labelFontSize=12)
        .configure_view(stroke=None)
        .to_dict()
    )
    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert size is not None  # every SVG of Vega has one
    body = drawn[drawn.index(">") + 1 :]
    # Inside HTML an SVG needs no namespace, and so no address stands in the page.
    return f'<svg role="img" aria-label="{escape(alt_text)}" viewBox="0 0 {size[1]} {size[2]}">{body}'
