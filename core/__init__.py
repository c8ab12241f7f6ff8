"""What every room stands on: errors, clock, digests, keys, the compare-and-swap store, proof types, settings."""
