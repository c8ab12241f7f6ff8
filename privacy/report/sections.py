"""The sections of a disclosure report's page, in their order: each takes the report as JSON and gives HTML, "" for none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from privacy.report import pictures
from privacy.report.file import assessed, limits_of_file
from privacy.report.tongue import Tongue

Report = Mapping[str, Any]
_PROSECUTOR = ("prosecutor_largest", "prosecutor_mean", "prosecutor_over")
_JOURNALIST = ("journalist_largest", "journalist_mean", "journalist_over")
_BESIDE = ("persons", "smallest", "exposed", "again", "held", "waiting")
_CELLS_BESIDE = ("live", "persons", "exposed")
_NOT = ("background", "releases", "collusion", "population", "insiders", "undeclared", "misuse")


def verdict(report: Report, tongue: Tongue) -> str:
    """The contract's limits beside what was reached."""
    kept = {key: found for key, found in limits(report).items() if found is not None}
    about = "verdict.file" if report.get("assessed") else "verdict"
    head = tongue.paragraph(f"{about}.good" if all(kept.values()) else f"{about}.bad")
    tiles, subjects = [], report["subjects"]
    if report["k_reached"] is not None:
        asked = _asked(tongue, report["k_limit"])
        tiles.append(
            tongue.tile(
                "k", tongue.count(report["k_reached"]), tongue.say("k.says", asked=asked), kept.get("k")
            )
        )
    if subjects and subjects["units"]:
        if subjects["l"] is not None:
            asked = _asked(tongue, report["l_limit"])
            tiles.append(
                tongue.tile(
                    "l", tongue.count(subjects["l"]), tongue.say("l.says", asked=asked), kept.get("l")
                )
            )
        if subjects["suppressed_units"] is not None:
            says = tongue.say(
                "suppressed.says",
                count=tongue.count(subjects["suppressed_units"]),
                asked=tongue.share(report["max_suppressed"]),
            )
            tiles.append(
                tongue.tile("suppressed", tongue.share(_suppressed(subjects)), says, kept.get("suppressed"))
            )
    level = report.get("level")
    if level:
        says = (
            tongue.say("level.says.none")
            if level["asked"] is None
            else tongue.say("level.says", asked=str(level["asked"]))
        )
        tiles.append(tongue.tile("level", str(level["reached"]), says, kept.get("level")))
    return tongue.section("verdict", head, f'<div class="tiles">{"".join(tiles)}</div>')


def limits(report: Report) -> Mapping[str, bool | None]:
    """Whether each limit is kept; None where the contract sets none, or nothing was published that it could bind."""
    subjects, level = report["subjects"], report.get("level")
    rows = subjects if subjects and subjects["units"] else None
    found: dict[str, bool | None] = {
        "k": _least(report["k_reached"], report["k_limit"]),
        "l": _least(rows["l"], report["l_limit"]) if rows else None,
        "suppressed": _suppressed(rows) <= report["max_suppressed"]
        if rows and rows["suppressed_units"] is not None
        else None,
        "level": _least(level["reached"], level["asked"]) if level else None,
    }
    for name, table in report.get("unicity", {}).items():
        found[f"unicity of {name}"] = table["shares"][table["points"] - 1] <= table["limit"]
    if report.get("assessed"):
        found |= limits_of_file(report["assessed"])
    return found


def contents(report: Report, tongue: Tongue) -> str:
    """The published tables."""
    subjects = report["subjects"]
    said = tongue.paragraph("contents.nobody")
    if subjects and subjects["units"]:
        said = tongue.paragraph(
            "contents.persons",
            table=tongue.name(subjects["table"]),
            units=tongue.count(subjects["units"]),
            classes=tongue.count(subjects["classes"]),
            mean=f"{subjects['mean_class']:.1f}",
        )
    rows = [[tongue.name(name), tongue.count(count)] for name, count in report["rows"].items()]
    head = "contents.file" if report.get("assessed") else "contents"
    return tongue.section(head, said, tongue.table(["table", "rows"], rows))


