"""WHO MAY DO WHAT, ON A PAGE: people and their roles, tokens, the audit; and the base classes of all admin pages.

Each module registers its own pages. Admin pages of other apps derive from `AuditedAdmin` or `ReadOnlyAdmin`, so that
every change leaves an audit row. See docs/admin.md and ADR 14.
"""

from gateway.admin import audit_rows, people
from gateway.admin.access_tokens import AccessTokenAdmin
from gateway.admin.audited import AuditedAdmin, ReadOnlyAdmin

__all__ = ["AccessTokenAdmin", "AuditedAdmin", "ReadOnlyAdmin", "audit_rows", "people"]
