"""What the rules of the land ask of a contract, added to the text of one that a test writes."""

from __future__ import annotations

import re

GENERAL = "{property: sluiceGrade, value: general}"
PERSONAL = "{property: sluiceSensitivity, value: personal}"
PROVISION = """\
  - property: sluiceProvision
    value:
      description: a test's data
      rights: the platform holds it by its users' contracts
      use: planning
      delivery: by each run
      payment: none
      acceptance: within ten days
      notice: in the platform's terms of use
"""
COMPLIANCE = """\
  - property: sluiceCompliance
    value: {basis: contract, purpose: planning, impactAssessment: PIA-1}
"""
_INLINE = re.compile(r"(\{property: sluiceRole, value: \w+\})(?=[],])")
_LINE = re.compile(r"^( *)- \{property: sluiceRole, value: \w+\}$", re.MULTILINE)
_BARE = re.compile(r"^( *- \{name: \w+, logicalType: (?:(?!customProperties|\n).)*)\}$", re.MULTILINE)


def declared(text: str, *, compliance: str = COMPLIANCE, provision: str = PROVISION) -> str:
    """The text with a grade and a sensitivity on each column, and the contract's own declarations. Lines keep their order."""
    said = f"{GENERAL}, {PERSONAL}"
    # A table of no persons may have no personal column: one of those holds all columns without a role.
    text = _BARE.sub(rf"\1, customProperties: [{GENERAL}]}}", text)
    text = _INLINE.sub(rf"\1, {said}", text)

    def below(match: re.Match[str]) -> str:
        return f"{match[0]}\n{match[1]}- {GENERAL}\n{match[1]}- {PERSONAL}"

    text = _LINE.sub(below, text)
    return text.replace("customProperties:\n", f"customProperties:\n{compliance}{provision}", 1)
