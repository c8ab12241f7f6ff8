"""How values coarsen: hierarchies, their levels, and what a run of values is called."""
