"""WHAT DOES IT REPORT? Log lines as text and JSON, without credentials; how they are written; traces.

See docs/monitoring.md.
"""
