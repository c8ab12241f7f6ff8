"""Learning in place: training rounds in which raw data never leaves the platform. Empty in this release."""
