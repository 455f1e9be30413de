"""WHAT MAY OPERATORS DO? Windows, chat, modules, status, settings, and the console.

Changes are functions for the ledger's writer and append their event in the same transaction (`events.log.change`). See
"Opening a window" in docs/architecture.md and ADR 8.
"""
