"""PostgreSQL as the environment describes it, before anything is connected."""

import pytest

from vx11_site.config.environment import BadEnvironment, Environment
from vx11_site.config.postgres import PostgresAccess, known_repair

PASSWORD = "p@ss:w/rd-of-postgres"
QUOTED = "p%40ss%3Aw%2Frd-of-postgres"
PLACE = f"postgres://vx11:{QUOTED}@db.example.org:5432/operator"


def access(url: str) -> PostgresAccess:
    found = PostgresAccess.from_environment(Environment({"VX11_DATABASE_URL": url}))
    assert found is not None
    return found


def test_where_nothing_is_said_of_a_database_there_is_none() -> None:
    assert PostgresAccess.from_environment(Environment({})) is None


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (PLACE.replace("postgres:", "mysql:"), "postgres://"),
        (PLACE.replace(":5432", ":65536"), "port"),
        (PLACE.replace(":5432", ":postgres"), "port"),
        (f"{PLACE}?sslmod=require", "sslmod"),
        (f"{PLACE}?sslrootcert=/ca.crt", "sslrootcert"),
        (f"{PLACE}?sslmode=prefer&sslcert=/c.crt&sslkey=/c.key", "sslcert and sslkey"),
    ],
)
def test_what_cannot_be_used_or_does_not_protect_is_refused_by_name_and_without_its_password(
    url: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    with pytest.raises(BadEnvironment, match="VX11_DATABASE_URL") as caught:
        access(url)
    assert named in str(caught.value)
    assert QUOTED not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (PLACE, ("vx11", PASSWORD, "db.example.org", 5432, "operator")),
        ("postgresql://vx11@db/my%20log", ("vx11", "", "db", "", "my log")),
        ("psql://[2001:db8::1]:5433/operator", ("", "", "2001:db8::1", 5433, "operator")),
        ("pgsql://vx11@//var/run/postgresql/operator", ("vx11", "", "/var/run/postgresql", "", "operator")),
        ("postgres://vx11@a:5432,b:5433,[::1]/operator", ("vx11", "", "a,b,[::1]", "5432,5433", "operator")),
        ("postgres://vx11:a#b@db:5432/operator", ("vx11", "a#b", "db", 5432, "operator")),
        ("postgres://vx11:a[b+c@d@db/operator", ("vx11", "a[b+c@d", "db", "", "operator")),
        ("postgres:///operator", ("", "", "", "", "operator")),
    ],
)
def test_a_url_names_user_password_hosts_ports_and_database(url: str, place: tuple[object, ...]) -> None:
    config = access(url).config
    assert tuple(config[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")) == place
    assert config["ENGINE"] == "django_prometheus.db.backends.postgresql"


def test_settings_of_django_among_the_options_are_settings_and_all_else_is_of_the_driver() -> None:
    config = access(f"{PLACE}?disable_server_side_cursors=true&AUTOCOMMIT=false&connect_timeout=5").config
    assert (config["DISABLE_SERVER_SIDE_CURSORS"], config["AUTOCOMMIT"]) == (True, False)
    assert config["OPTIONS"] == {"connect_timeout": 5}


def test_the_mode_may_come_by_the_variable_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert access(f"{PLACE}?sslrootcert=/ca.crt").config["OPTIONS"] == {"sslrootcert": "/ca.crt"}


def test_a_server_has_time_limits_unless_the_url_has_others() -> None:
    options = access(f"{PLACE}?connect_timeout=5&DISABLE_SERVER_SIDE_CURSORS=true").database()["OPTIONS"]
    assert options["connect_timeout"] == 5
    assert "statement_timeout" in options["options"]
    assert (options["keepalives_idle"], options["keepalives_interval"], options["keepalives_count"]) == (5, 2, 3)
    assert "DISABLE_SERVER_SIDE_CURSORS" not in options


def test_tools_are_told_all_that_the_url_says_to_libpq_and_when_a_host_is_gone() -> None:
    url = f"{PLACE}?sslmode=verify-full&sslrootcert=/ca.crt&assume_role=other&DISABLE_SERVER_SIDE_CURSORS=true"
    lines = access(url).service_file().splitlines()
    assert lines[0] == "[vx11]"
    assert sorted(lines[1:]) == sorted(
        [
            *("dbname=operator", "user=vx11", f"password={PASSWORD}", "host=db.example.org", "port=5432"),
            *("sslmode=verify-full", "sslrootcert=/ca.crt"),
            *("keepalives=1", "keepalives_idle=5", "keepalives_interval=2", "keepalives_count=3"),
        ]
    )


def test_passwords_are_known_to_whoever_must_not_show_them_and_to_nobody_else() -> None:
    found = access(f"{PLACE}?sslmode=verify-full&sslpassword=of-the-key")
    assert found.passwords == [PASSWORD, "of-the-key"]
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ('root certificate file "/no.crt" does not exist', "sslrootcert"),
        ("FATAL:  connection requires a valid client certificate\n... no encryption", "sslcert"),
        ('could not load private key file "/no.key": No such file', "sslkey"),
        ('no pg_hba.conf entry for host "10.0.0.9", user "vx11", database "vx11", no encryption', "sslmode"),
        ("Connection refused", ""),
    ],
)
def test_a_refusal_names_the_part_of_the_url_that_mends_it(text: str, way_out: str) -> None:
    assert way_out in known_repair(Exception(text))
    assert bool(known_repair(Exception(text))) is bool(way_out)
