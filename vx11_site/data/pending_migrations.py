"""Migrations that this code needs and the database lacks. Migrations of later releases do not count."""

from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django_prometheus.migrations import ExportMigrationsForDatabase

from ledger.faults import DATABASE_FAULTS
from vx11_site.config import postgres

NAMED = 3


def names() -> list[str]:
    """As `app.0001_name`, in the order in which they would run. Raises one of DATABASE_FAULTS."""
    executor = MigrationExecutor(connection)
    # For /metrics, as of the start of a server: to read it at each scrape would build the graph of migrations again.
    ExportMigrationsForDatabase(connection.alias, executor)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def describe(missing: list[str]) -> str:
    """Counted, and the first of them named."""
    count = "1 migration is" if len(missing) == 1 else f"{len(missing)} migrations are"
    return f"{count} missing: {', '.join(missing[:NAMED])}{', ...' if len(missing) > NAMED else ''}"


def refusal() -> str:
    """Why a server with this code must not start on this database; "" if it may. Leaves no connection open."""
    try:
        missing = names()
    except DATABASE_FAULTS as error:
        return f"The database cannot be asked: {postgres.with_repair(error)}"
    finally:
        connections.close_all()
    return f"The database is not up to date, {describe(missing)}\nRun: manage.py migrate" if missing else ""