def risk(report: Report, tongue: Tongue) -> str:
    """Risk before and after."""
    measures = report.get("measures")
    if not measures:
        return _unmeasured(report, tongue, "risk")
    # Of a file that somebody else made nobody knows what it was before.
    when = ("before", "after") if measures["before"] else ("after",)
    after = measures["after"]
    series = tuple(tongue.plain(each) for each in when)
    parts = [measures[each] for each in when]
    names = (*_PROSECUTOR, *(_JOURNALIST if after["population"] else ()), "marketer")
    drawn = pictures.bars(
        [
            (tongue.plain(name), which, part[name])
            for name in names
            for which, part in zip(series, parts, strict=True)
        ],
        series=series,
        alt_text=tongue.plain("picture.risk"),
        limit=after["threshold"],
    )
    rows = [
        [f"<b>{tongue.say(name)}</b>", *(tongue.share(part[name]) for part in parts)]
        for name in (*_PROSECUTOR, *_JOURNALIST, "marketer")
    ]
    words = [
        tongue.paragraph(
            "risk.threshold",
            threshold=tongue.share(after["threshold"]),
            share=tongue.share(after["prosecutor_over"]),
        ),
        tongue.table(["risk.measure", *when], rows),
    ]
    kinds = [
        "risk.prosecutor",
        "risk.journalist",
        *([] if after["population"] else ["risk.bound"]),
        "risk.marketer",
    ]
    return tongue.section(
        "risk",
        tongue.paragraph("risk.says"),
        *([tongue.paragraph("risk.when")] if measures["before"] else []),
        tongue.pair(drawn, "picture.risk", "".join(words)),
        *(tongue.paragraph(kind, small=True) for kind in kinds),
    )


def utility(report: Report, tongue: Tongue) -> str:
    """What is left."""
    measures = report.get("measures")
    if not measures or not measures["utility"]:
        return _unmeasured(report, tongue, "utility")
    kept = measures["utility"]
    losses, shifts = kept["ncp_by_column"], kept["shift_by_column"]
    series = (tongue.plain("loss"), tongue.plain("shift"))
    drawn = [
        (tongue.clean(name), which, part[name])
        for name in losses
        for which, part in zip(series, (losses, shifts), strict=True)
        if name in part
    ]
    rows = [[tongue.say("all"), tongue.share(kept["ncp"]), ""]]
    rows += [
        [tongue.name(name), tongue.share(loss), tongue.share(shifts[name]) if name in shifts else ""]
        for name, loss in losses.items()
    ]
    beside = tongue.table(["column", "loss", "shift"], rows) + tongue.paragraph(
        "utility.class",
        small=True,
        average=f"{kept['average_class']:.2f}",
        share=tongue.share(kept["discernibility_share"]),
    )
    return tongue.section(
        "utility",
        tongue.paragraph("utility.says"),
        tongue.pair(
            pictures.bars(drawn, series=series, alt_text=tongue.plain("picture.utility")),
            "picture.utility",
            beside,
        )
        if drawn
        else beside,
    )


def frontier(report: Report, tongue: Tongue) -> str:
    """Loss against k."""
    measures = report.get("measures")
    if not measures or not measures["frontier"] or not measures["frontier"]["points"]:
        return _unmeasured(report, tongue, "frontier")
    found = measures["frontier"]
    drawn = pictures.curve(
        [(point["k"], point["loss"]) for point in found["points"] if point["classes"]],
        chosen=report["k_limit"],
        x="k",
        y=tongue.plain("loss"),
        alt_text=tongue.plain("picture.frontier"),
    )
    rows = [
        [
            str(point["k"]),
            tongue.share(point["loss"]),
            tongue.count(point["classes"]),
            tongue.count(point["suppressed"]),
        ]
        for point in found["points"]
    ]
    sample = (
        [
            tongue.paragraph(
                "frontier.sample",
                small=True,
                persons=tongue.count(found["persons"]),
                of=tongue.count(found["of"]),
            )
        ]
        if found["persons"] < found["of"]
        else []
    )
    beside = tongue.paragraph("frontier.says") + "".join(sample)
    numbers = tongue.table(["k", "loss", "frontier.classes", "frontier.suppressed"], rows, texts=0)
    return tongue.section(
        "frontier", tongue.pair(drawn, "picture.frontier", beside), tongue.more("numbers", numbers)
    )


