"""What was done: events, an RFC 6962 tree, signed checkpoints, the ledger and its offline verifier."""
