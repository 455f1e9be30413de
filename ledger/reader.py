"""The lanes of one process: which callers read the database in which threads.

With the writer's connection and those of the chores, of the search index, of watches and of deliveries, a process holds
as many connections as there are threads here and five more; docs/scaling.md promises the sum.
"""

from ledger.lanes import QUEUE_LIMIT_CALLS, Lane

# What the process itself must know, however much people ask: rights, readiness, the head of the log, what is due.
# All these calls count as one caller.
reader = Lane("reader", threads=2, limit_each=QUEUE_LIMIT_CALLS)
# Pages of the log for streams that catch up. All browsers of a site may share a token, and after a crash they all come
# back at once.
replays = Lane("replays", threads=2, limit_each=QUEUE_LIMIT_CALLS)
# Pages of the log and of lists that callers ask for: callers take turns.
questions = Lane("questions", threads=2)
# Searches in the log, which may take a second each: by queries, and in windows of time.
searches = Lane("searches", threads=2)
# Pages of console and admin, and the users of sessions. Callers without a session get one thread at the most.
people = Lane("people", threads=2, guest_places=1)

LANES = (reader, replays, questions, searches, people)
CONNECTIONS = sum(lane.threads for lane in LANES) + 5


def close_all() -> None:
    """Close all threads and their connections."""
    for lane in LANES:
        lane.close()
