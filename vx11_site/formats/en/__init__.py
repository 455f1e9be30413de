"""The admin is English throughout."""
