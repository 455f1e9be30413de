"""HOW IS IT CONFIGURED? The environment as one list, and access to PostgreSQL and Redis from it. Used by settings."""
