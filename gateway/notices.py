"""Signals of our own, for what Django sends none. No models: those who send them are models."""

from django.dispatch import Signal

# AccessToken.objects...update(...) is about to change rows, within its transaction: `queryset`, `values` by field.
tokens_updating = Signal()
