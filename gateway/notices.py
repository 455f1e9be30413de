"""Our own signals, for changes for which Django sends none. Imports no models, because models send them."""

from django.dispatch import Signal

# AccessToken.objects...update(...) is about to change rows, within its transaction: `queryset`, `values` by field.
tokens_updating = Signal()
