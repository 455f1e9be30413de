"""HOW ARE EVENTS FOLLOWED? Tickets, the stream and its end, coming back; and events as lines on a terminal."""
