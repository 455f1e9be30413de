"""Objects that stay as long as the process: a full collection scans all others, and stops every stream meanwhile.

A hundred thousand objects take a twentieth of a second, every few seconds under load.
"""

import gc


def keep() -> None:
    """Keep what exists by now out of full collections: after the start, and whenever much was loaded for long.

    What is dropped later is freed as ever, unless it is part of a cycle. Takes as long as one full collection.
    """
    gc.collect()
    gc.freeze()
