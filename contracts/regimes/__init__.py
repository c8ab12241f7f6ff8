"""The rules of the land as checks: a module for each regime, each rule a pure function from facts to findings. Not legal advice."""
