"""The steps of the route, a module each, so that a task loads what its step needs and no more."""
