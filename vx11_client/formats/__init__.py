"""Which lines of a file are not log lines themselves, but carry them? Pure: no I/O, no Django.

A table with a header (CSV), batches of OpenTelemetry (OTLP/JSON), and the journal in its export format become lines of
JSON, one for each event, which `vx11_client.lines` reads as any other. CEF is read where a line becomes an event.
"""
