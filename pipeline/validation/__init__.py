"""Every rule of the contract, held against what came, by Great Expectations over DuckDB."""
