"""l-diversity: a class has at least l sensitive values, by number or by entropy.

A missing value is no value: who knows that a value is missing has not been misled by it. Where persons have several
rows, a value that all share is known of everyone, whatever else some of them have: at least l - 1 persons must be
without the commonest (with one row a person that follows from the l values).

Source: Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam 2007.
"""

from __future__ import annotations

import numpy as np

from privacy.models.rule import rule


@rule
def distinct(persons, known, counts, shares, known_share, limit):
    """At least `limit` distinct values."""
    values = 0
    most = 0
    for count in counts:
        if count > 0:
            values += 1
            most = max(most, count)
    return values >= limit and persons - most >= limit - 1


@rule
def entropy(persons, known, counts, shares, known_share, limit):
    """An effective number of values, exp(entropy), of at least `limit`.

    The tolerance of 1e-9 is for sums of logarithms: 4 equal counts have an entropy of log 4, give or take a rounding.
    """
    total = 0
    most = 0
    for count in counts:
        total += count
        most = max(most, count)
    if total == 0:
        return False
    bits = 0.0
    for count in counts:
        if count > 0:
            share = count / total
            bits -= share * np.log(share)
    return np.exp(bits) >= limit - 1e-9 and persons - most >= np.ceil(limit - 1e-9) - 1
