"""What every class of a release must keep: each model one file with one rule, `RULES` lists them for the searches."""
