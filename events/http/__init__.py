"""THE API of the log: publishing, polling, counts, and its part of the OpenAPI document. See docs/api.md."""
