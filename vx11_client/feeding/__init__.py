"""HOW DO LINES AND LOG RECORDS BECOME EVENTS? Mappings, sources of lines, the feed, a log handler."""
