"""The page of a disclosure report: one HTML file with all in it, in Chinese and English, for whoever must sign or refuse.

It loads nothing and runs nothing: no script, no font, no address. Two radio buttons switch the language by style alone;
where styles are off, both languages stand one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from privacy.report.sections import SECTIONS
from privacy.report.style import STYLE
from privacy.report.tongue import Tongue
from privacy.report.words import WORDS

LANGUAGES = ("zh", "en")
_TAGS = {"zh": "zh-CN", "en": "en"}
_NAMES = {"zh": "中文", "en": "English"}


def page(report: Mapping[str, Any], *, language: str = "zh") -> str:
    """The page of `report`, a `DisclosureReport` as JSON. language: the one that's shown first, "zh" or "en".

    The same report gives the same page, byte by byte, as long as the drawing libraries stay the same. What an older report
    lacks is said to be unmeasured.
    """
    said = _TAGS[language]
    buttons = "".join(
        f'<input class="pick" type="radio" name="language" id="pick-{each}"{_checked(each == language)} />'
        for each in LANGUAGES
    )
    labels = "".join(
        f'<label for="pick-{each}" lang="{_TAGS[each]}">{_NAMES[each]}</label>' for each in LANGUAGES
    )
    title = f"{getattr(WORDS['title'], language)} {report['contract_id']} {report['contract_version']}"
    return (
        f'<!DOCTYPE html>\n<html lang="{said}"><head><meta charset="utf-8" />'
        # Whatever a name tries, a browser that reads this loads and runs nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\" />"
        '<meta name="viewport" content="width=device-width, initial-scale=1" />'
        f"<title>{escape(Tongue.clean(title))}</title><style>{STYLE}</style></head>\n<body>"
        f'{buttons}<div class="tongues">{labels}</div>\n'
        + "\n".join(_main(report, Tongue(each), SECTIONS) for each in LANGUAGES)
        + "</body></html>\n"
    )


def _checked(yes: bool) -> str:
    return ' checked="checked"' if yes else ""


def _main(
    report: Mapping[str, Any],
    tongue: Tongue,
    sections: tuple[Callable[[Mapping[str, Any], Tongue], str], ...],
) -> str:
    about = tongue.say(
        "about", contract=tongue.name(report["contract_id"]), version=tongue.name(report["contract_version"])
    )
    parts = "\n".join(part for part in (section(report, tongue) for section in sections) if part)
    return (
        f'<main id="{tongue.language}" lang="{_TAGS[tongue.language]}"><h1>{tongue.say("title")}</h1>'
        f'<p class="about">{about}<br />{tongue.say("person")}</p>\n{parts}</main>'
    )
