"""What publish_events and tail_events are made of: an HTTP client of a running server. Opens no database."""
