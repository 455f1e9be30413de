"""HOW IS IT CONFIGURED? All variables of the environment in one list, and access to PostgreSQL and Redis from them.

`settings` reads all of it; docs/settings.md lists the variables.
"""
