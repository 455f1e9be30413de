"""THE EDGE: how requests come in and answers go out, the same for all apps: bodies, headers, errors, credentials.

Apps above build their endpoints on `rest.Endpoint` and raise `errors.ApiError`; `middleware` turns every error into the
one error body. See "Requests" in docs/architecture.md.
"""
