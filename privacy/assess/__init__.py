"""Files of persons looked at without publishing anything: what one gives away as it is, and how it would best be treated."""
