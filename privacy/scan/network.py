"""E-mail addresses, and addresses of machines (IPv4, IPv6)."""

from __future__ import annotations

import ipaddress
import re

from contracts.carried import Kind
from privacy.scan.detector import Detector, Rule, Seen

_EMAIL = re.compile(
    r"(?<![0-9A-Za-z._%+\-])([0-9A-Za-z][0-9A-Za-z._%+\-]{0,63})\s?@\s?(?:[0-9A-Za-z\-]{1,63}\.)+[A-Za-z]{2,24}(?![0-9A-Za-z])"
)
# Mail boxes of a business, not of a person.
_BUSINESS = (
    "abuse admin billing business contact customercare customerservice enquiries feedback hello help hr info inquiry "
    "jobs kefu mail marketing news newsletter no-reply noreply office postmaster press privacy sales security service "
    "services shop support team webmaster"
)
_ROLES = frozenset(_BUSINESS.split())

_QUAD = re.compile(r"(?<![0-9A-Za-z.\-])[0-9]{1,5}(?:\.[0-9]{1,5}){3}(?![0-9A-Za-z.\-])")
_SIX = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f:]{7,39}(?![0-9A-Za-z:.])")
_FEWEST_COLONS = 3
_LARGE_PART = 100


def _email(text: str) -> Seen | None:
    people = [m for m in _EMAIL.finditer(text) if m[1].lower() not in _ROLES]
    return Seen(passed=True, clear=True) if people else None


def _address(text: str) -> Seen | None:
    shaped = None
    for found in _QUAD.findall(text):
        if _is_machine(found) and any(int(part) >= _LARGE_PART for part in found.split(".")):
            return Seen(passed=True)
        shaped = Seen(passed=False)
    for found in _SIX.findall(text):
        if found.count(":") >= _FEWEST_COLONS and _is_machine(found):
            return Seen(passed=True)
    return shaped


def _is_machine(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


# An @ between a name and a domain is nothing else. Boxes of a business (info@, support@) are no person's.
EMAIL = Detector(
    kind=Kind.EMAIL,
    gate=r"[0-9A-Za-z._%+\-]\s?@\s?[0-9A-Za-z\-]+\.",
    test=_email,
    everywhere=True,
    text=Rule(least=1, share=0.0, chance=0.001, purity=0.0),
)

# Versions (1.2.3.4, 2.0.0.17) have the form too, but hardly a part of 100 or more and none above 255; of addresses 98 in 100
# do. Half of what has the form must pass, and by share: one address in a text is as likely a machine of the shop's own.
IP = Detector(
    kind=Kind.IP,
    gate=r"[0-9]\.[0-9]{1,5}\.[0-9]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:",
    test=_address,
    everywhere=False,
    text=Rule(least=3, share=0.005, chance=0.3, purity=0.5),
)
