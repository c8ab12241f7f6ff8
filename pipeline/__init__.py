"""The route of a dataset, step by step, and what the steps share: staging, validation, wiring."""
