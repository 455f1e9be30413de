"""WHAT DOES IT SAY? Lines of the log as text and JSON, without credentials; how they are written; traces."""
