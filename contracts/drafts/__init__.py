"""A contract's first draft: what its columns may mean, what is proposed for them, and the text of it."""
