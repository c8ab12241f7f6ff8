"""The `sluice` command: a few lines over the rooms below it."""
