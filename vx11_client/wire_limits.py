"""What a server takes at most. It says so itself when something is larger; to know it before saves sending it."""

# Events in one request.
BATCH_LIMIT_EVENTS = 500
# Of one event as JSON.
EVENT_LIMIT_BYTES = 64 * 1024
SUMMARY_LIMIT_CHARACTERS = 500
