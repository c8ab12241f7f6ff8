"""Contracts as they're negotiated, signed, in force and over: what `contracts.life` decides, kept in a hall."""
