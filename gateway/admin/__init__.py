"""Admin pages of access: people and their roles, tokens, the audit. Each module registers what it is about."""

from gateway.admin import audit_rows, people
from gateway.admin.access_tokens import AccessTokenAdmin
from gateway.admin.audited import AuditedAdmin, ReadOnlyAdmin

__all__ = ["AccessTokenAdmin", "AuditedAdmin", "ReadOnlyAdmin", "audit_rows", "people"]
