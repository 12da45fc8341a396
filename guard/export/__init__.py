"""A topic as a table in a file, for notebooks: a row for each node, period and rank, or for each record."""
