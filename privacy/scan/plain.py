"""Texts as the detectors read them: one form of each digit, letter, space and dash, and nothing that can't be seen.

13800138000 is the same number in full-width digits, circled ones, Arabic-Indic or Chinese ones, and with zero-width spaces
between: whoever hides one so, or whose keyboard does, is found.
"""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

_HAN = dict(zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789", strict=True))
# Fewer in a row is a count in words ("二十", "一九九八年"), not a number that somebody hides.
_HAN_RUN = f"[{''.join(_HAN)}]{{11,}}"
_UNSEEN = r"[\p{Cf}\p{M}\x{3164}\x{115F}\x{1160}]+"
_DASHES = r"[\x{2010}-\x{2015}\x{2043}\x{2212}\x{58A}\x{301C}\x{3030}]"
_DOTS = r"[\x{2022}\x{2027}\x{2219}\x{22C5}\x{30FB}\x{387}]"
# Without one of these no number or e-mail address can stand in a text, whatever its script: eight digits with no letter
# between, or an @.
_WORTH_A_LOOK = rf"[@＠﹫]|\p{{N}}(?:[^\p{{L}}\p{{N}}]*\p{{N}}){{7}}|{_HAN_RUN}"


_LAST_DIGIT = 0x20000  # no script has digits beyond


def _digits() -> dict[int, str]:
    """The decimal digits of the scripts that NFKC leaves alone, each with the ASCII digit it means."""
    every = (chr(code) for code in range(128, _LAST_DIGIT))
    return {
        ord(sign): str(unicodedata.decimal(sign))
        for sign in every
        if unicodedata.category(sign) == "Nd" and not unicodedata.normalize("NFKC", sign).isascii()
    }


_FOREIGN = _digits()
_STRANGE = rf"{_UNSEEN}|{_DASHES}|{_DOTS}|[{''.join(chr(code) for code in _FOREIGN)}]|{_HAN_RUN}"


def plain(texts: pa.Array) -> pa.Array:
    """Each text in plain form; there are no nulls in `texts`."""
    folded = pc.utf8_normalize(texts, form="NFKC")
    strange = pc.match_substring_regex(folded, _STRANGE)
    if not pc.any(strange).as_py():
        return folded
    tidy = pc.replace_substring_regex(folded.filter(strange), _UNSEEN, "")
    tidy = pc.replace_substring_regex(tidy, _DASHES, "-")
    tidy = pc.replace_substring_regex(tidy, _DOTS, "·")
    turned = pa.array([_in_ascii(text) for text in tidy.to_pylist()], folded.type)
    return pc.replace_with_mask(folded, strange, turned)


def worth_a_look(texts: pa.Array) -> pa.Array:
    """The plain forms of those texts that hold a digit or an @, in any script; the order is lost."""
    ascii_only = pc.string_is_ascii(texts)
    if pc.all(ascii_only).as_py():
        return texts  # the gates are as quick as this look would be
    others = texts.filter(pc.invert(ascii_only))
    others = others.filter(pc.match_substring_regex(others, _WORTH_A_LOOK))
    return pa.concat_arrays([texts.filter(ascii_only), plain(others)])


def _in_ascii(text: str) -> str:
    turned = text.translate(_FOREIGN)
    return re.sub(_HAN_RUN, lambda run: "".join(_HAN[sign] for sign in run.group()), turned)
