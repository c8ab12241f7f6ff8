"""How data is made safe: hierarchies, the k-anonymity kernel, cells, pseudonyms, measures and the disclosure report."""
