"""A disclosure report as files: one for programs, one for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privacy.report.report import DISCLOSURE, PAGE


def write_documents(report: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """The report's files in `folder`, mode 0600, by their names. report: a `DisclosureReport` as JSON.

    The JSON comes last: where it stands, the page stands too. Raises OSError.
    """
    # Loaded here: the drawing libraries take half a second to import, and most commands make no report.
    from privacy.report.page import page  # noqa: PLC0415

    texts = {
        PAGE: page(report),
        DISCLOSURE: json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    written = {}
    for name, text in texts.items():
        path = folder / name
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        written[name] = path
    return written
