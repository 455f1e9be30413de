"""HOW DO MESSAGES OF SYSLOG BECOME EVENTS? Received over TCP, TLS and UDP, kept in a spool, published each once.

`Receiver` is the door. A record goes this way: `connections` and `datagrams` read bytes, `framing` finds records in
them, `intake` writes records to the spool before more is read, `forwarder` reads it, `mapping` makes events,
and `feeding.feed_sender` publishes them. docs/feeding/syslog.md has what is promised.
"""
