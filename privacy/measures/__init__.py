"""What a table gives away and what it keeps, measured on the table itself."""
