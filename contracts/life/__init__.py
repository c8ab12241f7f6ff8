"""The life of a contract: negotiated, in force, suspended, over. Values and rules; `pipeline.agreements` keeps them."""
