"""Pieces of the patterns that sort out, over whole columns, which texts are worth a test (RE2).

A pattern of different classes in a row is quick only where it may start once in a run of digits; started at each digit of an
order number, it costs a hundred times as much.
"""

from __future__ import annotations

# What stands between the groups of a number; `words` is stricter about how much of it.
GAP = r"[\s.·_/()\-]*"
BORDER = "(?:^|[^0-9])"
ORGANISATION_LIKE = rf"{BORDER}[1-9ANYany]{GAP}[1-59](?:{GAP}[0-9]){{6}}(?:{GAP}[0-9A-Za-z]){{10}}"
# What a text must hold for one of the kinds that are looked for everywhere: an @, eleven digits or an organisation's code.
ANY = rf"@|[0-9](?:{GAP}[0-9]){{10}}|{ORGANISATION_LIKE}"
