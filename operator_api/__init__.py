"""What may operators do? Windows, status, and the console they look at."""
