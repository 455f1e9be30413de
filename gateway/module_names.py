"""What a module may be called, wherever it is named: in events, and in the tokens limited to it. Pure."""

import re

FORM = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
RULE = "use 1 to 64 of A-Z a-z 0-9 . _ -"


def is_module_name(text: str) -> bool:
    return FORM.fullmatch(text) is not None
