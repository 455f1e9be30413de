"""What happened, and in what order? The log, and everything that carries it to readers."""
