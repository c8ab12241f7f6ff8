"""What the page says of a file that is no release: what was measured of it, and what the contract doesn't let out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy.report.tongue import Tongue

_NOT_IN_IT = ("held_back", "undeclared", "personal")  # what a release wouldn't have
_SIGN = {True: "✓", False: "✗"}


def limits_of_file(assessed: Mapping[str, Any]) -> Mapping[str, bool]:
    """Whether each limit is kept: those by column, and that nothing stands in the file that mustn't."""
    found = {f"{each['name']} of {each['column']}": each["kept"] for each in assessed["limits"]}
    return found | {name: not assessed[name] for name in _NOT_IN_IT}


def assessed(report: Mapping[str, Any], tongue: Tongue) -> str:
    """What was measured, against which limits; nothing for a release."""
    found = report.get("assessed")
    if not found:
        return ""
    by = found["counted_by"]
    rows = [
        [
            tongue.say(f"limit.{each['name']}"),
            tongue.name(each["column"]) if each["column"] is not None else "",
            _number(tongue, each["name"], each["asked"]),
            f"{_number(tongue, each['name'], each['reached'])} {_SIGN[each['kept']]}",
        ]
        for each in found["limits"]
    ]
    lists = [
        f"<li>{tongue.say(f'assessed.{name}')}: "
        f"{', '.join(_told(each, tongue) for each in found[name]) or tongue.say('none')}"
        f"{' ' + _SIGN[not found[name]] if name in _NOT_IN_IT else ''}</li>"
        for name in ("shown", *_NOT_IN_IT, "missing")
    ]
    return tongue.section(
        "assessed",
        tongue.paragraph("assessed.says", file=tongue.name(found["file"])),
        tongue.paragraph("assessed.rows")
        if by is None
        else tongue.paragraph("assessed.unit", unit=tongue.name(by)),
        tongue.table(["assessed.limit", "column", "asked", "reached"], rows, texts=2),
        f"<ul>{''.join(lists)}</ul>",
    )


def _told(each: str | Mapping[str, Any], tongue: Tongue) -> str:
    """A column, or one that seems to hold personal data."""
    if isinstance(each, str):
        return tongue.name(each)
    return f"{tongue.name(each['column'])} ({tongue.name(each['kind'])}, {tongue.share(each['share'])})"


def _number(tongue: Tongue, name: str, value: float) -> str:
    return tongue.share(value) if name == "maxUnicity" else f"{value:g}"
