"""One privacy budget, the platform's own: what all contracts together have learnt about the persons of a dataset."""
