"""How what things cost grows with streams, rates, sizes, queries, the log and processes: curves instead of points."""
