"""THE API of what operators do, and the console's page. See docs/api.md."""
