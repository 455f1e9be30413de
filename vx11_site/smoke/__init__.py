"""What `manage.py smoke` tries against a running server, over HTTP only, as a client would."""
