"""Who the parties are: their names, codes, owners, grades and keys, and the registry that all of them sign."""
