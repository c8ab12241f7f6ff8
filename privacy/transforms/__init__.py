"""What is done to the values of a column: pseudonyms, tokens, shifted days, coding, rounding and noise."""
