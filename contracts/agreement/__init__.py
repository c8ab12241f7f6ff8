"""The terms that two parties agree on: an ODRL agreement in a Dataspace Protocol message, read into frozen values."""
