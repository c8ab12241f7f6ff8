"""Rows that broke a rule: set aside, sealed to the platform's key, kept for the contract's days, handed out."""
