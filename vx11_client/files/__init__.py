"""Where do the lines of files come from, and how far were they read? One file or many, rotated, compressed, read again.

No Django, no network. `FileSet` is the door; `Places` keeps what was read between two runs.
"""
