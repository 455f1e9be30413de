"""What a server takes at most. It says so itself when something is larger; checking first saves the request. Pure."""

# Events in one request.
BATCH_LIMIT_EVENTS = 500
# Bytes of one request.
REQUEST_LIMIT_BYTES = 4 * 1024 * 1024
# Of one event as JSON.
EVENT_LIMIT_BYTES = 64 * 1024
SUMMARY_LIMIT_CHARACTERS = 500
SEVERITIES = ("info", "warn", "error", "critical")
