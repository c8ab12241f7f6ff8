"""Facts of persons: as cells, or as rows under a pseudonym."""
