"""Releases over time and beside each other: what a further release may show so that it doesn't undo an earlier one."""
