"""Every detector there is. A kind without one would never be found, so a test holds them against `Kind`."""

from __future__ import annotations

from privacy.scan.addresses import ADDRESS
from privacy.scan.cards import CARD
from privacy.scan.codes import ORGANISATION, RESIDENT, ROUNDED_RESIDENT
from privacy.scan.documents import PASSPORT, PLATE
from privacy.scan.names import NAME
from privacy.scan.network import EMAIL, IP
from privacy.scan.phones import LANDLINE, MOBILE

TEXT = (RESIDENT, ORGANISATION, MOBILE, CARD, EMAIL, LANDLINE, PLATE, PASSPORT, IP, NAME, ADDRESS)
NUMBER = (RESIDENT, ORGANISATION, MOBILE, CARD)
FLOAT = (*NUMBER, ROUNDED_RESIDENT)
