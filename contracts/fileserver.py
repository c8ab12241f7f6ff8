"""What a server of files may say: its path, format, encoding and delimiter, and that each is one that can be read."""

from __future__ import annotations

import codecs
from pathlib import Path

from contracts.own import own
from contracts.problems import choose, shown
from contracts.reading import Node

PLACEHOLDER = "{table}"
FILE_FORMATS = ("csv", "tsv", "parquet", "json", "jsonl", "jsonlines", "ndjson")
_CSV = ("csv", "tsv")
_UTF_8 = ("utf-8", "utf-8-sig", "ascii")
_SAMPLE = 'id,"1"\n'


def check_files(server: Node, *, tables: int) -> dict[str, str]:
    """The options `encoding` and `delimiter` of a server of files, as far as it says them; says what can't be read.

    The standard lets a local server name no delimiter, and an encoding from v3.2.0 on: sluiceDelimiter and
    sluiceEncoding say them anywhere.
    """
    _check_path(server, tables=tables)
    kind = server.get("format")
    if kind is not None and kind.lower() not in FILE_FORMATS:
        server.say(f"The file format is `{shown(kind)}`.", choose(str(kind), FILE_FORMATS), key="format")
    options: dict[str, str] = {}
    for option, read in (("encoding", text_encoding), ("delimiter", field_delimiter)):
        place = _place(server, option)
        if place is None:
            continue
        value = place.value
        known = read(value) if isinstance(value, str) else None
        if known is None:
            place.say(f"There is no {option} `{shown(value)}`.", _REMEDIES[option])
        elif kind is not None and kind.lower() not in _CSV and not (option == "encoding" and known in _UTF_8):
            place.say(
                f"Files of the format `{shown(kind)}` have no {option} of their own.",
                "Take it out: it's for CSV; JSON Lines are UTF-8, Parquet knows by itself.",
            )
        else:
            options[option] = str(value)
    return options


_REMEDIES = {
    "encoding": "Write utf-8, gb18030 or another encoding that Python knows.",
    "delimiter": 'Write one ASCII character, such as ";", or tab.',
}


def text_encoding(name: str) -> str | None:
    """The registered name of a text encoding, None when there is no such one."""
    try:
        found = codecs.lookup(name)
        # Codecs like base64 are registered too, and make no text.
        works = found.incrementaldecoder is not None and _SAMPLE.encode(name).decode(name) == _SAMPLE
    except (LookupError, ValueError):
        return None
    return found.name if works else None


def field_delimiter(name: str) -> str | None:
    r"""The character between the fields of a CSV file: `name` itself, or for `tab` and `\t` a tab; None when it can't be one."""
    character = "\t" if name in ("tab", "\\t") else name
    usable = len(character) == 1 and character.isascii() and character not in '"\r\n\0'
    return character if usable else None


def fits_path(name: str, path: str) -> bool:
    """Whether a table's name at the source can be put into a server's path and lead nowhere else."""
    if PLACEHOLDER not in path:
        return True
    at_home = name.startswith("~") and path.startswith(PLACEHOLDER)
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\\0") and not at_home


def _place(server: Node, option: str) -> Node | None:
    """Where the server says an option: under the standard's key or ours, not both."""
    key = f"sluice{option.capitalize()}"
    ours = own(server, key)
    if not server.has(option):
        return ours
    if ours is not None:
        ours.say(f"The {option} stands twice, as `{option}` and as {key}.", "Keep one of them.")
    return server.at(option)


def _check_path(server: Node, *, tables: int) -> None:
    path = server.get("path")
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        server.say(
            "The server has no path to read files from.", "Add path: a file, a folder or a glob.", key="path"
        )
    elif tables > 1 and PLACEHOLDER not in path and (not Path(path).suffix or set(path) & set("*?[")):
        server.say(
            f"The path names the same files for each of {tables} tables.",
            "Put {table} into it; it becomes each table's physical name.",
            key="path",
        )
