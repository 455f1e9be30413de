"""THE AUDITOR'S PAGES: events, streams and processes in the admin, and the lives of tickets and principals."""

from events.admin import pages  # noqa: F401 - registers what it holds
