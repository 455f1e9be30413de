"""On PostgreSQL the table of events becomes the first partition of one with the same name, and no row is moved.

Servers of the release before go on meanwhile: they read and append by the table's name. The check that lets the table
be attached without being read is validated beside them; then everything is exchanged in one transaction of a few
milliseconds. Each step can be repeated, so a migration that was ended in between is finished by the next.
"""

from django.db import migrations, transaction

TABLE, FIRST, CHECK = "events_event", "events_event_from_0", "events_event_before"
PARTITION_SEQS = 10_000_000
LOCK_HEAD = "SELECT 1 FROM events_loghead WHERE id = 1 FOR UPDATE"
INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass"
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
DEFINITIONS = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = %s::regclass AND NOT indisunique
"""


def rows(connection, statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def run(connection, *statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def is_partitioned(connection):
    return rows(connection, "SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", TABLE)[0][0]


def forwards(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql" or is_partitioned(connection):
        return
    found = rows(connection, "SELECT last_seq FROM events_loghead WHERE id = 1")
    last_seq = found[0][0] if found else 0
    # Servers append while the check is validated, which takes seconds: there is room for more than ten million events.
    bound = (last_seq // PARTITION_SEQS + (2 if last_seq else 1)) * PARTITION_SEQS
    try:
        run(
            connection,
            f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CHECK}, "
            f"ADD CONSTRAINT {CHECK} CHECK (seq < {bound}) NOT VALID",
            f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT {CHECK}",
        )
        with transaction.atomic(connection.alias):
            exchange(connection, bound)
    except BaseException:
        # What is left must not limit the log.
        if rows(connection, "SELECT 1 FROM pg_constraint WHERE conname = %s", CHECK):
            run(connection, f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CHECK}")
        raise


def exchange(connection, bound):
    # Publishers are answered 503 after 1.7 s.
    run(connection, "SET LOCAL lock_timeout = '1s'", LOCK_HEAD, f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
    definitions = rows(connection, DEFINITIONS, TABLE)
    renames = [f'ALTER INDEX {name} RENAME TO "{name}_from_0"' for (name,) in rows(connection, INDEXES, TABLE)]
    run(
        connection,
        f"ALTER TABLE {TABLE} RENAME TO {FIRST}",
        *renames,
        f"CREATE TABLE {TABLE} (LIKE {FIRST} INCLUDING DEFAULTS) PARTITION BY RANGE (seq)",
        f"ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_pkey PRIMARY KEY (seq)",
        *(definition for _, definition in definitions),
        f"ALTER TABLE {TABLE} ATTACH PARTITION {FIRST} FOR VALUES FROM (MINVALUE) TO ({bound})",
        f"ALTER TABLE {FIRST} DROP CONSTRAINT {CHECK}",
    )


def backwards(apps, schema_editor):
    """One table again: the rows of all partitions but one are moved, and publishers wait meanwhile."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql" or not is_partitioned(connection):
        return
    with transaction.atomic(connection.alias):
        run(connection, "SET LOCAL lock_timeout = '1s'", LOCK_HEAD, f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        whole = f"{TABLE}_whole"
        indexes = rows(connection, DEFINITIONS, TABLE)
        run(
            connection,
            f"CREATE TABLE {whole} (LIKE {TABLE} INCLUDING DEFAULTS)",
            f"INSERT INTO {whole} SELECT * FROM {TABLE}",  # noqa: S608 - both names are above
            f"DROP TABLE {TABLE}",
            f"ALTER TABLE {whole} RENAME TO {TABLE}",
            f"ALTER TABLE {TABLE} ADD PRIMARY KEY (seq)",
            f"ALTER TABLE {TABLE} ADD CONSTRAINT event_id_once_per_publisher UNIQUE (event_id, publisher)",
            f"CREATE UNIQUE INDEX idempotency_key_once_per_publisher ON {TABLE} (idempotency_key, publisher) "
            "WHERE idempotency_key IS NOT NULL",
            # Those of the whole are named "ON ONLY".
            *(definition.replace(" ON ONLY ", " ON ") for _, definition in indexes),
        )


class Migration(migrations.Migration):
    # The check is committed before it is validated.
    atomic = False
    dependencies = [
        ("events", "0004_used_keys"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
