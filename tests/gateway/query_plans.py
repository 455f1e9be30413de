"""How the database looks for rows: by an index, or by reading all of the table."""

from collections.abc import Callable
from typing import Any

from django.db import connection

# The planner chooses by the size of a table, to which all rows count that earlier tests have deleted. Of a table that
# was emptied it knows nothing. The audit refuses to be emptied, by a trigger.
AS_NEW = """
BEGIN; SET LOCAL session_replication_role = replica; CREATE TEMPORARY TABLE kept ON COMMIT DROP AS TABLE "{table}";
TRUNCATE "{table}"; INSERT INTO "{table}" SELECT * FROM kept; COMMIT
"""


def plans(table: str, read: Callable[[], object]) -> list[str]:
    """A line of the plan for each time that a query made by `read` goes through this table."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        if sql.startswith("SELECT") and f'FROM "{table}"' in sql:
            asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        read()
    on_postgresql = connection.vendor == "postgresql"
    lines: list[str] = []
    with connection.cursor() as cursor:
        if on_postgresql:
            cursor.execute(AS_NEW.format(table=table))
            # On a table this small it would rather read all of it.
            cursor.execute("SET enable_seqscan = off")
        for sql, params in asked:
            # With the very parameters: SQLite decides by their values whether a partial index will do.
            cursor.execute(("EXPLAIN " if on_postgresql else "EXPLAIN QUERY PLAN ") + sql, params)
            lines += [str(row[-1]) for row in cursor.fetchall()]
        if on_postgresql:
            cursor.execute("RESET enable_seqscan")
    # PostgreSQL names the index of a bitmap in a line of its own, without the table.
    return [line for line in lines if table in line or "Index Scan on" in line]


def full_scans(lines: list[str], *, small: tuple[str, ...] = ()) -> list[str]:
    """Those that read all of the table. To read all of an index in `small`, which holds few rows, is none."""
    scans = [line for line in lines if line.startswith("SCAN") or "Seq Scan" in line]
    return [line for line in scans if not any(name in line for name in small)]