def unicity(report: Report, tongue: Tongue) -> str:
    """How few known rows single a person out; nothing without facts as rows."""
    tables = report.get("unicity", {})
    if not tables:
        return ""
    drawn = pictures.unicity(
        {tongue.clean(name): table["shares"] for name, table in tables.items()},
        limit=min(table["limit"] for table in tables.values()),
        x=tongue.plain("points"),
        y=tongue.plain("share"),
        alt_text=tongue.plain("picture.unicity"),
    )
    kept = limits(report)
    rows = [
        [
            tongue.name(name),
            str(number),
            tongue.share(share),
            f"≤ {tongue.share(table['limit'])} {'✓' if kept[f'unicity of {name}'] else '✗'}"
            if number == table["points"]
            else "",
        ]
        for name, table in tables.items()
        for number, share in enumerate(table["shares"], start=1)
    ]
    numbers = tongue.table(["table", "points", "share", "limit"], rows)
    return tongue.section(
        "unicity", tongue.paragraph("unicity.says"), tongue.pair(drawn, "picture.unicity", numbers)
    )


def attacks(report: Report, tongue: Tongue) -> str:
    """What attacks came to."""
    measures = report.get("measures")
    if not measures or not measures["attacks"]:
        return _unmeasured(report, tongue, "attacks")
    done = measures["attacks"]
    series = (tongue.plain("baseline"), tongue.plain("success"))
    drawn = pictures.intervals(
        [
            (_attack_name(each, tongue), which, rate["rate"], rate["low"], rate["high"])
            for each in done
            for which, rate in zip(series, (each["baseline"], each["main"]), strict=True)
        ],
        series=series,
        alt_text=tongue.plain("picture.attacks"),
    )
    control = any(each["control"] for each in done)
    rows = [
        [
            f"<b>{_attack(each, tongue)}</b>",
            _rate(tongue, each["main"], "rate", of=f"{each['main']['successes']}/{each['main']['attempts']}"),
            tongue.share(each["baseline"]["rate"]),
            *([tongue.share(each["control"]["rate"]) if each["control"] else ""] if control else []),
            _rate(tongue, each, "risk"),
        ]
        for each in done
    ]
    sure = [_attack(each, tongue) for each in done if each["low"] > 0]
    head = (
        tongue.paragraph("attacks.something", names=", ".join(sure))
        if sure
        else tongue.paragraph("attacks.nothing")
    )
    kinds = list(dict.fromkeys(each["kind"] for each in done))
    says = "".join(
        f"<li><b>{tongue.say(kind, column='').strip()}</b>: {tongue.say(f'{kind}.says')}</li>"
        for kind in kinds
    )
    return tongue.section(
        "attacks",
        tongue.paragraph("attacks.says"),
        head,
        tongue.pair(drawn, "picture.attacks", f'<ul class="small">{says}</ul>'),
        tongue.table(["attack", "success", "baseline", *(["control"] if control else []), "added"], rows),
    )


def cells(report: Report, tongue: Tongue) -> str:
    """The cells of fact tables; nothing without them."""
    if not report["cells"]:
        return ""
    rows = [
        [
            tongue.name(name),
            tongue.count(each["cells"]),
            tongue.count(each["smallest"]) if each["cells"] else "",
            tongue.share(each["suppressed_facts"] / each["facts"] if each["facts"] else 0.0),
        ]
        for name, each in report["cells"].items()
    ]
    heads = ["table", "cells.count", "cells.smallest", "cells.suppressed"]
    return tongue.section("cells", tongue.paragraph("cells.says"), tongue.table(heads, rows))


