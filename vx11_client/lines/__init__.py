"""What does a line of a log say? Bytes become lines, lines become records; of each, level and time are found.

Pure: no I/O, no Django. The text comes from programs that we do not know, so every pattern takes linear time and every
search has a limit. `vx11_client.feeding.feed_mapping` makes events of what is found; docs/feeding.md has the rules.
"""
