"""How what the apps write is made durable, and how they read off the event loop. Knows no app and no model."""
