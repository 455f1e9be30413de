"""What names may look like in events and requests. A server refuses others; to know it before saves sending them."""

import re

# Ids that callers choose: of events, requests, sessions.
ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Modules, wherever they are named: in events, in filters, in the tokens limited to them.
MODULE_FORM = ID_FORM
TYPE_FORM = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