def beside(report: Report, tongue: Tongue) -> str:
    """What is told together with the other live releases; nothing where nobody keeps a history, or there is no other."""
    found = report.get("beside")
    parts = []
    if found and found["live"]:
        rows = [[tongue.say(f"beside.{name}"), tongue.count(found[name])] for name in _BESIDE]
        parts += [
            tongue.paragraph("beside.says", live=tongue.count(found["live"]), k=tongue.count(found["k"])),
            tongue.table(["beside.who", "beside.count"], rows),
        ]
    made = {name: each["beside"] for name, each in report["cells"].items() if each.get("beside")}
    if made:
        counts = [
            [tongue.name(name), *(tongue.count(each[n]) for n in _CELLS_BESIDE)]
            for name, each in made.items()
        ]
        heads = ["table", *(f"beside.cells.{name}" for name in _CELLS_BESIDE)]
        k = tongue.count(max(each["k"] for each in made.values()))
        parts += [tongue.paragraph("beside.cells.says", k=k), tongue.table(heads, counts)]
    for of in ("beside", "earlier"):
        told = [
            [
                tongue.name(name),
                tongue.count(each[of]["live"]),
                str(each[of]["points"]),
                tongue.share(each[of]["reached"]["share"]),
                f"≤ {tongue.share(each[of]['limit'])}",
            ]
            for name, each in (report.get("facts") or {}).items()
            if each.get(of)
        ]
        if told:
            heads = ["table", f"{of}.rows.live", "points", "share", "limit"]
            parts += [tongue.paragraph(f"{of}.rows.says"), tongue.table(heads, told)]
    return tongue.section("beside", *parts) if parts else ""


def level(report: Report, tongue: Tongue) -> str:
    """The de-identification level in words."""
    found = report.get("level")
    if not found:
        return _unmeasured(report, tongue, "levels")
    each = "".join(f"<li>{tongue.say(f'level.{number}')}</li>" for number in (1, 2, 3, 4))
    return tongue.section(
        "levels",
        tongue.paragraph("level.reached", level=f"<b>{found['reached']}</b>"),
        f"<ul>{each}</ul>",
        tongue.paragraph("level.source", small=True),
    )


def not_protected(report: Report, tongue: Tongue) -> str:
    """What the release doesn't protect from: the same for every release, and so on every page."""
    return tongue.section("not", "<ul>", *(f"<li>{tongue.say(f'not.{each}')}</li>" for each in _NOT), "</ul>")


def sources(report: Report, tongue: Tongue) -> str:
    """Whose formulas."""
    return tongue.section("sources", tongue.paragraph("sources.list", small=True))


SECTIONS: tuple[Callable[[Report, Tongue], str], ...] = (
    verdict, assessed, contents, not_protected, risk, utility, frontier, unicity, attacks, cells, beside, level, sources,
)  # fmt: skip


def _least(reached: int | None, asked: int | None) -> bool | None:
    return None if reached is None or asked is None else reached >= asked


def _asked(tongue: Tongue, limit: int | None) -> str:
    return tongue.say("none") if limit is None else tongue.count(limit)


def _suppressed(subjects: Mapping[str, Any]) -> float:
    """Share of persons left out, as the engine holds it against the limit."""
    lost: int = subjects["suppressed_units"]
    return lost / (lost + subjects["units"]) if lost else 0.0


def _attack(found: Mapping[str, Any], tongue: Tongue) -> str:
    column = found["column"]
    return tongue.say(found["kind"], column=tongue.name(column) if column is not None else "")


def _attack_name(found: Mapping[str, Any], tongue: Tongue) -> str:
    column = found["column"]
    return tongue.plain(found["kind"]).format(column=tongue.clean(column) if column is not None else "")


def _rate(tongue: Tongue, found: Mapping[str, Any], name: str, *, of: str | None = None) -> str:
    low, high = tongue.share(found["low"]), tongue.share(found["high"])
    counted = f" <i>{of}</i>" if of is not None else ""
    return f"{tongue.share(found[name])}{counted} <i>({low}-{high})</i>"


def _unmeasured(report: Report, tongue: Tongue, key: str) -> str:
    """Said where rows of persons are published and the measure is missing; where there are none there's nothing to say."""
    if report.get("assessed"):  # what can't be told of a file isn't missed
        return ""
    subjects = report["subjects"]
    published = subjects and subjects["units"]
    return tongue.section(key, tongue.paragraph("unmeasured")) if published or key == "levels" else ""
