"""Personal data that a contract doesn't declare: looked for before and after, named by column, never by value."""
