"""Each statement, its errors and each new connection are counted, by the metrics of django-prometheus."""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.metrics import counting

pytestmark = pytest.mark.usefixtures("ledger")


def test_a_statement_is_counted_and_timed() -> None:
    labels = {"alias": "default", "vendor": connection.vendor}
    counted = counting("django_db_execute_total", **labels)
    timed = counting("django_db_query_duration_seconds_count", **labels)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT %s", [2])
    assert (counted(), timed()) == (2, 2)


def test_an_error_of_the_database_is_counted_by_its_kind() -> None:
    # Django's own classes come later: here it is the driver's.
    name = "OperationalError" if connection.vendor == "sqlite" else "UndefinedTable"
    errors = counting("django_db_errors_total", alias="default", vendor=connection.vendor, type=name)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
    assert errors() == 1


def test_a_new_connection_is_counted() -> None:
    opened = counting("django_db_new_connections_total", alias="default", vendor=connection.vendor)
    connection.close()
    connection.ensure_connection()
    assert opened() == 1


def test_cursors_of_sqlite_share_one_class() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("psycopg makes its cursors")
    with connection.cursor() as first, connection.cursor() as second:
        assert type(first.cursor) is type(second.cursor)
