"""The disclosure report of a release: its parts, its JSON, and the page that a steward reads."""
