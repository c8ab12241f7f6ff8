"""A table with rows of persons, made safe: encoded, grouped, put into classes, and written with labels by position."""
